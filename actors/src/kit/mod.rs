//! House rules around ractor, in code: the only module that touches it.
//!
//! ractor's mailboxes are unbounded, its default supervision stops a parent with any child, and it restarts nothing.
//! Here stand the answers: [`Admission`] bounds what is in flight, [`Behaviour`] ignores a child's end unless told
//! otherwise, [`Restart`] says how often and how soon, [`Directory`] finds without a message.

mod actor;
mod admission;
mod directory;
mod post;
mod rate;
mod reply;
mod restart;

pub(crate) use actor::{Address, Behaviour, ChildId, Death, Ended, Lifeline, Timer, spawn_child, spawn_root};
pub(crate) use admission::{Admission, Denied, Permit};
pub(crate) use directory::{Directory, Found};
pub(crate) use post::Post;
pub(crate) use rate::Bucket;
pub(crate) use reply::{Lost, answer_by};
pub(crate) use restart::{Crashes, Restart, Verdict};

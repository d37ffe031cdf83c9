//! What happens to every request before and after its handler.

mod enter;
mod observe;

pub(crate) use enter::{Entered, enter};
pub(crate) use observe::{Observed, observe, observed};

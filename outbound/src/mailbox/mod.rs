//! The mailbox for development: keeps mails in memory while a project has no SMTP server.

mod found;
mod search;
mod shapes;

pub use shapes::{ListUnsubscribe, Listing, Mail, MailAddress, Summary};

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use domain::ids::ProjectId;

use crate::mail::{BuildError, Message};
use search::Query;

/// How much a mailbox keeps. What exceeds a bound pushes out the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages of one project.
    pub per_project: usize,
    /// Messages of all projects together.
    pub messages: usize,
    /// Bytes of all messages together; the newest message stays whatever its size.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_project: 500, messages: 10_000, bytes: 64 * 1024 * 1024 }
    }
}

/// Whose mails are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every project's.
    All,
    /// One project's.
    Project(ProjectId),
}

/// The part of a list that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many messages to leave out.
    pub start: usize,
    /// How many to show at most.
    pub limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { start: 0, limit: 50 }
    }
}

/// Mails in memory, bounded, newest first.
///
/// Reads never wait: they work on an unchanging snapshot. Writes take turns and replace the snapshot.
pub struct Mailbox {
    limits: Limits,
    letters: ArcSwap<Letters>,
    writer: Mutex<()>,
}

/// Newest first.
type Letters = Vec<Arc<Letter>>;

struct Letter {
    project: ProjectId,
    mail: Mail,
    read: AtomicBool,
}

impl Letter {
    fn is_read(&self) -> bool {
        self.read.load(Ordering::Relaxed)
    }

    fn is_in(&self, scope: Scope) -> bool {
        scope == Scope::All || scope == Scope::Project(self.project)
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Mailbox {
    /// An empty mailbox.
    pub fn new(limits: Limits) -> Self {
        Self { limits, letters: ArcSwap::default(), writer: Mutex::new(()) }
    }

    /// Keeps `message`. The same message again (same id) takes the place of the first.
    pub fn deliver(&self, project: ProjectId, message: &Message) -> Result<(), BuildError> {
        let mail = Mail::new(message, message.to_bytes()?.len());
        let letter = Arc::new(Letter { project, mail, read: AtomicBool::new(false) });
        self.replace(|letters| {
            let older = letters.iter().filter(|old| old.project != project || old.mail.id != letter.mail.id);
            self.bounded(std::iter::once(&letter).chain(older))
        });
        Ok(())
    }

    /// A page of the mails in `scope`, newest first.
    pub fn list(&self, scope: Scope, page: Page) -> Listing {
        self.search(scope, "", page)
    }

    /// A page of the mails in `scope` that match `query`, in Mailpit's language: words that must all occur,
    /// `"several words"` as one; `to:`, `from:`, `reply-to:`, `addressed:`, `subject:`, `message-id:`, `tag:` look in one
    /// place; `is:read`, `is:unread`; `-` or `!` in front turns a term around.
    pub fn search(&self, scope: Scope, query: &str, page: Page) -> Listing {
        let query = Query::parse(query);
        let letters = self.letters.load();
        let mut listing = Listing {
            total: 0,
            unread: 0,
            count: 0,
            messages_count: 0,
            messages_unread: 0,
            start: page.start,
            tags: Vec::new(),
            messages: Vec::new(),
        };
        for letter in letters.iter().filter(|letter| letter.is_in(scope)) {
            let read = letter.is_read();
            listing.total += 1;
            listing.unread += usize::from(!read);
            if !query.matches(&letter.mail, read) {
                continue;
            }
            if listing.messages_count >= page.start && listing.messages.len() < page.limit {
                listing.messages.push(Summary::new(&letter.mail, read));
            }
            listing.messages_count += 1;
            listing.messages_unread += usize::from(!read);
        }
        listing.count = listing.messages.len();
        listing
    }

    /// One mail, from now on read. The id `latest` is the newest.
    pub fn get(&self, scope: Scope, id: &str) -> Option<Mail> {
        let letters = self.letters.load();
        let mut own = letters.iter().filter(|letter| letter.is_in(scope));
        let letter = own.find(|letter| id == "latest" || letter.mail.id == id)?;
        letter.read.store(true, Ordering::Relaxed);
        Some(letter.mail.clone())
    }

    /// Marks the mails with these ids, or all if there are none, as read or unread.
    pub fn set_read(&self, scope: Scope, ids: &[String], read: bool) {
        let letters = self.letters.load();
        for letter in letters.iter().filter(|letter| letter.is_in(scope) && named(letter, ids)) {
            letter.read.store(read, Ordering::Relaxed);
        }
    }

    /// Throws away the mails with these ids, or all if there are none.
    pub fn delete(&self, scope: Scope, ids: &[String]) {
        self.retain(|letter| !(letter.is_in(scope) && named(letter, ids)));
    }

    /// Throws away the mails that match `query`.
    pub fn delete_matching(&self, scope: Scope, query: &str) {
        let query = Query::parse(query);
        self.retain(|letter| !(letter.is_in(scope) && query.matches(&letter.mail, letter.is_read())));
    }

    fn retain(&self, keep: impl Fn(&Letter) -> bool) {
        self.replace(|letters| letters.iter().filter(|letter| keep(letter)).cloned().collect());
    }

    fn replace(&self, change: impl FnOnce(&Letters) -> Letters) {
        let _turn = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&self.letters.load());
        self.letters.store(Arc::new(changed));
    }

    fn bounded<'a>(&self, letters: impl Iterator<Item = &'a Arc<Letter>>) -> Letters {
        let mut kept = Letters::new();
        let mut bytes = 0_usize;
        let mut counts: HashMap<ProjectId, usize> = HashMap::new();
        for letter in letters {
            let count = counts.entry(letter.project).or_default();
            let size = letter.mail.html.len() + letter.mail.text.len();
            let full = kept.len() >= self.limits.messages || bytes.saturating_add(size) > self.limits.bytes;
            if full && !kept.is_empty() {
                break;
            }
            if *count < self.limits.per_project {
                *count += 1;
                bytes += size;
                kept.push(Arc::clone(letter));
            }
        }
        kept
    }
}

fn named(letter: &Letter, ids: &[String]) -> bool {
    ids.is_empty() || ids.contains(&letter.mail.id)
}

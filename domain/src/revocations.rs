//! `GET /admin/revocations`: sessions that ended, for resource servers that cache what they know of tokens.

use crate::ids::{SessionId, UserId};
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::time::Timestamp;

/// Ends of sessions after a cursor are asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The admin's token.
    pub bearer: Bearer,
    /// What to read; what is wrong with it is told after the bearer was let in.
    pub query: Result<Query, Refusal>,
}

/// The query of [`Request`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Query {
    /// `cursor` of an earlier page; `None` = from now on.
    pub after: Option<i64>,
    /// Seconds to wait for an end where there is none yet; 0 = not at all.
    pub wait: u32,
}

/// Ends of sessions, oldest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// What ended.
    pub revocations: Vec<Revocation>,
    /// Where the next page begins.
    pub cursor: i64,
    /// Ends between the asked cursor and this page may have been swept: who cached must forget all.
    pub gap: bool,
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Which one.
    pub session: SessionId,
    /// Whose it was.
    pub user: UserId,
    /// When it ended.
    pub at: Timestamp,
}

impl Page {
    /// The answer for who has read up to `after`: `rows` come behind it, with their numbers; `newest` is the highest number there
    /// is and `swept` the highest that is no longer kept, both 0 where there is none.
    pub fn after(after: Option<i64>, rows: Vec<(i64, Revocation)>, newest: i64, swept: i64) -> Self {
        let cursor = rows.last().map_or(newest, |(number, _)| *number);
        // A number that was never given comes from another database, or from one that was put back to an earlier state.
        let gap = after.is_some_and(|after| after < swept || after > newest);
        Self { revocations: rows.into_iter().map(|(_, revocation)| revocation).collect(), cursor, gap }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn row(number: i64) -> (i64, Revocation) {
        let id = Uuid::from_u128(number.unsigned_abs().into());
        (number, Revocation { session: SessionId(id), user: UserId(id), at: Timestamp::from_unix(number) })
    }

    #[test]
    fn a_page_says_where_the_next_one_begins_and_what_was_lost() {
        let read = |after, rows: &[i64], newest, swept| {
            let page = Page::after(after, rows.iter().map(|&number| row(number)).collect(), newest, swept);
            (page.revocations.len(), page.cursor, page.gap)
        };
        assert_eq!(read(None, &[], 0, 0), (0, 0, false), "nothing has ended yet");
        assert_eq!(read(None, &[], 7, 3), (0, 7, false), "from now on");
        assert_eq!(read(Some(0), &[1, 2], 2, 0), (2, 2, false));
        assert_eq!(read(Some(2), &[], 2, 0), (0, 2, false));
        assert_eq!(read(Some(2), &[3, 4], 9, 2), (2, 4, false), "a full page of more");
        assert_eq!(read(Some(2), &[4], 4, 3), (1, 4, true), "number 3 was swept");
        assert_eq!(read(Some(9), &[], 4, 3), (0, 4, true), "number 9 was never given");
        assert_eq!(read(Some(-1), &[1], 1, 0), (1, 1, true), "nor was this");
    }
}

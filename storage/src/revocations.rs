//! Rows of `auth.session_revocations`: which sessions ended, for those who remember tokens.
//!
//! A trigger writes them, so that no end is missed whoever brought it about. Readers ask for what came after a number, and a number
//! that is taken before others and seen after them would be missed. So on PostgreSQL the trigger gives no numbers: nothing waits
//! for anything where sessions end, and a transaction that stays open delays nothing but its own. Who reads numbers what was
//! committed meanwhile: under a lock, from the highest number on, in one statement. Its numbers are seen all at once, and before
//! the next number is given. Who got the lock with an older view of the rows runs into the unique numbers and looks again.
//! SQLite has one writer: there the rows are numbered as they come.

use domain::ids::{SessionId, UserId};
use domain::revocations::Revocation;
use domain::time::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use crate::database::TenantStore;
use crate::error::{Result, StoreError};
use crate::sql::each;
use crate::values::At;

/// How often numbers are asked for anew when another reader gave them.
const ATTEMPTS: usize = 5;
/// Rows that get their numbers at once: more than any page has, and few enough that nobody waits long.
const AT_ONCE: i64 = 10_000;

macro_rules! read {
    ($unnumbered:literal) => {
        concat!(
            "select b.newest, b.oldest, b.unnumbered, r.seq, r.session_id, r.user_id, r.at
             from (
                 select (select max(h.seq) from auth.session_revocations as h where h.instance_id = $1) as newest,
                     (select min(h.seq) from auth.session_revocations as h where h.instance_id = $1) as oldest,
                     ",
            $unnumbered,
            " as unnumbered
             ) as b
             left join (
                 select x.seq, x.session_id, x.user_id, x.at from auth.session_revocations as x
                 where x.instance_id = $1 and x.seq > $2
                 order by x.seq limit $3
             ) as r on true
             order by r.seq"
        )
    };
}

/// Of the first rows: those that are over and are followed by another that is, with nothing before them that is not. One row always
/// stays, to say which number was the last one.
macro_rules! doomed {
    ($all:literal, $no:literal) => {
        concat!(
            "select d.seq from (
                 select p.seq, lead(p.over, 1, ",
            $no,
            ") over (order by p.seq) as doomed from (
                     select h.seq, ",
            $all,
            "(h.at < $2) over (order by h.seq) as over from (
                         select x.seq, x.at from auth.session_revocations as x
                         where x.instance_id = $1 and x.seq is not null
                         order by x.seq limit $3 + 1
                     ) as h
                 ) as p
             ) as d
             where d.doomed"
        )
    };
}

statements! {
    project READ = each(
        read!("exists (select 1 from auth.session_revocations as h where h.instance_id = $1 and h.seq is null)"),
        read!("false"),
    );
    // The lock is had before there is a row to number. The last comparison is one that no index knows: the rows are then found
    // by their keys, not each among all that have no number.
    project NUMBER = each(
        "with turn as materialized (
             select pg_advisory_xact_lock($2)
         ), newest as materialized (
             select coalesce(max(h.seq), 0) as seq from auth.session_revocations as h where h.instance_id = $1
         ), fresh as materialized (
             select f.id, n.seq + row_number() over (order by f.id) as seq
             from turn as t
             cross join newest as n
             cross join (
                 select x.id from auth.session_revocations as x
                 where x.instance_id = $1 and x.seq is null
                 order by x.id limit $3
             ) as f
         )
         update auth.session_revocations as r set seq = f.seq
         from fresh as f
         where r.instance_id = $1 and r.id = f.id and coalesce(r.seq, 0) = 0",
        "",
    );
    project SWEEP = each(
        concat!(
            "delete from auth.session_revocations as gone
             where gone.instance_id = $1 and gone.seq = any(array(", doomed!("bool_and", "false"), "))"
        ),
        concat!(
            "delete from auth.session_revocations as gone
             where gone.instance_id = $1 and gone.seq in (", doomed!("min", "0"), ")"
        ),
    );
}

#[derive(FromRow)]
struct Row {
    newest: Option<i64>,
    oldest: Option<i64>,
    unnumbered: bool,
    seq: Option<i64>,
    session_id: Option<Uuid>,
    user_id: Option<Uuid>,
    at: Option<At>,
}

/// Ends of sessions after a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// The ends with their numbers, in their order. The numbers of a project have no gaps.
    pub rows: Vec<(i64, Revocation)>,
    /// The highest number of the project; 0 when no session of it ever ended.
    pub newest: i64,
    /// The highest number that was swept; 0 when none was.
    pub swept: i64,
}

impl TenantStore {
    /// The ends of sessions after number `after`, at most so many; `None` asks only for the newest number.
    ///
    /// What was committed before the call is there, unless it was very much: then the next page goes on.
    pub async fn read_revocations(&self, after: Option<i64>, limit: u32) -> Result<Revocations> {
        let (seen, unnumbered) = self.numbered_revocations(after, limit).await?;
        let full = seen.rows.len() >= limit as usize && after.is_some();
        if !unnumbered || full {
            return Ok(seen);
        }
        self.number_revocations().await?;
        Ok(self.numbered_revocations(after, limit).await?.0)
    }

    /// Removes the ends that came before an instant, but for the last of them, and answers how many.
    pub(crate) async fn sweep_revocations(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.number_revocations().await?;
        execute_now!(self.backend(), SWEEP, self.instance.0, At(before), i64::from(limit))
    }

    async fn numbered_revocations(&self, after: Option<i64>, limit: u32) -> Result<(Revocations, bool)> {
        let limit = i64::from(limit);
        let rows = fetch_now!(self.backend(), fetch_all, Row, READ, self.instance.0, after, limit)?;
        let Some(first) = rows.first() else { return Ok((Revocations::default(), false)) };
        let unnumbered = first.unnumbered;
        let (newest, swept) = (first.newest.unwrap_or(0), first.oldest.map_or(0, |oldest| oldest - 1));
        let rows = rows.into_iter().filter_map(Row::revocation).collect();
        Ok((Revocations { rows, newest, swept }, unnumbered))
    }

    pub(crate) async fn number_revocations(&self) -> Result<()> {
        if !self.backend().is_postgres() {
            return Ok(());
        }
        let instance = self.instance.0;
        let (high, low) = instance.as_u64_pair();
        let turn = (high ^ low).cast_signed();
        for _ in 0..ATTEMPTS {
            match execute_now!(self.backend(), NUMBER, instance, turn, AT_ONCE) {
                Err(StoreError::Conflict) => {}
                outcome => return outcome.map(|_| ()),
            }
        }
        // Others number all the time: what they have not got to yet comes with the next page.
        Ok(())
    }
}

impl Row {
    fn revocation(self) -> Option<(i64, Revocation)> {
        let revocation =
            Revocation { session: SessionId(self.session_id?), user: UserId(self.user_id?), at: self.at?.0 };
        Some((self.seq?, revocation))
    }
}

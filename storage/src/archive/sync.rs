//! The rows of a project in one database become those in another: missing ones are added, different ones changed, surplus ones
//! removed. Both sides are read in the order of their keys and merged, a page at a time, table by table, parents first.
//!
//! It may be stopped after any step and begun again, as often as one likes: a sync of what is the same already only reads. While the
//! source is being written, a row whose parent came later is left out; the next sync brings it.

use std::cmp::Ordering;
use std::collections::VecDeque;

use tokio::time::Instant;

use super::cells::{Key, Row};
use super::tables::{TABLES, Table};
use super::{Place, tables};
use crate::database::TenantStore;
use crate::error::{Result, StoreError};

/// Rows that are read at once on each side.
const PAGE: u32 = 500;
/// Rows that are written at once: few enough that nobody else's write waits long.
const BITE: usize = 500;

/// What a sync has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Rows of the source that were looked at.
    pub read: u64,
    /// Rows that were added or changed.
    pub written: u64,
    /// Rows that were removed.
    pub removed: u64,
    /// Rows that were left out because what they hang on was not there.
    pub left_out: u64,
}

/// One sync, a step at a time.
pub struct Sync {
    source: TenantStore,
    target: TenantStore,
    shift: i64,
    with_outbox: bool,
    table: usize,
    merge: Merge,
    streams: (Stream, Stream),
    done: Synced,
}

/// What a pass through a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Merge {
    /// To make it the same.
    Whole,
    /// To remove what is surplus or different, after a unique value was found taken by such a row.
    ClearWay,
    /// To make it the same, now that nothing is in the way.
    Again,
}

/// The rows of a table, read as they are needed.
struct Stream {
    rows: VecDeque<Row>,
    last: Option<Key>,
    is_over: bool,
}

impl Stream {
    fn new() -> Self {
        Self { rows: VecDeque::new(), last: None, is_over: false }
    }

    fn wants(&self) -> bool {
        self.rows.is_empty() && !self.is_over
    }

    async fn fill(&mut self, store: &TenantStore, table: &'static Table, shift: i64) -> Result<()> {
        if !self.wants() {
            return Ok(());
        }
        let after = self.last.as_ref().map(Place::from_key);
        let rows = store.archive_page(table, after.as_ref(), PAGE, shift).await?;
        self.is_over = rows.len() < PAGE as usize;
        if let Some(last) = rows.last().map(|row| row.key(table)) {
            if self.last.as_ref().is_some_and(|before| last <= *before) {
                return Err(StoreError::fault("rows were read out of their order"));
            }
            self.last = Some(last);
        }
        self.rows = rows.into();
        Ok(())
    }
}

impl Sync {
    /// The rows of `source` to `target`, whose numbers of stored tokens are ahead by `shift`. Messages wait in one place only:
    /// they go along when `with_outbox` says so.
    pub fn new(source: TenantStore, target: TenantStore, shift: i64, with_outbox: bool) -> Self {
        let streams = (Stream::new(), Stream::new());
        Self { source, target, shift, with_outbox, table: 0, merge: Merge::Whole, streams, done: Synced::default() }
    }

    /// What has been done so far.
    pub fn so_far(&self) -> Synced {
        self.done
    }

    /// Does a little. `false` when there is nothing left to do. After `until` nothing is written.
    ///
    /// # Errors
    /// `Conflict` when a row's unique value belongs to another project's row in the target.
    pub async fn step(&mut self, until: Instant) -> Result<bool> {
        let Some(table) = tables::TABLES.get(self.table) else { return Ok(false) };
        if table.name == "outbox" && !self.with_outbox {
            self.next_table();
            return Ok(true);
        }
        if table.name == "session_revocations" && self.streams.0.last.is_none() {
            self.source.number_all_revocations().await?;
            // Rows were removed in the target on the way: nobody's session ended by that.
            self.done.removed += self.target.drop_unnumbered_revocations().await?;
        }
        let (from, to) = &mut self.streams;
        tokio::try_join!(from.fill(&self.source, table, 0), to.fill(&self.target, table, self.shift))?;
        let difference = self.difference(table);
        match self.apply(table, difference, until).await {
            Err(StoreError::Conflict) if self.merge == Merge::Whole => {
                self.restart(Merge::ClearWay);
                return Ok(true);
            }
            applied => applied?,
        }
        let (from, to) = &self.streams;
        if [from, to].iter().all(|stream| stream.rows.is_empty() && stream.is_over) {
            match self.merge {
                Merge::ClearWay => self.restart(Merge::Again),
                Merge::Whole | Merge::Again => self.next_table(),
            }
        }
        Ok(self.table < TABLES.len())
    }

    fn restart(&mut self, merge: Merge) {
        self.merge = merge;
        self.streams = (Stream::new(), Stream::new());
    }

    fn next_table(&mut self) {
        self.table += 1;
        self.restart(Merge::Whole);
    }

    /// Merges until one side has to be read on.
    fn difference(&mut self, table: &'static Table) -> Difference {
        let (from, to) = &mut self.streams;
        let mut difference = Difference::default();
        while !from.wants() && !to.wants() && difference.len() < BITE {
            let keys = (from.rows.front().map(|row| row.key(table)), to.rows.front().map(|row| row.key(table)));
            let order = match &keys {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(one), Some(other)) => one.cmp(other),
            };
            let one = if order.is_le() { from.rows.pop_front() } else { None };
            let other = if order.is_ge() { to.rows.pop_front() } else { None };
            self.done.read += u64::from(one.is_some());
            match (one, other) {
                (Some(one), Some(other)) if one.is_same(table, &other) => {}
                (Some(one), Some(other)) => {
                    if self.merge == Merge::ClearWay || !table.is_parent {
                        difference.surplus.push(other);
                    }
                    difference.wanted.push(one);
                }
                (Some(one), None) => difference.wanted.push(one),
                (None, Some(other)) => difference.surplus.push(other),
                (None, None) => {}
            }
        }
        difference
    }

    async fn apply(&mut self, table: &'static Table, difference: Difference, until: Instant) -> Result<()> {
        let Difference { mut wanted, surplus } = difference;
        if self.merge == Merge::ClearWay {
            wanted.clear();
        }
        if wanted.is_empty() && surplus.is_empty() {
            return Ok(());
        }
        let too_late = || StoreError::busy("copying was slower than it may be");
        let mut work = self.target.backend().begin().await?;
        if Instant::now() >= until {
            return Err(too_late());
        }
        let removed = self.target.remove(&mut work, table, &surplus, self.shift).await?;
        let mut written = 0;
        if !wanted.is_empty() {
            let rows = super::objects(table, &wanted, self.shift)?;
            written = execute!(&mut work, table.insert, self.target.instance.0, rows)?;
        }
        if Instant::now() >= until {
            return Err(too_late());
        }
        work.commit().await?;
        self.done.removed += removed;
        self.done.written += written;
        self.done.left_out += (wanted.len() as u64).saturating_sub(written);
        Ok(())
    }
}

/// What has to be written.
#[derive(Default)]
struct Difference {
    wanted: Vec<Row>,
    surplus: Vec<Row>,
}

impl Difference {
    fn len(&self) -> usize {
        self.wanted.len().max(self.surplus.len())
    }
}

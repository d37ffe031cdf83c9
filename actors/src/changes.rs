//! What changed while the gateway runs, as far as anybody needs it: whoever reads a project notes the number before, and asks
//! afterwards whether the project has changed since.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ids::ProjectId;
use tokio::sync::Notify;

/// Changes that are told apart by their project; what came before them concerns every project.
const REMEMBERED: usize = 4096;

#[derive(Default)]
struct Log {
    /// The number of the newest change.
    number: u64,
    /// Every project may have changed up to here.
    all: u64,
    /// The newest change of a project.
    of: HashMap<ProjectId, u64>,
    order: VecDeque<(u64, ProjectId)>,
    /// Reads under way by the number at their beginning.
    reads: BTreeMap<u64, usize>,
}

/// The changes of this gateway's projects, numbered as they are heard of.
#[derive(Default)]
pub(crate) struct Changes {
    log: Mutex<Log>,
    read: Notify,
}

impl Changes {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A project has changed. The change's number.
    pub(crate) fn note(&self, project: ProjectId) -> u64 {
        let mut log = self.log();
        log.number += 1;
        let number = log.number;
        log.of.insert(project, number);
        log.order.push_back((number, project));
        while log.order.len() > REMEMBERED {
            let Some((old, project)) = log.order.pop_front() else { break };
            if log.of.get(&project) == Some(&old) {
                log.of.remove(&project);
            }
            log.all = old;
        }
        number
    }

    /// Every project may have changed. The change's number.
    pub(crate) fn note_all(&self) -> u64 {
        let mut log = self.log();
        log.number += 1;
        log.all = log.number;
        log.of.clear();
        log.order.clear();
        log.number
    }

    /// Whether the project may have changed since that number.
    pub(crate) fn since(&self, project: ProjectId, number: u64) -> bool {
        let log = self.log();
        log.all > number || log.of.get(&project).is_some_and(|changed| *changed > number)
    }

    /// Somebody begins to read a project.
    pub(crate) fn begin(self: &Arc<Self>) -> Reading {
        let mut log = self.log();
        let number = log.number;
        *log.reads.entry(number).or_default() += 1;
        Reading { number, changes: Arc::clone(self) }
    }

    /// Waits, at most for `limit`, until no read is under way that began before the change of that number. Whether none is.
    pub(crate) async fn read_since(&self, number: u64, limit: Duration) -> bool {
        let over = async {
            loop {
                let mut read = std::pin::pin!(self.read.notified());
                read.as_mut().enable();
                if self.log().reads.first_key_value().is_none_or(|(oldest, _)| *oldest >= number) {
                    return;
                }
                read.await;
            }
        };
        tokio::time::timeout(limit, over).await.is_ok()
    }
}

/// A read of a project; over when it is dropped, after what was read has its place.
pub(crate) struct Reading {
    number: u64,
    changes: Arc<Changes>,
}

impl Reading {
    /// The changes that it certainly sees.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut log = self.changes.log();
        if let Some(reads) = log.reads.get_mut(&self.number) {
            *reads -= 1;
            if *reads == 0 {
                log.reads.remove(&self.number);
            }
        }
        drop(log);
        self.changes.read.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const A: ProjectId = ProjectId(Uuid::from_u128(1));
    const B: ProjectId = ProjectId(Uuid::from_u128(2));

    #[test]
    fn a_change_of_one_project_is_none_of_another() {
        let changes = Changes::default();
        let before = changes.note(B);
        changes.note(A);
        assert!(changes.since(A, before));
        assert!(!changes.since(B, before));
        changes.note_all();
        assert!(changes.since(B, before));
    }

    #[test]
    fn what_is_not_remembered_may_have_been_a_change_of_anybody() {
        let changes = Changes::default();
        let before = changes.note(B);
        for _ in 0..=REMEMBERED {
            changes.note(A);
        }
        assert!(changes.since(B, before));
        let after = changes.note(A);
        assert!(!changes.since(B, after));
        assert!(changes.log().order.len() <= REMEMBERED && changes.log().of.len() == 1);
    }

    #[tokio::test(start_paused = true)]
    async fn reads_that_began_earlier_are_waited_for_and_later_ones_are_not() {
        let changes = Arc::new(Changes::default());
        let (limit, early) = (Duration::from_secs(1), changes.begin());
        let number = changes.note(A);
        let _late = changes.begin();
        assert!(!changes.read_since(number, limit).await);
        let waiting = tokio::spawn({
            let changes = Arc::clone(&changes);
            async move { changes.read_since(number, limit).await }
        });
        tokio::task::yield_now().await;
        drop(early);
        assert!(waiting.await.unwrap());
    }
}

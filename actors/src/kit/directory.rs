//! Finding without a message: what lives, and for a while what is known not to.

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::time::Instant;

/// What a look-up finds.
pub(crate) enum Found<V, A> {
    /// It lives.
    Resident(Arc<V>),
    /// It is known to be absent until then.
    Absent(A, Instant),
    /// Nothing is known.
    Nothing,
}

enum Slot<V, A> {
    Resident(Arc<V>),
    Absent { why: A, until: Instant },
}

/// Entries by key. Readers take no lock over an await; one supervisor per key writes.
pub(crate) struct Directory<K, V, A> {
    slots: DashMap<K, Slot<V, A>>,
    resident: AtomicUsize,
    /// Absent keys in the order they were noted: the oldest make room.
    absent: Mutex<VecDeque<K>>,
    most_absent: usize,
}

impl<K: Eq + Hash + Clone, V, A: Clone> Directory<K, V, A> {
    /// An empty directory that remembers at most `most_absent` absences.
    pub(crate) fn new(most_absent: usize) -> Self {
        Self { slots: DashMap::new(), resident: AtomicUsize::new(0), absent: Mutex::new(VecDeque::new()), most_absent }
    }

    /// What is known about `key` at `now`.
    pub(crate) fn find(&self, key: &K, now: Instant) -> Found<V, A> {
        match self.slots.get(key).as_deref() {
            Some(Slot::Resident(entry)) => Found::Resident(Arc::clone(entry)),
            Some(Slot::Absent { why, until }) if now < *until => Found::Absent(why.clone(), *until),
            Some(Slot::Absent { .. }) | None => Found::Nothing,
        }
    }

    /// Makes `entry` what is found under `key`.
    pub(crate) fn insert(&self, key: K, entry: Arc<V>) {
        let before = self.slots.insert(key, Slot::Resident(entry));
        if !matches!(before, Some(Slot::Resident(_))) {
            self.resident.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Removes `key` if `entry` is what stands there.
    pub(crate) fn remove(&self, key: &K, entry: &Arc<V>) {
        let same = |slot: &Slot<V, A>| matches!(slot, Slot::Resident(found) if Arc::ptr_eq(found, entry));
        if self.slots.remove_if(key, |_, slot| same(slot)).is_some() {
            self.resident.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Removes every resident whose key is `gone`.
    pub(crate) fn remove_where(&self, gone: impl Fn(&K) -> bool) {
        self.slots.retain(|key, slot| {
            let goes = matches!(slot, Slot::Resident(_)) && gone(key);
            if goes {
                self.resident.fetch_sub(1, Ordering::Relaxed);
            }
            !goes
        });
    }

    /// Notes that `key` is absent until then, unless it lives.
    pub(crate) fn note_absent(&self, key: K, why: A, until: Instant) {
        let slot = Slot::Absent { why, until };
        match self.slots.entry(key.clone()) {
            Entry::Occupied(mut taken) => {
                if matches!(taken.get(), Slot::Absent { .. }) {
                    taken.insert(slot);
                }
                return;
            }
            Entry::Vacant(free) => drop(free.insert(slot)),
        }
        let mut order = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        order.push_back(key);
        while order.len() > self.most_absent {
            let Some(oldest) = order.pop_front() else { break };
            self.slots.remove_if(&oldest, |_, slot| matches!(slot, Slot::Absent { .. }));
        }
    }

    /// Forgets every absence.
    pub(crate) fn forget_absent(&self) {
        let keys = std::mem::take(&mut *self.absent.lock().unwrap_or_else(PoisonError::into_inner));
        for key in keys {
            self.slots.remove_if(&key, |_, slot| matches!(slot, Slot::Absent { .. }));
        }
    }

    /// Forgets the absences that are over at `now`.
    pub(crate) fn forget_expired(&self, now: Instant) {
        let mut order = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        order.retain(|key| {
            let expired = |slot: &Slot<V, A>| matches!(slot, Slot::Absent { until, .. } if *until <= now);
            self.slots.remove_if(key, |_, slot| expired(slot));
            matches!(self.slots.get(key).as_deref(), Some(Slot::Absent { .. }))
        });
    }

    /// How many live.
    pub(crate) fn residents(&self) -> usize {
        self.resident.load(Ordering::Relaxed)
    }

    /// Every resident.
    pub(crate) fn all(&self) -> Vec<Arc<V>> {
        self.slots
            .iter()
            .filter_map(|slot| match slot.value() {
                Slot::Resident(entry) => Some(Arc::clone(entry)),
                Slot::Absent { .. } => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn directory() -> Directory<u32, &'static str, ()> {
        Directory::new(2)
    }

    #[test]
    fn an_absence_is_known_until_its_end() {
        let (now, directory) = (Instant::now(), directory());
        let until = now + Duration::from_secs(5);
        directory.note_absent(1, (), until);
        assert!(matches!(directory.find(&1, now), Found::Absent((), end) if end == until));
        assert!(matches!(directory.find(&1, until), Found::Nothing));
    }

    #[test]
    fn an_absence_never_hides_a_resident() {
        let (now, directory) = (Instant::now(), directory());
        directory.insert(1, Arc::new("here"));
        directory.note_absent(1, (), now + Duration::from_secs(5));
        assert!(matches!(directory.find(&1, now), Found::Resident(_)));
    }

    #[test]
    fn absences_are_bounded_and_the_oldest_goes() {
        let (now, directory) = (Instant::now(), directory());
        for key in 0..3 {
            directory.note_absent(key, (), now + Duration::from_secs(5));
        }
        assert!(matches!(directory.find(&0, now), Found::Nothing));
        assert!(matches!(directory.find(&2, now), Found::Absent(..)));
        directory.forget_absent();
        assert!(matches!(directory.find(&2, now), Found::Nothing));
    }

    #[test]
    fn only_the_entry_that_stands_there_is_removed() {
        let directory = directory();
        let (old, new) = (Arc::new("old"), Arc::new("new"));
        directory.insert(1, Arc::clone(&old));
        directory.insert(1, Arc::clone(&new));
        directory.remove(&1, &old);
        assert_eq!(directory.residents(), 1);
        directory.remove(&1, &new);
        assert_eq!(directory.residents(), 0);
    }
}

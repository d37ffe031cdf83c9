//! A concurrent map that forgets: entries end by themselves and their number is bounded.

use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::one::RefMut;

/// A value that is worth nothing from an instant on (microseconds of Unix time).
pub(super) trait Expires {
    fn ends_at(&self) -> i64;
}

const FIRST_SWEEP: usize = 1024;

/// Swept once as many writes have passed as there are entries: a constant cost per write, and never more than twice
/// the limit of entries.
pub(super) struct ExpiringMap<K, V> {
    map: DashMap<K, V>,
    limit: usize,
    writes: AtomicUsize,
    sweep_after: AtomicUsize,
}

impl<K: Eq + Hash, V: Expires> ExpiringMap<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            map: DashMap::new(),
            limit,
            writes: AtomicUsize::new(0),
            sweep_after: AtomicUsize::new(FIRST_SWEEP.min(limit)),
        }
    }

    /// Changes the entry of `key`, made if need be, and sweeps when due.
    pub(super) fn write<T>(&self, key: K, now: i64, make: impl FnOnce() -> V, change: impl FnOnce(&mut V) -> T) -> T {
        let result = change(self.map.entry(key).or_insert_with(make).value_mut());
        self.count_write(now);
        result
    }

    pub(super) fn get_mut(&self, key: &K) -> Option<RefMut<'_, K, V>> {
        self.map.get_mut(key)
    }

    /// Whether there was an entry.
    pub(super) fn remove(&self, key: &K) -> bool {
        self.map.remove(key).is_some()
    }

    /// Removes every entry whose key is `gone`.
    pub(super) fn remove_where(&self, gone: impl Fn(&K) -> bool) {
        self.map.retain(|key, _| !gone(key));
    }

    pub(super) fn for_each(&self, mut look: impl FnMut(&K, &V)) {
        self.map.iter().for_each(|entry| look(entry.key(), entry.value()));
    }

    pub(super) fn remove_if(&self, key: &K, condition: impl FnOnce(&V) -> bool) {
        self.map.remove_if(key, |_, value| condition(value));
    }

    fn count_write(&self, now: i64) {
        let writes = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        if writes < self.sweep_after.load(Ordering::Relaxed) {
            return;
        }
        if self.writes.compare_exchange(writes, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.sweep(now);
        }
    }

    fn sweep(&self, now: i64) {
        self.map.retain(|_, value| value.ends_at() > now);
        if self.map.len() > self.limit {
            self.keep_longest(self.limit - self.limit / 4);
        }
        self.sweep_after.store(self.map.len().max(FIRST_SWEEP.min(self.limit)), Ordering::Relaxed);
    }

    /// Keeps at most `count` entries, those that end last: the others are nearest to being forgotten anyway.
    fn keep_longest(&self, count: usize) {
        let mut ends: Vec<i64> = self.map.iter().map(|entry| entry.ends_at()).collect();
        let Some(first_kept) = ends.len().checked_sub(count).filter(|index| *index > 0) else {
            return;
        };
        let (_, last_dropped, _) = ends.select_nth_unstable(first_kept - 1);
        let last_dropped = *last_dropped;
        self.map.retain(|_, value| value.ends_at() > last_dropped);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Until(i64);

    impl Expires for Until {
        fn ends_at(&self) -> i64 {
            self.0
        }
    }

    #[test]
    fn ended_entries_leave() {
        let map = ExpiringMap::new(100_000);
        for key in 0..10_000_i64 {
            map.write(key, key, || Until(key + 10), |_| ());
        }
        assert!(map.len() <= FIRST_SWEEP + 10, "{}", map.len());
    }

    #[test]
    fn the_number_of_lasting_entries_is_bounded_and_the_longest_stay() {
        let map = ExpiringMap::new(100);
        for key in 0..10_000_i64 {
            map.write(key, 0, || Until(1 + key), |_| ());
        }
        assert!(map.len() <= 200, "{}", map.len());
        assert!(map.get_mut(&9_999).is_some());
        assert!(map.get_mut(&0).is_none());
    }
}

//! Calls that have no answer yet, counted by whom they go to: who hangs keeps his own callers waiting, and nobody else's.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts calls by `K`, and refuses to have more than a number of them at a time for any one.
pub(crate) struct InFlight<K> {
    most: usize,
    calls: Mutex<HashMap<K, usize>>,
}

/// A call in flight; its place is free again when this is dropped.
pub(crate) struct Place<'a, K: Eq + Hash> {
    in_flight: &'a InFlight<K>,
    key: K,
}

impl<K: Clone + Eq + Hash> InFlight<K> {
    /// At most `most` calls at a time for each key.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, calls: Mutex::default() }
    }

    /// A place for a call, `None` when all are taken.
    pub(crate) fn enter(&self, key: K) -> Option<Place<'_, K>> {
        let mut all = self.calls();
        let calls = all.entry(key.clone()).or_default();
        if *calls >= self.most {
            return None;
        }
        *calls += 1;
        Some(Place { in_flight: self, key })
    }
}

impl<K: Eq + Hash> InFlight<K> {
    fn calls(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Place<'_, K> {
    fn drop(&mut self) {
        let mut all = self.in_flight.calls();
        if let Some(calls) = all.get_mut(&self.key) {
            *calls -= 1;
            if *calls == 0 {
                all.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_for_each_key_and_given_back() {
        let in_flight = InFlight::new(2);
        let first = in_flight.enter("slow");
        let second = in_flight.enter("slow");
        assert!(first.is_some() && second.is_some() && in_flight.enter("slow").is_none());
        let other = in_flight.enter("other");
        assert!(other.is_some());
        drop(first);
        let third = in_flight.enter("slow");
        assert!(third.is_some() && in_flight.enter("slow").is_none());
        drop((second, third, other));
        assert!(in_flight.calls().is_empty());
    }

    #[test]
    fn without_places_nobody_enters() {
        assert!(InFlight::new(0).enter(()).is_none());
    }
}

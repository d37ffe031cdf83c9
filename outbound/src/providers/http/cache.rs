//! What issuers publish, kept for a while: fetched once at a time, served stale while the issuer is away, and failures
//! remembered for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use domain::key_questions::KeyQuestions;
use domain::time::{Clock, Timestamp};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use super::super::ProviderError;
use super::super::fault::Fault;

/// How long a value is good without another look.
const FRESH: TimeDelta = TimeDelta::hours(1);
/// How long a value serves while it cannot be had anew.
const STALE: TimeDelta = TimeDelta::hours(24);
/// How long a failure is taken as the answer.
const FAILED: TimeDelta = TimeDelta::seconds(10);
/// Entries at most. Names of issuers come from strangers.
const MOST: usize = 512;

type Found<T> = Result<Arc<T>, Fault>;
type Running<T> = Shared<BoxFuture<'static, Found<T>>>;

/// Values by the address they are fetched from.
pub(super) struct Cache<T> {
    clock: Arc<dyn Clock>,
    slots: Mutex<Slots<T>>,
}

struct Slots<T> {
    by_key: HashMap<String, Slot<T>>,
    /// Counts uses: the entry that was used longest ago makes room.
    uses: u64,
}

struct Slot<T> {
    value: Option<(Arc<T>, Timestamp)>,
    failed: Option<(Fault, Timestamp)>,
    /// When fetches began.
    asked: KeyQuestions,
    running: Option<Running<T>>,
    used: u64,
}

impl<T> Slot<T> {
    /// The value, unless it is too old to be served at all.
    fn value(&self, now: Timestamp) -> Option<(&Arc<T>, TimeDelta)> {
        let (value, at) = self.value.as_ref()?;
        let age = now.since(*at);
        (age < STALE).then_some((value, age))
    }

    fn failure(&self, now: Timestamp) -> Option<Fault> {
        let (fault, at) = self.failed.as_ref()?;
        // Whoever hears it later has not seen another outage.
        (now.since(*at) < FAILED).then(|| Fault::answer(fault.error.clone()))
    }

    fn running(&self) -> Option<&Running<T>> {
        self.running.as_ref().filter(|running| running.peek().is_none())
    }
}

impl<T: Send + Sync + 'static> Cache<T> {
    /// An empty one.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, slots: Mutex::new(Slots { by_key: HashMap::new(), uses: 0 }) })
    }

    /// The value of `key`, by way of `fetch` where there is none or a newer one is wanted. A fetch goes on when nobody waits for it
    /// any more. `renew` has it fetched anew unless that was done a moment ago.
    pub(super) async fn get<F>(self: &Arc<Self>, key: &str, renew: bool, fetch: impl FnOnce() -> F + Send) -> Found<T>
    where
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let (running, began) = match self.begin(key, renew, fetch) {
            Ok(running) => running,
            Err(known) => return known,
        };
        let found = running.await;
        // One outage is one outage, however many waited for the answer.
        if began { found } else { found.map_err(|fault| Fault::answer(fault.error)) }
    }

    /// Puts a value there that was fetched some other way.
    pub(super) fn put(&self, key: &str, value: T) {
        let now = self.clock.now();
        let mut slots = self.slots();
        if let Some(slot) = slots.slot(key) {
            slot.value = Some((Arc::new(value), now));
            slot.failed = None;
        }
    }

    fn begin<F>(
        self: &Arc<Self>,
        key: &str,
        renew: bool,
        fetch: impl FnOnce() -> F,
    ) -> Result<(Running<T>, bool), Found<T>>
    where
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let now = self.clock.now();
        let mut slots = self.slots();
        let Some(slot) = slots.slot(key) else {
            return Err(Err(Fault::answer(ProviderError::Unavailable)));
        };
        let value = slot.value(now);
        if let Some(running) = slot.running() {
            return match value {
                Some((value, _)) if !renew => Err(Ok(Arc::clone(value))),
                _ => Ok((running.clone(), false)),
            };
        }
        if let Some((value, age)) = value {
            let recently = !slot.asked.may_ask(now);
            if (renew && recently) || (!renew && (age < FRESH || slot.failure(now).is_some())) {
                return Err(Ok(Arc::clone(value)));
            }
        } else if let Some(fault) = slot.failure(now) {
            return Err(Err(fault));
        }
        let (cache, name, fetched) = (Arc::clone(self), key.to_owned(), fetch());
        let task = tokio::spawn(async move { cache.end(&name, fetched.await) });
        let crashed = |_| Err(Fault::answer(ProviderError::Unavailable));
        let running = task.map(move |ended| ended.unwrap_or_else(crashed)).boxed().shared();
        slot.asked.asked(now);
        slot.running = Some(running.clone());
        Ok((running, true))
    }

    /// Keeps the outcome of a fetch; a failure leaves the value that was there.
    fn end(&self, key: &str, outcome: Result<T, Fault>) -> Found<T> {
        let now = self.clock.now();
        let mut slots = self.slots();
        let Some(slot) = slots.by_key.get_mut(key) else { return outcome.map(Arc::new) };
        slot.running = None;
        match outcome {
            Ok(value) => {
                let value = Arc::new(value);
                slot.value = Some((Arc::clone(&value), now));
                slot.failed = None;
                Ok(value)
            }
            Err(fault) => {
                slot.failed = Some((fault.clone(), now));
                slot.value(now).map(|(value, _)| Arc::clone(value)).ok_or(fault)
            }
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots<T>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Slots<T> {
    /// The entry of `key`, made where there is none; `None` when all places are taken by fetches that are under way.
    fn slot(&mut self, key: &str) -> Option<&mut Slot<T>> {
        if !self.by_key.contains_key(key) && self.by_key.len() >= MOST {
            let idle = self.by_key.iter().filter(|(_, slot)| slot.running().is_none());
            let oldest = idle.min_by_key(|(_, slot)| slot.used).map(|(key, _)| key.clone())?;
            self.by_key.remove(&oldest);
        }
        self.uses += 1;
        let empty = Slot { value: None, failed: None, asked: KeyQuestions::default(), running: None, used: 0 };
        let slot = self.by_key.entry(key.to_owned()).or_insert(empty);
        slot.used = self.uses;
        Some(slot)
    }
}

#[cfg(test)]
mod tests;

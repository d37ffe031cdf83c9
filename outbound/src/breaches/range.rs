//! The range API of Have I Been Pwned: it learns the first 20 bits of a fingerprint and nothing else.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::secret::Secret;
use tokio::time::Instant;

use super::{BreachCheck, BreachError, fingerprint};
use crate::http::HttpClient;

const ENDPOINT: &str = "https://api.pwnedpasswords.com/range/";
/// For a question and its answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A range has about a thousand lines of 40 bytes; this is generous.
const MAX_ANSWER: usize = 1024 * 1024;
/// How long an answer is remembered.
const MAX_AGE: Duration = Duration::from_secs(6 * 60 * 60);
/// How much is remembered of all answers.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Hex digits of a fingerprint that the service learns.
const PREFIX: usize = 5;
/// Hex digits that it does not.
const SUFFIX: usize = 35;

/// Asks the service, padded so that the length of an answer tells an observer nothing. Ranges are remembered for six hours,
/// in at most four mebibytes.
pub struct HttpBreaches {
    client: HttpClient,
    user_agent: String,
    endpoint: String,
    known: Mutex<Ranges>,
}

impl HttpBreaches {
    /// A service that is asked with `client`, and told that `user_agent` asks (it answers nobody without a name).
    pub fn new(client: HttpClient, user_agent: &str) -> Self {
        Self {
            client,
            user_agent: user_agent.to_owned(),
            endpoint: ENDPOINT.to_owned(),
            known: Mutex::new(Ranges::default()),
        }
    }

    /// The same at another place, which the prefix is appended to.
    pub fn with_endpoint(self, endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), ..self }
    }

    async fn range(&self, prefix: &str) -> Result<Arc<Range>, BreachError> {
        let now = Instant::now();
        if let Some(range) = self.known().get(prefix, now) {
            return Ok(range);
        }
        let call = self.client.get(&format!("{}{prefix}", self.endpoint)).deadline(now + TIMEOUT);
        let answer = call.header("user-agent", &self.user_agent).header("add-padding", "true").send().await?;
        if answer.status() != 200 {
            return Err(BreachError::Status(answer.status().as_u16()));
        }
        let body = answer.read(MAX_ANSWER).await?;
        let range = Arc::new(Range::parse(&String::from_utf8_lossy(&body)));
        self.known().insert(prefix, Arc::clone(&range), now);
        Ok(range)
    }

    fn known(&self) -> MutexGuard<'_, Ranges> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BreachCheck for HttpBreaches {
    async fn is_breached(&self, password: &Secret<String>) -> Result<bool, BreachError> {
        let mut hex = String::with_capacity(PREFIX + SUFFIX);
        for byte in fingerprint(password.expose()) {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02X}");
        }
        let (prefix, suffix) = hex.split_at(PREFIX);
        Ok(self.range(prefix).await?.contains(suffix))
    }
}

/// The suffixes of one range, sorted and without anything between them.
struct Range(Box<str>);

impl Range {
    /// Reads `SUFFIX:COUNT` lines; a count of zero is padding.
    fn parse(text: &str) -> Self {
        let suffix = |line: &str| {
            let (suffix, count) = line.trim().split_once(':')?;
            let seen = count.trim().parse::<u64>().is_ok_and(|count| count > 0);
            let whole = suffix.len() == SUFFIX && suffix.bytes().all(|b| b.is_ascii_hexdigit());
            (seen && whole).then(|| suffix.to_ascii_uppercase())
        };
        let mut suffixes: Vec<String> = text.lines().filter_map(suffix).collect();
        suffixes.sort_unstable();
        Self(suffixes.concat().into_boxed_str())
    }

    fn contains(&self, suffix: &str) -> bool {
        let (suffixes, _) = self.0.as_bytes().as_chunks::<SUFFIX>();
        suffixes.binary_search_by(|known| known.as_slice().cmp(suffix.as_bytes())).is_ok()
    }
}

/// The ranges that are remembered, in the order in which they came.
#[derive(Default)]
struct Ranges {
    by_prefix: HashMap<String, (Instant, Arc<Range>)>,
    order: VecDeque<String>,
    bytes: usize,
}

impl Ranges {
    fn get(&mut self, prefix: &str, now: Instant) -> Option<Arc<Range>> {
        while let Some(oldest) = self.order.front() {
            match self.by_prefix.get(oldest) {
                Some((since, _)) if now.duration_since(*since) < MAX_AGE => break,
                _ => self.forget_oldest(),
            }
        }
        self.by_prefix.get(prefix).map(|(_, range)| Arc::clone(range))
    }

    fn insert(&mut self, prefix: &str, range: Arc<Range>, now: Instant) {
        // Two questions at the same time: the first answer stays.
        if self.by_prefix.contains_key(prefix) {
            return;
        }
        self.bytes += range.0.len();
        self.by_prefix.insert(prefix.to_owned(), (now, range));
        self.order.push_back(prefix.to_owned());
        while self.bytes > MAX_BYTES && !self.order.is_empty() {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.order.pop_front().and_then(|prefix| self.by_prefix.remove(&prefix));
        self.bytes -= oldest.map_or(0, |(_, range)| range.0.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(lines: usize) -> Arc<Range> {
        let text: String = (0..lines).map(|n| format!("{n:035X}:1\r\n")).collect();
        Arc::new(Range::parse(&text))
    }

    #[test]
    fn padding_and_rubbish_are_no_hits() {
        let (hit, padding) = ("0".repeat(35), "1".repeat(35));
        let range = Range::parse(&format!("{padding}:0\r\n<html>:5\r\n{hit}:12\r\n{}:x\r\n:1\r\n", "2".repeat(35)));
        assert!(range.contains(&hit));
        assert!(!range.contains(&padding) && !range.contains(&"2".repeat(35)) && !range.contains(""));
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded_in_bytes_and_age() {
        let mut ranges = Ranges::default();
        let start = Instant::now();
        let large = range(20_000);
        for n in 0..20 {
            ranges.insert(&format!("{n:05X}"), Arc::clone(&large), start);
        }
        assert!(ranges.bytes <= MAX_BYTES && ranges.order.len() == MAX_BYTES / large.0.len());
        assert!(ranges.get("00000", start).is_none() && ranges.get("00013", start).is_some());
        assert!(ranges.get("00013", start + MAX_AGE).is_none());
        assert_eq!((ranges.bytes, ranges.order.len(), ranges.by_prefix.len()), (0, 0, 0));
    }
}

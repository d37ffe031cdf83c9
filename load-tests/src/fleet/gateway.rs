//! The Management API of the gateway under test, as far as a fleet needs it.

use std::ops::Range;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::requests;
use crate::client::{Failure, Http, guarded, send};
use crate::guard::Guard;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::target;

/// The gateway.
pub(super) struct Gateway {
    http: Http,
    managed: target::Gateway,
    at_once: usize,
}

/// The ref of a project of the fleet. Numbers are spread over the alphabet, as refs of real projects are.
pub(super) fn reference(number: u32) -> String {
    // An odd factor makes each number of 32 bits another one.
    let scattered = number.wrapping_mul(2_654_435_761);
    let letters = (0..7).map(|place| char::from(b'a' + (scattered / 26_u32.pow(place) % 26) as u8));
    format!("{}-fleet-{number:07}", letters.collect::<String>())
}

impl Gateway {
    pub(super) fn new(url: &str, token: &str, timeout: Duration, at_once: u32, guard: &Guard) -> anyhow::Result<Self> {
        let http = guarded(at_once, timeout, guard)?;
        let managed = target::Gateway::new(&http, url, token);
        Ok(Self { http, managed, at_once: at_once as usize })
    }

    /// Makes the projects of these numbers, several at a time.
    pub(super) async fn create(&self, numbers: Range<u32>, progress: &Progress, stop: &Stop) -> Result<(), Failure> {
        let bar = progress.steps("creating", u64::from(numbers.end - numbers.start));
        let mut creations = std::pin::pin!(
            stream::iter(numbers)
                .take_until(stop.requested())
                .map(|number| self.create_one(number))
                .buffer_unordered(self.at_once)
        );
        let mut outcome = Ok(());
        while let Some(created) = creations.next().await {
            bar.inc(1);
            outcome = outcome.and(created.map(|_| ()));
        }
        bar.finish_and_clear();
        outcome
    }

    /// Makes one project; how long it took.
    pub(super) async fn create_one(&self, number: u32) -> Result<Duration, Failure> {
        let body = json!({ "ref": reference(number), "name": format!("Fleet {number}") });
        timed(self.managed.managed(Method::POST, "/v1/projects").json(&body)).await
    }

    /// Removes the projects of these numbers for good.
    pub(super) async fn remove(&self, numbers: Range<u32>, progress: &Progress) -> Result<(), Failure> {
        let bar = progress.steps("removing", u64::from(numbers.end - numbers.start));
        let mut outcome = Ok(());
        let mut removals = std::pin::pin!(
            stream::iter(numbers)
                .map(async |number| self.managed.remove(&reference(number)).await)
                .buffer_unordered(self.at_once)
        );
        while let Some(removed) = removals.next().await {
            bar.inc(1);
            match removed {
                // An interrupted run may not have made it.
                Err(Failure(reason)) if reason.starts_with("404") => {}
                other => outcome = outcome.and(other),
            }
        }
        bar.finish_and_clear();
        outcome
    }

    /// Asks a project for its settings, as every client does first.
    pub(super) async fn settings(&self, number: u32) -> Result<Duration, Failure> {
        timed(self.http.get(format!("{}/p/{}/auth/v1/settings", self.managed.url(), reference(number)))).await
    }

    /// See [`requests::configure`].
    pub(super) async fn configure(&self, number: u32, jwt_exp: u32) -> Result<Duration, Failure> {
        timed(requests::configure(&self.managed, &reference(number), jwt_exp)).await
    }

    /// See [`requests::list_after`].
    pub(super) async fn list_after(&self, number: u32) -> Result<Duration, Failure> {
        timed(requests::list_after(&self.managed, &reference(number))).await
    }

    /// See [`requests::search`].
    pub(super) async fn search(&self, number: u32) -> Result<Duration, Failure> {
        timed(requests::search(&self.managed, &reference(number))).await
    }

    /// Asks so many projects once, several at a time.
    pub(super) async fn warm(&self, numbers: Range<u32>, progress: &Progress) -> Result<(), Failure> {
        let bar = progress.steps("warming", u64::from(numbers.end - numbers.start));
        let mut asked =
            std::pin::pin!(stream::iter(numbers).map(|number| self.settings(number)).buffer_unordered(self.at_once));
        let mut outcome = Ok(());
        while let Some(answer) = asked.next().await {
            bar.inc(1);
            outcome = outcome.and(answer.map(|_| ()));
        }
        bar.finish_and_clear();
        outcome
    }
}

/// Sends a request and reads the whole answer, which must be a success; how long it took.
async fn timed(request: RequestBuilder) -> Result<Duration, Failure> {
    let began = Instant::now();
    send(request).await?;
    Ok(began.elapsed())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn refs_are_refs_and_no_two_are_the_same() {
        let refs: BTreeSet<String> = (0..10_000).map(reference).collect();
        assert_eq!(refs.len(), 10_000);
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(refs.iter().all(|text| text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(allowed)));
    }
}

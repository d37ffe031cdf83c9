//! The same contract for both implementations, and what happens when Redis goes away.

#![expect(clippy::expect_used, reason = "tests may stop at the first surprise, their helpers too")]

#[cfg(test)]
mod contract;
#[cfg(test)]
mod kept;
mod outage;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod support;

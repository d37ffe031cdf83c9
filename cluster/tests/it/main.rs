//! The same contract for both implementations, and what happens when Redis goes away.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod kept;
mod outage;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod support;

//! The binary against a small server that keeps the rules of the API: does it send what it says, and clean up?

#[cfg(test)]
mod fake;
#[cfg(test)]
mod omission;
#[cfg(test)]
mod runs;

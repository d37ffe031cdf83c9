//! Randomness that can be repeated.

use std::sync::Mutex;

use domain::entropy::Entropy;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A generator that gives the same bytes for the same seed.
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// Starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(buffer);
    }
}

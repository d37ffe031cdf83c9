//! Repeatable randomness.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::entropy::Entropy;

/// SplitMix64: the same bytes in the same order for the same seed.
pub(crate) struct Repeatable(AtomicU64);

impl Repeatable {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for Repeatable {
    fn fill(&self, buffer: &mut [u8]) {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        for chunk in buffer.chunks_mut(8) {
            let mut word = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}

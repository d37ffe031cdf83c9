//! Where randomness comes from: a parameter, so that tests can repeat it.

use uuid::Builder;
use uuid::Uuid;

/// A source of unpredictable bytes. Real ones read the operating system's generator.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random UUID of version 4.
    pub fn uuid(&self) -> Uuid {
        Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// A uniformly random number below `bound` (which must not be zero), without modulo bias.
    pub fn below(&self, bound: u64) -> u64 {
        let zone = u64::MAX - u64::MAX % bound;
        loop {
            let candidate = u64::from_le_bytes(self.bytes());
            if candidate < zone {
                return candidate % bound;
            }
        }
    }

    /// A uniformly random decimal number of `digits` digits, padded with zeros on the left (`contract/core.md` §9).
    pub fn otp(&self, digits: usize) -> String {
        (0..digits).map(|_| char::from(b'0' + (self.below(10) as u8))).collect()
    }
}

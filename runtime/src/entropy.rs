//! The operating system's random generator: the one place of the workspace that reads it.

use domain::entropy::Entropy;

/// Random bytes of the operating system.
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one real source of randomness, handed down from here")]
    #[expect(
        clippy::expect_used,
        reason = "without randomness no key and no token may be made; the request dies instead"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let source: &dyn Entropy = &SystemEntropy;
        assert_ne!(source.bytes::<16>(), source.bytes::<16>());
    }
}

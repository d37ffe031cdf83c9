//! What went wrong at a provider, and whether that is an outage.

use super::ProviderError;

/// A failure at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What the caller is told.
    pub(super) error: ProviderError,
    /// The provider did not answer, or answered that it cannot: what a breaker counts.
    pub(super) outage: bool,
}

impl Fault {
    /// The provider is out of service.
    pub(super) fn outage(error: ProviderError) -> Self {
        Self { error, outage: true }
    }

    /// The provider works, and its answer is no good.
    pub(super) fn answer(error: ProviderError) -> Self {
        Self { error, outage: false }
    }
}

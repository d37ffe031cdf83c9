//! The address of a service that may be replaced by a fresh one.

use arc_swap::ArcSwapOption;

use super::Address;

/// Where a service is reached at the moment.
pub(crate) struct Post<M>(ArcSwapOption<Address<M>>);

impl<M> Default for Post<M> {
    fn default() -> Self {
        Self(ArcSwapOption::empty())
    }
}

impl<M: Send + 'static> Post<M> {
    /// From now on `address` serves.
    pub(crate) fn hold(&self, address: Address<M>) {
        self.0.store(Some(address.into()));
    }

    /// Sends to whoever serves.
    ///
    /// # Errors
    /// Gives the message back while nobody does.
    pub(crate) fn send(&self, message: M) -> Result<(), M> {
        match &*self.0.load() {
            Some(address) => address.send(message),
            None => Err(message),
        }
    }

    /// Sends something one can afford to lose.
    pub(crate) fn cast(&self, message: M) {
        if self.send(message).is_err() {
            tracing::trace!("cast to a service that is away");
        }
    }

    /// Who serves, for tests that end it.
    #[cfg(test)]
    pub(crate) fn address(&self) -> Option<Address<M>> {
        self.0.load().as_deref().cloned()
    }
}

//! A provider that hangs keeps those waiting who send by it, and nobody else.

use std::sync::Arc;

use async_trait::async_trait;
use domain::config::SmsProvider;
use domain::secret::Secret;
use domain::sms::Sms;

use super::{SmsError, SmsTransport};
use crate::in_flight::{InFlight, Place};

/// Refuses a message at once while as many calls to the same provider as allowed have no answer yet: what waits for a
/// provider holds a place among the requests of the whole process.
pub struct BoundedSms {
    sms: Arc<dyn SmsTransport>,
    in_flight: InFlight<&'static str>,
}

impl BoundedSms {
    /// Sends by way of `sms`, at most `most` calls at a time to one provider.
    pub fn new(sms: Arc<dyn SmsTransport>, most: usize) -> Self {
        Self { sms, in_flight: InFlight::new(most) }
    }

    fn enter(&self, provider: &SmsProvider) -> Result<Place<'_, &'static str>, SmsError> {
        self.in_flight.enter(provider.name()).ok_or_else(|| SmsError::new("the provider has not answered others yet"))
    }
}

#[async_trait]
impl SmsTransport for BoundedSms {
    async fn send(&self, provider: &SmsProvider, message: &Sms) -> Result<(), SmsError> {
        let _place = self.enter(provider)?;
        self.sms.send(provider, message).await
    }

    async fn check(&self, provider: &SmsProvider, phone: &str, code: &Secret<String>) -> Result<bool, SmsError> {
        let _place = self.enter(provider)?;
        self.sms.check(provider, phone, code).await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    struct Hanging;

    #[async_trait]
    impl SmsTransport for Hanging {
        async fn send(&self, _: &SmsProvider, _: &Sms) -> Result<(), SmsError> {
            pending().await
        }

        async fn check(&self, _: &SmsProvider, _: &str, _: &Secret<String>) -> Result<bool, SmsError> {
            Ok(true)
        }
    }

    #[tokio::test]
    async fn a_provider_that_hangs_does_not_fill_the_process() {
        let sms = BoundedSms::new(Arc::new(Hanging), 1);
        let provider = SmsProvider::Textlocal { api_key: Secret::default(), sender: String::new() };
        let other = SmsProvider::Messagebird { access_key: Secret::default(), originator: String::new() };
        let (body, code) = (Secret::default(), Secret::default());
        let message = Sms { phone: "15550000001".to_owned(), channel: domain::sms::Channel::Sms, body, code };
        let mut waiting = Box::pin(sms.send(&provider, &message));
        assert!(futures::poll!(&mut waiting).is_pending());
        assert!(sms.send(&provider, &message).await.is_err());
        assert_eq!(sms.check(&other, "15550000001", &Secret::default()).await, Ok(true));
        drop(waiting);
        assert_eq!(sms.check(&provider, "15550000001", &Secret::default()).await, Ok(true));
    }
}

//! Signing in with a code that comes by mail.

use futures::future::{BoxFuture, LocalBoxFuture};
use serde_json::Value;

use super::letters::{self, Reader, Readers};
use super::{About, Act, Cast, Scenario, Settings};
use crate::client::{Failure, mail};
use crate::stage::Stage;
use crate::steps::Steps;

/// `otp-mail`.
pub(super) struct OtpMail;

impl Scenario for OtpMail {
    fn about(&self) -> &About {
        &About {
            name: "otp-mail",
            does: "users ask for a code by mail and sign in with it",
            models: "Apps without passwords: every sign-in is a request for a code, a mail, and the code. `mail` is the time from \
                     the answer until the mail lies in the gateway's own mailbox, into which the tool looks every 2 to 50 ms. On \
                     given projects nothing is mailed and the code comes from POST /admin/generate_link.",
            tables: &["users", "identities", "one_time_tokens", "sessions", "mfa_amr_claims", "audit_log_entries"],
            needs_gateway: false,
            settings: &[letters::ADDRESSES],
        }
    }

    fn configuration(&self, _settings: &Settings) -> Value {
        letters::configuration()
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let readers = Readers::make(stage).await?;
            let clients = stage.options().clients;
            Ok(Cast::new(stage, (0..clients).map(|_| Client(readers.clone()))))
        })
    }
}

struct Client(Readers);

impl Act for Client {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let mut reader = self.0.next(steps).await?;
            let result = sign_in(&mut reader, steps).await;
            self.0.rest(reader);
            result
        })
    }
}

async fn sign_in(reader: &mut Reader, steps: &mut Steps) -> Result<(), Failure> {
    let letter = reader.letter(steps, None).await?;
    steps.step("verify", mail::verify(&reader.user, &letter.code)).await.map(|_| ())
}

//! Signing in with a link that comes by mail.

use futures::future::{BoxFuture, LocalBoxFuture};
use serde_json::Value;

use super::letters::{self, Reader, Readers};
use super::turns::Turns;
use super::{About, Act, Cast, Scenario, Setting, Settings};
use crate::client::pkce::Verifier;
use crate::client::{Failure, mail};
use crate::stage::{Stage, random_text};
use crate::steps::Steps;

const PKCE: &str = "pkce-share";

/// `magic-link`.
pub(super) struct MagicLink;

impl Scenario for MagicLink {
    fn about(&self) -> &About {
        &About {
            name: "magic-link",
            does: "users ask for a link by mail and follow it",
            models: "Apps without passwords: a request for a link, a mail, and a browser that follows the link and comes back with \
                     tokens, or with a code for the app that asked (PKCE). On given projects nothing is mailed and the link comes \
                     from POST /admin/generate_link, without PKCE.",
            tables: &[
                "users",
                "identities",
                "one_time_tokens",
                "flow_state",
                "sessions",
                "mfa_amr_claims",
                "audit_log_entries",
            ],
            needs_gateway: false,
            settings: &[
                letters::ADDRESSES,
                Setting {
                    name: PKCE,
                    default: 0.5,
                    most: 1.0,
                    does: "share of the sign-ins with PKCE: the link leads to a code, which is exchanged",
                },
            ],
        }
    }

    fn configuration(&self, _settings: &Settings) -> Value {
        letters::configuration()
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let share = stage.options().settings.get(PKCE);
            let readers = Readers::make(stage).await?;
            let clients = (0..stage.options().clients as usize)
                .map(|client| Client { readers: readers.clone(), pkce: Turns::of(share, client, 0) });
            Ok(Cast::new(stage, clients))
        })
    }
}

struct Client {
    readers: Readers,
    pkce: Turns,
}

impl Act for Client {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let mut reader = self.readers.next(steps).await?;
            let pkce = reader.asks() && self.pkce.next();
            let result = sign_in(&mut reader, pkce, steps).await;
            self.readers.rest(reader);
            result
        })
    }
}

async fn sign_in(reader: &mut Reader, pkce: bool, steps: &mut Steps) -> Result<(), Failure> {
    let verifier = pkce.then(|| Verifier::new(random_text() + &random_text()));
    let challenge = verifier.as_ref().map(Verifier::challenge);
    let letter = reader.letter(steps, challenge.as_deref()).await?;
    let brings = if pkce { "code" } else { "access_token" };
    let followed = async { mail::follow(&reader.user.project, &letter.link).await?.required(brings) };
    let brought = steps.step("follow-link", followed).await?;
    if let Some(verifier) = verifier {
        steps.step("exchange-code", verifier.exchange(&reader.user.project, &brought)).await?;
    }
    Ok(())
}

//! Providers that people sign in with, each against a stand-in that looks at everything a provider may look at.

mod answers;
mod cases;
mod custom;
mod departures;
mod each;
mod id_tokens;
mod idp;
mod keys;
mod misbehaviour;
mod oauth1;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use domain::entropy::Entropy;
use domain::ids::ProjectId;
use domain::provider::{Builtin, Connection, Departure, Kind, ProviderSettings, Return, SignedIn};
use domain::secret::Secret;
use domain::time::{Clock, Timestamp};
use outbound::providers::Endpoints;
use outbound::{HttpClient, HttpProviders, ProviderError, ProviderTransport};
use uuid::Uuid;

use crate::stand_in::client;
use idp::{BACK, CLIENT, Idp, NOW, SECRET};

const STATE: &str = "5d8a2b1e-6c0f-4a55-9a53-0d6f0a1c2b3d";
const VERIFIER: &str = "verifier-verifier-verifier-verifier-verifier";
const NONCE: &str = "nonce-1";

/// Time stands still.
pub(crate) struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(NOW)
    }
}

#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::SeqCst));
    }
}

thread_local! {
    /// One for each test: making one reads all certificate authorities of the machine.
    static HTTP: HttpClient = client();
}

/// Providers that are all at `idp`.
fn providers(idp: &Idp) -> HttpProviders {
    let endpoints = Endpoints::default().moved("https://", &idp.base());
    let client = HTTP.with(HttpClient::clone);
    HttpProviders::new(client.clone(), client, Arc::new(Still), Arc::new(Counting::default()), endpoints)
}

fn project() -> ProjectId {
    ProjectId(Uuid::from_u128(1))
}

/// A project's connection to a built-in provider.
fn connection(provider: Builtin, url: Option<&str>) -> Connection {
    Connection {
        name: provider.name().to_owned(),
        kind: Kind::Builtin(provider),
        settings: ProviderSettings {
            client_ids: vec![CLIENT.to_owned(), "client-2".to_owned()],
            secret: Secret::new(SECRET.to_owned()),
            url: url.map(str::to_owned),
            ..ProviderSettings::default()
        },
        redirect_uri: BACK.to_owned(),
        strict: false,
    }
}

fn departure() -> Departure {
    Departure {
        state: STATE.to_owned(),
        scopes: String::new(),
        parameters: Vec::new(),
        code_verifier: Secret::new(VERIFIER.to_owned()),
        nonce: NONCE.to_owned(),
    }
}

/// What comes back with the browser.
async fn browse(idp: &Idp, url: &str) -> Return {
    let mut back = idp.browse(url).await;
    assert_eq!(back.remove("state").as_deref(), Some(STATE));
    let mut take = |name: &str| back.remove(name).unwrap_or_default();
    let code = match take("code") {
        code if code.is_empty() => take("oauth_verifier"),
        code => code,
    };
    Return {
        code: Secret::new(code),
        oauth_token: take("oauth_token"),
        user: take("user"),
        code_verifier: Secret::new(VERIFIER.to_owned()),
        nonce: NONCE.to_owned(),
    }
}

/// There and back again.
async fn sign_in(idp: &Idp, connection: &Connection) -> Result<SignedIn, ProviderError> {
    let providers = providers(idp);
    let url = providers.depart(project(), connection, &departure()).await?;
    let back = browse(idp, &url).await;
    providers.arrive(project(), connection, &back).await
}

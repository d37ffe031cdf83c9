//! Whether a provider can be used as it is set up, as far as can be known without a person.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::provider::{Connection, Departure, Issuer};
use domain::secret::Secret;
use futures::future::join;
use tokio::time::{Instant, timeout_at};

use super::super::plan::{Flow, Plan};
use super::super::{Check, authorize, call, twitter};
use super::exchange::Refused;
use super::ways::is_foreign;
use super::{Addresses, HttpProviders, PATIENCE, client_secret};

/// What pages say about a redirect address that nobody has registered, in lower case.
const COMPLAINTS: [&str; 5] =
    ["redirect_uri_mismatch", "redirect uri mismatch", "invalid redirect", "invalid_redirect", "redirect_uri is not"];

impl HttpProviders {
    /// Everything that can be looked at.
    pub(super) async fn checks(&self, connection: &Connection) -> Vec<Check> {
        let plan = Plan::of(connection);
        if let Flow::Oauth1 { base } = &plan.flow {
            return self.signed_request(connection, base).await;
        }
        let mut checks = Vec::new();
        if let Flow::Discovered(issuer) = &plan.flow {
            let (discovery, keys) = self.published(issuer.clone()).await;
            checks.extend([discovery, keys]);
        }
        match self.addresses(&plan, connection).await {
            Ok(addresses) => {
                let (secret, redirect) =
                    join(self.secret(&plan, connection, &addresses), self.redirect(&plan, connection, &addresses))
                        .await;
                checks.extend([secret, redirect]);
            }
            Err(fault) if checks.is_empty() => checks.push(failed("discovery", fault.error.to_string())),
            Err(_) => {}
        }
        checks
    }

    async fn published(&self, issuer: Issuer) -> (Check, Check) {
        let found = async {
            let document = self.issuers.discover(&issuer).await.map_err(|fault| fault.error.to_string());
            let discovery = match document {
                Ok(_) => passed("discovery", "the issuer's metadata are complete"),
                Err(why) => return (failed("discovery", why), unknown("keys", "there are no metadata")),
            };
            let keys = match self.issuers.metadata(&issuer).await {
                Ok(metadata) => self.issuers.keys(&metadata, issuer.foreign, true).await,
                Err(fault) => Err(fault),
            };
            let keys = match keys {
                Ok(keys) if keys.is_empty() => {
                    failed("keys", "the issuer publishes no key that can be used".to_owned())
                }
                Ok(_) => passed("keys", "the issuer's keys can be read"),
                Err(fault) => failed("keys", fault.error.to_string()),
            };
            (discovery, keys)
        };
        let late = || (failed("discovery", "no answer in time".to_owned()), unknown("keys", "no answer in time"));
        timeout_at(Instant::now() + PATIENCE, found).await.unwrap_or_else(|_elapsed| late())
    }

    /// Shows the provider a code that it cannot know: whoever says that the code is not good has taken the secret.
    async fn secret(&self, plan: &Plan, connection: &Connection, addresses: &Addresses) -> Check {
        let settings = &connection.settings;
        let client_id = settings.client_ids.first().map_or("", String::as_str);
        if client_secret::of(settings, client_id, self.clock.now()).is_err() {
            return failed(
                "secret",
                "the private key cannot be read: it must be a P-256 key in PKCS#8 form".to_owned(),
            );
        }
        let (code, verifier) = (Secret::new(self.made_up()), Secret::new(self.made_up()));
        match self.trade(plan, connection, &addresses.token, &code, &verifier).await {
            Err(Refused::Grant) => passed("secret", "the provider takes client id and secret"),
            Err(Refused::Redirect) => {
                passed("secret", "the provider takes client id and secret, but not the redirect address")
            }
            Err(Refused::Client) => failed("secret", "the provider does not take client id and secret".to_owned()),
            Err(Refused::Outage) => unknown("secret", "the token endpoint is out of service"),
            Err(Refused::Other) | Ok(_) => unknown("secret", "the token endpoint does not say what it minds"),
        }
    }

    /// Opens the page that browsers are sent to.
    async fn redirect(&self, plan: &Plan, connection: &Connection, addresses: &Addresses) -> Check {
        let Ok(url) = authorize::url(plan, connection, &self.departure(), &addresses.authorize) else {
            return failed("redirect", "the address of the sign-in page cannot be used".to_owned());
        };
        let client = self.ways.client(is_foreign(connection));
        let call = client.get(&self.ways.endpoints.at(&url)).deadline(Instant::now() + PATIENCE);
        match call::answer(call).await {
            Err(error) => unknown("redirect", &format!("the sign-in page cannot be opened: {error}")),
            Ok((status, body)) => {
                let page = String::from_utf8_lossy(&body).to_lowercase();
                if COMPLAINTS.iter().any(|complaint| page.contains(complaint)) {
                    failed(
                        "redirect",
                        format!("the provider does not know the redirect address {}", connection.redirect_uri),
                    )
                } else if status.is_success() {
                    passed(
                        "redirect",
                        "the sign-in page opens; some providers judge the redirect address only after the sign-in",
                    )
                } else {
                    unknown("redirect", &format!("the sign-in page answers with status {}", status.as_u16()))
                }
            }
        }
    }

    /// OAuth 1.0a: the request for a token is signed with the secret and names the redirect address.
    async fn signed_request(&self, connection: &Connection, base: &str) -> Vec<Check> {
        let nonce = self.nonce();
        let moment = twitter::Moment { now: self.clock.now().unix(), nonce: &nonce };
        let departure = self.departure();
        let client = self.ways.direct(false);
        let asked = twitter::depart(&client, &self.ways.endpoints, connection, &departure, base, moment);
        match timeout_at(Instant::now() + PATIENCE, asked).await {
            Ok(Ok(_)) => vec![
                passed("secret", "the provider takes client id and secret"),
                passed("redirect", "the provider takes the redirect address"),
            ],
            Ok(Err(fault)) if !fault.outage => vec![
                failed(
                    "secret",
                    "the provider does not take client id and secret, or not the redirect address".to_owned(),
                ),
                unknown("redirect", "the provider does not say what it minds"),
            ],
            Ok(Err(_)) | Err(_) => vec![
                unknown("secret", "the provider is out of service"),
                unknown("redirect", "the provider is out of service"),
            ],
        }
    }

    fn departure(&self) -> Departure {
        Departure {
            state: self.entropy.uuid().to_string(),
            scopes: String::new(),
            parameters: Vec::new(),
            code_verifier: Secret::new(self.made_up()),
            nonce: self.made_up(),
        }
    }

    fn made_up(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.entropy.bytes::<32>())
    }
}

fn passed(name: &'static str, detail: &str) -> Check {
    Check { name, passed: Some(true), detail: detail.to_owned() }
}

fn failed(name: &'static str, detail: String) -> Check {
    Check { name, passed: Some(false), detail }
}

fn unknown(name: &'static str, detail: &str) -> Check {
    Check { name, passed: None, detail: detail.to_owned() }
}

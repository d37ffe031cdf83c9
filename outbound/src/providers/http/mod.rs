//! Providers over the network: one way out, one way back, and what an operator wants to know of them.

mod breaker;
mod cache;
mod client_secret;
mod examine;
mod exchange;
mod id_token;
mod issuers;
mod keys;
mod metadata;
mod ways;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::entropy::Entropy;
use domain::ids::ProjectId;
use domain::provider::{Connection, Departure, IdToken, Issuer, Profile, ProviderTokens, Return, SignedIn};
use domain::secret::Secret;
use domain::third_party::Source;
use domain::time::Clock;
use domain::user::Metadata as Claims;
use serde_json::Value;
use subtle::ConstantTimeEq;
use tokio::time::{Instant, timeout_at};

use self::breaker::Breakers;
use self::exchange::{Exchange, Grant, Refused};
use self::id_token::Doubt;
use self::issuers::Issuers;
use self::ways::{Ways, is_foreign, is_usable};
use super::call;
use super::endpoints::Endpoints;
use super::fault::Fault;
use super::plan::{Flow, IdTokenUse, Plan, ProfileRequest, Sources, TokenAnswer};
use super::{Check, IdTokenError, ProviderError, ProviderTransport, authorize, profile, twitter};
use crate::http::HttpClient;
use crate::in_flight::InFlight;

/// All calls of one question together: within the time that a request of ours has.
const PATIENCE: Duration = Duration::from_secs(8);
/// Sign-ins at one provider of one project at a time: those who wait for a provider that hangs must not fill the gateway.
const MOST_AT_ONCE: usize = 128;

/// Speaks to providers over HTTP.
///
/// - What an operator chose goes by one client, what a project chose by another one that sees the public internet only.
/// - A provider that fails again and again is left alone for a while, by each project for itself.
/// - Metadata and keys of issuers are shared by all projects.
pub struct HttpProviders {
    ways: Ways,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    issuers: Issuers,
    exchange: Exchange,
    breakers: Breakers,
    in_flight: InFlight<(ProjectId, String)>,
}

/// The provider's addresses for one connection.
struct Addresses {
    authorize: String,
    token: String,
    userinfo: Option<String>,
}

impl HttpProviders {
    /// Calls what operators chose through `client`, what projects chose through `public`. The first needs the process's
    /// [`Reach`](crate::Reach), the second [`reach::public`](crate::reach::public).
    pub fn new(
        client: HttpClient,
        public: HttpClient,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        endpoints: Endpoints,
    ) -> Self {
        let ways = Ways { own: client, public, endpoints };
        Self {
            issuers: Issuers::new(ways.clone(), &clock),
            exchange: Exchange::default(),
            breakers: Breakers::new(Arc::clone(&clock)),
            in_flight: InFlight::new(MOST_AT_ONCE),
            ways,
            clock,
            entropy,
        }
    }

    async fn way_out(&self, plan: &Plan, connection: &Connection, departure: &Departure) -> Result<String, Fault> {
        if let Flow::Oauth1 { base } = &plan.flow {
            let nonce = self.nonce();
            let moment = twitter::Moment { now: self.clock.now().unix(), nonce: &nonce };
            let client = self.ways.direct(false);
            return twitter::depart(&client, &self.ways.endpoints, connection, departure, base, moment).await;
        }
        let addresses = self.addresses(plan, connection).await?;
        authorize::url(plan, connection, departure, &addresses.authorize).map_err(Fault::answer)
    }

    /// First the code is traded, then the provider is asked who it is: each may take what is left of the time.
    async fn way_back(&self, plan: &Plan, connection: &Connection, back: &Return) -> Result<SignedIn, Fault> {
        let deadline = Instant::now() + PATIENCE;
        if let Flow::Oauth1 { base } = &plan.flow {
            let nonce = self.nonce();
            let moment = twitter::Moment { now: self.clock.now().unix(), nonce: &nonce };
            let (client, endpoints) = (self.ways.direct(false), &self.ways.endpoints);
            let granted = twitter::trade(&client, endpoints, connection, back, base, moment);
            let granted = patiently(deadline, granted, ProviderError::Code).await?;
            let signed_in = twitter::arrive(&client, endpoints, connection, &granted, moment);
            return patiently(deadline, signed_in, ProviderError::Profile).await;
        }
        let traded = async {
            let addresses = self.addresses(plan, connection).await?;
            let answer = self.trade(plan, connection, &addresses.token, &back.code, &back.code_verifier).await;
            let answer = answer.map_err(|refused| {
                tracing::info!(provider = connection.name, %refused, "a code was not taken");
                Fault { error: ProviderError::Code, outage: refused == Refused::Outage }
            })?;
            Ok((answer, addresses.userinfo))
        };
        let (answer, userinfo) = patiently(deadline, traded, ProviderError::Code).await?;
        let profile = self.profile(plan, connection, back, &answer, userinfo.as_deref());
        let profile = patiently(deadline, profile, ProviderError::Profile).await?;
        let tokens = ProviderTokens { access_token: answer.access_token, refresh_token: answer.refresh_token };
        Ok(SignedIn { profile, tokens })
    }

    /// Who has signed in.
    async fn profile(
        &self,
        plan: &Plan,
        connection: &Connection,
        back: &Return,
        answer: &TokenAnswer,
        userinfo: Option<&str>,
    ) -> Result<Profile, Fault> {
        let claims = self.claims(plan, answer, &back.nonce).await?;
        let mut documents = Vec::new();
        for request in plan.requests(answer, userinfo, claims.is_some()) {
            documents.push(self.document(connection, &request, &answer.access_token).await?);
        }
        let sources =
            Sources { token: &answer.json, documents: &documents, id_token: claims.as_ref(), user: &back.user };
        plan.profile(&sources).map_err(Fault::answer)
    }

    /// Where browsers go, codes are traded, and profiles are.
    async fn addresses(&self, plan: &Plan, connection: &Connection) -> Result<Addresses, Fault> {
        let addresses = match &plan.flow {
            Flow::Oauth2 { authorize, token } => {
                Addresses { authorize: authorize.clone(), token: token.clone(), userinfo: None }
            }
            Flow::Discovered(issuer) => {
                let found = self.issuers.provider(issuer).await?;
                Addresses {
                    authorize: found.authorization_endpoint.clone().unwrap_or_default(),
                    token: found.token_endpoint.clone().unwrap_or_default(),
                    userinfo: found.userinfo_endpoint.clone(),
                }
            }
            Flow::Oauth1 { base } => Addresses { authorize: base.clone(), token: base.clone(), userinfo: None },
        };
        let foreign = is_foreign(connection);
        if is_usable(&addresses.authorize, foreign) && is_usable(&addresses.token, foreign) {
            Ok(addresses)
        } else {
            Err(Fault::answer(ProviderError::Discovery("an address of the provider cannot be used".to_owned())))
        }
    }

    async fn trade(
        &self,
        plan: &Plan,
        connection: &Connection,
        url: &str,
        code: &Secret<String>,
        verifier: &Secret<String>,
    ) -> Result<TokenAnswer, Refused> {
        let settings = &connection.settings;
        let client_id = settings.client_ids.first().map_or("", String::as_str);
        let secret = client_secret::of(settings, client_id, self.clock.now()).map_err(|_| Refused::Client)?;
        let grant = Grant {
            url: &self.ways.endpoints.at(url),
            client_id,
            secret: &secret,
            redirect_uri: &connection.redirect_uri,
            code,
            verifier: plan.pkce.then_some(verifier),
            credentials: plan.credentials,
            secret_again: plan.secret_again,
        };
        let client = self.ways.direct(is_foreign(connection));
        self.exchange.trade(&client, &grant, Instant::now() + PATIENCE).await
    }

    /// The claims of the ID token that came with the other tokens, if this provider's ID tokens mean anything.
    async fn claims(&self, plan: &Plan, answer: &TokenAnswer, nonce: &str) -> Result<Option<Claims>, Fault> {
        let refused = |why: &str| {
            tracing::info!(why, "an id token was not taken");
            Fault::answer(ProviderError::Profile)
        };
        let token = match (plan.id_token, &answer.id_token) {
            (IdTokenUse::Ignored, _) | (IdTokenUse::IfPresent, None) => return Ok(None),
            (IdTokenUse::Required, None) => return Err(refused("there is none")),
            (IdTokenUse::IfPresent | IdTokenUse::Required, Some(token)) => token,
        };
        let claimed = id_token::claimed_issuer(token).ok_or_else(|| refused("it names no issuer"))?;
        let issuer = plan.issuer_for(&claimed).ok_or_else(|| refused("another issuer"))?;
        let verified =
            id_token::verify(&self.issuers, self.clock.now(), &issuer, token, Some(&answer.access_token)).await;
        let claims = verified.map_err(|doubt| match doubt {
            Doubt::Bad(why) => refused(why),
            Doubt::Issuer(fault) => Fault { error: ProviderError::Profile, ..fault },
        })?;
        if !id_token::audiences(&claims).iter().any(|audience| plan.audiences.contains(audience)) {
            return Err(refused("for another client"));
        }
        let repeated = id_token::text(&claims, "nonce").unwrap_or_default();
        if plan.nonce && !bool::from(repeated.as_bytes().ct_eq(nonce.as_bytes())) {
            return Err(refused("another nonce"));
        }
        Ok(Some(claims))
    }

    async fn document(
        &self,
        connection: &Connection,
        request: &ProfileRequest,
        access_token: &Secret<String>,
    ) -> Result<Value, Fault> {
        let foreign = is_foreign(connection);
        if !is_usable(&request.url, foreign) {
            return Err(Fault::answer(ProviderError::Profile));
        }
        let call = self.ways.direct(foreign).get(&self.ways.endpoints.at(&request.url));
        let mut call = call.header("accept", "application/json").authorization("Bearer", access_token);
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        let body = call::body(call, ProviderError::Profile).await?;
        serde_json::from_slice(&body).map_err(|_| Fault::answer(ProviderError::Profile))
    }

    fn nonce(&self) -> String {
        self.entropy.uuid().simple().to_string()
    }
}

/// The end of `work`, or an outage where there is none before the deadline.
async fn patiently<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, Fault>>,
    late: ProviderError,
) -> Result<T, Fault> {
    let ended = timeout_at(deadline, work).await;
    ended.unwrap_or_else(|_elapsed| Err(Fault::outage(late)))
}

fn doubted(doubt: Doubt) -> IdTokenError {
    match doubt {
        Doubt::Bad(why) => {
            tracing::info!(why, "an id token was not taken");
            IdTokenError::Bad
        }
        Doubt::Issuer(fault) => IdTokenError::Issuer(fault.error.to_string()),
    }
}

#[async_trait]
impl ProviderTransport for HttpProviders {
    async fn depart(
        &self,
        project: ProjectId,
        connection: &Connection,
        departure: &Departure,
    ) -> Result<String, ProviderError> {
        let plan = Plan::of(connection);
        if matches!(plan.flow, Flow::Oauth2 { .. }) {
            // Nobody is asked, so nothing is learnt; but nobody is sent where he cannot come back from.
            if self.breakers.is_open(project, &connection.name) {
                return Err(ProviderError::Unavailable);
            }
            return self.way_out(&plan, connection, departure).await.map_err(|fault| fault.error);
        }
        let passage = self.breakers.enter(project, &connection.name).ok_or(ProviderError::Unavailable)?;
        let place = self.in_flight.enter((project, connection.name.clone())).ok_or(ProviderError::Unavailable)?;
        let deadline = Instant::now() + PATIENCE;
        let left = patiently(deadline, self.way_out(&plan, connection, departure), ProviderError::Unavailable).await;
        drop(place);
        // Metadata may be remembered ones: how the provider is, the way back tells.
        match left {
            Err(Fault { error, outage: true }) => {
                passage.failed();
                Err(error)
            }
            left => {
                passage.unspent();
                left.map_err(|fault| fault.error)
            }
        }
    }

    async fn arrive(
        &self,
        project: ProjectId,
        connection: &Connection,
        back: &Return,
    ) -> Result<SignedIn, ProviderError> {
        let passage = self.breakers.enter(project, &connection.name).ok_or(ProviderError::Unavailable)?;
        let place = self.in_flight.enter((project, connection.name.clone())).ok_or(ProviderError::Unavailable)?;
        let plan = Plan::of(connection);
        let arrived = self.way_back(&plan, connection, back).await;
        drop(place);
        match arrived {
            Ok(signed_in) => {
                passage.answered();
                Ok(signed_in)
            }
            Err(Fault { error, outage: true }) => {
                passage.failed();
                Err(error)
            }
            Err(Fault { error, outage: false }) => {
                // An issuer that could not be asked a moment ago has not answered now.
                if error == ProviderError::Code || error == ProviderError::Profile {
                    passage.answered();
                }
                Err(error)
            }
        }
    }

    async fn id_token(
        &self,
        issuer: &Issuer,
        token: &Secret<String>,
        access_token: Option<&Secret<String>>,
    ) -> Result<IdToken, IdTokenError> {
        let verified = id_token::verify(&self.issuers, self.clock.now(), issuer, token, access_token);
        let late = || IdTokenError::Issuer("no answer in time".to_owned());
        let claims = timeout_at(Instant::now() + PATIENCE, verified).await.map_err(|_| late())?.map_err(doubted)?;
        Ok(IdToken {
            issuer: id_token::text(&claims, "iss").unwrap_or_default().to_owned(),
            audiences: id_token::audiences(&claims),
            nonce: id_token::text(&claims, "nonce").map(str::to_owned),
            profile: profile::of_id_token(&issuer.issuer, &claims).map_err(|_| IdTokenError::Bad)?,
        })
    }

    async fn discover(&self, issuer: &Issuer) -> Result<Value, ProviderError> {
        let deadline = Instant::now() + PATIENCE;
        let found = patiently(deadline, self.issuers.discover(issuer), ProviderError::Unavailable).await;
        found.map_err(|fault| fault.error)
    }

    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, ProviderError> {
        self.ways.public.look_up(host).await.map_err(|_| ProviderError::Host)
    }

    async fn keys(&self, source: &Source, fresh: bool) -> Result<Value, ProviderError> {
        let found = async {
            match source {
                Source::OidcIssuer(issuer) => {
                    let issuer = Issuer { issuer: issuer.clone(), discovery_url: None, foreign: true };
                    let metadata = self.issuers.metadata(&issuer).await?;
                    self.issuers.keys(&metadata, true, fresh).await.map(|keys| keys.to_json())
                }
                Source::JwksUrl(url) => self.issuers.keys_at(url, true, fresh).await.map(|keys| keys.to_json()),
                Source::CustomJwks(keys) => Ok(keys.clone()),
            }
        };
        let found = patiently(Instant::now() + PATIENCE, found, ProviderError::Unavailable).await;
        found.map_err(|fault| fault.error)
    }

    async fn examine(&self, connection: &Connection) -> Vec<Check> {
        self.checks(connection).await
    }
}

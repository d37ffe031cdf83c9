//! A provider for tests: it says what it was told to say.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use domain::ids::ProjectId;
use domain::provider::{Connection, Departure, IdToken, Issuer, Return, SignedIn};
use domain::secret::Secret;
use domain::third_party::Source;
use serde_json::{Value, json};

use super::{Check, IdTokenError, ProviderError, ProviderTransport};

/// Answers by code and by token, and remembers every departure.
#[derive(Default)]
pub struct RecordingProviders {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    departures: Vec<(Connection, Departure)>,
    returns: Vec<(Connection, Return)>,
    grants: BTreeMap<String, Result<SignedIn, ProviderError>>,
    tokens: BTreeMap<String, Result<IdToken, IdTokenError>>,
    hosts: BTreeMap<String, Vec<IpAddr>>,
    keys: Option<Value>,
    keys_of: BTreeMap<String, Value>,
    asked: Vec<Source>,
    metadata: BTreeMap<String, Result<Value, ProviderError>>,
    checks: Vec<Check>,
    examined: Vec<Connection>,
}

impl RecordingProviders {
    /// What `code` is worth from now on, any number of times.
    pub fn grant(&self, code: &str, worth: Result<SignedIn, ProviderError>) {
        self.with(|state| state.grants.insert(code.to_owned(), worth));
    }

    /// What `token` is worth as an ID token.
    pub fn token(&self, token: &str, worth: Result<IdToken, IdTokenError>) {
        self.with(|state| state.tokens.insert(token.to_owned(), worth));
    }

    /// Where `host` leads; hosts nobody has told of are at 8.8.8.8.
    pub fn host(&self, host: &str, addresses: Vec<IpAddr>) {
        self.with(|state| state.hosts.insert(host.to_owned(), addresses));
    }

    /// The keys of every issuer of access tokens.
    pub fn serve_keys(&self, keys: Option<Value>) {
        self.with(|state| state.keys = keys);
    }

    /// The keys of the issuer, or at the address, `url`.
    pub fn serve_keys_of(&self, url: &str, keys: Value) {
        self.with(|state| state.keys_of.insert(url.to_owned(), keys));
    }

    /// Every question for keys, in order.
    pub fn asked_for_keys(&self) -> Vec<Source> {
        self.with(|state| state.asked.clone())
    }

    /// The metadata of an issuer; others have endpoints below their name.
    pub fn metadata(&self, issuer: &str, metadata: Result<Value, ProviderError>) {
        self.with(|state| state.metadata.insert(issuer.to_owned(), metadata));
    }

    /// What an examination finds from now on.
    pub fn find(&self, checks: Vec<Check>) {
        self.with(|state| state.checks = checks);
    }

    /// Every provider that was examined, in order.
    pub fn examined(&self) -> Vec<Connection> {
        self.with(|state| state.examined.clone())
    }

    /// Every browser that was sent away, in order.
    pub fn departures(&self) -> Vec<(Connection, Departure)> {
        self.with(|state| state.departures.clone())
    }

    /// Every browser that came back, in order.
    pub fn returns(&self) -> Vec<(Connection, Return)> {
        self.with(|state| state.returns.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl ProviderTransport for RecordingProviders {
    async fn depart(
        &self,
        _: ProjectId,
        connection: &Connection,
        departure: &Departure,
    ) -> Result<String, ProviderError> {
        self.with(|state| state.departures.push((connection.clone(), departure.clone())));
        Ok(format!("https://provider.example/authorize?state={}", departure.state))
    }

    async fn arrive(&self, _: ProjectId, connection: &Connection, back: &Return) -> Result<SignedIn, ProviderError> {
        self.with(|state| {
            state.returns.push((connection.clone(), back.clone()));
            state.grants.get(back.code.expose()).cloned().unwrap_or(Err(ProviderError::Code))
        })
    }

    async fn id_token(
        &self,
        _: &Issuer,
        token: &Secret<String>,
        _: Option<&Secret<String>>,
    ) -> Result<IdToken, IdTokenError> {
        self.with(|state| state.tokens.get(token.expose()).cloned().unwrap_or(Err(IdTokenError::Bad)))
    }

    async fn discover(&self, issuer: &Issuer) -> Result<Value, ProviderError> {
        if let Some(told) = self.with(|state| state.metadata.get(&issuer.issuer).cloned()) {
            return told;
        }
        let at = |path: &str| format!("{}/{path}", issuer.issuer.trim_end_matches('/'));
        Ok(json!({
            "issuer": issuer.issuer, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
            "userinfo_endpoint": at("userinfo"), "jwks_uri": at("jwks"),
        }))
    }

    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, ProviderError> {
        let told = self.with(|state| state.hosts.get(host).cloned());
        Ok(told.unwrap_or_else(|| vec![IpAddr::from([8, 8, 8, 8])]))
    }

    async fn keys(&self, source: &Source, _: bool) -> Result<Value, ProviderError> {
        self.with(|state| {
            state.asked.push(source.clone());
            let told = source.url().and_then(|(_, url)| state.keys_of.get(url).cloned());
            told.or_else(|| state.keys.clone()).ok_or(ProviderError::Unavailable)
        })
    }

    async fn examine(&self, connection: &Connection) -> Vec<Check> {
        self.with(|state| {
            state.examined.push(connection.clone());
            state.checks.clone()
        })
    }
}

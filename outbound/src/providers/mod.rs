//! Providers that people sign in with: OAuth 2.0, OpenID Connect and OAuth 1.0a as a client
//! (`contract/mfa-passkeys-oauth.md` §3.4, §4, §5, §6.6).

mod authorize;
mod call;
mod catalogue;
mod custom;
mod endpoints;
mod fault;
mod http;
mod plan;
mod profile;
mod recording;
mod twitter;

use std::net::IpAddr;

use async_trait::async_trait;
use domain::ids::ProjectId;
use domain::provider::{Connection, Departure, IdToken, Issuer, Return, SignedIn};
use domain::secret::Secret;
use domain::third_party::Source;
use serde_json::Value;

pub use endpoints::Endpoints;
pub use http::HttpProviders;
pub use recording::RecordingProviders;

/// Why a provider did not do what it was asked for. Holds neither URL parameters nor credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Its metadata cannot be had or cannot be used; holds all there is to say of it, for the operator.
    #[error("{0}")]
    Discovery(String),
    /// It does not take the code.
    #[error("the code was refused")]
    Code,
    /// It does not say who has signed in, or not in a way that can be trusted.
    #[error("no usable profile")]
    Profile,
    /// It has failed too often of late for this project, and is not asked for a while.
    #[error("out of service")]
    Unavailable,
    /// Its host name has no address.
    #[error("no such host")]
    Host,
}

/// Why an ID token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    /// Signature, issuer, times, types or `at_hash` do not hold.
    #[error("bad id token")]
    Bad,
    /// The issuer's keys cannot be had.
    #[error("the issuer cannot be asked: {0}")]
    Issuer(String),
}

/// One thing that was looked at while a provider was examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What: `discovery`, `keys`, `secret`, `redirect`.
    pub name: &'static str,
    /// How it went; `None` where it cannot be known from here.
    pub passed: Option<bool>,
    /// For the operator.
    pub detail: String,
}

/// Speaks to providers on behalf of projects.
#[async_trait]
pub trait ProviderTransport: Send + Sync {
    /// The address of the provider's page, with all parameters.
    async fn depart(
        &self,
        project: ProjectId,
        connection: &Connection,
        departure: &Departure,
    ) -> Result<String, ProviderError>;

    /// Trades the code for the provider's tokens and asks who has signed in. A profile has a subject.
    async fn arrive(
        &self,
        project: ProjectId,
        connection: &Connection,
        back: &Return,
    ) -> Result<SignedIn, ProviderError>;

    /// Verifies an ID token that `issuer` must have issued: signature, issuer, times; `at_hash` where there is an access token.
    /// Audience and nonce are the caller's to judge.
    async fn id_token(
        &self,
        issuer: &Issuer,
        token: &Secret<String>,
        access_token: Option<&Secret<String>>,
    ) -> Result<IdToken, IdTokenError>;

    /// The metadata of an issuer that people can sign in by, fetched anew.
    async fn discover(&self, issuer: &Issuer) -> Result<Value, ProviderError>;

    /// The addresses of a host.
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, ProviderError>;

    /// The keys of an issuer of access tokens, as a JWK set; `fresh` asks the issuer again where it was not asked a moment ago.
    async fn keys(&self, source: &Source, fresh: bool) -> Result<Value, ProviderError>;

    /// Looks whether a provider can be used as it is set up, as far as can be known without a person.
    async fn examine(&self, connection: &Connection) -> Vec<Check>;
}

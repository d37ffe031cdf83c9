//! Every built-in provider, there and back: at home, at an address of the project's own, and with every check there is.

use domain::provider::Builtin;
use serde_json::Value;

use super::cases::{self, Case, OWN};
use super::idp::{ACCESS, Idp, REFRESH, Registered};
use super::{connection, sign_in};

/// Where a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Home,
    /// With the settings of the project.
    Own,
}

/// What the provider of `case` knows of us.
pub(crate) fn registered(case: &Case, place: Place, strict: bool) -> Registered {
    let [authorize, token] = if place == Place::Home { case.home } else { case.own.unwrap() };
    let documents = case
        .documents
        .iter()
        .map(|(home, own, answer)| ((if place == Place::Home { *home } else { *own }).to_owned(), answer.clone()));
    let issuer = if place == Place::Home { case.issuer } else { case.own_issuer.unwrap_or(case.issuer) };
    Registered {
        authorize: authorize.to_owned(),
        token: token.to_owned(),
        documents: documents.collect(),
        headers: case.headers.clone(),
        proof: case.proof,
        scope: case.strict_scope.filter(|_| strict).unwrap_or(case.scope).to_owned(),
        takes: case.takes,
        challenge: case.challenge.applies(strict),
        nonce: case.nonce.applies(strict),
        token_fields: case.token_fields.clone(),
        id_token: if case.id_token.is_null() && strict { case.id_token_beside.clone() } else { case.id_token.clone() },
        issuer: issuer.to_owned(),
        oauth1: case.provider == Builtin::Twitter,
        ..Registered::default()
    }
}

/// The address that the project has set.
pub(crate) fn url(case: &Case, place: Place) -> Option<&'static str> {
    (place == Place::Own || case.provider == Builtin::Keycloak).then_some(OWN)
}

async fn goes_through(case: &Case, place: Place, strict: bool) {
    let told = format!("{:?} {place:?} strict: {strict}", case.provider);
    let idp = Idp::start(registered(case, place, strict)).await;
    let mut connection = connection(case.provider, url(case, place));
    connection.strict = strict;
    let signed_in = sign_in(&idp, &connection).await;
    assert_eq!(idp.complaints(), Vec::<String>::new(), "{told}");
    let signed_in = signed_in.unwrap_or_else(|error| panic!("{told}: {error}"));
    let profile = signed_in.profile;
    assert_eq!(profile.subject, case.subject, "{told}");
    let emails: Vec<(&str, bool, bool)> =
        profile.emails.iter().map(|email| (email.email.as_str(), email.verified, email.primary)).collect();
    assert_eq!(emails, case.emails, "{told}");
    assert_eq!(Value::Object(profile.claims), expected(case, place), "{told}");
    let refresh = if case.provider == Builtin::Twitter { "" } else { REFRESH };
    assert_eq!(signed_in.tokens.access_token.expose(), ACCESS, "{told}");
    assert_eq!(signed_in.tokens.refresh_token.expose(), refresh, "{told}");
}

fn expected(case: &Case, place: Place) -> Value {
    let mut claims = case.claims.clone();
    claims["iss"] = case.iss[usize::from(place == Place::Own)].into();
    claims["sub"] = case.subject.into();
    claims["provider_id"] = case.subject.into();
    claims
}

#[test]
fn every_provider_has_a_case() {
    let mut cases: Vec<Builtin> = cases::all().iter().map(|case| case.provider).collect();
    cases.sort();
    assert_eq!(cases, Builtin::ALL);
}

#[tokio::test]
async fn every_provider_at_home() {
    for case in cases::all() {
        goes_through(&case, Place::Home, false).await;
    }
}

#[tokio::test]
async fn every_provider_with_every_check() {
    for case in cases::all() {
        goes_through(&case, Place::Home, true).await;
    }
}

/// Azure at another address than Microsoft's shared one is a tenant of the project's choice, whose tokens say who in the
/// standard's own way; it has a test of its own.
#[tokio::test]
async fn every_provider_at_an_address_of_the_projects_own() {
    for case in cases::all() {
        if case.own.is_some() && case.provider != Builtin::Azure {
            goes_through(&case, Place::Own, false).await;
        }
    }
}

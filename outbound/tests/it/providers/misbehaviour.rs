//! Providers that answer badly, slowly, hugely or not at all, codes that are used twice, and tokens that do not hold.

use domain::provider::{Builtin, Return};
use domain::secret::Secret;
use outbound::{ProviderError, ProviderTransport};
use serde_json::json;
use tokio::time::{Duration, Instant};

use super::cases;
use super::each::{Place, registered};
use super::idp::{Idp, Misbehaviour, NOW, Trouble};
use super::{browse, connection, departure, project, providers, sign_in};
use crate::stand_in::{self, StandIn};

/// How a sign-in ends at a provider that misbehaves.
async fn ends(provider: Builtin, misbehaviour: Misbehaviour) -> Option<ProviderError> {
    let mut registered = registered(&cases::of(provider), Place::Home, false);
    registered.misbehaviour = misbehaviour;
    let idp = Idp::start(registered).await;
    sign_in(&idp, &connection(provider, None)).await.err()
}

fn troubles() -> Vec<Trouble> {
    vec![
        Trouble::Status(400),
        Trouble::Status(403),
        Trouble::Status(500),
        Trouble::Status(503),
        Trouble::Body("text/html", "<html>Sign in</html>"),
        Trouble::Body("application/json", ""),
        Trouble::Body("application/json", "[]"),
        Trouble::Body("application/json", "{\"error\":\"bad_verification_code\"}"),
        Trouble::Body("application/json", "{\"access_token\":\"\"}"),
        Trouble::Huge,
    ]
}

#[tokio::test]
async fn a_bad_answer_to_a_code_is_no_sign_in() {
    for trouble in troubles() {
        let ended = ends(Builtin::Github, Misbehaviour::Codes(trouble.clone())).await;
        assert_eq!(ended, Some(ProviderError::Code), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_bad_profile_is_no_sign_in() {
    for trouble in troubles() {
        let ended = ends(Builtin::Github, Misbehaviour::Documents(trouble.clone())).await;
        assert_eq!(ended, Some(ProviderError::Profile), "{trouble:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_silent_or_slow_costs_seconds_and_is_told_by_the_call_it_failed() {
    for provider in [Builtin::Github, Builtin::Twitter] {
        for (misbehaviour, expected) in [
            (Misbehaviour::Codes(Trouble::Silence), ProviderError::Code),
            (Misbehaviour::Codes(Trouble::Drip), ProviderError::Code),
            (Misbehaviour::Documents(Trouble::Silence), ProviderError::Profile),
            (Misbehaviour::Documents(Trouble::Drip), ProviderError::Profile),
        ] {
            let start = Instant::now();
            assert_eq!(ends(provider, misbehaviour.clone()).await, Some(expected), "{provider:?} {misbehaviour:?}");
            assert!(start.elapsed() <= Duration::from_secs(10), "{misbehaviour:?}: {:?}", start.elapsed());
        }
    }
}

#[tokio::test]
async fn an_id_token_that_does_not_hold_is_no_sign_in() {
    for provider in [Builtin::Apple, Builtin::Google] {
        for misbehaviour in [
            Misbehaviour::Claims(json!({ "nonce": "another" })),
            Misbehaviour::Claims(json!({ "nonce": null })),
            Misbehaviour::Claims(json!({ "aud": "client-3" })),
            Misbehaviour::Claims(json!({ "aud": "client-2" })),
            Misbehaviour::Claims(json!({ "aud": null })),
            Misbehaviour::Claims(json!({ "iss": "https://evil.test" })),
            Misbehaviour::Claims(json!({ "iss": null })),
            Misbehaviour::Claims(json!({ "exp": NOW - 1 })),
            Misbehaviour::Claims(json!({ "exp": null })),
            Misbehaviour::Claims(json!({ "nbf": NOW + 3600 })),
            Misbehaviour::Claims(json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" })),
            Misbehaviour::Claims(json!({ "sub": null })),
            Misbehaviour::ForeignKey,
        ] {
            let ended = ends(provider, misbehaviour.clone()).await;
            assert_eq!(ended, Some(ProviderError::Profile), "{provider:?} {misbehaviour:?}");
        }
        let several = Misbehaviour::Claims(json!({ "aud": ["client-3", "client-1"] }));
        assert_eq!(ends(provider, several).await, None, "{provider:?}");
    }
}

#[tokio::test]
async fn a_code_is_good_once_and_for_its_verifier_only() {
    let case = cases::of(Builtin::X);
    let connection = connection(Builtin::X, None);
    let idp = Idp::start(registered(&case, Place::Home, false)).await;
    let providers = providers(&idp);
    let url = providers.depart(project(), &connection, &departure()).await.unwrap();
    let back = browse(&idp, &url).await;
    assert!(providers.arrive(project(), &connection, &back).await.is_ok());
    assert_eq!(providers.arrive(project(), &connection, &back).await.err(), Some(ProviderError::Code));
    let back = browse(&idp, &url).await;
    let other = Return { code_verifier: Secret::new("another".repeat(8)), ..back };
    assert_eq!(providers.arrive(project(), &connection, &other).await.err(), Some(ProviderError::Code));
}

/// A code of one browser does not work with the nonce of another: whoever slips a code to somebody is found out.
#[tokio::test]
async fn a_code_from_another_sign_in_is_refused() {
    let connection = connection(Builtin::Google, None);
    let idp = Idp::start(registered(&cases::of(Builtin::Google), Place::Home, false)).await;
    let providers = providers(&idp);
    let url = providers.depart(project(), &connection, &departure()).await.unwrap();
    let mut back = browse(&idp, &url).await;
    back.nonce = "nonce-2".to_owned();
    assert_eq!(providers.arrive(project(), &connection, &back).await.err(), Some(ProviderError::Profile));
}

/// Whoever holds the endpoint could send code, secret and token elsewhere, or have somebody else say who has signed in.
#[tokio::test]
async fn neither_codes_nor_tokens_are_sent_where_a_redirect_leads() {
    for provider in [Builtin::Github, Builtin::Kakao, Builtin::Twitter] {
        let answer = cases::of(provider).documents[0].2.clone();
        let elsewhere = StandIn::giving([stand_in::json(&answer.to_string())]).await;
        for status in [301, 302, 303, 307, 308] {
            let away = Trouble::Redirect(status, elsewhere.url("/"));
            let codes = ends(provider, Misbehaviour::Codes(away.clone())).await;
            let documents = ends(provider, Misbehaviour::Documents(away)).await;
            let expected = (Some(ProviderError::Code), Some(ProviderError::Profile));
            assert_eq!((codes, documents), expected, "{provider:?} {status}");
        }
        assert!(elsewhere.requests().is_empty(), "{provider:?}");
    }
}

/// Twitter's answers are forms, and its doubts are errors of the departure.
#[tokio::test]
async fn twitter_does_not_know_us() {
    let idp = Idp::start(registered(&cases::of(Builtin::Twitter), Place::Home, false)).await;
    let mut connection = connection(Builtin::Twitter, None);
    connection.settings.secret = Secret::new("wrong".to_owned());
    let departed = providers(&idp).depart(project(), &connection, &departure()).await;
    assert_eq!(departed, Err(ProviderError::Unavailable));
    assert_eq!(idp.complaints(), ["signature"]);
}

#[tokio::test]
async fn answers_to_codes_may_be_forms() {
    let mut registered = registered(&cases::of(Builtin::Github), Place::Home, false);
    registered.form_answers = true;
    let idp = Idp::start(registered).await;
    assert!(sign_in(&idp, &connection(Builtin::Github, None)).await.is_ok());
}

/// Once it is known how a provider takes credentials, it is not asked the wrong way again.
#[tokio::test]
async fn credentials_are_tried_once_in_each_way() {
    let case = cases::of(Builtin::Twitch);
    let idp = Idp::start(registered(&case, Place::Home, false)).await;
    let (connection, providers) = (connection(Builtin::Twitch, None), providers(&idp));
    for _ in 0..2 {
        let url = providers.depart(project(), &connection, &departure()).await.unwrap();
        let back = browse(&idp, &url).await;
        assert!(providers.arrive(project(), &connection, &back).await.is_ok());
    }
    let codes = idp.called().into_iter().filter(|path| path == case.home[1]).count();
    assert_eq!(codes, 3);
}

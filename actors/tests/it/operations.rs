//! Where the operations of `/auth/v1` run.

use actors::{Document, Lane, Limits, Operation};
use crypto::refresh_token;
use domain::captcha::Proof;
use domain::ids::SessionId;
use domain::request::Bearer;
use domain::secret::Secret;
use domain::time::Timestamp;
use domain::{logout, otp, reauthenticate, recover, refresh, resend, sign_in, user_update, verify};
use flows::{Tenant, TenantSource};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Gateway, project};

const NOW: i64 = 1_780_000_000;

async fn tenant() -> Tenant {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    gateway.source.load(&project("one")).await.unwrap().unwrap()
}

fn lane(tenant: &Tenant, operation: &impl Operation) -> Lane {
    operation.lane(tenant, Timestamp::from_unix(NOW))
}

fn refreshing(token: &str) -> refresh::Request {
    refresh::Request { refresh_token: Secret::new(token.to_owned()) }
}

fn is_challenge(lane: &Lane) -> bool {
    matches!(lane, Lane::Challenge(_))
}

#[tokio::test]
async fn a_refresh_runs_in_its_session_if_the_project_issued_the_token() {
    let tenant = tenant().await;
    let session = SessionId(Uuid::from_u128(7));
    let issued = refresh_token::issue(session, 3, &tenant.project_key.session_key(session));
    assert_eq!(lane(&tenant, &refreshing(issued.expose())), Lane::Session(session));

    let forged = refresh_token::issue(session, 3, &[9; 32]);
    assert!(is_challenge(&lane(&tenant, &refreshing(forged.expose()))), "a stranger starts no session actor");
    assert_eq!(lane(&tenant, &refreshing("")), Lane::Task);
}

#[tokio::test]
async fn one_stored_token_always_meets_the_same_queue() {
    let tenant = tenant().await;
    let first = lane(&tenant, &refreshing("abcdefghijkl"));
    assert!(is_challenge(&first), "{first:?}");
    assert_eq!(first, lane(&tenant, &refreshing("abcdefghijkl")));
}

#[tokio::test]
async fn a_logout_runs_in_its_session_if_the_token_verifies() {
    let tenant = tenant().await;
    let session = Uuid::from_u128(7);
    let claims = json!({ "sub": Uuid::nil(), "session_id": session, "exp": NOW + 60 });
    let ending = |token: Option<Secret<String>>| logout::Request { bearer: Bearer(token), scope: String::new() };
    let token = tenant.keys.sign(&claims).unwrap();
    assert_eq!(lane(&tenant, &ending(Some(token.clone()))), Lane::Session(SessionId(session)));
    let forged = Secret::new(format!("{}x", token.expose()));
    assert_eq!(lane(&tenant, &ending(Some(forged))), Lane::Task);
    assert_eq!(lane(&tenant, &ending(None)), Lane::Task);
}

#[tokio::test]
async fn attempts_at_one_code_are_queued_whatever_the_case_of_the_address() {
    let tenant = tenant().await;
    let attempt = |email: &str, code: &str| verify::Request {
        kind: "signup".to_owned(),
        token: Secret::new(code.to_owned()),
        token_hash: Secret::default(),
        email: email.to_owned(),
        phone: String::new(),
        redirect_to: String::new(),
        password: None,
    };
    let first = lane(&tenant, &attempt("ada@example.com", "111111"));
    assert!(is_challenge(&first), "{first:?}");
    assert_eq!(first, lane(&tenant, &attempt("Ada@Example.com", "222222")));
    assert_ne!(first, lane(&tenant, &attempt("bob@example.com", "111111")));
    // The token of a recovery link comes alone.
    let alone = lane(&tenant, &attempt("", "a".repeat(56).as_str()));
    assert_ne!(alone, lane(&tenant, &attempt("", "b".repeat(56).as_str())));
}

#[tokio::test]
async fn strangers_share_a_bounded_number_of_queues() {
    let tenant = tenant().await;
    let lanes = (0..20_000).map(|number| lane(&tenant, &refreshing(&format!("{number:012}"))));
    let queues: std::collections::HashSet<String> = lanes
        .map(|lane| match lane {
            Lane::Challenge(queue) => queue,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(queues.len() <= 1024, "{}", queues.len());
}

#[tokio::test]
async fn documents_come_from_the_snapshot_and_sign_ins_run_side_by_side() {
    let tenant = tenant().await;
    assert_eq!(lane(&tenant, &Document::Jwks), Lane::Snapshot);
    let request = sign_in::Request {
        email: "a@b.c".to_owned(),
        phone: String::new(),
        password: Secret::new("x".to_owned()),
        captcha: Proof::default(),
    };
    assert_eq!(lane(&tenant, &request), Lane::Task);
}

fn changing(email: &str) -> user_update::Request {
    user_update::Request {
        bearer: Bearer(None),
        email: email.to_owned(),
        phone: String::new(),
        password: None,
        current_password: None,
        nonce: Secret::default(),
        data: None,
        app_metadata: None,
        code_challenge: String::new(),
        code_challenge_method: String::new(),
        channel: String::new(),
    }
}

fn confirming(email: &str, phone: &str) -> verify::Request {
    verify::Request {
        kind: "email".to_owned(),
        token: Secret::new("123456".to_owned()),
        token_hash: Secret::default(),
        email: email.to_owned(),
        phone: phone.to_owned(),
        redirect_to: String::new(),
        password: None,
    }
}

#[tokio::test]
async fn what_is_sent_to_one_contact_is_queued_however_it_is_asked_for_and_typed() {
    let tenant = tenant().await;
    let by_mail = otp::Request { email: "Ada@example.com".to_owned(), ..otp::Request::default() };
    let first = lane(&tenant, &by_mail);
    assert!(is_challenge(&first), "{first:?}");
    let recovering = recover::Request { email: "ada@example.com".to_owned(), ..recover::Request::default() };
    assert_eq!(first, lane(&tenant, &recovering));
    let again = resend::Request { email: "ada@EXAMPLE.com".to_owned(), ..resend::Request::default() };
    assert_eq!(first, lane(&tenant, &again));
    assert_eq!(first, lane(&tenant, &changing("ada@example.com")));
    assert_eq!(lane(&tenant, &changing("")), Lane::Task, "nothing is sent");

    let by_phone = otp::Request { phone: "+49 151 1234567".to_owned(), ..otp::Request::default() };
    let plain = otp::Request { phone: "491511234567".to_owned(), ..otp::Request::default() };
    assert_eq!(lane(&tenant, &by_phone), lane(&tenant, &plain));
    assert_eq!(lane(&tenant, &confirming("", "+491511234567")), lane(&tenant, &confirming("", "491511234567")));
}

#[tokio::test]
async fn a_message_to_whoever_holds_a_session_does_not_hold_up_its_refreshes() {
    let tenant = tenant().await;
    let session = Uuid::from_u128(7);
    let claims = json!({ "sub": Uuid::nil(), "session_id": session, "exp": NOW + 60 });
    let bearer = Bearer(Some(tenant.keys.sign(&claims).unwrap()));
    let first = lane(&tenant, &reauthenticate::Request { bearer: bearer.clone() });
    assert!(is_challenge(&first), "{first:?}");
    assert_eq!(first, lane(&tenant, &reauthenticate::Request { bearer }));
    assert_eq!(lane(&tenant, &reauthenticate::Request { bearer: Bearer(None) }), Lane::Task);
}

//! A user gets a passkey.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::time::Clock;
use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};
use testkit::{Algorithm, Attestation, Authenticator, Lies, TestApp};

use crate::both::on_both;
use crate::letters::admin;
use crate::passkey::{
    self, ORIGIN, ask, authenticator, challenge, invalid, keep, passkeys, register, registration, said,
    unknown_challenge,
};

on_both!(options_name_user_and_site, options_name_user_and_site_on_postgres, options);
async fn options(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let user_id = session["user"]["id"].as_str().unwrap();
    let begun = registration(&project, &session).await;
    assert_eq!(begun["expires_at"], app.clock.now().unix() + 300);
    let options = &begun["options"];
    let user = json!({
        "id": URL_SAFE_NO_PAD.encode(user_id), "name": "a@example.com", "displayName": "a@example.com"
    });
    assert_eq!((&options["user"], &options["rp"]), (&user, &json!({ "id": "localhost", "name": "Passkeys" })));
    let selection = json!({ "residentKey": "required", "userVerification": "preferred" });
    assert_eq!((&options["authenticatorSelection"], &options["attestation"]), (&selection, &json!("none")));
    assert_eq!((options.get("excludeCredentials"), &options["timeout"]), (None, &json!(300_000)));
    let algorithms: Vec<i64> =
        options["pubKeyCredParams"].as_array().unwrap().iter().map(|kind| kind["alg"].as_i64().unwrap()).collect();
    assert_eq!(algorithms, [-7, -35, -36, -257, -258, -259, -37, -38, -39, -8]);

    // He has a name now, and a passkey that need not be made again.
    let data = json!({ "data": { "name": "Ada" } });
    ask(&project, &session, Method::PUT, "/user").json(&data).send().await.expect(200);
    let mut authenticator = authenticator();
    register(&project, &session, &mut authenticator).await;
    let again = registration(&project, &session).await;
    assert_eq!(again["options"]["user"]["displayName"], "Ada");
    let excluded = json!([{ "type": "public-key", "id": URL_SAFE_NO_PAD.encode(&authenticator.credential_id) }]);
    assert_eq!(again["options"]["excludeCredentials"], excluded);
    assert_ne!(again["options"]["challenge"], options["challenge"]);
}

on_both!(a_passkey_is_kept_and_no_session_made, a_passkey_is_kept_and_no_session_made_on_postgres, kept);
async fn kept(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let session = project.sign_up("a@example.com").await;
    assert!(passkeys(&project, &session).await.is_empty());
    // Every model that vouches for itself or not; one has a name.
    let mut known = authenticator();
    known.aaguid = *uuid::uuid!("ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4").as_bytes();
    let mut vouching = Authenticator::new(Algorithm::EdDsa, ORIGIN);
    vouching.attestation = Attestation::Packed;
    let mut blind = authenticator();
    blind.verifies_user = false;
    let mut names = Vec::new();
    for authenticator in [&mut known, &mut vouching, &mut blind] {
        app.clock.advance(1);
        let made = register(&project, &session, authenticator).await;
        assert!(made.get("access_token").is_none() && made.get("last_used_at").is_none());
        names.push(made["friendly_name"].as_str().unwrap().to_owned());
        assert_eq!(passkeys(&project, &session).await.last(), Some(&made));
    }
    assert_eq!(names, ["Google Password Manager", "Passkey", "Passkey"]);
    let sessions = ask(&project, &session, Method::GET, "/sessions").send().await.expect(200).json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    let path = "/admin/audit?query=action:passkey_created";
    let rows = admin(&project, Method::GET, path, json!({})).await.expect(200).json();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    let payload = &rows[0]["payload"];
    assert_eq!((&payload["log_type"], &payload["actor_id"]), (&json!("user"), &session["user"]["id"]));
    assert_eq!(payload["traits"], json!({ "passkey_id": passkeys(&project, &session).await[2]["id"] }));
}

on_both!(a_challenge_is_good_for_one_answer_of_its_user, a_challenge_is_good_for_one_answer_on_postgres, once);
async fn once(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (session, other) = (project.sign_up("a@example.com").await, project.sign_up("b@example.com").await);
    let mut authenticator = authenticator();
    let begun = registration(&project, &session).await;
    let credential = authenticator.create(&begun["options"]);
    let refused = keep(&project, &other, &begun, credential.clone()).send().await.expect(400);
    assert_eq!(said(&refused), unknown_challenge());
    keep(&project, &session, &begun, credential.clone()).send().await.expect(200);
    let refused = keep(&project, &session, &begun, credential.clone()).send().await.expect(400);
    assert_eq!(said(&refused), unknown_challenge());
    // Nor for another ceremony, in either direction.
    let sign_in = challenge(&project).await;
    let credential = passkey::authenticator().create(&with_challenge(&begun, &sign_in));
    let refused = keep(&project, &session, &sign_in, credential).send().await.expect(400);
    assert_eq!(said(&refused), unknown_challenge());
    let begun = registration(&project, &session).await;
    let assertion = authenticator.get(&with_challenge(&sign_in, &begun));
    let refused = passkey::prove(&project, &begun, assertion).send().await.expect(400);
    assert_eq!(said(&refused), unknown_challenge());
    assert_eq!(passkeys(&project, &session).await.len(), 1);
    // A failed attempt spends it, too; an attempt by somebody else does not.
    let mut lying = passkey::authenticator();
    lying.lies.tampered = true;
    lying.attestation = Attestation::Packed;
    lying.lies.origin = Some("https://evil.example".to_owned());
    let credential = lying.create(&begun["options"]);
    assert_eq!(said(&keep(&project, &session, &begun, credential).send().await.expect(400)), invalid());
    let credential = passkey::authenticator().create(&begun["options"]);
    let refused = keep(&project, &session, &begun, credential).send().await.expect(400);
    assert_eq!(said(&refused), unknown_challenge());
}

/// The options of `one` with the challenge of `other`.
fn with_challenge(one: &Value, other: &Value) -> Value {
    let mut options = one["options"].clone();
    options["challenge"] = other["options"]["challenge"].clone();
    options
}

on_both!(parallel_answers_make_one_passkey, parallel_answers_make_one_passkey_on_postgres, parallel);
async fn parallel(app: TestApp) {
    let sibling = app.sibling().await;
    let project = passkey::project(&app, json!({})).await;
    let elsewhere = sibling.through(&project);
    let session = project.sign_up("a@example.com").await;
    let begun = registration(&project, &session).await;
    let credentials: Vec<Value> = (0..20).map(|_| authenticator().create(&begun["options"])).collect();
    let gateways = [&project, &elsewhere];
    let asks =
        credentials.into_iter().enumerate().map(|(n, made)| keep(gateways[n % 2], &session, &begun, made).send());
    let answers = join_all(asks).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || said(answer) == unknown_challenge()));
    assert_eq!(passkeys(&project, &session).await.len(), 1);
}

on_both!(the_tenth_passkey_is_the_last_in_parallel_too, the_tenth_passkey_is_the_last_on_postgres, maximum);
async fn maximum(app: TestApp) {
    let sibling = app.sibling().await;
    let project = passkey::project(&app, json!({})).await;
    let elsewhere = sibling.through(&project);
    let session = project.sign_up("a@example.com").await;
    let mut begun = Vec::new();
    for _ in 0..16 {
        let challenge = registration(&project, &session).await;
        let credential = authenticator().create(&challenge["options"]);
        begun.push((challenge, credential));
    }
    let gateways = [&project, &elsewhere];
    let asks = begun
        .iter()
        .enumerate()
        .map(|(n, (challenge, made))| keep(gateways[n % 2], &session, challenge, made.clone()).send());
    let answers = join_all(asks).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 10);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (422, "too_many_passkeys"));
    }
    assert_eq!(passkeys(&project, &session).await.len(), 10);
    let refused = ask(&project, &session, Method::POST, "/passkeys/registration/options").send().await.expect(422);
    assert_eq!(refused.error_code(), "too_many_passkeys");
}

on_both!(another_ceremony_makes_no_passkey, another_ceremony_makes_no_passkey_on_postgres, another);
async fn another(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let text = |text: &str| Some(text.to_owned());
    for lies in [
        Lies { origin: text("https://evil.example"), ..Lies::default() },
        Lies { origin: text("http://localhost:3001"), ..Lies::default() },
        Lies { origin: text("http://localhost:3000.evil.example"), ..Lies::default() },
        Lies { rp_id: text("example.com"), ..Lies::default() },
        Lies { kind: text("webauthn.get"), ..Lies::default() },
        Lies { challenge: text("c29tZXRoaW5nLWVsc2U"), ..Lies::default() },
        Lies { absent: true, ..Lies::default() },
    ] {
        let begun = registration(&project, &session).await;
        let mut lying = authenticator();
        lying.lies = lies;
        let credential = lying.create(&begun["options"]);
        let refused = keep(&project, &session, &begun, credential).send().await.expect(400);
        assert_eq!(said(&refused), invalid(), "{:?}", lying.lies);
    }
    assert!(passkeys(&project, &session).await.is_empty());
}

on_both!(what_cannot_be_read_is_told_in_order, what_cannot_be_read_is_told_in_order_on_postgres, unreadable);
async fn unreadable(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let verify =
        |body: Value| ask(&project, &session, Method::POST, "/passkeys/registration/verify").json(&body).send();
    let (begun, some) = (registration(&project, &session).await, json!({ "id": "x" }));
    for (body, message) in [
        (json!({}), "challenge_id is required"),
        (json!({ "challenge_id": "x" }), "credential is required"),
        (json!({ "challenge_id": "x", "credential": null }), "credential is required"),
        (json!({ "challenge_id": "x", "credential": some }), "challenge_id must be a valid UUID"),
    ] {
        let refused = verify(body).await.expect(400);
        assert_eq!(said(&refused), ("validation_failed".to_owned(), message.to_owned()));
    }
    let raw = ask(&project, &session, Method::POST, "/passkeys/registration/verify").raw("{");
    assert_eq!(raw.header("content-type", "application/json").send().await.expect(400).error_code(), "bad_json");
    // None of these spent it; one that names it does.
    let mut credential = authenticator().create(&begun["options"]);
    credential["response"]["attestationObject"] = json!("o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YViU");
    let refused = keep(&project, &session, &begun, credential).send().await.expect(400);
    let unreadable = ("webauthn_verification_failed".to_owned(), "Invalid credential response".to_owned());
    assert_eq!(said(&refused), unreadable);
    let mut broken =
        vec![json!({}), json!([]), json!("text"), json!({ "id": "*", "rawId": "*", "type": "public-key" })];
    // Lists in lists without end, a map that breaks off, a length that nothing follows, a number.
    for cbor in [&[0x81; 20_000][..], &[0xbf, 0x63], &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[0x07]] {
        let mut credential = authenticator().create(&begun["options"]);
        credential["response"]["attestationObject"] = json!(URL_SAFE_NO_PAD.encode(cbor));
        broken.push(credential);
    }
    for broken in broken {
        let begun = registration(&project, &session).await;
        let refused = keep(&project, &session, &begun, broken).send().await.expect(400);
        assert_eq!(said(&refused), unreadable);
        let good = authenticator().create(&begun["options"]);
        let refused = keep(&project, &session, &begun, good).send().await.expect(400);
        assert_eq!(said(&refused), unknown_challenge());
    }
}

on_both!(a_challenge_ends, a_challenge_ends_on_postgres, ends);
async fn ends(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let begun = registration(&project, &session).await;
    let late = registration(&project, &session).await;
    app.clock.advance(300);
    let made = authenticator().create(&begun["options"]);
    keep(&project, &session, &begun, made).send().await.expect(200);
    app.clock.advance(1);
    let made = authenticator().create(&late["options"]);
    let refused = keep(&project, &session, &late, made.clone()).send().await.expect(400);
    let expired = ("webauthn_challenge_expired".to_owned(), "Challenge has expired".to_owned());
    assert_eq!(said(&refused), expired);
    assert_eq!(said(&keep(&project, &session, &late, made).send().await.expect(400)), unknown_challenge());
}

on_both!(a_credential_belongs_to_one_user_of_a_project, a_credential_belongs_to_one_user_on_postgres, taken);
async fn taken(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (session, mut authenticator) = passkey::owner(&project, "a@example.com").await;
    let other = project.sign_up("b@example.com").await;
    for who in [&session, &other] {
        let begun = registration(&project, who).await;
        let credential = authenticator.create(&begun["options"]);
        let refused = keep(&project, who, &begun, credential).send().await.expect(422);
        let taken = ("webauthn_credential_exists".to_owned(), "This credential is already registered".to_owned());
        assert_eq!(said(&refused), taken);
    }
    assert!(passkeys(&project, &other).await.is_empty());
    // Elsewhere nobody has it.
    let elsewhere = app.project("elsewhere", passkey::settings(json!({}))).await;
    let stranger = elsewhere.sign_up("a@example.com").await;
    register(&elsewhere, &stranger, &mut authenticator).await;
}

on_both!(user_verification_is_demanded_where_required, user_verification_is_demanded_on_postgres, verified);
async fn verified(app: TestApp) {
    let project = passkey::project(&app, json!({ "webauthn_user_verification": "required" })).await;
    let session = project.sign_up("a@example.com").await;
    let begun = registration(&project, &session).await;
    assert_eq!(begun["options"]["authenticatorSelection"]["userVerification"], "required");
    let mut blind = authenticator();
    blind.verifies_user = false;
    let credential = blind.create(&begun["options"]);
    assert_eq!(said(&keep(&project, &session, &begun, credential).send().await.expect(400)), invalid());
    register(&project, &session, &mut authenticator()).await;
}

on_both!(only_lasting_users_of_a_project_with_passkeys, only_lasting_users_on_postgres, lasting);
async fn lasting(app: TestApp) {
    let project = passkey::project(&app, json!({ "external_anonymous_users_enabled": true })).await;
    let guest = project.post("/signup", json!({})).send().await.expect(200).json();
    let body = json!({ "challenge_id": "6c8e5a36-2d1c-4b1f-9a53-5d2c6f6c5a11", "credential": {} });
    for path in ["/passkeys/registration/options", "/passkeys/registration/verify"] {
        let refused = ask(&project, &guest, Method::POST, path).json(&body).send().await.expect(403);
        assert_eq!(refused.error_code(), "no_authorization");
        let refused = project.post(path, body.clone()).send().await.expect(401);
        assert_eq!(refused.error_code(), "no_authorization");
    }
    assert!(passkeys(&project, &guest).await.is_empty());

    // Without passkeys everything says so, whoever asks.
    let without = app.project("without", json!({})).await;
    let id = "6c8e5a36-2d1c-4b1f-9a53-5d2c6f6c5a11";
    for (method, path) in [
        (Method::POST, "/passkeys/registration/options".to_owned()),
        (Method::POST, "/passkeys/registration/verify".to_owned()),
        (Method::POST, "/passkeys/authentication/options".to_owned()),
        (Method::POST, "/passkeys/authentication/verify".to_owned()),
        (Method::GET, "/passkeys".to_owned()),
        (Method::PATCH, format!("/passkeys/{id}")),
        (Method::DELETE, format!("/passkeys/{id}")),
    ] {
        let refused = without.ask(method, &path).json(&json!({})).send().await.expect(404);
        assert_eq!(said(&refused), ("passkey_disabled".to_owned(), "Passkeys are disabled".to_owned()), "{path}");
    }
}

on_both!(a_site_must_be_known, a_site_must_be_known_on_postgres, site);
async fn site(app: TestApp) {
    // In compat all of it is set or none; shield knows what the site is.
    let project = app.project("compat", json!({ "passkey_enabled": true, "webauthn_rp_id": "localhost" })).await;
    let session = project.sign_up("a@example.com").await;
    let refused = ask(&project, &session, Method::POST, "/passkeys/registration/options").send().await.expect(500);
    assert_eq!(refused.json()["msg"], "Failed to initialize WebAuthn");
    project.post("/passkeys/authentication/options", json!({})).send().await.expect(500);
    let shielded = app.project("shielded", json!({ "security_profile": "shield" })).await;
    let begun = challenge(&shielded).await;
    assert_eq!(
        (&begun["options"]["rpId"], &begun["options"]["userVerification"]),
        (&json!("localhost"), &json!("required"))
    );
}

on_both!(passkeys_are_managed_after_a_fresh_sign_in, passkeys_are_managed_after_a_fresh_sign_in_on_postgres, fresh);
async fn fresh(app: TestApp) {
    let demands = json!({ "security_step_up_operations": "passkey_manage", "security_step_up_max_age": 60 });
    let project = passkey::project(&app, demands).await;
    let session = project.sign_up("a@example.com").await;
    let begun = registration(&project, &session).await;
    let made = authenticator().create(&begun["options"]);
    app.clock.advance(61);
    for refused in [
        ask(&project, &session, Method::POST, "/passkeys/registration/options").send().await.expect(400),
        keep(&project, &session, &begun, made.clone()).send().await.expect(400),
        ask(&project, &session, Method::DELETE, "/passkeys/x").send().await.expect(400),
    ] {
        assert_eq!(refused.error_code(), "reauthentication_needed");
    }
    // The challenge is still there for whoever signs in again.
    let again = project.sign_in("a@example.com").await;
    keep(&project, &again, &begun, made).send().await.expect(200);
}

//! The challenge of a sign-in at a provider: it can be neither dropped nor weakened (RFC 7636, RFC 9700 §4.8).

use serde_json::{Value, json};
use testkit::TestApp;

use crate::both::on_both;
use crate::mails;
use crate::oauth::{CHALLENGE, VERIFIER, begin, exchange, land, person, project, user, with_addresses};

const CHALLENGE_TEXT: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

on_both!(only_the_verifier_trades_the_code, only_the_verifier_trades_the_code_on_postgres, verifier);
async fn verifier(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let landed = land(&project, &begin(&project, CHALLENGE).await, "ada").await;
    let code = landed.code();
    for (verifier, status, refusal) in [
        ("", 400, "validation_failed"),
        (CHALLENGE_TEXT, 400, "bad_code_verifier"),
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK", 400, "bad_code_verifier"),
        (code, 400, "bad_code_verifier"),
    ] {
        assert_eq!(exchange(&project, code, verifier).await.expect(status).error_code(), refusal, "{verifier}");
    }
    // No other grant takes the code, and what is not the code is none.
    for (grant, body) in [
        ("refresh_token", json!({ "refresh_token": code })),
        ("pkce", json!({ "auth_code": code.to_uppercase(), "code_verifier": VERIFIER })),
        ("pkce", json!({ "auth_code": code.replace('-', ""), "code_verifier": VERIFIER })),
        ("pkce", json!({ "auth_code": "ada", "code_verifier": VERIFIER })),
    ] {
        let answer = project.post(&format!("/token?grant_type={grant}"), body).send().await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{grant} {}", answer.text);
    }
    let session = exchange(&project, code, VERIFIER).await.expect(200).json();
    user(&project, session["access_token"].as_str().unwrap()).await;
}

// A method is part of the flow: whoever reads the challenge in an address cannot use it as a verifier.
on_both!(methods_are_not_swapped, methods_are_not_swapped_on_postgres, methods);
async fn methods(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let plain = format!("&code_challenge={VERIFIER}&code_challenge_method=plain");
    let code = land(&project, &begin(&project, &plain).await, "ada").await.code().to_owned();
    exchange(&project, &code, CHALLENGE_TEXT).await.expect(400);
    exchange(&project, &code, VERIFIER).await.expect(200);
    // Parameters of the way back change nothing.
    let state = begin(&project, CHALLENGE).await;
    let query = "&code_challenge=&code_challenge_method=plain&code_verifier=x&response_type=token";
    let answer = project.get(&format!("/callback?state={state}&code=ada{query}")).send().await.expect(302);
    let landed = crate::oauth::Landed::of(&answer);
    assert!(landed.fragment.is_empty());
    exchange(&project, landed.code(), CHALLENGE_TEXT).await.expect(400);
    exchange(&project, landed.code(), VERIFIER).await.expect(200);
}

// The code exists only after the person has come back, and each flow has its own.
on_both!(a_flow_under_way_has_no_code, a_flow_under_way_has_no_code_on_postgres, under_way);
async fn under_way(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    app.providers.grant("eve", Ok(person("2", "eve@example.com")));
    let state = begin(&project, CHALLENGE).await;
    for guess in [state.as_str(), &state.to_uppercase()] {
        let refused = exchange(&project, guess, VERIFIER).await.expect(404);
        assert_eq!(refused.error_code(), "flow_state_not_found");
    }
    let of = async |code: &str| {
        let landed = land(&project, &begin(&project, CHALLENGE).await, code).await;
        landed.code().to_owned()
    };
    let (ada, eve) = (of("ada").await, of("eve").await);
    for (code, email) in [(&eve, "eve@example.com"), (&ada, "ada@example.com")] {
        let session: Value = exchange(&project, code, VERIFIER).await.expect(200).json();
        assert_eq!(session["user"]["email"], email);
    }
}

// Whoever began with an address that is not his waits with his code until the owner has proven it: too late.
on_both!(a_code_dies_when_the_owner_comes, a_code_dies_when_the_owner_comes_on_postgres, owner_comes);
async fn owner_comes(app: TestApp) {
    let project = project(&app, json!({ "mailer_allow_unverified_email_sign_ins": true })).await;
    app.providers.grant("eve", Ok(with_addresses("2", &[("ada@example.com", false)])));
    let code = land(&project, &begin(&project, CHALLENGE).await, "eve").await.code().to_owned();
    mails::take(&app, "ada@example.com").await;
    app.clock.advance(90);
    let challenge =
        json!({ "code_challenge": CHALLENGE_TEXT, "code_challenge_method": "s256", "email": "ada@example.com" });
    project.post("/recover", challenge).send().await.expect(200);
    let mail = mails::one(&app, "ada@example.com").await;
    let answer = project.get(&format!("/verify?token={}&type=recovery", mail.hash)).send().await.expect(303);
    let owner = crate::oauth::Landed::of(&answer);
    assert_eq!(exchange(&project, &code, VERIFIER).await.expect(404).error_code(), "flow_state_not_found");
    exchange(&project, owner.code(), VERIFIER).await.expect(200);
}

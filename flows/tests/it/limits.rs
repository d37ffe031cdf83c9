//! Limits per client address.

use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;

on_both!(thirty_guesses_from_one_address_pass, thirty_guesses_from_one_address_pass_on_postgres, thirty);
async fn thirty(app: TestApp) {
    let project = app.project("limits", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let guess = |address: &str| {
        let body = json!({ "email": "a@example.com", "password": "a guess" });
        project.post("/token?grant_type=password", body).header("x-forwarded-for", address).send()
    };
    for _ in 0..30 {
        guess("192.0.2.7").await.expect(400);
    }
    let refused = guess("192.0.2.7").await.expect(429);
    assert_eq!(refused.error_code(), "over_request_rate_limit");
    guess("192.0.2.8").await.expect(400);

    // A genuine refresh token is no guess, an invented one is.
    let refresh = |token: &serde_json::Value| project.refresh(token).header("x-forwarded-for", "192.0.2.7").send();
    refresh(&session["refresh_token"]).await.expect(200);
    refresh(&json!("abcdefghijkl")).await.expect(429);

    // The bucket fills again: 150 in five minutes.
    app.clock.advance(2);
    guess("192.0.2.7").await.expect(400);
    guess("192.0.2.7").await.expect(429);
}

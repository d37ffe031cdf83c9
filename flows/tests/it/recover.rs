//! `POST /recover`.

use futures::future::join_all;
use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;
use crate::mails::{confirmed_user, confirming, one, read_user, settled, show_hash, take};

const EMAIL: &str = "a@example.com";

on_both!(a_known_address_gets_a_way_back, a_known_address_gets_a_way_back_on_postgres, way_back);
async fn way_back(app: TestApp) {
    let project = app.project("recover", confirming(json!({ "uri_allow_list": "https://app.example/**" }))).await;
    let user = confirmed_user(&project, json!({ "email": EMAIL })).await;
    let path = "/recover?redirect_to=https%3A%2F%2Fapp.example%2Freset%3Fstep%3D1";
    let answer = project.post(path, json!({ "email": EMAIL })).send().await.expect(200).json();
    assert_eq!(answer, json!({}));
    let mail = one(&app, EMAIL).await;
    assert_eq!((mail.kind.as_str(), mail.redirect.as_str()), ("recovery", "https://app.example/reset?step=1"));
    let redirect = "redirect_to=https%3A%2F%2Fapp.example%2Freset%3Fstep%3D1";
    assert!(mail.link.ends_with(&format!("token={}&type=recovery&{redirect}", mail.hash)), "{}", mail.link);
    assert!(read_user(&project, &user["id"]).await["recovery_sent_at"].is_string());
    let landing = project.get(&format!("/verify?type=recovery&token={}", mail.hash)).send().await.expect(303);
    assert!(landing.header("location").contains("#access_token="));
}

on_both!(an_unknown_address_hears_nothing, an_unknown_address_hears_nothing_on_postgres, unknown);
async fn unknown(app: TestApp) {
    let project = app.project("recover", confirming(json!({}))).await;
    for _ in 0..2 {
        let answer = project.post("/recover", json!({ "email": EMAIL })).send().await.expect(200).json();
        assert_eq!(answer, json!({}));
    }
    assert!(take(&app, EMAIL).await.is_empty());
}

on_both!(recovery_and_magic_link_cool_down_together, recovery_and_magic_link_cool_down_on_postgres, together);
async fn together(app: TestApp) {
    let project = app.project("recover", confirming(json!({}))).await;
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    project.post("/recover", json!({ "email": EMAIL })).send().await.expect(200);
    app.clock.advance(10);
    for path in ["/recover", "/otp", "/magiclink"] {
        let soon = project.post(path, json!({ "email": EMAIL })).send().await.expect(429);
        let message = "For security purposes, you can only request this after 50 seconds.";
        assert_eq!(soon.json()["msg"], message, "{path}");
    }
    assert_eq!(take(&app, EMAIL).await.len(), 1);
    app.clock.advance(50);
    project.post("/magiclink", json!({ "email": EMAIL })).send().await.expect(200);
    assert_eq!(one(&app, EMAIL).await.kind, "magic_link");
}

on_both!(a_new_link_ends_the_old_one, a_new_link_ends_the_old_one_on_postgres, replaced);
async fn replaced(app: TestApp) {
    let project = app.project("recover", confirming(json!({}))).await;
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    project.post("/recover", json!({ "email": EMAIL })).send().await.expect(200);
    let old = one(&app, EMAIL).await;
    app.clock.advance(60);
    project.post("/recover", json!({ "email": EMAIL })).send().await.expect(200);
    let new = one(&app, EMAIL).await;
    show_hash(&project, "recovery", &old.hash).await.expect(403);
    show_hash(&project, "recovery", &new.hash).await.expect(200);
}

on_both!(two_gateways_send_one_mail, two_gateways_send_one_mail_on_postgres, race);
async fn race(app: TestApp) {
    let sibling = app.sibling().await;
    let project = app.project("recover", confirming(json!({}))).await;
    let elsewhere = sibling.through(&project);
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    let gateways = [&project, &elsewhere];
    let asks = (0..40).map(|n| gateways[n % 2].post("/recover", json!({ "email": EMAIL })).send());
    let answers = join_all(asks).await;
    let sent = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(sent, 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 429));
    settled(&app).await;
    assert_eq!(take(&app, EMAIL).await.len() + take(&sibling, EMAIL).await.len(), 1);
}

on_both!(what_a_recovery_must_have, what_a_recovery_must_have_on_postgres, validation);
async fn validation(app: TestApp) {
    let project = app.project("recover", confirming(json!({}))).await;
    for (body, message) in [
        (json!({}), "Password recovery requires an email"),
        (json!({ "email": "nobody" }), "Unable to validate email address: invalid format"),
        (
            json!({ "email": EMAIL, "code_challenge": "x" }),
            "PKCE flow requires code_challenge_method and code_challenge",
        ),
    ] {
        let refused = project.post("/recover", body).send().await.expect(400);
        assert_eq!(refused.json()["msg"], message);
    }
}

//! A signed message that is shown again.

use futures::future::join_all;
use http::Method;
use outbound::captcha::Verdict;
use serde_json::json;
use testkit::{Answer, TestApp};

use crate::both::on_both;
use crate::letters::admin;
use crate::wallet::{Wallet, config, show};

fn used_already(answer: Answer, wallet: &Wallet) {
    let told = json!({
        "error": "invalid_grant",
        "error_description": format!("Signed {} message was used already", wallet.title()),
    });
    assert_eq!(answer.expect(400).json(), told);
}

on_both!(a_message_is_good_for_a_while_in_compat, a_message_is_good_for_a_while_in_compat_on_postgres, compat);
async fn compat(app: TestApp) {
    let project = app.project("wallets", config(json!({}))).await;
    for wallet in [Wallet::ethereum(1), Wallet::solana(1)] {
        let body = wallet.body(&wallet.message(&app));
        let first = show(&project, body.clone()).await.expect(200).json();
        let second = show(&project, body).await.expect(200).json();
        assert_eq!(first["user"]["id"], second["user"]["id"]);
    }
}

on_both!(in_shield_a_message_signs_in_once, in_shield_a_message_signs_in_once_on_postgres, once);
async fn once(app: TestApp) {
    let allowed = json!({ "security_profile": "shield", "uri_allow_list": "https://app.example.com/" });
    let project = app.project("wallets", config(allowed)).await;
    for wallet in [Wallet::ethereum(1), Wallet::solana(1)] {
        let message = wallet.message(&app);
        let first = show(&project, wallet.body(&message)).await.expect(200).json();
        used_already(show(&project, wallet.body(&message)).await, &wallet);
        // The signature in another form is the same signature.
        let mut other = wallet.body(&message);
        let signature = other["signature"].as_str().unwrap().to_owned();
        other["signature"] = json!(match signature.strip_prefix("0x") {
            Some(digits) => format!("0x{}", digits.to_ascii_uppercase()),
            None => format!("{}==", signature.replace('-', "+").replace('_', "/")),
        });
        used_already(show(&project, other).await, &wallet);
        // It is used in this project alone, and another message is another.
        let second = show(&project, wallet.body(&format!("{message}\nRequest ID: 2"))).await.expect(200).json();
        assert_eq!(first["user"]["id"], second["user"]["id"]);
    }
    let other = app.project("other", config(json!({ "security_web3_single_use_enabled": true }))).await;
    let wallet = Wallet::ethereum(1);
    let message = wallet.message(&app);
    show(&other, wallet.body(&message)).await.expect(200);
    used_already(show(&other, wallet.body(&message)).await, &wallet);
}

on_both!(many_at_once_open_one_session, many_at_once_open_one_session_on_postgres, many);
async fn many(app: TestApp) {
    let sibling = app.sibling().await;
    let project = app.project("wallets", config(json!({ "security_web3_single_use_enabled": true }))).await;
    let gateways = [&project, &sibling.through(&project)];
    for known in [false, true] {
        let wallet = Wallet::solana(7);
        let message = format!("{}\nRequest ID: {known}", wallet.message(&app));
        let asks = (0..40).map(|n| show(gateways[n % 2], wallet.body(&message)));
        let answers = join_all(asks).await;
        let opened = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(opened, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.text.contains("was used already")));
    }
    let users = admin(&project, Method::GET, "/admin/users", json!({})).await.json();
    assert_eq!(users["users"].as_array().unwrap().len(), 1);
}

on_both!(a_sign_in_that_was_refused_has_used_nothing, a_sign_in_that_was_refused_has_used_nothing_on_postgres, refused);
async fn refused(app: TestApp) {
    let settings = json!({ "security_web3_single_use_enabled": true });
    let project = app.project("wallets", config(settings)).await;
    let wallet = Wallet::ethereum(8);
    let user = wallet.sign_in(&app, &project).await.expect(200).json()["user"]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/users/{user}");
    admin(&project, Method::PUT, &path, json!({ "ban_duration": "1h" })).await.expect(200);
    app.clock.advance(1);
    let message = wallet.message(&app);
    show(&project, wallet.body(&message)).await.expect(403);
    admin(&project, Method::PUT, &path, json!({ "ban_duration": "none" })).await.expect(200);
    show(&project, wallet.body(&message)).await.expect(200);
    used_already(show(&project, wallet.body(&message)).await, &wallet);
}

on_both!(a_wallet_shows_a_captcha_first, a_wallet_shows_a_captcha_first_on_postgres, captcha);
async fn captcha(app: TestApp) {
    let settings = json!({
        "security_captcha_enabled": true,
        "security_captcha_provider": "turnstile",
        "security_captcha_secret": "captcha-secret",
    });
    let project = app.project("wallets", config(settings)).await;
    let wallet = Wallet::solana(9);
    assert_eq!(wallet.sign_in(&app, &project).await.expect(400).error_code(), "captcha_failed");
    assert_eq!(show(&project, json!({})).await.expect(400).error_code(), "captcha_failed");
    let mut body = wallet.body(&wallet.message(&app));
    body["gotrue_meta_security"] = json!({ "captcha_token": "solved" });
    app.captcha.reply_next(Ok(Verdict { success: true, ..Verdict::default() }));
    show(&project, body).await.expect(200);
    // An ID token is no guess.
    let asked = app.captcha.asked().len();
    let refused = project.post("/token?grant_type=id_token", json!({})).send().await.expect(400);
    assert_eq!(refused.json()["error_description"], "id_token required");
    assert_eq!(app.captcha.asked().len(), asked);
}

//! Sign-ins with wallets.

use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp};

use crate::both::on_both;
use crate::hooks::claims;
use crate::letters::{access, admin};
use crate::wallet::{DOMAIN, Wallet, config, show};

fn wallets() -> [Wallet; 2] {
    [Wallet::ethereum(1), Wallet::solana(1)]
}

on_both!(a_wallet_makes_a_user_and_comes_back, a_wallet_makes_a_user_and_comes_back_on_postgres, comes_back);
async fn comes_back(app: TestApp) {
    let project = app.project("wallets", config(json!({}))).await;
    for wallet in wallets() {
        let session = wallet.sign_in(&app, &project).await.expect(200).json();
        let (address, chain) = (wallet.address(), wallet.chain());
        let network = if chain == "ethereum" { "1" } else { "solana:mainnet" };
        let data = json!({
            "sub": format!("web3:{chain}:{address}"),
            "email_verified": false,
            "phone_verified": false,
            "custom_claims": {
                "address": address, "chain": chain, "network": network, "domain": DOMAIN,
                "statement": "Sign in to the demo",
            },
        });
        let user = &session["user"];
        assert_eq!((&user["email"], user.get("email_confirmed_at")), (&json!(""), None));
        assert_eq!(user["app_metadata"], json!({ "provider": "web3", "providers": ["web3"] }));
        assert_eq!(user["user_metadata"], data);
        let identities = user["identities"].as_array().unwrap();
        assert_eq!(identities.len(), 1);
        let identity = &identities[0];
        assert_eq!(
            (&identity["id"], &identity["identity_data"], &identity["provider"]),
            (&data["sub"], &data, &json!("web3"))
        );
        project.get("/user").bearer(access(&session)).send().await.expect(200);
        assert_eq!(claims(&app, &project, &session)["amr"][0]["method"], "web3");
        project.refresh(&session["refresh_token"]).send().await.expect(200);

        let rows = admin(&project, Method::GET, "/admin/audit?query=action:login", json!({})).await.expect(200).json();
        let traits: Vec<&Value> = rows.as_array().unwrap().iter().map(|row| &row["payload"]["traits"]).collect();
        let told = traits.iter().find(|traits| traits["address"] == json!(address)).unwrap();
        assert_eq!(
            (&told["provider"], &told["chain"], &told["network"]),
            (&json!("web3"), &json!(chain), &json!(network))
        );
        assert_eq!(
            (&told["domain"], &told["uri"]["Host"], &told["uri"]["Scheme"]),
            (&json!(DOMAIN), &json!(DOMAIN), &json!("https"))
        );
        assert!(traits.contains(&&json!({ "provider": "web3" })));

        app.clock.advance(60);
        let again = wallet.sign_in(&app, &project).await.expect(200).json();
        assert_eq!(again["user"]["id"], user["id"]);
        assert_ne!(again["refresh_token"], session["refresh_token"]);
    }
    let users = admin(&project, Method::GET, "/admin/users", json!({})).await.json();
    assert_eq!(users["users"].as_array().unwrap().len(), 2);
}

on_both!(
    an_ethereum_wallet_is_one_user_in_every_spelling,
    an_ethereum_wallet_is_one_user_in_every_spelling_on_postgres,
    spellings
);
async fn spellings(app: TestApp) {
    let project = app.project("wallets", config(json!({}))).await;
    let wallet = Wallet::ethereum(2);
    let lower = wallet.address();
    let checksummed = crypto::web3::checksummed(&lower);
    let upper = format!("0x{}", lower[2..].to_ascii_uppercase());
    assert_ne!(lower, checksummed);
    let mut users = Vec::new();
    for address in [&checksummed, &lower, &upper] {
        let message = wallet.message_as(&app, address);
        let session = show(&project, wallet.body(&message)).await.expect(200).json();
        let user = &session["user"];
        assert_eq!(user["identities"][0]["id"], json!(format!("web3:ethereum:{lower}")));
        users.push(user["id"].clone());
    }
    users.dedup();
    assert_eq!(users.len(), 1);

    // A server before this one has kept the spelling that it saw first.
    let rename =
        |table: &str| format!("update {table} set provider_id = 'web3:ethereum:{checksummed}' where provider = 'web3'");
    app.placement().execute_each(&rename("auth.identities"), &rename("identities")).await;
    for address in [&lower, &checksummed] {
        let message = wallet.message_as(&app, address);
        let session = show(&project, wallet.body(&message)).await.expect(200).json();
        assert_eq!(session["user"]["id"], users[0], "{address}");
        assert_eq!(session["user"]["identities"].as_array().unwrap().len(), 1);
        assert_eq!(session["user"]["identities"][0]["id"], json!(format!("web3:ethereum:{checksummed}")));
    }
}

on_both!(
    two_users_of_one_wallet_stay_who_they_are,
    two_users_of_one_wallet_stay_who_they_are_on_postgres,
    two_spellings
);
async fn two_spellings(app: TestApp) {
    let project = app.project("wallets", config(json!({}))).await;
    let (wallet, other) = (Wallet::ethereum(2), Wallet::ethereum(3));
    let (lower, checksummed) = (wallet.address(), crypto::web3::checksummed(&wallet.address()));
    let first = wallet.sign_in(&app, &project).await.expect(200).json()["user"]["id"].clone();
    let second = other.sign_in(&app, &project).await.expect(200).json()["user"]["id"].clone();
    // As a server before this one left them, for which each spelling was a wallet of its own.
    let rename = |table: &str| {
        let (old, new) = (other.address(), &checksummed);
        format!("update {table} set provider_id = 'web3:ethereum:{new}' where provider_id = 'web3:ethereum:{old}'")
    };
    app.placement().execute_each(&rename("auth.identities"), &rename("identities")).await;
    for (address, user) in [(&lower, &first), (&checksummed, &second)] {
        let session = show(&project, wallet.body(&wallet.message_as(&app, address))).await.expect(200).json();
        assert_eq!(&session["user"]["id"], user, "{address}");
    }
}

fn said(answer: &Answer) -> (String, String) {
    let body = answer.json();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let code = text("error").or_else(|| text("error_code")).unwrap();
    (code, text("error_description").or_else(|| text("msg")).unwrap())
}

fn pair(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

on_both!(what_is_looked_at_first, what_is_looked_at_first_on_postgres, order);
async fn order(app: TestApp) {
    let off = app.project("off", json!({})).await;
    let raw = off.ask(Method::POST, "/token?grant_type=web3").raw("{").header("content-type", "application/json");
    assert_eq!(said(&raw.send().await.expect(422)), pair("web3_provider_disabled", "Web3 provider is disabled"));
    let solana = app.project("solana", config(json!({ "external_web3_ethereum_enabled": false }))).await;
    let refused = show(&solana, json!({ "chain": "ethereum" })).await.expect(422);
    assert_eq!(said(&refused), pair("web3_provider_disabled", "Ethereum Web3 provider is disabled"));

    let project = app.project("wallets", config(json!({}))).await;
    let raw = project.ask(Method::POST, "/token?grant_type=web3").raw("{").header("content-type", "application/json");
    assert_eq!(raw.send().await.expect(400).error_code(), "bad_json");
    let (short, long, text) = ("x".repeat(63), "x".repeat(20_481), "x".repeat(64));
    let signature = "x".repeat(86);
    for (body, code, message) in [
        (json!({}), "web3_unsupported_chain", "Unsupported chain"),
        (json!({ "chain": "Solana", "message": short }), "web3_unsupported_chain", "Unsupported chain"),
        (json!({ "chain": "solana", "message": short }), "validation_failed", "message is too short"),
        (json!({ "chain": "ethereum", "message": long }), "validation_failed", "message must not exceed 20KB"),
        (
            json!({ "chain": "solana", "message": text }),
            "validation_failed",
            "signature must be 64 bytes encoded as base64 with or without padding",
        ),
        (
            json!({ "chain": "solana", "message": text, "signature": "!".repeat(86) }),
            "validation_failed",
            "signature does not contain valid base64 characters",
        ),
        (
            json!({ "chain": "ethereum", "message": text, "signature": "0x12" }),
            "validation_failed",
            "signature must be 65 bytes long, encoded as a 130 character-long hexadecimal string",
        ),
        (
            json!({ "chain": "solana", "message": text, "signature": signature }),
            "validation_failed",
            "siws: message needs at least 6 lines",
        ),
    ] {
        assert_eq!(said(&show(&project, body.clone()).await.expect(400)), pair(code, message), "{body}");
    }

    // A message that cannot be believed is refused for its signature, not for what it says.
    let wallet = Wallet::ethereum(3);
    let elsewhere = wallet.message(&app).replace(DOMAIN, "evil.example.net");
    let mut forged = wallet.body(&elsewhere);
    forged["signature"] = json!(Wallet::ethereum(4).sign(&elsewhere));
    let mismatch = pair("invalid_grant", "Signature does not match address in message");
    assert_eq!(said(&show(&project, forged).await.expect(400)), mismatch);
    let place =
        "Signed Ethereum message is using URI which is not allowed on this server, message was signed for another app";
    let refused = show(&project, wallet.body(&elsewhere)).await.expect(400);
    assert_eq!(said(&refused), pair("invalid_grant", place));
}

on_both!(a_message_is_for_here_and_for_now, a_message_is_for_here_and_for_now_on_postgres, here_and_now);
async fn here_and_now(app: TestApp) {
    let project = app.project("wallets", config(json!({}))).await;
    for wallet in wallets() {
        let (title, now) = (wallet.title(), wallet.message(&app));
        let domain = "a Domain that does not match the one in URI which is not allowed on this server";
        for (message, why) in [
            (
                now.replace("https://", "http://"),
                format!("Signed {title} message is using URI which does not use HTTPS"),
            ),
            (now.replacen(DOMAIN, "evil.example.net", 1), format!("Signed {title} message is using {domain}")),
            (
                now.replacen(DOMAIN, "evil.example.net", 1)
                    .replace(&format!("https://{DOMAIN}/"), "http://localhost:3000/"),
                format!("Signed {title} message is using {domain}"),
            ),
            (
                format!("{now}\nNot Before: 2027-01-15T08:00:30Z"),
                format!("Signed {title} message becomes valid in the future"),
            ),
        ] {
            let refused = show(&project, wallet.body(&message)).await.expect(400);
            assert_eq!(said(&refused), pair("invalid_grant", &why), "{message}");
        }
        let short = format!("{now}\nExpiration Time: 2027-01-15T08:00:30Z");
        show(&project, wallet.body(&short)).await.expect(200);
        app.clock.advance(31);
        let refused = show(&project, wallet.body(&short)).await.expect(400);
        assert_eq!(said(&refused), pair("invalid_grant", &format!("Signed {title} message is expired")));
        show(&project, wallet.body(&now)).await.expect(200);
        app.clock.advance(600 - 31);
        show(&project, wallet.body(&now)).await.expect(200);
        app.clock.advance(1);
        let refused = show(&project, wallet.body(&now)).await.expect(400);
        assert_eq!(said(&refused), pair("invalid_grant", &format!("{title} message was issued too long ago")));
        app.clock.advance(-601);
    }
}

on_both!(an_address_that_is_no_key_proves_nothing, an_address_that_is_no_key_proves_nothing_on_postgres, no_key);
async fn no_key(app: TestApp) {
    let project = app.project("wallets", config(json!({}))).await;
    let wallet = Wallet::solana(5);
    for address in ["0OIl0OIl0OIl0OIl0OIl0OIl0OIl0OIl0OIl", &"z".repeat(44), &"1".repeat(33)] {
        let refused = show(&project, wallet.body(&wallet.message_as(&app, address))).await.expect(400);
        assert_eq!(said(&refused), pair("invalid_grant", "Signature does not match address in message"), "{address}");
    }
    // Keys of small order, under which this is a signature of everything.
    for address in ["1".repeat(32), "4uQeVj5tqViQh7yWWGStvkEG1Zmhx6uasJtWCJziofM".to_owned()] {
        let mut body = wallet.body(&wallet.message_as(&app, &address));
        body["signature"] = json!(format!("AQ{}", "A".repeat(84)));
        let refused = show(&project, body).await.expect(400);
        assert_eq!(said(&refused), pair("invalid_grant", "Signature does not match address in message"), "{address}");
    }
}

on_both!(closed_doors_are_closed_for_wallets, closed_doors_are_closed_for_wallets_on_postgres, closed);
async fn closed(app: TestApp) {
    let project = app.project("wallets", config(json!({}))).await;
    let closed = app.project("closed", config(json!({ "disable_signup": true }))).await;
    for wallet in wallets() {
        let refused = wallet.sign_in(&app, &closed).await.expect(422);
        assert_eq!(said(&refused), pair("signup_disabled", "Signups not allowed for this instance"));
        let session = wallet.sign_in(&app, &project).await.expect(200).json();
        let path = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
        admin(&project, Method::PUT, &path, json!({ "ban_duration": "24h" })).await.expect(200);
        let refused = wallet.sign_in(&app, &project).await.expect(403);
        assert_eq!(said(&refused), pair("user_banned", "User is banned"));
    }
}

on_both!(wallets_have_a_bucket_of_their_own, wallets_have_a_bucket_of_their_own_on_postgres, bucket);
async fn bucket(app: TestApp) {
    let project = app.project("wallets", config(json!({ "rate_limit_web3": 60 }))).await;
    let ask = |grant: &str| {
        let path = format!("/token?grant_type={grant}");
        project.post(&path, json!({})).header("x-forwarded-for", "192.0.2.7").send()
    };
    for _ in 0..30 {
        ask("web3").await.expect(400);
    }
    assert_eq!(ask("web3").await.expect(429).error_code(), "over_request_rate_limit");
    ask("id_token").await.expect(400);
    // 60 in five minutes.
    app.clock.advance(5);
    ask("web3").await.expect(400);
    ask("web3").await.expect(429);
}

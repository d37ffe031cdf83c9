//! `/admin/custom-providers`: administrators alone, rules in their order, no address that is not on the public internet.

use std::net::IpAddr;

use http::Method;
use outbound::providers::ProviderError;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;

fn oauth2(name: &str) -> Value {
    json!({
        "provider_type": "oauth2", "identifier": format!("custom:{name}"), "name": "Acme", "client_id": "acme-client",
        "client_secret": "acme-secret", "authorization_url": "https://8.8.8.8/authorize",
        "token_url": "https://idp.example.com/token", "userinfo_url": "https://8.8.8.8/userinfo",
    })
}

fn oidc(name: &str) -> Value {
    json!({
        "provider_type": "oidc", "identifier": format!("custom:{name}"), "name": "Acme", "client_id": "acme-client",
        "client_secret": "acme-secret", "issuer": "https://idp.example.com",
    })
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

async fn project(app: &TestApp) -> TestProject {
    app.project("own", json!({ "custom_oauth_enabled": true })).await
}

async fn ask(project: &TestProject, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let ask = project.ask(method, &format!("/admin/custom-providers{path}")).bearer(&project.service_role_key);
    match body {
        Some(body) => ask.json(body).send().await,
        None => ask.send().await,
    }
}

async fn create(project: &TestProject, body: Value) -> Answer {
    ask(project, Method::POST, "", Some(&body)).await
}

async fn change(project: &TestProject, name: &str, body: Value) -> Answer {
    ask(project, Method::PUT, &format!("/custom:{name}"), Some(&body)).await
}

async fn get(project: &TestProject, name: &str) -> Answer {
    ask(project, Method::GET, &format!("/custom:{name}"), None).await
}

async fn listed(project: &TestProject, query: &str) -> Vec<String> {
    let answer = ask(project, Method::GET, query, None).await.expect(200).json();
    let name = |provider: &Value| provider["identifier"].as_str().unwrap().to_owned();
    answer["providers"].as_array().unwrap().iter().map(name).collect()
}

#[track_caller]
fn refused(answer: Answer) -> (String, String) {
    let answer = answer.expect(400);
    (answer.error_code(), answer.json()["msg"].as_str().unwrap().to_owned())
}

#[track_caller]
fn invalid(answer: Answer, message: &str) {
    assert_eq!(refused(answer), ("validation_failed".to_owned(), message.to_owned()));
}

on_both!(a_provider_comes_changes_and_goes, a_provider_comes_changes_and_goes_on_postgres, life);
async fn life(app: TestApp) {
    let project = project(&app).await;
    let made = create(&project, oauth2("a")).await.expect(201);
    assert!(!made.text.contains("secret"), "{}", made.text);
    let made = made.json();
    assert_eq!(
        (&made["pkce_enabled"], &made["scopes"], &made["token_url"]),
        (&json!(true), &json!([]), &json!("https://idp.example.com/token"))
    );
    assert_eq!(get(&project, "a").await.expect(200).json(), made);
    assert_eq!(ask(&project, Method::GET, "/custom%3Aa", None).await.expect(200).json(), made);

    app.clock.advance(5);
    create(&project, oidc("b")).await.expect(201);
    assert_eq!(listed(&project, "").await, ["custom:b", "custom:a"]);
    assert_eq!(listed(&project, "?type=oauth2").await, ["custom:a"]);
    assert_eq!(listed(&project, "?type=oidc").await, ["custom:b"]);
    invalid(ask(&project, Method::GET, "?type=saml", None).await, "type must be either 'oauth2' or 'oidc'");

    let changed = change(&project, "a", json!({ "name": "New", "enabled": false, "identifier": "custom:z" })).await;
    let changed = changed.expect(200).json();
    assert_eq!((&changed["name"], &changed["enabled"]), (&json!("New"), &json!(false)));
    assert_eq!((&changed["identifier"], &changed["client_id"]), (&made["identifier"], &made["client_id"]));
    assert_ne!(changed["updated_at"], made["updated_at"]);
    assert_eq!(get(&project, "a").await.json(), changed);

    ask(&project, Method::DELETE, "/custom:a", None).await.expect(204);
    for answer in [
        get(&project, "a").await,
        change(&project, "a", json!({})).await,
        ask(&project, Method::DELETE, "/custom:a", None).await,
    ] {
        assert_eq!(answer.expect(404).error_code(), "custom_provider_not_found");
    }
    invalid(
        ask(&project, Method::GET, "/a", None).await,
        "identifier must start with 'custom:' prefix, e.g. 'custom:a'",
    );
}

on_both!(administrators_alone, administrators_alone_on_postgres, access);
async fn access(app: TestApp) {
    let off = app.project("off", json!({})).await;
    let user = off.sign_up("a@example.com").await;
    let user = user["access_token"].as_str().unwrap();
    for (bearer, status, code) in [
        (None, 401, "no_authorization"),
        (Some(user), 403, "not_admin"),
        (Some(off.anon_key.as_str()), 403, "not_admin"),
        (Some(off.service_role_key.as_str()), 404, "feature_disabled"),
    ] {
        for (method, path) in
            [(Method::GET, ""), (Method::POST, ""), (Method::GET, "/a"), (Method::PUT, "/a"), (Method::DELETE, "/a")]
        {
            let ask = off.ask(method.clone(), &format!("/admin/custom-providers{path}")).json(&json!({}));
            let ask = if let Some(bearer) = bearer { ask.bearer(bearer) } else { ask };
            assert_eq!(ask.send().await.expect(status).error_code(), code, "{method} {path}");
        }
    }
}

on_both!(a_project_has_as_many_as_it_may, a_project_has_as_many_as_it_may_on_postgres, quota);
async fn quota(app: TestApp) {
    let project = project(&app).await;
    for name in ["a", "b", "c"] {
        create(&project, oauth2(name)).await.expect(201);
    }
    let full = "over_custom_provider_quota";
    // Who has no room left is told so before addresses and names are looked at.
    assert_eq!(refused(create(&project, with(oauth2("a"), "token_url", json!("http://x/"))).await).0, full);
    assert_eq!(refused(create(&project, oauth2("d")).await).0, full);
    ask(&project, Method::DELETE, "/custom:b", None).await.expect(204);
    assert_eq!(refused(create(&project, oauth2("a")).await).0, "conflict");
    create(&project, oauth2("d")).await.expect(201);
    let many = app.project("many", json!({ "custom_oauth_enabled": true, "custom_oauth_max_providers": 0 })).await;
    for number in 0..5 {
        create(&many, oauth2(&format!("p{number}"))).await.expect(201);
    }
}

on_both!(one_name_is_taken_once, one_name_is_taken_once_on_postgres, twins);
async fn twins(app: TestApp) {
    let project = app.project("own", json!({ "custom_oauth_enabled": true, "custom_oauth_max_providers": 100 })).await;
    let answers = futures::future::join_all((0..12).map(|_| create(&project, oauth2("same")))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused(answer).0, "conflict");
    }
    assert_eq!(listed(&project, "").await, ["custom:same"]);
}

on_both!(changes_of_different_fields_both_stay, changes_of_different_fields_both_stay_on_postgres, parallel);
async fn parallel(app: TestApp) {
    let project = project(&app).await;
    create(&project, oauth2("a")).await.expect(201);
    let fields = ["name", "client_id"];
    let changes =
        (0..8).map(|number| change(&project, "a", json!({ fields[number % 2]: format!("new {}", number % 2) })));
    for answer in futures::future::join_all(changes).await {
        answer.expect(200);
    }
    let stands = get(&project, "a").await.json();
    assert_eq!((&stands["name"], &stands["client_id"]), (&json!("new 0"), &json!("new 1")));
}

/// Neither what a URL says nor what its name resolves to may lead anywhere but to the public internet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_are_resolved_and_judged() {
    let app = TestApp::sqlite().await;
    let project = project(&app).await;
    create(&project, oauth2("stands")).await.expect(201);
    create(&project, oidc("open")).await.expect(201);
    let private = "URL cannot resolve to private network addresses";
    let cases: [(&str, Vec<&str>, &str); 10] = [
        ("metadata.example", vec!["169.254.169.254"], "URL cannot resolve to link-local addresses"),
        ("own.example", vec!["127.0.0.1"], "URL cannot resolve to loopback addresses"),
        ("six.example", vec!["::1"], "URL cannot resolve to loopback addresses"),
        ("mapped.example", vec!["::ffff:10.0.0.1"], private),
        ("lan.example", vec!["192.168.0.1"], private),
        ("carrier.example", vec!["100.64.0.1"], private),
        ("nat64.example", vec!["64:ff9b::7f00:1"], private),
        // One good address does not make up for a bad one: the name may answer with either.
        ("both.example", vec!["8.8.8.8", "10.0.0.1"], private),
        ("all.example", vec!["0.0.0.0"], "URL cannot resolve to unspecified addresses"),
        ("nowhere.example", vec![], "Unable to resolve hostname"),
    ];
    for (host, addresses, message) in cases {
        app.providers.host(host, addresses.into_iter().map(|address| address.parse::<IpAddr>().unwrap()).collect());
        let url = json!(format!("https://{host}/x"));
        for field in ["authorization_url", "token_url", "userinfo_url", "jwks_uri"] {
            invalid(create(&project, with(oauth2("x"), field, url.clone())).await, message);
            invalid(change(&project, "stands", json!({ field: url })).await, message);
        }
        for field in ["issuer", "discovery_url"] {
            invalid(create(&project, with(oidc("x"), field, url.clone())).await, message);
            invalid(change(&project, "open", json!({ field: url })).await, message);
        }
    }
    for (url, message) in [
        ("http://8.8.8.8/x", "URL must use HTTPS"),
        ("https:///x", "URL must have a valid hostname"),
        ("https://localhost/x", "URL cannot point to localhost or loopback addresses"),
        ("https://2852039166/latest", "URL cannot resolve to link-local addresses"),
        ("https://[fd00::1]/x", private),
    ] {
        invalid(create(&project, with(oauth2("x"), "token_url", json!(url))).await, message);
    }
    // Nothing of it was kept, and fields that a provider of its kind does not have are not looked at.
    assert_eq!(get(&project, "stands").await.json()["token_url"], "https://idp.example.com/token");
    change(&project, "stands", json!({ "issuer": "http://10.0.0.1" })).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_is_kept_and_what_it_names_is_judged() {
    let app = TestApp::sqlite().await;
    let project = project(&app).await;
    let made = create(&project, oidc("a")).await.expect(201).json();
    assert_eq!(made["scopes"], json!(["openid"]));
    assert_eq!(made["discovery_document"]["token_endpoint"], "https://idp.example.com/token");
    assert_eq!(made.get("discovery_url"), None);

    let moved = change(&project, "a", json!({ "issuer": "https://idp2.example.com/", "scopes": ["email"] })).await;
    let moved = moved.expect(200).json();
    assert_eq!(moved["discovery_document"]["issuer"], "https://idp2.example.com/");
    assert_eq!(moved["scopes"], json!(["openid", "email"]));
    // Another name is no reason to ask again.
    let renamed = change(&project, "a", json!({ "name": "B" })).await.expect(200).json();
    assert_eq!(renamed["discovery_document"], moved["discovery_document"]);

    // The name of the issuer is public, what its metadata names is not.
    let found = |name: &str, value: &str| {
        let mut found = json!({
            "issuer": "https://idp.example.com", "authorization_endpoint": "https://idp.example.com/authorize",
            "token_endpoint": "https://idp.example.com/token", "jwks_uri": "https://idp.example.com/jwks",
        });
        found[name] = json!(value);
        Ok(found)
    };
    let url = "https://idp.example.com/.well-known/openid-configuration";
    for (metadata, message) in [
        (found("token_endpoint", "https://10.0.0.1/"), "URL cannot resolve to private network addresses".to_owned()),
        (found("jwks_uri", "http://idp.example.com/"), "URL must use HTTPS".to_owned()),
        (found("authorization_endpoint", "javascript:alert(1)"), "URL must use HTTPS".to_owned()),
        (found("token_endpoint", ""), "OIDC discovery document is missing required fields: token_endpoint".to_owned()),
        (
            found("issuer", "https://idp.example.com/"),
            format!("OIDC discovery from \"{url}\" failed: the document is of another issuer"),
        ),
        (
            Err(ProviderError::Discovery(format!("OIDC discovery from \"{url}\" failed: status 404"))),
            format!("OIDC discovery from \"{url}\" failed: status 404"),
        ),
        (Err(ProviderError::Unavailable), format!("OIDC discovery from \"{url}\" failed: out of service")),
    ] {
        app.providers.metadata("https://idp.example.com", metadata);
        invalid(create(&project, oidc("x")).await, &message);
        invalid(change(&project, "a", json!({ "issuer": "https://idp.example.com" })).await, &message);
    }
    assert_eq!(get(&project, "a").await.json(), renamed);
}

on_both!(parallel_creates_keep_to_the_quota, parallel_creates_keep_to_the_quota_on_postgres, racing);
async fn racing(app: TestApp) {
    let project = app.project("own", json!({ "custom_oauth_enabled": true, "custom_oauth_max_providers": 2 })).await;
    let bodies = (0..20).map(|number| create(&project, oauth2(&number.to_string())));
    let answers = futures::future::join_all(bodies).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((made.len(), listed(&project, "").await.len()), (2, 2));
    for answer in refused {
        assert_eq!(answer.expect(400).error_code(), "over_custom_provider_quota");
    }
}

on_both!(where_nonces_are_wanted_none_is_skipped, where_nonces_are_wanted_none_is_skipped_on_postgres, nonces);
async fn nonces(app: TestApp) {
    let message = "skip_nonce_check must be false (OAU-03)";
    for (name, config) in [
        ("nonces", json!({ "custom_oauth_enabled": true, "security_oauth_nonce_required": true })),
        ("shield", json!({ "custom_oauth_enabled": true, "security_profile": "shield" })),
    ] {
        let project = app.project(name, config).await;
        invalid(create(&project, with(oidc("a"), "skip_nonce_check", json!(true))).await, message);
        create(&project, oidc("b")).await.expect(201);
        invalid(change(&project, "b", json!({ "skip_nonce_check": true })).await, message);
        change(&project, "b", json!({ "skip_nonce_check": false, "name": "B" })).await.expect(200);
    }
}

on_both!(secrets_are_sealed, secrets_are_sealed_on_postgres, sealed);
async fn sealed(app: TestApp) {
    let project = project(&app).await;
    create(&project, with(oauth2("a"), "client_secret", json!("first-in-clear"))).await.expect(201);
    assert!(!app.stored_text().await.contains("first-in-clear"));
    change(&project, "a", json!({ "client_secret": "second-in-clear" })).await.expect(200);
    assert!(!app.stored_text().await.contains("second-in-clear"));

    // It reaches the provider as it was given, also after changes of other fields.
    change(&project, "a", json!({ "client_secret": "", "name": "B" })).await.expect(200);
    project.get("/authorize?provider=Custom:A").send().await.expect(302);
    let (connection, _) = app.providers.departures().pop().unwrap();
    assert_eq!(
        (connection.name.as_str(), connection.settings.secret.expose().as_str()),
        ("custom:a", "second-in-clear")
    );
}

on_both!(projects_do_not_see_each_others, projects_do_not_see_each_others_on_postgres, apart);
async fn apart(app: TestApp) {
    let project = project(&app).await;
    let other = app.project("other", json!({ "custom_oauth_enabled": true })).await;
    create(&project, oauth2("a")).await.expect(201);
    create(&other, with(oauth2("a"), "name", json!("Theirs"))).await.expect(201);
    ask(&other, Method::DELETE, "/custom:a", None).await.expect(204);
    assert_eq!(get(&other, "a").await.status, 404);
    assert_eq!(get(&project, "a").await.expect(200).json()["name"], "Acme");
}

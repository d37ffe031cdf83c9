//! What Supabase's own tools ask, call by call as they were recorded: the Terraform provider and both generations of the CLI
//! (`contract/management.md` §4).

use http::Method;
use serde_json::{Value, json};

use crate::management::{Gateway, TOKEN};

/// A tool with its token.
struct Tool<'a> {
    gateway: &'a Gateway,
    agent: &'static str,
}

impl Tool<'_> {
    async fn call(&self, method: Method, path: &str, body: Option<Value>, status: u16) -> Value {
        let ask = self.gateway.ask(method.clone(), path).bearer(TOKEN).header("user-agent", self.agent);
        let ask = ask.header("accept", "application/json");
        let answer = match body {
            Some(body) => ask.json(&body).send().await,
            None => ask.send().await,
        };
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None, 200).await
    }
}

/// Every service that Terraform waits for.
const EVERY_SERVICE: &str = "services=auth&services=db&services=db_postgres_user&services=pooler&services=realtime\
    &services=rest&services=storage&services=pg_bouncer";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terraform_makes_a_project_configures_it_and_takes_it_down() {
    let gateway = Gateway::start().await;
    let tool = Tool { gateway: &gateway, agent: "TFProvider/1.6.0" };
    let plan = json!({
        "organization_slug": "tenantry",
        "name": "shop",
        "db_pass": "barbaz",
        "region_selection": {"type": "specific", "code": "us-east-1"},
        "desired_instance_size": "micro",
    });
    let made = tool.call(Method::POST, "/v1/projects", Some(plan), 201).await;
    let id = made["id"].as_str().unwrap().to_owned();
    assert!(id.len() == 20 && id.bytes().all(|b| b.is_ascii_lowercase()), "{id}");
    assert!(made.get("database").is_none(), "{made}");
    let base = format!("/v1/projects/{id}");

    // Reading the project, as every refresh does.
    let read = tool.get(&base).await;
    assert_eq!((read["status"].as_str(), read["name"].as_str()), (Some("ACTIVE_HEALTHY"), Some("shop")));
    for member in ["host", "version", "postgres_engine", "release_channel"] {
        assert!(read["database"][member].as_str().is_some_and(|text| !text.is_empty()), "{member}");
    }
    assert_eq!(tool.get(&format!("{base}/api-keys/legacy")).await, json!({"enabled": true}));
    let addons = tool.get(&format!("{base}/billing/addons")).await;
    assert_eq!(addons, json!({"selected_addons": [], "available_addons": []}));
    tool.call(Method::PUT, &format!("{base}/api-keys/legacy?enabled=true"), None, 200).await;
    let renamed = tool.call(Method::PATCH, &base, Some(json!({"name": "shop two"})), 200).await;
    assert!(renamed["id"].is_u64(), "the short form has a number: {renamed}");
    let password = json!({"password": "other"});
    assert!(
        tool.call(Method::PATCH, &format!("{base}/database/password"), Some(password), 200).await["message"]
            .is_string()
    );

    // The settings.
    let api = tool.get(&format!("{base}/postgrest")).await;
    assert!(api["max_rows"].is_i64() && api.get("jwt_secret").is_none(), "{api}");
    let health = tool.get(&format!("{base}/health?{EVERY_SERVICE}")).await;
    let well = health.as_array().unwrap().iter().filter(|service| service["status"] == "ACTIVE_HEALTHY").count();
    assert_eq!(well, 8, "{health}");
    assert_eq!(health[0]["info"]["name"], "GoTrue");
    let config = format!("{base}/config/auth");
    let wanted = json!({
        "site_url": "https://shop.example.com",
        "uri_allow_list": "https://shop.example.com/*,https://other.example.com",
        "mailer_otp_exp": 3600,
        "smtp_pass": "the-mail-password",
        "external_github_enabled": true,
        "external_github_client_id": "id",
        "external_github_secret": "the-github-secret",
        "sessions_timebox": 24,
    });
    let written = tool.call(Method::PATCH, &config, Some(wanted.clone()), 200).await;
    let read = tool.get(&config).await;
    assert_eq!(written, read);
    for (name, value) in wanted.as_object().unwrap() {
        if name.ends_with("_pass") || name.ends_with("_secret") {
            assert_ne!(&read[name], value, "{name} is shown");
        } else {
            assert_eq!(&read[name], value, "a value comes back as it was written: {name}");
        }
    }

    // API keys.
    let listed = tool.get(&format!("{base}/api-keys?reveal=true")).await;
    let of = |list: &Value, kind: &str| list.as_array().unwrap().iter().filter(|key| key["type"] == kind).count();
    assert_eq!((of(&listed, "legacy"), of(&listed, "publishable"), of(&listed, "secret")), (2, 1, 1), "{listed}");
    let key = json!({"type": "secret", "name": "worker", "description": "jobs", "secret_jwt_template": {"role": "service_role"}});
    let key = tool.call(Method::POST, &format!("{base}/api-keys?reveal=true"), Some(key), 201).await;
    let one = format!("{base}/api-keys/{}", key["id"].as_str().unwrap());
    assert!(key["api_key"].as_str().is_some_and(|text| text.starts_with("sb_secret_") && text.is_ascii()), "{key}");
    let read = tool.get(&format!("{one}?reveal=true")).await;
    assert_eq!((&read["api_key"], &read["secret_jwt_template"]), (&key["api_key"], &json!({"role": "service_role"})));
    let patch = json!({"name": "worker_two", "description": null});
    let patched = tool.call(Method::PATCH, &one, Some(patch), 200).await;
    assert_eq!((patched["name"].as_str(), &patched["description"]), (Some("worker_two"), &Value::Null));
    tool.call(Method::DELETE, &one, None, 200).await;
    tool.call(Method::GET, &one, None, 404).await;

    // Issuers of elsewhere.
    tool.get(&format!("{base}/health?services=auth")).await;
    let issuers = format!("{base}/config/auth/third-party-auth");
    let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
    let issuer = tool.call(Method::POST, &issuers, Some(json!({"custom_jwks": jwks})), 201).await;
    let issuer = format!("{issuers}/{}", issuer["id"].as_str().unwrap());
    assert_eq!(tool.get(&issuer).await["custom_jwks"], jwks);
    tool.call(Method::DELETE, &issuer, None, 200).await;
    tool.call(Method::GET, &issuer, None, 404).await;

    assert!(tool.call(Method::DELETE, &base, None, 200).await["id"].is_u64());
    tool.call(Method::GET, &base, None, 404).await;
    tool.call(Method::GET, &config, None, 404).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_cli_links_a_project_and_pushes_its_configuration() {
    let gateway = Gateway::start().await;
    let tool = Tool { gateway: &gateway, agent: "SupabaseCLI/2.75.0" };
    let project = "abcdefghijklmnopqrst";
    gateway.create(json!({"ref": project, "name": "Acme"})).await;
    let base = format!("/v1/projects/{project}");
    let organization = tool.get("/v1/organizations").await;
    assert_eq!(organization[0]["id"], organization[0]["slug"]);
    assert_eq!(tool.get("/v1/projects").await[0]["organization_slug"], organization[0]["slug"]);

    // link
    tool.get(&base).await;
    let keys = tool.get(&format!("{base}/api-keys?reveal=true")).await;
    assert!(keys.as_array().unwrap().iter().any(|key| key["name"] == "anon" && key["api_key"].is_string()));
    for part in [
        "config/database/postgres",
        "network-restrictions",
        "postgrest",
        "config/auth",
        "config/storage",
        "config/database/pooler",
    ] {
        tool.get(&format!("{base}/{part}")).await;
    }

    // config push
    tool.get(&format!("{base}/billing/addons")).await;
    let api = tool.get(&format!("{base}/postgrest")).await;
    assert_eq!((&api["db_schema"], &api["max_rows"]), (&json!("public,graphql_public"), &json!(1000)));
    let changed = tool.call(Method::PATCH, &format!("{base}/postgrest"), Some(json!({"max_rows": 5})), 200).await;
    assert_eq!(changed["max_rows"], 5);
    assert_eq!(tool.get(&format!("{base}/config/database/postgres")).await, json!({}));
    let settings = json!({"max_connections": 90, "restart_database": true});
    let settings = tool.call(Method::PUT, &format!("{base}/config/database/postgres"), Some(settings), 200).await;
    assert_eq!(settings, json!({"max_connections": 90}));
    let network = tool.get(&format!("{base}/network-restrictions")).await;
    assert_eq!((network["entitlement"].as_str(), network["status"].as_str()), (Some("allowed"), Some("applied")));
    let cidrs = json!({"dbAllowedCidrs": ["10.0.0.0/8"], "dbAllowedCidrsV6": []});
    let applied =
        tool.call(Method::POST, &format!("{base}/network-restrictions/apply"), Some(cidrs.clone()), 201).await;
    assert_eq!(applied["config"], cidrs);
    assert_eq!(tool.get(&format!("{base}/ssl-enforcement")).await["currentConfig"]["database"], false);
    let enforced = json!({"requestedConfig": {"database": true}});
    let enforced = tool.call(Method::PUT, &format!("{base}/ssl-enforcement"), Some(enforced), 200).await;
    assert_eq!(enforced["currentConfig"]["database"], true);
    let auth = tool.get(&format!("{base}/config/auth")).await;
    assert!(auth["smtp_host"].is_null(), "the CLI takes anything else for a mail server");
    let off =
        json!({"smtp_host": "", "external_apple_enabled": false, "sms_autoconfirm": true, "mailer_otp_length": 6});
    let pushed = tool.call(Method::PATCH, &format!("{base}/config/auth"), Some(off), 200).await;
    assert_eq!((&pushed["smtp_host"], &pushed["mailer_otp_length"]), (&Value::Null, &json!(6)));
    let storage = tool.get(&format!("{base}/config/storage")).await;
    assert_eq!(storage["fileSizeLimit"], 52_428_800);
    let vectors = json!({"features": {"vectorBuckets": {"enabled": false}}});
    let storage = tool.call(Method::PATCH, &format!("{base}/config/storage"), Some(vectors), 200).await;
    assert_eq!(storage["features"]["vectorBuckets"], json!({"enabled": false, "maxBuckets": 10, "maxIndexes": 5}));
    tool.call(Method::POST, &format!("{base}/database/webhooks/enable"), None, 201).await;
    let sso = tool.call(Method::GET, &format!("{base}/config/auth/sso/providers"), None, 404).await;
    assert!(sso["message"].as_str().unwrap().contains("SAML"), "{sso}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_cli_reads_everything_in_one_object() {
    let gateway = Gateway::start().await;
    let tool = Tool { gateway: &gateway, agent: "SupabaseCLI/3.1.0" };
    let project = "abcdefghijklmnopqrst";
    gateway.create(json!({"ref": project, "config": {"external_github_secret": "the-github-secret"}})).await;
    let read = tool.get(&format!("/v2/projects/{project}/config")).await;
    assert_eq!((read["data"]["type"].as_str(), read["data"]["id"].as_str()), (Some("project_config"), Some(project)));
    let attributes = &read["data"]["attributes"];
    for part in ["database", "pooler", "auth", "api", "realtime", "storage"] {
        assert!(attributes[part].is_object(), "{part}");
    }
    assert_eq!(attributes["auth"], tool.get(&format!("/v1/projects/{project}/config/auth")).await);
    assert!(!read.to_string().contains("the-github-secret"));
    let write = json!({"mailer_autoconfirm": true, "uri_allow_list": "https://127.0.0.1:3000"});
    tool.call(Method::PATCH, &format!("/v1/projects/{project}/config/auth"), Some(write), 200).await;
    let read = tool.get(&format!("/v2/projects/{project}/config")).await;
    assert_eq!(read["data"]["attributes"]["auth"]["uri_allow_list"], "https://127.0.0.1:3000");
    for path in ["/v1/organizations/tenantry", "/v1/organizations/tenantry/entitlements", "/v1/profile"] {
        tool.get(path).await;
    }
    tool.call(Method::GET, "/v1/organizations/other", None, 404).await;
    tool.call(Method::POST, "/v1/organizations", Some(json!({"name": "other"})), 400).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_asked_for_by_name() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let get = async |query: &str| gateway.get(&format!("/v1/projects/acme/health{query}")).await;
    let names = |answer: &Value| answer.as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
    for query in ["?services=auth&services=rest", "?services=auth,rest", "?services=auth,%20rest&timeout_ms=5000"] {
        assert_eq!(names(&get(query).await.expect(200).json()), ["auth", "rest"], "{query}");
    }
    for (query, words) in [
        ("", "services"),
        ("?services=", "services"),
        ("?services=mail", "services"),
        ("?services=auth&timeout_ms=10001", "timeout_ms"),
    ] {
        let refused = get(query).await.expect(400).json();
        assert!(refused["message"].as_str().unwrap().contains(words), "{query}: {refused}");
    }
    gateway.get("/v1/projects/nobody/health?services=auth").await.expect(404);
}

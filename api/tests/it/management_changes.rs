//! What is Tenantry's own in the Management API: versions of a configuration and the way back, the log of operators, pages of
//! projects, deletion and restoration, quotas, sessions, and domains of projects' own.

use http::Method;
use serde_json::{Value, json};

use crate::management::{Gateway, TOKEN};

const CONFIG: &str = "/v1/projects/acme/config/auth";

fn refs(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item["ref"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_goes_back_to_what_it_was() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme", "config": {"jwt_exp": 60}})).await;
    let patch = json!({"jwt_exp": 120, "external_github_secret": "hush-hush"});
    let noted = gateway.ask(Method::PATCH, CONFIG).bearer(crate::management::TOKEN).header("x-tenantry-note", "longer");
    noted.json(&patch).send().await.expect(200);

    let history = gateway.get(&format!("{CONFIG}/history")).await.expect(200).json();
    assert_eq!((&history[0]["version"], &history[0]["note"]), (&json!(2), &json!("longer")));
    assert!(history[0]["changed_by"].is_string(), "{history}");
    let older = gateway.get(&format!("{CONFIG}/history?before=2&limit=5")).await.expect(200).json();
    assert_eq!((older.as_array().unwrap().len(), &older[0]["version"]), (1, &json!(1)));
    let first = gateway.get(&format!("{CONFIG}/history/1")).await.expect(200).json();
    assert_eq!((&first["version"], &first["values"]["jwt_exp"]), (&json!(1), &json!(60)));
    gateway.get(&format!("{CONFIG}/history/9")).await.expect(404);
    gateway.get(&format!("{CONFIG}/history/first")).await.expect(400);

    let diff = gateway.get(&format!("{CONFIG}/diff?from=1&to=2")).await.expect(200);
    assert!(!diff.text.contains("hush-hush"), "{}", diff.text);
    let diff = diff.json();
    let change = |diff: &Value, field: &str| {
        diff["changes"].as_array().unwrap().iter().find(|change| change["field"] == field).cloned()
    };
    assert_eq!(change(&diff, "jwt_exp"), Some(json!({"field": "jwt_exp", "from": 60, "to": 120})));
    assert!(change(&diff, "external_github_secret").unwrap()["to"].as_str().is_some_and(|text| text.len() == 64));
    assert_eq!(diff["changes"].as_array().unwrap().len(), 2, "{diff}");
    gateway.get(&format!("{CONFIG}/diff")).await.expect(400);

    let preview =
        gateway.send(Method::POST, &format!("{CONFIG}/diff"), json!({"jwt_exp": 300})).await.expect(200).json();
    assert_eq!(change(&preview, "jwt_exp"), Some(json!({"field": "jwt_exp", "from": 120, "to": 300})));
    gateway.send(Method::POST, &format!("{CONFIG}/diff"), json!({"jwt_exp": -1})).await.expect(400);
    assert_eq!(gateway.get(CONFIG).await.json()["jwt_exp"], 120, "a preview changes nothing");

    let back =
        gateway.send(Method::POST, &format!("{CONFIG}/rollback"), json!({"version": 1})).await.expect(200).json();
    assert_eq!(change(&back, "jwt_exp"), Some(json!({"field": "jwt_exp", "from": 120, "to": 60})));
    assert_eq!(gateway.get(CONFIG).await.json()["jwt_exp"], 60);
    gateway.send(Method::POST, &format!("{CONFIG}/rollback"), json!({"version": 77})).await.expect(404);
    gateway.send(Method::POST, &format!("{CONFIG}/rollback"), json!({})).await.expect(400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_who_changed_what_and_no_secret() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    gateway.create(json!({"ref": "other"})).await;
    let patch = json!({"jwt_exp": 120, "external_github_secret": "hush-hush"});
    gateway.send(Method::PATCH, CONFIG, patch).await.expect(200);
    gateway.send(Method::PATCH, CONFIG, json!({"jwt_exp": "x"})).await.expect(400);
    let log = gateway.get("/v1/projects/acme/audit").await.expect(200);
    assert!(!log.text.contains("hush-hush"), "{}", log.text);
    let log = log.json();
    let entry = &log["entries"][0];
    assert!(entry["action"].as_str().unwrap().starts_with("config."), "{entry}");
    assert_eq!((&entry["project"], &entry["address"]), (&json!("acme"), &json!("127.0.0.1")));
    assert!(entry["token"]["name"].is_string(), "{entry}");
    assert_eq!(entry["after"]["jwt_exp"], 120);
    assert_eq!(log["entries"].as_array().unwrap().len(), 2, "one for each change that happened: {log}");

    let page = gateway.get("/v1/audit?limit=1").await.expect(200).json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 1);
    let next = page["next"].as_i64().unwrap();
    let rest = gateway.get(&format!("/v1/audit?before={next}")).await.expect(200).json();
    assert!(rest["entries"].as_array().unwrap().iter().all(|entry| entry["seq"].as_i64() < Some(next)), "{rest}");
    let of_other = gateway.get("/v1/audit?project=other").await.expect(200).json();
    assert!(of_other["entries"].as_array().unwrap().iter().all(|entry| entry["project"] == "other"), "{of_other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_are_listed_page_by_page() {
    let gateway = Gateway::start().await;
    for number in 0..7 {
        gateway.create(json!({"ref": format!("p-{number}"), "name": format!("Shop {number}")})).await;
    }
    gateway.create(json!({"ref": "zebra", "name": "Zoo"})).await;
    gateway.send(Method::POST, "/v1/projects/p-3/pause", json!({})).await.expect(200);
    let mut path = "/v1/projects?limit=3".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = gateway.get(&path).await.expect(200);
        assert!(refs(&page.json()).len() <= 3);
        seen.extend(refs(&page.json()));
        let Some(link) = page.headers.get("link") else { break };
        let link = link.to_str().unwrap();
        assert!(link.ends_with(r#"; rel="next""#), "{link}");
        path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!(seen, ["p-0", "p-1", "p-2", "p-3", "p-4", "p-5", "p-6", "zebra"]);
    assert_eq!(refs(&gateway.get("/v1/projects?search=zo").await.json()), ["zebra"], "by name");
    assert_eq!(refs(&gateway.get("/v1/projects?search=p-&after=p-5").await.json()), ["p-6"]);
    assert_eq!(refs(&gateway.get("/v1/projects?statuses=INACTIVE").await.json()), ["p-3"]);
    assert_eq!(refs(&gateway.get("/v1/projects?statuses=RESIZING").await.json()), Vec::<String>::new());
    for query in ["limit=0", "limit=1001", "limit=x", "after=Not_A_Ref"] {
        gateway.get(&format!("/v1/projects?{query}")).await.expect(400);
    }

    let page = gateway.get("/v1/organizations/tenantry/projects?limit=2&offset=3").await.expect(200).json();
    assert_eq!(refs(&page["projects"]), ["p-3", "p-4"]);
    assert_eq!(page["pagination"], json!({"count": 8, "limit": 2, "offset": 3}));
    assert_eq!(page["projects"][0]["databases"][0]["type"], "PRIMARY");
    gateway.get("/v1/organizations/tenantry/projects?limit=101").await.expect(400);
    gateway.get("/v1/organizations/tenantry/projects?offset=10001").await.expect(400);
    gateway.get("/v1/organizations/other/projects").await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_project_can_be_restored_until_its_data_is_removed() {
    let gateway = Gateway::start().await;
    let created = gateway.create(json!({"ref": "acme"})).await;
    let settings = || gateway.ask(Method::GET, "/p/acme/auth/v1/settings").send();
    let sign_up = json!({"email": "ada@example.com", "password": "correct horse"});
    gateway.send(Method::POST, "/p/acme/auth/v1/signup", sign_up).await.expect(200);

    gateway.send(Method::DELETE, "/v1/projects/acme", json!({})).await.expect(200);
    settings().await.expect(404);
    gateway.get("/v1/projects/acme").await.expect(404);
    assert_eq!(gateway.get("/v1/projects").await.json(), json!([]));
    let deleted = gateway.get("/v1/projects/acme?deleted=true").await.expect(200).json();
    assert_eq!(deleted["status"], "GOING_DOWN");
    assert!(deleted["purge_at"].is_string(), "{deleted}");
    assert_eq!(refs(&gateway.get("/v1/projects?statuses=GOING_DOWN").await.json()), ["acme"]);
    let taken = gateway.send(Method::POST, "/v1/projects", json!({"ref": "acme"})).await.expect(409).json();
    assert!(taken["message"].as_str().unwrap().contains("acme"), "{taken}");

    gateway.send(Method::POST, "/v1/projects/acme/restore", json!({})).await.expect(200);
    settings().await.expect(200);
    let service = created["service_role_key"].as_str().unwrap();
    let users = gateway.ask(Method::GET, "/p/acme/auth/v1/admin/users").bearer(service).send().await.expect(200).json();
    assert_eq!(users["users"][0]["email"], "ada@example.com");

    gateway.send(Method::DELETE, "/v1/projects/acme?grace=0", json!({})).await.expect(200);
    gateway.get("/v1/projects/acme?deleted=true").await.expect(404);
    gateway.send(Method::POST, "/v1/projects/acme/restore", json!({})).await.expect(404);
    gateway.create(json!({"ref": "acme"})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotas_are_granted_and_usage_is_told() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let path = "/v1/projects/acme/quotas";
    let granted = gateway.send(Method::PATCH, path, json!({"users": 1})).await.expect(200).json();
    assert_eq!((&granted["quotas"]["users"], &granted["quotas"]["database"]), (&json!(1), &Value::Null));
    assert_eq!(gateway.get(path).await.expect(200).json()["quotas"], granted["quotas"]);
    let sign_up = async |email: &str| {
        let body = json!({"email": email, "password": "correct horse"});
        gateway.send(Method::POST, "/p/acme/auth/v1/signup", body).await
    };
    sign_up("ada@example.com").await.expect(200);
    assert_eq!(sign_up("bob@example.com").await.expect(422).error_code(), "project_quota_reached");
    let usage = gateway.get("/v1/projects/acme/usage").await.expect(200).json();
    assert_eq!((&usage["users"], &usage["sessions"]), (&json!(1), &json!(1)), "{usage}");
    for (body, words) in
        [(json!({"users": 0}), "users"), (json!({"disk": 1}), "in_flight"), (json!({"users": "x"}), "users")]
    {
        let refused = gateway.send(Method::PATCH, path, body).await.expect(400).json();
        assert!(refused["message"].as_str().unwrap().contains(words), "{refused}");
    }
    gateway.send(Method::PATCH, path, json!({"users": null})).await.expect(200);
    sign_up("bob@example.com").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_sessions_and_ends_them() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let mut tokens = Vec::new();
    for name in ["ada", "bob", "eve"] {
        let body = json!({"email": format!("{name}@example.com"), "password": "correct horse"});
        let session = gateway.send(Method::POST, "/p/acme/auth/v1/signup", body).await.expect(200).json();
        tokens.push((
            session["access_token"].as_str().unwrap().to_owned(),
            session["user"]["id"].as_str().unwrap().to_owned(),
        ));
    }
    let alive =
        async |token: &str| gateway.ask(Method::GET, "/p/acme/auth/v1/user").bearer(token).send().await.status == 200;
    let path = "/v1/projects/acme/sessions";
    let first = gateway.get(&format!("{path}?limit=2")).await.expect(200).json();
    assert_eq!(first["sessions"].as_array().unwrap().len(), 2);
    let after = first["next"].as_str().unwrap();
    let second = gateway.get(&format!("{path}?limit=2&after={after}")).await.expect(200).json();
    assert_eq!((second["sessions"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
    let of_ada = first["sessions"].as_array().unwrap().iter().chain(second["sessions"].as_array().unwrap());
    let of_ada = of_ada.into_iter().find(|session| session["user_id"] == tokens[0].1.as_str()).unwrap();

    // An empty user id must not end everybody's.
    for bad in ["?user_id=", "?user_id=ada"] {
        gateway.send(Method::DELETE, &format!("{path}{bad}"), json!({})).await.expect(400);
    }
    let one = format!("{path}/{}", of_ada["id"].as_str().unwrap());
    assert_eq!(gateway.send(Method::DELETE, &one, json!({})).await.expect(200).json(), json!({"ended": 1}));
    gateway.send(Method::DELETE, &one, json!({})).await.expect(404);
    assert!(!alive(&tokens[0].0).await && alive(&tokens[1].0).await);
    let of_bob = format!("{path}?user_id={}", tokens[1].1);
    assert_eq!(gateway.send(Method::DELETE, &of_bob, json!({})).await.expect(200).json(), json!({"ended": 1}));
    assert!(!alive(&tokens[1].0).await && alive(&tokens[2].0).await);
    assert_eq!(gateway.send(Method::DELETE, path, json!({})).await.expect(200).json(), json!({"ended": 1}));
    assert!(!alive(&tokens[2].0).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_rotated_while_the_old_one_goes_on_for_a_while() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let path = "/v1/projects/acme/api-keys";
    let old = gateway.get(&format!("{path}?reveal=true")).await.json()[3].clone();
    let opens = async |key: &str| {
        let ask = gateway.ask(Method::GET, "/p/acme/auth/v1/admin/users").header("apikey", key).bearer(key);
        ask.send().await.status == 200
    };
    let rotate = format!("{path}/{}/rotate", old["id"].as_str().unwrap());
    let new = gateway.send(Method::POST, &rotate, json!({"grace_seconds": 60})).await.expect(201).json();
    assert_ne!(new["api_key"], old["api_key"]);
    assert_eq!((&new["name"], &new["replaces"]["id"]), (&old["name"], &old["id"]));
    assert!(new["replaces"]["expires_at"].is_string() && new["expires_at"].is_null(), "{new}");
    assert!(opens(old["api_key"].as_str().unwrap()).await && opens(new["api_key"].as_str().unwrap()).await);
    gateway.app.clock.advance(61);
    assert!(!opens(old["api_key"].as_str().unwrap()).await && opens(new["api_key"].as_str().unwrap()).await);
    gateway.send(Method::POST, &rotate, json!({"grace": 60})).await.expect(400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_keys_are_rotated_with_one_call() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let sign_up = json!({"email": "ada@example.com", "password": "correct horse"});
    let session = gateway.send(Method::POST, "/p/acme/auth/v1/signup", sign_up).await.expect(200).json();
    let keys = "/v1/projects/acme/config/auth/signing-keys";
    let key =
        gateway.send(Method::POST, &format!("{keys}/rotate"), json!({"algorithm": "ES256"})).await.expect(200).json();
    assert_eq!((&key["status"], &key["algorithm"]), (&json!("in_use"), &json!("ES256")));
    let old = session["access_token"].as_str().unwrap();
    gateway.ask(Method::GET, "/p/acme/auth/v1/user").bearer(old).send().await.expect(200);
    let standby = json!({"algorithm": "EdDSA", "standby_seconds": 600});
    let standby = gateway.send(Method::POST, &format!("{keys}/rotate"), standby).await.expect(200).json();
    assert_eq!(standby["status"], "standby");
    assert!(standby["promote_at"].is_string(), "{standby}");
    let published = gateway.ask(Method::GET, "/p/acme/auth/v1/.well-known/jwks.json").send().await.json();
    assert_eq!(published["keys"].as_array().unwrap().len(), 2, "{published}");
    gateway.send(Method::POST, &format!("{keys}/rotate"), json!({"algorithm": "none"})).await.expect(400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_of_its_own_is_named_before_it_is_proved() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    gateway.create(json!({"ref": "other"})).await;
    let path = "/v1/projects/acme/custom-hostname";
    assert_eq!(gateway.get(path).await.expect(200).json()["status"], "1_not_started");
    let body = json!({"custom_hostname": "login.acme.example"});
    let named = gateway.send(Method::POST, &format!("{path}/initialize"), body).await.expect(201).json();
    assert_eq!((&named["status"], &named["custom_hostname"]), (&json!("2_initiated"), &json!("login.acme.example")));
    let result = &named["data"]["result"];
    assert_eq!(result["ownership_verification"]["type"], "txt");
    for text in [
        &result["custom_origin_server"],
        &result["ownership_verification"]["name"],
        &result["ssl"]["validation_records"][0]["txt_value"],
    ] {
        assert!(text.as_str().is_some_and(|text| !text.is_empty()), "{named}");
    }
    assert_eq!(gateway.get(path).await.expect(200).json()["status"], "2_initiated");
    // Nobody has proved anything: the host leads nowhere.
    gateway.send(Method::POST, &format!("{path}/activate"), json!({})).await.expect(400);
    let settings = || gateway.ask(Method::GET, "http://login.acme.example/auth/v1/settings").send();
    settings().await.expect(404);
    for bad in ["", "not a host", "127.0.0.1", "localhost", "*.acme.example", "x.localhost", "A.B.LocalHost."] {
        gateway.send(Method::POST, &format!("{path}/initialize"), json!({"custom_hostname": bad})).await.expect(400);
    }
    gateway.send(Method::DELETE, path, json!({})).await.expect(200);
    assert_eq!(gateway.get(path).await.expect(200).json()["status"], "1_not_started");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_that_was_proved_leads_to_its_project_and_to_no_other() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme", "config": {"disable_signup": true}})).await;
    gateway.create(json!({"ref": "other"})).await;
    let path = |project: &str, step: &str| format!("/v1/projects/{project}/custom-hostname{step}");
    let post = async |project: &str, step: &str, status: u16| {
        let body = if step == "/initialize" { json!({"custom_hostname": "Login.Acme.example"}) } else { json!({}) };
        gateway.send(Method::POST, &path(project, step), body).await.expect(status).json()
    };
    let settings = || gateway.ask(Method::GET, "http://login.acme.example:443/auth/v1/settings").send();
    let named = post("acme", "/initialize", 201).await;
    let record = &named["data"]["result"]["ownership_verification"];
    let (name, value) = (record["name"].as_str().unwrap(), record["value"].as_str().unwrap());
    let refused = post("acme", "/reverify", 400).await;
    assert!(refused["message"].as_str().unwrap().contains(value), "it says what is missing: {refused}");
    post("acme", "/activate", 400).await;
    settings().await.expect(404);

    gateway.app.dns.publish(name, value);
    assert_eq!(post("acme", "/reverify", 201).await["status"], "4_origin_setup_completed");
    settings().await.expect(404);
    assert_eq!(post("acme", "/activate", 201).await["status"], "5_services_reconfigured");
    assert_eq!(settings().await.expect(200).json()["disable_signup"], true);
    let nested = "http://other.login.acme.example/auth/v1/settings";
    gateway.ask(Method::GET, nested).send().await.expect(404);
    // The path says more than the host.
    let by_path =
        gateway.ask(Method::GET, "http://login.acme.example/p/other/auth/v1/settings").send().await.expect(200);
    assert_eq!(by_path.json()["disable_signup"], false);

    // Another project proves nothing with the record of the first.
    let theirs = gateway
        .send(Method::POST, &path("other", "/initialize"), json!({"custom_hostname": "login.acme.example"}))
        .await;
    if theirs.status == 201 {
        assert_ne!(theirs.json()["data"]["result"]["ownership_verification"]["value"], *value);
        post("other", "/reverify", 400).await;
        let refused = gateway.send(Method::POST, &path("other", "/activate"), json!({})).await;
        assert!([400, 409].contains(&refused.status.as_u16()), "{}", refused.text);
    }
    assert_eq!(settings().await.expect(200).json()["disable_signup"], true);
    gateway.send(Method::DELETE, &path("acme", ""), json!({})).await.expect(200);
    settings().await.expect(404);
}

#[tokio::test]
async fn a_move_and_an_import_say_what_they_lack() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let placed = gateway.get("/v1/projects/acme/placement").await.expect(200).json();
    assert_eq!(placed, json!({"placement": "gateway", "move": null}));
    let wrong =
        gateway.send(Method::POST, "/v1/projects/acme/move", json!({"placement": "moon"})).await.expect(400).json();
    assert!(wrong["message"].as_str().unwrap().contains("placement"), "{wrong}");
    gateway.get("/v1/projects/acme/export").await.expect(400);
    gateway.send(Method::POST, "/v1/imports", json!({"header": {}})).await.expect(400);
    gateway.get("/v1/imports/11111111-2222-4333-8444-555555555555").await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extra_members_of_a_new_signing_key_are_refused() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let keys = "/v1/projects/acme/config/auth/signing-keys";
    let secret = json!({"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "extra": 1});
    for (body, member) in [
        (json!({"algorithm": "ES256", "foo": 1}), "foo"),
        (json!({"algorithm": "HS256", "private_jwk": secret}), "extra"),
    ] {
        let refused = gateway.send(Method::POST, keys, body).await.expect(400).json();
        assert!(refused["message"].as_str().unwrap().contains(member), "{refused}");
    }
    assert_eq!(gateway.get(keys).await.expect(200).json()["keys"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_raises_what_a_project_may_hold_by_patch() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let config = "/v1/projects/acme/config/auth";
    let before = gateway.get(config).await.expect(200).json();
    let body = json!({"name": "theirs", "role": "operator", "projects": ["acme"]});
    let bound = gateway.send(Method::POST, "/v1/tokens", body).await.expect(201).json();
    let raise = json!({
        "custom_oauth_max_providers": 1_000_000,
        "nimbus_oauth_email_optional": true,
        "saml_allow_encrypted_assertions": true,
    });
    for token in [TOKEN, bound["token"].as_str().unwrap()] {
        let answer = gateway.ask(Method::PATCH, config).bearer(token).json(&raise).send().await.expect(200).json();
        assert_eq!(answer, before, "ignored, as an unknown field is");
    }
    assert_eq!(gateway.get(config).await.expect(200).json(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_no_object_changes_nothing_anywhere() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let before = (gateway.get("/v1/projects").await.text, gateway.get("/v1/projects/acme/audit").await.text);
    let document = gateway.ask(Method::GET, "/openapi.json").send().await.expect(200).json();
    let mut checks = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let takes = |operation: &Value| operation["requestBody"]["content"]["application/json"].is_object();
        for (method, operation) in item.as_object().unwrap().iter().filter(|(_, operation)| takes(operation)) {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let at = path.replace("{ref}", "acme").replace("{id}", "00000000-0000-4000-8000-000000000000");
            let refusal = if operation["responses"].get("400").is_some() { 400 } else { 404 };
            for body in ["null", "[]", "[{}]", "5", "\"text\"", "{", ""] {
                // What names everything in its path needs no body.
                if body.is_empty() && path.ends_with("/rotate") {
                    continue;
                }
                let asked = gateway.ask(method.clone(), &at).bearer(TOKEN).raw(body);
                let answer = asked.send().await;
                assert_eq!(answer.status, refusal, "{method} {path} {body:?}: {}", answer.text);
                assert!(answer.json()["message"].is_string(), "{method} {path} {body:?}: {}", answer.text);
                checks += 1;
            }
        }
    }
    assert!(checks > 150, "{checks}");
    let after = (gateway.get("/v1/projects").await.text, gateway.get("/v1/projects/acme/audit").await.text);
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_cannot_be_is_refused_with_its_field() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    for (patch, words) in [
        (json!({"site_url": "https://a.example\0"}), "site_url must not contain NUL characters"),
        (json!({"jwt_exp": 60, "smtp_pass": "hunter2\0"}), "smtp_pass must not contain NUL characters"),
        (json!({"site_url": "javascript:alert(1)"}), "site_url must be one absolute URL"),
        (json!({"uri_allow_list": "https://a.example,data:text/html"}), "uri_allow_list entry 2 must not be"),
    ] {
        let refused = gateway.send(Method::PATCH, CONFIG, patch.clone()).await.expect(400);
        assert!(refused.text.contains(words) && !refused.text.contains("hunter2"), "{patch}: {}", refused.text);
    }
    let history = gateway.get(&format!("{CONFIG}/history")).await.expect(200).json();
    assert_eq!(history.as_array().unwrap().len(), 1);
}

//! What is another project's is nobody's below this one: ids of the one, at every route of the Management API that takes an id, below the
//! address of the other.

use http::Method;
use serde_json::{Value, json};

use crate::management::{Gateway, TOKEN};

const UNKNOWN: &str = "11111111-2222-4333-8444-555555555555";

/// All that an operator can look at of a project and that does not change by itself.
async fn seen(gateway: &Gateway, project: &str) -> String {
    let mut seen = String::new();
    for path in [
        "",
        "/config/auth",
        "/config/auth/history",
        "/config/auth/signing-keys",
        "/config/auth/third-party-auth",
        "/api-keys?reveal=true",
        "/quotas",
        "/placement",
        "/sessions",
    ] {
        seen.push_str(&gateway.get(&format!("/v1/projects/{project}{path}")).await.expect(200).text);
    }
    seen
}

/// The ids in an answer.
fn ids(answer: &Value) -> Vec<String> {
    match answer {
        Value::Object(fields) => {
            let own = fields.get("id").and_then(Value::as_str).filter(|id| id.len() == UNKNOWN.len());
            own.map(str::to_owned).into_iter().chain(fields.values().flat_map(ids)).collect()
        }
        Value::Array(items) => items.iter().flat_map(ids).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_another_project_is_unknown() {
    let gateway = Gateway::start().await;
    for project in ["own", "other"] {
        gateway.create(json!({ "ref": project, "config": { "mailer_autoconfirm": true } })).await;
        let base = format!("/v1/projects/{project}");
        let keys = format!("{base}/config/auth/signing-keys");
        for (path, body) in
            [(&keys, json!({ "algorithm": "ES256" })), (&keys, json!({ "algorithm": "EdDSA", "status": "in_use" }))]
        {
            gateway.send(Method::POST, path, body).await.expect(201);
        }
        let body = json!({ "email": "a@example.com", "password": "correct horse" });
        gateway.ask(Method::POST, &format!("/p/{project}/auth/v1/signup")).json(&body).send().await.expect(200);
    }
    let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "k1", "alg": "ES256", "use": "sig",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
    let issuer = json!({ "custom_jwks": { "keys": [jwk] } });
    gateway.send(Method::POST, "/v1/projects/other/config/auth/third-party-auth", issuer).await.expect(201);
    let mut foreign = Vec::new();
    for path in ["/api-keys", "/config/auth/signing-keys", "/config/auth/third-party-auth", "/sessions"] {
        let found = ids(&gateway.get(&format!("/v1/projects/other{path}")).await.expect(200).json());
        assert!(!found.is_empty(), "{path} has no ids");
        foreign.extend(found);
    }
    let (own, other) = (seen(&gateway, "own").await, seen(&gateway, "other").await);
    let mut checks = 0;
    for route in api::management_routes() {
        if !route.path.contains("{ref}") || !route.path.contains("{id}") {
            continue;
        }
        let asked = async |id: &str| {
            let path = route.path.replace("{ref}", "own").replace("{id}", id);
            let answer = gateway.send(route.method.parse().unwrap(), &path, json!({ "status": "revoked" })).await;
            (answer.status.as_u16(), answer.text.replace(id, "ID"))
        };
        let unknown = asked(UNKNOWN).await;
        assert!((400..500).contains(&unknown.0), "{} {}: {unknown:?}", route.method, route.path);
        for id in &foreign {
            assert_eq!(asked(id).await, unknown, "{} {} with {id}", route.method, route.path);
            checks += 1;
        }
    }
    println!("ids of another project at the Management API: {checks} checks");
    assert!(checks > 60, "{checks}");
    assert_eq!(seen(&gateway, "own").await, own);
    assert_eq!(seen(&gateway, "other").await, other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_another_project_leads_to_nothing_of_it() {
    let gateway = Gateway::start().await;
    for project in ["own", "other"] {
        gateway.create(json!({ "ref": project, "config": { "mailer_autoconfirm": true } })).await;
        for number in 0..3 {
            let email = format!("of-{project}-{number}@example.com");
            let body = json!({ "email": email, "password": "correct horse" });
            gateway.ask(Method::POST, &format!("/p/{project}/auth/v1/signup")).json(&body).send().await.expect(200);
        }
    }
    let export = async |project: &str, cursor: &str| {
        let path = format!("/v1/projects/{project}/export?limit=2&cursor={cursor}");
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        gateway.ask(Method::GET, &path).bearer(TOKEN).header("x-tenantry-archive-key", key).send().await
    };
    let (mut cursor, mut pages, mut told) = (String::new(), 0, String::new());
    loop {
        let page = export("other", &cursor).await.expect(200);
        told.push_str(&page.text);
        cursor = page.header("x-tenantry-next").to_owned();
        if cursor.is_empty() {
            break;
        }
        let shown = export("own", &cursor).await;
        assert!(!shown.text.contains("of-other"), "{}", shown.text);
        pages += 1;
    }
    assert!(told.contains("of-other-2@example.com") && pages > 3, "{pages} pages");

    let list = async |project: &str, query: &str| {
        gateway.get(&format!("/v1/projects/{project}/sessions?limit=1{query}")).await
    };
    let after = list("other", "").await.expect(200).json()["next"].as_str().unwrap().to_owned();
    let theirs = ids(&gateway.get("/v1/projects/other/sessions").await.expect(200).json());
    let shown = list("own", &format!("&after={after}")).await.text;
    assert!(theirs.iter().all(|id| *id == after || !shown.contains(id)), "{shown}");
}

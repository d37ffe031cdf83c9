//! Whose token opens which route of the Management API: every route of the table, for every kind of token.

use domain::operator::Access;
use http::Method;
use serde_json::{Value, json};

use crate::management::Gateway;

/// A token of `role` for `projects`.
async fn token(gateway: &Gateway, role: &str, projects: Option<&[&str]>) -> String {
    let body = json!({ "name": format!("{role} {projects:?}"), "role": role, "projects": projects });
    let made = gateway.send(Method::POST, "/v1/tokens", body).await.expect(201).json();
    made["token"].as_str().unwrap().to_owned()
}

/// A path of the route for the project, with an id that nothing has.
fn path(of: &str, project: &str) -> String {
    let path = of.replace("{ref}", project).replace("{slug}", "tenantry").replace("{version}", "1");
    path.replace("{provider}", "github").replace("{id}", "11111111-2222-4333-8444-555555555555")
}

async fn status(gateway: &Gateway, token: &str, method: &str, path: &str) -> (u16, String) {
    let ask = gateway.ask(method.parse().unwrap(), path).bearer(token).json(&json!({}));
    let answer = ask.send().await;
    (answer.status.as_u16(), answer.text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_asks_for_what_the_table_says() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "own"})).await;
    gateway.create(json!({"ref": "other"})).await;
    let read_only = token(&gateway, "read_only", None).await;
    let operator = token(&gateway, "operator", None).await;
    let bound = token(&gateway, "operator", Some(&["own"])).await;
    let bound_reader = token(&gateway, "read_only", Some(&["own"])).await;
    let before = gateway.get("/v1/projects").await.text;
    let mut checks = 0;
    for route in api::management_routes() {
        let (own, other) = (path(route.path, "own"), path(route.path, "other"));
        let of_project = route.path.contains("{ref}");
        let Some(access) = route.access else {
            assert_eq!(status(&gateway, "", route.method, &own).await.0, 200, "{own} is for everybody");
            continue;
        };
        for nobody in ["", "nonsense", "sbp_0000000000000000000000000000000000000000"] {
            let (answered, text) = status(&gateway, nobody, route.method, &own).await;
            assert_eq!((answered, text.contains("Unauthorized")), (401, true), "{} {own}: {text}", route.method);
        }
        // Nothing that could be carried out is asked for: what is left is whether the token is turned away.
        let forbidden = |(answered, text): (u16, String)| answered == 403 && text.contains("may not");
        let reads = access == Access::Read;
        let asked = |token| status(&gateway, token, route.method, &own);
        if !reads {
            assert!(forbidden(asked(&read_only).await), "{} {own} for a reader", route.method);
            assert!(forbidden(asked(&bound_reader).await), "{} {own} for a bound reader", route.method);
        }
        if access == Access::Tokens {
            assert!(forbidden(asked(&operator).await), "{} {own} for an operator", route.method);
        }
        if access == Access::Dispose || (!of_project && !reads) {
            assert!(forbidden(asked(&bound).await), "{} {own} for a bound operator", route.method);
        }
        if of_project {
            for token in [&bound, &bound_reader] {
                let hidden = status(&gateway, token, route.method, &other).await;
                assert_eq!(hidden.0, 404, "{} {other}: {}", route.method, hidden.1);
                assert!(hidden.1.contains("Not found"), "{} {other}: {}", route.method, hidden.1);
                let absent = async |named| status(&gateway, token, route.method, &path(route.path, named)).await;
                assert_eq!(
                    absent("nobody").await,
                    hidden,
                    "{} {}: whether a project exists is told",
                    route.method,
                    route.path
                );
                // What can be no project's ref tells of none.
                let ill_formed = absent("Not_A_Ref").await;
                if route.path.starts_with("/v2/") {
                    assert!(ill_formed.0 == 400 && ill_formed.1.contains("bad_request.invalid_ref"), "{ill_formed:?}");
                } else {
                    assert_eq!(ill_formed, hidden, "{} {}", route.method, route.path);
                }
            }
        }
        if reads {
            let refused = status(&gateway, &bound_reader, route.method, &own).await;
            assert!(![401, 403].contains(&refused.0), "{} {own} for a bound reader: {refused:?}", route.method);
        }
        checks += 1;
    }
    assert!(checks > 80, "{checks} routes");
    assert_eq!(gateway.get("/v1/projects").await.text, before, "nobody changed anything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_name_projects_to_operators_of_all_of_them_alone() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let reader = token(&gateway, "read_only", None).await;
    let bound = token(&gateway, "operator", Some(&["acme"])).await;
    let unknown = "sbp_0000000000000000000000000000000000000000";
    for (token, named) in [("", false), ("nonsense", false), (unknown, false), (&bound, false), (&reader, true)] {
        let text = gateway.ask(Method::GET, "/metrics").bearer(token).send().await.expect(200).text;
        assert!(text.contains("\ntenantry_asks_total 7\n"), "totals are for every scraper: {text}");
        let series = text.contains("\ntenantry_project_asks_total{project=\"acme\"} 3\n");
        assert_eq!((text.contains("acme"), series), (named, named), "{token}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_has_one_text() {
    let gateway = Gateway::start().await;
    let mut told = Vec::new();
    for path in ["/v1/projects/nobody", "/v1/projects/Not_A_Ref", "/v1/projects/BAD/config/auth"] {
        told.push(gateway.get(path).await.expect(404).text);
    }
    told.dedup();
    assert_eq!(told, [json!({"message": "Not found"}).to_string()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bound_token_sees_its_own_projects_alone() {
    let gateway = Gateway::start().await;
    for project in ["own", "other"] {
        gateway.create(json!({"ref": project})).await;
        gateway.send(Method::PATCH, &format!("/v1/projects/{project}/config/auth"), json!({"jwt_exp": 60})).await;
    }
    let bound = token(&gateway, "operator", Some(&["own"])).await;
    let get = async |path: &str| gateway.ask(Method::GET, path).bearer(&bound).send().await.expect(200).json();
    let refs = |list: &Value| list.as_array().unwrap().iter().map(|item| item["ref"].clone()).collect::<Vec<_>>();
    assert_eq!(refs(&get("/v1/projects").await), ["own"]);
    let page = get("/v1/organizations/tenantry/projects").await;
    assert_eq!((refs(&page["projects"]), page["pagination"]["count"].as_u64()), (vec![json!("own")], Some(1)));
    let log = get("/v1/audit").await;
    let entries = log["entries"].as_array().unwrap();
    assert!(!entries.is_empty() && entries.iter().all(|entry| entry["project"] == "own"), "{log}");
    let theirs = gateway.ask(Method::GET, "/v1/audit?project=other").bearer(&bound).send().await;
    assert!(theirs.status == 404 || theirs.json()["entries"] == json!([]), "{}", theirs.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_only_look_sees_no_secret() {
    let gateway = Gateway::start().await;
    let created = gateway.create(json!({"ref": "acme", "config": {"external_github_secret": "hush-hush"}})).await;
    let reader = token(&gateway, "read_only", None).await;
    let revealed = gateway.get("/v1/projects/acme/api-keys?reveal=true").await.json();
    let secret = revealed[3]["api_key"].as_str().unwrap();
    let service = created["service_role_key"].as_str().unwrap();
    let jwt_secret = created["jwt_secret"].as_str().unwrap();
    for route in api::management_routes().iter().filter(|route| route.method == "GET") {
        let path = path(route.path, "acme");
        let (_, text) = status(&gateway, &reader, "GET", &path).await;
        for hidden in [secret, service, jwt_secret, "hush-hush"] {
            assert!(!text.contains(hidden), "{path}: {text}");
        }
    }
    let keys = gateway.ask(Method::GET, "/v1/projects/acme/api-keys").bearer(&reader).send().await.expect(200).json();
    assert_eq!(keys[0]["api_key"], created["anon_key"], "the key of everybody's is no secret");
    gateway.ask(Method::GET, "/v1/projects/acme/api-keys?reveal=true").bearer(&reader).send().await.expect(403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_shown_once_listed_and_revoked() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let body = json!({"name": "ci", "role": "operator", "projects": ["acme"], "expires_in": 60});
    let made = gateway.send(Method::POST, "/v1/tokens", body).await.expect(201).json();
    let text = made["token"].as_str().unwrap().to_owned();
    assert!(text.len() == 44 && text.starts_with("sbp_"), "{text}");
    assert_eq!((made["role"].as_str(), &made["projects"]), (Some("operator"), &json!(["acme"])));
    assert!(made["expires_at"].is_string() && made["revoked_at"].is_null(), "{made}");
    let listed = gateway.get("/v1/tokens").await.expect(200);
    assert!(!listed.text.contains(&text), "{}", listed.text);
    assert!(listed.json().as_array().unwrap().iter().any(|token| token["id"] == made["id"]), "{}", listed.text);
    let opens = || gateway.ask(Method::GET, "/v1/projects/acme").bearer(&text).send();
    opens().await.expect(200);
    let profile = gateway.ask(Method::GET, "/v1/profile").bearer(&text).send().await.expect(200).json();
    assert_eq!((&profile["username"], &profile["gotrue_id"]), (&json!("ci"), &made["id"]));
    let one = format!("/v1/tokens/{}", made["id"].as_str().unwrap());
    let revoked = gateway.send(Method::DELETE, &one, json!({})).await.expect(200).json();
    assert!(revoked["revoked_at"].is_string(), "{revoked}");
    opens().await.expect(401);

    for (body, words) in [
        (json!({"role": "operator"}), "name"),
        (json!({"name": "x", "role": "king"}), "role"),
        (json!({"name": "x", "role": "operator", "projects": ["nobody"]}), "nobody"),
        (json!({"name": "x", "role": "operator", "project": ["acme"]}), "project"),
        (json!({"name": "x", "role": "owner", "projects": ["acme"]}), "all projects"),
    ] {
        let refused = gateway.send(Method::POST, "/v1/tokens", body.clone()).await;
        assert!([400, 404].contains(&refused.status.as_u16()), "{body}: {}", refused.text);
        assert!(refused.text.contains(words), "{body}: {}", refused.text);
    }
}

#[tokio::test]
async fn each_version_tells_of_failures_in_its_own_way() {
    let gateway = Gateway::start().await;
    let v2 = |path: &'static str, token: &'static str| gateway.ask(Method::GET, path).bearer(token).send();
    let unauthorized = v2("/v2/projects/acme/config", "").await.expect(401).json();
    assert_eq!(unauthorized, json!({"error": {"code": "unauthorized", "message": "Unauthorized"}}));
    let missing = gateway.get("/v2/projects/acme/config").await.expect(404).json();
    assert_eq!(missing["error"]["code"], "not_found");
    let ill_formed = gateway.get("/v2/projects/BAD/config").await.expect(400).json();
    assert_eq!(ill_formed["error"]["code"], "bad_request.invalid_ref");
    assert!(ill_formed["error"]["message"].as_str().unwrap().contains("project ref"), "{ill_formed}");
    let nowhere = gateway.get("/v2/nope").await.expect(404).json();
    assert_eq!(nowhere["error"]["code"], "not_found");
    assert_eq!(gateway.get("/v1/nope").await.expect(404).text, r#"{"message":"Not Found"}"#);
    let wrong = gateway.send(Method::PUT, "/v1/projects", json!({})).await.expect(405);
    assert!(["GET", "POST"].iter().all(|method| wrong.header("allow").contains(method)));
    assert!(wrong.json()["message"].as_str().unwrap().contains("GET, POST"), "{}", wrong.text);
    gateway.ask(Method::PUT, "/v1/projects").send().await.expect(401);
}

#[tokio::test]
async fn the_document_is_for_everybody_on_the_operators_listener() {
    let gateway = Gateway::start().await;
    let document = gateway.ask(Method::GET, "/openapi.json").send().await.expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    let config = &document["components"]["schemas"]["AuthConfig"]["properties"];
    assert!(config.as_object().unwrap().len() >= 241);
    assert_eq!(config["jwt_exp"]["maximum"], 604_800);
}

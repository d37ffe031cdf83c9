//! Leaving for a provider and coming back, identities, and the grants that stand for a sign-in elsewhere.

use domain::authorize::{self, Redirect, StateCookie};
use domain::callback::{self, Landing, Outcome};
use domain::provider::ProviderTokens;
use domain::refusal::{ProviderRefusal, Refusal};
use domain::secret::Secret;
use domain::{id_token, link_identity, unlink_identity, web3};
use http::StatusCode;

use crate::examples;
use crate::support::{Answered, FakeRuntime, TestEdge};

const BEARER: [(&str, &str); 1] = [("authorization", "Bearer good")];
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const PAGE: &str = "https://provider.example.com/authorize?client_id=c&state=s";

fn pairs(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn page(cookie: Option<StateCookie>) -> Redirect {
    Redirect { url: PAGE.to_owned(), cookie }
}

/// Answers every departure with what `check` makes of it.
fn leaving(check: impl FnMut(authorize::Request) -> Redirect + Send + 'static) -> TestEdge {
    let mut check = check;
    TestEdge::new(FakeRuntime::default().on(move |_, request: authorize::Request| Ok(check(request))))
}

fn is_page_elsewhere(answer: &Answered, status: u16) {
    assert_eq!(answer.status.as_u16(), status);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("vary"), Some("Origin"));
}

#[tokio::test]
async fn a_browser_leaves_with_what_is_meant_for_the_provider() {
    let edge = leaving(|request| {
        assert_eq!((request.provider.as_str(), request.scopes.as_str()), ("GitLab", "api read"));
        assert_eq!((request.code_challenge.as_str(), request.code_challenge_method.as_str()), ("ch", "s256"));
        assert_eq!(request.invite_token.expose(), "inv");
        let parameters = [("prompt", "login"), ("nonce", "n")];
        assert_eq!(pairs(&request.parameters), parameters);
        page(None)
    });
    let answer = edge
        .get(
            "/authorize?provider=GitLab&scopes=api+read&prompt=login&prompt=none&code_challenge=ch\
             &code_challenge_method=s256&invite_token=inv&redirect_to=https%3A%2F%2Fa.co&apikey=sb_publishable_acme\
             &nonce=n&skip_http_redirect=true",
        )
        .await;
    is_page_elsewhere(&answer, 302);
    assert_eq!(answer.header("location"), Some(PAGE));
    assert_eq!(answer.header("set-cookie"), None);
}

#[tokio::test]
async fn who_cannot_leave_hears_it_in_json() {
    let refuse = |_, _: authorize::Request| Err(ProviderRefusal::Unsupported("why".to_owned()).into_failure());
    let edge = TestEdge::new(FakeRuntime::default().on(refuse));
    let answer = edge.get("/authorize?provider=nosuch").await;
    assert_eq!(answer.refusal(), (400, "validation_failed".to_owned()));
    assert_eq!(answer.json()["msg"], "Unsupported provider: why");
    assert_eq!(edge.get("/authorize?provider=%ff").await.refusal(), (400, "validation_failed".to_owned()));
    assert_eq!(edge.get("/authorize?x=%00").await.refusal(), (400, "validation_failed".to_owned()));
}

#[tokio::test]
async fn who_meets_a_provider_that_is_away_hears_when_to_come_back() {
    let refuse = |_, _: authorize::Request| Err(ProviderRefusal::Unavailable("github".to_owned()).into_failure());
    let away = TestEdge::new(FakeRuntime::default().on(refuse)).get("/authorize?provider=github").await;
    assert_eq!(away.refusal(), (503, "provider_unavailable".to_owned()));
    assert_eq!(away.header("retry-after"), Some("30"));
}

#[tokio::test]
async fn the_state_is_bound_to_the_browser_where_the_project_wants_it() {
    let edge = leaving(|request| {
        let value = if request.cookie.is_empty() { "fresh".to_owned() } else { request.cookie };
        page(Some(StateCookie { value, cross_site: request.provider == "apple", max_age: 300 }))
    });
    let cookie = |value: &str, site: &str| {
        Some(format!("__Host-tn-state-acme={value}; Path=/; Max-Age=300; Secure; HttpOnly; SameSite={site}"))
    };
    let set = edge.get("/authorize?provider=github").await;
    assert_eq!(set.header("set-cookie").map(str::to_owned), cookie("fresh", "Lax"));
    let set = edge.get("/authorize?provider=apple").await;
    assert_eq!(set.header("set-cookie").map(str::to_owned), cookie("fresh", "None"));
    let shown = [("cookie", "a=b; __Host-tn-state-acme=kept")];
    let set = edge.ask("GET", "/authorize?provider=github", &shown, "").await;
    assert_eq!(set.header("set-cookie").map(str::to_owned), cookie("kept", "Lax"));
}

/// Where a browser lands: the code says where.
fn arriving(request: callback::Request) -> Landing {
    let outcome = match (request.state.as_str(), request.code.expose().as_str()) {
        ("", _) => Outcome::NoFlow(ProviderRefusal::StateMissing.into()),
        ("known", "implicit") => Outcome::Session {
            session: Box::new(examples::issued_session()),
            tokens: ProviderTokens { access_token: Secret::new("at".to_owned()), refresh_token: Secret::default() },
        },
        ("known", "pkce") => Outcome::Code(Secret::new("auth-code".to_owned())),
        ("known", "") if request.error.is_empty() => Outcome::Refused(ProviderRefusal::CodeMissing.into()),
        ("known", _) => Outcome::ProviderRefused { error: request.error, description: request.error_description },
        _ => Outcome::NoFlow(ProviderRefusal::StateUnknown.into()),
    };
    Landing { target: "https://a.co/in".to_owned(), outcome }
}

fn landing() -> TestEdge {
    TestEdge::new(FakeRuntime::default().on(|_, request: callback::Request| Ok(arriving(request))))
}

#[tokio::test]
async fn test_oauth_callback_redirects() {
    let edge = landing();
    for path in ["/callback?state=known&code=implicit", "/callback/?state=known&code=implicit"] {
        let answer = edge.get(path).await;
        is_page_elsewhere(&answer, 302);
        let location = answer.header("location").unwrap();
        assert!(location.starts_with("https://a.co/in#access_token=header.payload.signature&"), "{location}");
        assert!(location.contains("&provider_token=at&refresh_token=refresh-token&sb=&token_type=bearer"));
        assert!(!answer.text.contains("payload"), "{}", answer.text);
    }
    let code = edge.get("/callback?state=known&code=pkce").await;
    assert_eq!(code.header("location"), Some("https://a.co/in?code=auth-code"));
    let refused = edge.get("/callback?state=known&error=access_denied&error_description=no%3F").await;
    is_page_elsewhere(&refused, 302);
    assert_eq!(
        refused.header("location"),
        Some(
            "https://a.co/in?error=access_denied&error_description=no%3F\
             #error=access_denied&error_description=no%253F&sb="
        )
    );
    let lost = edge.get("/callback?code=abc").await;
    is_page_elsewhere(&lost, 303);
    assert_eq!(
        lost.header("location"),
        Some(
            "https://a.co/in?error=invalid_request&error_code=bad_oauth_callback\
             &error_description=OAuth+state+parameter+missing"
        )
    );
}

#[tokio::test]
async fn a_form_is_taken_before_the_query_and_only_from_a_post() {
    let edge = landing();
    let post = |path: &'static str, body: &'static str| edge.ask("POST", path, &[FORM], body);
    for (path, body) in [
        ("/callback", "state=known&code=pkce"),
        ("/callback/", "state=known&code=pkce"),
        ("/callback?state=other&code=x", "state=known&code=pkce"),
        ("/callback?state=known", "code=pkce"),
        ("/callback?state=known&code=pkce", ""),
    ] {
        assert_eq!(post(path, body).await.header("location"), Some("https://a.co/in?code=auth-code"), "{path}");
    }
    assert_eq!(post("/callback", "code=pkce").await.status, StatusCode::SEE_OTHER);
    let got = edge.ask("GET", "/callback?code=pkce", &[FORM], "state=known").await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    let json = edge.post("/callback", r#"{"state":"known","code":"pkce"}"#).await;
    assert_eq!(json.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn all_that_a_provider_sends_is_handed_on() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: callback::Request| {
        assert_eq!((request.iss.as_str(), request.user.as_str()), ("https://p.co", r#"{"name":{}}"#));
        assert_eq!((request.oauth_token.as_str(), request.oauth_verifier.expose().as_str()), ("ot", "ov"));
        assert_eq!((request.cookie.as_str(), request.error_description.as_str()), ("bound", ""));
        Ok(arriving(request))
    }));
    // A description that is no UTF-8 is nobody's reason to strand.
    let path = "/callback?state=known&code=pkce&iss=https%3A%2F%2Fp.co&user=%7B%22name%22%3A%7B%7D%7D\
                &oauth_token=ot&oauth_verifier=ov&error_description=%E9";
    let landed = edge.ask("GET", path, &[("cookie", "__Host-tn-state-acme=bound")], "").await;
    assert_eq!(landed.status, StatusCode::FOUND);
}

#[tokio::test]
async fn the_cookie_stays_for_the_other_sign_ins_it_stands_for() {
    let edge = landing();
    let cookie = [("cookie", "__Host-tn-state-acme=bound")];
    for code in ["implicit", "pkce", ""] {
        let answer = edge.ask("GET", &format!("/callback?state=known&code={code}"), &cookie, "").await;
        assert_eq!(answer.header("set-cookie"), None, "{code}");
    }
}

#[tokio::test]
async fn looking_ahead_begins_and_ends_nothing() {
    // Nobody answers: a question would be a fault.
    let edge = TestEdge::new(FakeRuntime::default());
    for path in ["/authorize?provider=github", "/callback?state=known&code=implicit"] {
        for purpose in [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch")] {
            let answer = edge.ask("GET", path, &[purpose], "").await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{path}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        }
    }
}

#[tokio::test]
async fn other_methods_use_nothing_up() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: callback::Request| {
        assert!(request.code.expose().is_empty() && request.error.is_empty());
        Ok(arriving(request))
    }));
    for method in ["HEAD", "PUT", "DELETE", "PATCH"] {
        let known = edge.ask(method, "/callback?state=known&code=pkce&error=x", &[FORM], "code=pkce").await;
        assert_eq!((known.status.as_u16(), known.header("allow")), (405, Some("GET, POST")), "{method}");
        let unknown = edge.ask(method, "/callback?state=other&code=pkce", &[], "").await;
        assert_eq!(unknown.status, StatusCode::SEE_OTHER, "{method}");
    }
}

fn linking() -> TestEdge {
    TestEdge::new(
        FakeRuntime::default()
            .with_tokens("good")
            .on(|_, request: link_identity::Request| {
                request.bearer.0.ok_or(Refusal::NoAuthorization)?;
                assert!(pairs(&request.departure.parameters).iter().all(|(name, _)| *name == "prompt"));
                match request.departure.provider.as_str() {
                    "github" => Ok(page(Some(StateCookie { value: "v".to_owned(), cross_site: false, max_age: 300 }))),
                    _ => Err(ProviderRefusal::ManualLinkingDisabled.into_failure()),
                }
            })
            .on(|_, request: unlink_identity::Request| {
                request.bearer.0.ok_or(Refusal::NoAuthorization)?;
                match request.identity.as_str() {
                    "11111111-2222-4333-8444-555555555555" => Ok(()),
                    _ => Err(ProviderRefusal::IdentityIdNotUuid.into_failure()),
                }
            }),
    )
}

#[tokio::test]
async fn a_client_that_links_is_given_the_page_or_sent_there() {
    let edge = linking();
    let path = "/user/identities/authorize?provider=github&prompt=login";
    let given = edge.ask("GET", &format!("{path}&skip_http_redirect=true"), &BEARER, "").await;
    assert_eq!(given.status, 200);
    assert_eq!(given.header("content-type"), Some("application/json"));
    let url = r#"{"url":"https://provider.example.com/authorize?client_id=c\u0026state=s"}"#;
    assert_eq!(given.text, url);
    // A cookie would be another site's here.
    assert_eq!(given.header("set-cookie"), None);
    for skip in ["", "&skip_http_redirect=yes", "&skip_http_redirect=TRUE", "&skip_http_redirect="] {
        let sent = edge.ask("GET", &format!("{path}{skip}"), &BEARER, "").await;
        assert_eq!((sent.status.as_u16(), sent.header("location")), (302, Some(PAGE)), "{skip}");
        assert!(sent.header("set-cookie").is_some(), "{skip}");
    }
    assert_eq!(edge.get(path).await.refusal(), (401, "no_authorization".to_owned()));
    let off = edge.ask("GET", "/user/identities/authorize?provider=x", &BEARER, "").await;
    assert_eq!(off.refusal(), (404, "manual_linking_disabled".to_owned()));
    assert_eq!(edge.get("/user/identities/authorize?provider=%ff").await.status, 401);
    let unreadable = edge.ask("GET", "/user/identities/authorize?provider=%ff", &BEARER, "").await;
    assert_eq!(unreadable.refusal(), (400, "validation_failed".to_owned()));
}

#[tokio::test]
async fn an_identity_is_taken_away_by_its_row() {
    let edge = linking();
    let path = "/user/identities/11111111-2222-4333-8444-555555555555";
    let gone = edge.ask("DELETE", path, &BEARER, "").await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (200, "{}"));
    assert_eq!(edge.ask("DELETE", path, &[], "").await.refusal(), (401, "no_authorization".to_owned()));
    for id in ["nonsense", "%ff", "%00"] {
        let answer = edge.ask("DELETE", &format!("/user/identities/{id}"), &BEARER, "").await;
        assert_eq!(answer.refusal(), (404, "validation_failed".to_owned()), "{id}");
    }
}

#[tokio::test]
async fn an_id_token_is_shown_with_or_without_a_bearer() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: id_token::Request| {
        let body = request.body?;
        if body.id_token.expose().is_empty() {
            return Err(ProviderRefusal::IdTokenRequired.into_failure());
        }
        if body.link_identity && !request.has_authorization {
            return Err(ProviderRefusal::LinkNeedsAuthorization.into_failure());
        }
        assert_eq!((body.provider.as_str(), body.client_id.as_str(), body.issuer.as_str()), ("google", "c", "i"));
        assert_eq!((body.nonce.as_str(), body.access_token.expose().as_str()), ("n", "at"));
        Ok(examples::issued_session())
    }));
    let path = "/token?grant_type=id_token";
    let full = r#"{"id_token":"t","provider":"google","client_id":"c","issuer":"i","nonce":"n","access_token":"at","link_identity":LINK,"gotrue_meta_security":{}}"#;
    let plain = edge.post(path, full.replace("LINK", "false")).await;
    assert_eq!((plain.status.as_u16(), plain.json()["access_token"].as_str()), (200, Some("header.payload.signature")));
    assert_eq!(plain.header("sb-auth-user-id"), Some("11111111-2222-4333-8444-555555555555"));
    let nobody = edge.post(path, full.replace("LINK", "true")).await;
    let told = r#"{"error":"invalid request","error_description":"Linking requires a valid user access token in Authorization"}"#;
    assert_eq!((nobody.status.as_u16(), nobody.text.as_str()), (400, told));
    assert_eq!(nobody.header("x-sb-error-code"), None);
    let dated = [("x-supabase-api-version", "2024-01-01")];
    let nobody = edge.ask("POST", path, &dated, full.replace("LINK", "true")).await;
    assert_eq!((nobody.text.as_str(), nobody.header("x-supabase-api-version")), (told, Some("2024-01-01")));
    for authorization in ["Bearer good", "Bearer", "Basic x"] {
        let headers = [("authorization", authorization)];
        assert_eq!(edge.ask("POST", path, &headers, full.replace("LINK", "true")).await.status, 200, "{authorization}");
    }
    for body in ["", "{", "[]", r#"{"id_token":5}"#, r#"{"link_identity":"yes"}"#] {
        assert_eq!(edge.post(path, body).await.refusal(), (400, "bad_json".to_owned()), "{body}");
    }
    assert_eq!(edge.post(path, "{}").await.json()["error_description"], "id_token required");
}

#[tokio::test]
async fn a_wallets_message_comes_with_the_captcha() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: web3::Request| {
        let captcha = (request.captcha.token.expose().clone(), request.captcha.malformed);
        let Ok(body) = request.body else {
            assert_eq!(captcha, (String::new(), true));
            return Err(ProviderRefusal::Web3Disabled.into_failure());
        };
        assert_eq!(captcha, ("solved".to_owned(), false));
        assert_eq!((body.message.as_str(), body.signature.expose().as_str()), ("m", "0x1"));
        match body.chain.as_str() {
            "ethereum" => Ok(examples::issued_session()),
            _ => Err(ProviderRefusal::Web3Refused("no".to_owned()).into_failure()),
        }
    }));
    let path = "/token?grant_type=web3";
    let body = |chain: &str| {
        format!(
            r#"{{"message":"m","signature":"0x1","chain":"{chain}","gotrue_meta_security":{{"captcha_token":"solved"}}}}"#
        )
    };
    assert_eq!(edge.post(path, body("ethereum")).await.status, 200);
    let refused = edge.post(path, body("solana")).await;
    assert_eq!(refused.text, r#"{"error":"invalid_grant","error_description":"no"}"#);
    // What is wrong with the body is told after the switch.
    assert_eq!(edge.post(path, "{").await.refusal(), (422, "web3_provider_disabled".to_owned()));
}

#[tokio::test]
async fn a_form_may_name_the_grant_but_not_hold_its_fields() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, request: id_token::Request| {
        request.body?;
        Ok(examples::issued_session())
    }));
    let form = |path: &'static str, body: &'static str| edge.ask("POST", path, &[FORM], body);
    for (path, body) in [
        ("/token", "grant_type=id_token&id_token=t"),
        ("/token?grant_type=nonsense", "grant_type=id_token"),
        ("/token?grant_type=id_token", "id_token=t"),
    ] {
        assert_eq!(form(path, body).await.refusal(), (400, "bad_json".to_owned()), "{path} {body}");
    }
    let json = edge.post("/token", r#"{"grant_type":"id_token","id_token":"t"}"#).await;
    assert_eq!(json.json()["msg"], "unsupported_grant_type");
}

/// A row of the providers' table as the edge is told it.
trait IntoFailure {
    fn into_failure(self) -> api::failure::Failure;
}

impl IntoFailure for ProviderRefusal {
    fn into_failure(self) -> api::failure::Failure {
        Refusal::from(self).into()
    }
}

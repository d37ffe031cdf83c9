//! Where a followed link leads, through the whole gateway.

use serde_json::json;
use testkit::{TestApp, TestProject};

use crate::both::on_both;

const SITE: &str = "https://site.example.com/home";

async fn project(app: &TestApp) -> TestProject {
    let config = json!({ "site_url": SITE, "uri_allow_list": "https://app.example.com/**,com.example.app://*" });
    app.project("redirects", config).await
}

/// Where a dead link leads, without the refusal in its fragment.
async fn target(project: &TestProject, query: &str, headers: &[(&str, &str)]) -> String {
    let mut ask = project.get(&format!("/verify?type=signup&token=dead{query}"));
    for (name, value) in headers {
        ask = ask.header(name, value);
    }
    let answer = ask.send().await.expect(303);
    let (target, fragment) = answer.header("location").split_once('#').unwrap();
    assert!(fragment.starts_with("error=access_denied&error_code=otp_expired"), "{fragment}");
    target.to_owned()
}

on_both!(the_best_allowed_candidate_wins, the_best_allowed_candidate_wins_on_postgres, candidates);
async fn candidates(app: TestApp) {
    let project = project(&app).await;
    let (good, evil) = ("https%3A%2F%2Fapp.example.com%2Fcb%3Fa%3D1", "https%3A%2F%2Fevil.example.net%2F");
    for (query, headers, expected) in [
        (String::new(), &[][..], SITE),
        (format!("&redirect_to={good}"), &[], "https://app.example.com/cb?a=1"),
        (format!("&redirect_to={good}"), &[("redirect_to", "com.example.app://cb")], "com.example.app://cb"),
        // A header that is there counts alone, even where it is not allowed.
        (format!("&redirect_to={good}"), &[("redirect_to", "https://evil.example.net/")], SITE),
        (format!("&redirect_to={good}"), &[("redirect_to", "")], "https://app.example.com/cb?a=1"),
        (
            format!("&redirect_to={evil}"),
            &[("referer", "https://app.example.com/page")],
            "https://app.example.com/page",
        ),
        (format!("&redirect_to={evil}"), &[("referer", "https://evil.example.net/")], SITE),
        ("&redirect_to=javascript%3Aalert(1)".to_owned(), &[], SITE),
        ("&redirect_to=http%3A%2F%2F127.0.0.1%3A5000%2Fx".to_owned(), &[], "http://127.0.0.1:5000/x"),
        ("&redirect_to=https%3A%2F%2Fapp.example.com%2F%0d%0aX%3A1".to_owned(), &[], SITE),
        ("&redirect_to=%ff".to_owned(), &[], SITE),
    ] {
        assert_eq!(target(&project, &query, headers).await, expected, "{query} {headers:?}");
    }
}

on_both!(shield_compares_to_the_letter, shield_compares_to_the_letter_on_postgres, exact);
async fn exact(app: TestApp) {
    let config = json!({
        "site_url": SITE, "security_redirect_exact_match_enabled": true, "uri_allow_list": "https://app.example.com/cb",
    });
    let project = app.project("exact", config).await;
    for (candidate, expected) in [
        ("https%3A%2F%2Fapp.example.com%2Fcb", "https://app.example.com/cb"),
        ("https%3A%2F%2Fapp.example.com%2Fcb%2F", SITE),
        ("https%3A%2F%2Fsite.example.com%2Fother", SITE),
        ("http%3A%2F%2F127.0.0.1%3A5000%2Fx", SITE),
    ] {
        assert_eq!(target(&project, &format!("&redirect_to={candidate}"), &[]).await, expected, "{candidate}");
    }
}

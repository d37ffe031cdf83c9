//! The page between a mailed link and what it does.

use std::sync::{Arc, Mutex};

use domain::refusal::Refusal;
use domain::verify::{Ask, Landing, Link, Outcome};

use crate::support::{FakeRuntime, TestEdge};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A project that asks first. Every link that was confirmed is noted.
fn asking() -> (TestEdge, Arc<Mutex<Vec<String>>>) {
    let used = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&used);
    let runtime = FakeRuntime::default().on(move |call, link: Link| {
        if link.kind.is_empty() {
            return Err(Refusal::VerifyTypeRequired.into());
        }
        let candidate = call.caller.redirect_candidates.first().filter(|target| target.starts_with("https://app."));
        let target = candidate.cloned().unwrap_or_else(|| "https://shop.example.com".to_owned());
        let outcome = if link.confirmed {
            note.lock().unwrap().push(link.token.expose().clone());
            Outcome::Refused(Refusal::LinkExpired)
        } else {
            Outcome::Ask(Ask::Button)
        };
        Ok(Landing { target, outcome, pkce: false })
    });
    (TestEdge::new(runtime), used)
}

#[tokio::test]
async fn a_followed_link_shows_a_page_and_uses_nothing_up() {
    let (edge, used) = asking();
    let path =
        "/verify?token=the%22token&type=magiclink&redirect_to=https%3A%2F%2Fapp.example.com%2Fcb%3Fa%3D1%26b%3D2";
    let page = edge.ask("GET", path, &[("referer", "https://elsewhere.example.com/")], "").await;
    assert_eq!(page.status, 200);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'self'; img-src 'self'; object-src 'none'; base-uri 'none'; \
             frame-ancestors 'none'; form-action 'self' https://app.example.com",
        ),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    for part in [
        r#"<html lang="en">"#,
        r#"<meta name="viewport" content="width=device-width, initial-scale=1">"#,
        "Acme &lt;shop&gt;",
        "shop.example.com",
        "<h1>Sign in</h1>",
        r#"<form method="post" action="verify/confirm">"#,
        r#"name="token" value="the&quot;token""#,
        r#"name="type" value="magiclink""#,
        r#"name="redirect_to" value="https://app.example.com/cb?a=1&amp;b=2""#,
        r#"<button type="submit">Sign in</button>"#,
        "<strong>app.example.com</strong>",
    ] {
        assert!(page.text.contains(part), "{part} is missing: {}", page.text);
    }
    assert!(!page.text.contains("<script") && !page.text.contains("style="), "{}", page.text);
    assert!(used.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_button_confirms() {
    let (edge, used) = asking();
    let form = "token=the%22token&type=magiclink&redirect_to=https%3A%2F%2Fapp.example.com%2Fcb%3Fa%3D1";
    let headers = [FORM, ("sec-fetch-site", "same-origin"), ("referer", "https://app.other.example.com")];
    let answer = edge.ask("POST", "/verify/confirm", &headers, form).await;
    assert_eq!(answer.status, 303);
    let location = answer.header("location").unwrap();
    assert!(
        location.starts_with("https://app.example.com/cb?a=1#error=access_denied&error_code=otp_expired"),
        "{location}"
    );
    assert_eq!(*used.lock().unwrap(), ["the\"token"]);
}

#[tokio::test]
async fn a_new_password_travels_with_the_form() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, link: Link| {
        let outcome = match link.password.as_ref().map(|password| password.expose().as_str()) {
            None => Outcome::Ask(Ask::NewPassword(None)),
            Some("short") => Outcome::Ask(Ask::NewPassword(Some("Too short.".to_owned()))),
            Some(password) => {
                assert_eq!((password, link.confirmed), ("a b&c", true));
                Outcome::Message("Password set.")
            }
        };
        Ok(Landing { target: "https://shop.example.com".to_owned(), outcome, pkce: false })
    }));
    let page = edge.get("/verify?token=t&type=recovery").await;
    assert!(page.text.contains("<label for=\"password\">New password</label>"), "{}", page.text);
    let send = |password: &'static str| {
        let form = format!("token=t&type=recovery&password={password}");
        edge.ask("POST", "/verify/confirm", &[FORM], form)
    };
    let again = send("short").await;
    assert_eq!(again.status, 200);
    assert!(again.text.contains("Too short.") && !again.text.contains("value=\"short\""), "{}", again.text);
    let done = send("a+b%26c").await;
    assert_eq!(done.header("location"), Some("https://shop.example.com#message=Password+set.&sb="));
}

#[tokio::test]
async fn a_page_of_another_site_confirms_nothing() {
    let (edge, used) = asking();
    for site in ["cross-site", "same-site"] {
        let headers = [FORM, ("sec-fetch-site", site)];
        let page = edge.ask("POST", "/verify/confirm", &headers, "token=t&type=signup").await;
        assert_eq!(page.status, 200, "{site}");
        assert!(page.text.contains(r#"<form method="post" action="confirm">"#), "{}", page.text);
    }
    assert!(used.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_a_link_lacks_is_told_in_json() {
    let (edge, _) = asking();
    for body in ["", "token=t", "{\"type\":\"signup\",\"token\":\"t\"}"] {
        let answer = edge.ask("POST", "/verify/confirm", &[FORM], body).await;
        assert_eq!(answer.refusal(), (400, "validation_failed".to_owned()), "{body}");
    }
    let unreadable = edge.ask("POST", "/verify/confirm", &[FORM], "type=signup&token=%ff").await;
    assert_eq!(unreadable.refusal(), (400, "validation_failed".to_owned()));
}

#[tokio::test]
async fn the_page_finds_its_style() {
    let style = asking().0.get("/verify/confirm.css").await;
    assert_eq!(style.status, 200);
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(style.header("cache-control"), Some("public, max-age=3600"));
}

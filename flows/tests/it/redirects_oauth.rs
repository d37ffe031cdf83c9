//! Attacks on where a sign-in at a provider leads (`security/attacks.md`, class E).

use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::oauth::{CHALLENGE, Landed, SITE, config, person, state};

/// Targets that look like an allowed one.
const VECTORS: [&str; 44] = [
    "https://app.example.com.evil.example/cb",
    "https://app.example.comevil.example/cb",
    "https://evil.example/https://app.example.com/cb",
    "https://app.example.com@evil.example/cb",
    "https://app.example.com:443@evil.example/cb",
    "https://app.example.com%40evil.example/cb",
    "https://app.example.com%2Fcb@evil.example/",
    "https://app.example.com%252fcb@evil.example/",
    "https://localhost@evil.example/cb",
    "https://evil.example#@app.example.com/cb",
    "https://evil.example?@app.example.com/cb",
    "https://evil.example\\@app.example.com/cb",
    "https://evil.example%5C@app.example.com/cb",
    "https://app.example.com\\.evil.example/cb",
    "//evil.example/cb",
    "///evil.example/cb",
    "/\\evil.example/cb",
    "\\\\evil.example/cb",
    "/\thttps://evil.example/cb",
    "\thttps://evil.example/cb",
    " https://evil.example/cb",
    "https:evil.example/cb",
    "https:/evil.example/cb",
    "https:///evil.example/cb",
    "https:\\\\evil.example/cb",
    "http://app.example.com/cb",
    "https://app.example.com:8443/cb",
    "https://app.example.com:443/cb",
    "https://appXexample.com/cb",
    "https://app.example.com./cb",
    "https://app.example.com\u{2024}evil.example/cb",
    "https://\u{430}pp.example.com/cb",
    "https://xn--pp-8cd.example.com/cb",
    "https://app\u{3002}example.com/cb",
    "https://0x7f000001/cb",
    "https://2130706433/cb",
    "https://169.254.169.254/cb",
    "https://[::ffff:169.254.169.254]/cb",
    "javascript:alert(1)//https://app.example.com/cb",
    "data:text/html,https://app.example.com/cb",
    "vbscript:app.example.com",
    "com.example.app.evil://cb",
    "https://app.example.com/cb\r\nlocation: https://evil.example",
    "https://app.example.com\u{0}.evil.example/cb",
];

/// Paths of the allowed place that lead elsewhere in it, for a project that allows one address to the letter.
const PATHS: [&str; 12] = [
    "https://app.example.com/cb/..%2F..%2Fevil",
    "https://app.example.com/cb/%252e%252e%252fevil",
    "https://app.example.com/cb/..;/evil",
    "https://app.example.com/cb/../evil",
    "https://app.example.com/CB",
    "https://APP.example.com/cb",
    "HTTPS://app.example.com/cb",
    "https://app.example.com/cb/",
    "https://app.example.com/cb?x=1",
    "https://app.example.com/cb;x",
    "https://app.example.com/evil#/cb",
    "https://app.example.com//cb",
];

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Where a sign-in leads that was begun with `query` and `headers`, with and without a challenge, and where its errors lead.
async fn targets(project: &TestProject, query: &str, headers: &[(&str, &str)]) -> Vec<String> {
    let mut targets = Vec::new();
    for challenge in ["", CHALLENGE] {
        let mut ask = project.get(&format!("/authorize?provider=gitlab{query}{challenge}"));
        for (name, value) in headers {
            ask = ask.header(name, value);
        }
        let state = state(&ask.send().await.expect(302));
        for end in ["error=access_denied", "code=ada"] {
            let answer = project.get(&format!("/callback?state={state}&{end}")).send().await.expect(302);
            targets.push(Landed::of(&answer).target);
        }
    }
    targets
}

fn with_patterns(list: &str) -> Value {
    config(json!({ "uri_allow_list": list }))
}

on_both!(no_vector_leads_away, no_vector_leads_away_on_postgres, vectors);
async fn vectors(app: TestApp) {
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let patterns = "https://app.example.com/**,https://*.app.example.com/cb,com.example.app://*";
    let project = app.project("vectors", with_patterns(patterns)).await;
    let home = vec![SITE; 4];
    for vector in VECTORS {
        let query = format!("&redirect_to={}", encoded(vector));
        assert_eq!(targets(&project, &query, &[]).await, home, "{vector:?}");
        // Headers hold no letters that a header cannot hold.
        if vector.chars().all(|letter| letter.is_ascii_graphic()) {
            assert_eq!(targets(&project, "", &[("referer", vector)]).await, home, "{vector:?}");
            assert_eq!(targets(&project, "", &[("redirect_to", vector)]).await, home, "{vector:?}");
        }
    }
    let query = format!("&redirect_to={}", encoded("https://app.example.com/cb"));
    assert_eq!(targets(&project, &query, &[]).await, ["https://app.example.com/cb"; 4]);
}

on_both!(to_the_letter_means_to_the_letter, to_the_letter_on_postgres, letters);
async fn letters(app: TestApp) {
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let mut exact = with_patterns("https://app.example.com/cb");
    exact["security_redirect_exact_match_enabled"] = json!(true);
    let project = app.project("exact", exact).await;
    for vector in VECTORS.iter().chain(&PATHS) {
        let query = format!("&redirect_to={}", encoded(vector));
        assert_eq!(targets(&project, &query, &[]).await, [SITE; 4], "{vector:?}");
    }
    let query = format!("&redirect_to={}", encoded("https://app.example.com/cb?sb_flow_id=f1"));
    assert_eq!(targets(&project, &query, &[]).await, ["https://app.example.com/cb"; 4]);
}

//! `GET /v1/projects/{ref}/config/auth/redirects`: what an operator is told about the addresses he lets sign-ins return to.

use serde_json::json;
use testkit::{TestApp, TestProject};

async fn unsafe_entries(app: &TestApp, project: &TestProject) -> Vec<String> {
    let reviews = app.management.redirects(&project.project_ref).await.unwrap();
    assert!(reviews.iter().all(|review| review.safe == review.reasons.is_empty()));
    reviews.into_iter().filter(|review| !review.safe).map(|review| review.entry).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_judged_as_they_stand_now() {
    let app = TestApp::sqlite().await;
    let config = json!({
        "site_url": "https://app.example.com",
        "uri_allow_list": "https://app.example.com/cb,https://*.vercel.app/**,*,http://plain.example.com/cb,myapp://**",
    });
    let project = app.project("shop", config).await;
    let found = unsafe_entries(&app, &project).await;
    assert_eq!(found, ["https://*.vercel.app/**", "*", "http://plain.example.com/cb"]);

    let patch =
        json!({ "uri_allow_list": "https://*.my-team.vercel.app/**", "security_redirect_exact_match_enabled": true });
    app.management.patch_config(&project.project_ref, patch.as_object().unwrap()).await.unwrap();
    // Where addresses are compared to the letter, the same entry lets nobody in.
    assert_eq!(unsafe_entries(&app, &project).await, ["https://*.my-team.vercel.app/**"]);
    let patch = json!({ "security_redirect_exact_match_enabled": false });
    app.management.patch_config(&project.project_ref, patch.as_object().unwrap()).await.unwrap();
    assert!(unsafe_entries(&app, &project).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shield_takes_no_pattern_at_all() {
    let app = TestApp::sqlite().await;
    let project =
        app.project("shop", json!({ "security_profile": "shield", "site_url": "https://app.example.com" })).await;
    for list in ["https://app.example.com/**", "https://app.example.com/[a]", "https://app.example.com/{a"] {
        let patch = json!({ "uri_allow_list": list });
        let refused = app.management.patch_config(&project.project_ref, patch.as_object().unwrap()).await.unwrap_err();
        assert!(refused.to_string().contains("wildcards are not allowed"), "{refused}");
    }
    let patch = json!({ "uri_allow_list": "https://app.example.com/cb,http://app.example.com/cb" });
    app.management.patch_config(&project.project_ref, patch.as_object().unwrap()).await.unwrap();
    assert_eq!(unsafe_entries(&app, &project).await, ["http://app.example.com/cb"]);
}

//! Passwords that others have tried before.

use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp};

use crate::both::on_both;
use crate::letters::{admin, confirmed, project, put};

fn reasons(answer: &Answer) -> Value {
    answer.json()["weak_password"]["reasons"].clone()
}

on_both!(breached_passwords_are_refused, breached_passwords_are_refused_on_postgres, breached);
async fn breached(app: TestApp) {
    let project = project(&app, json!({ "password_hibp_enabled": true, "mailer_autoconfirm": true })).await;
    app.breaches.breach("correct donkey");
    let sign_up =
        |password: &str| project.post("/signup", json!({ "email": "a@example.com", "password": password })).send();
    let refused = sign_up("correct donkey").await.expect(422);
    assert_eq!((refused.error_code().as_str(), reasons(&refused)), ("weak_password", json!(["pwned"])));
    let session = sign_up("correct horse").await.expect(200).json();
    put(&project, &session, json!({ "password": "correct donkey" })).await.expect(422);
    let path = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    admin(&project, Method::PUT, &path, json!({ "password": "correct donkey" })).await.expect(422);

    // Nobody can be asked: the password is taken, unless the list of common ones is on and has it.
    app.breaches.set_away(true);
    put(&project, &session, json!({ "password": "password1" })).await.expect(200);
    let listed = json!({ "password_blocklist_enabled": true });
    app.management.patch_config(&project.project_ref, listed.as_object().unwrap()).await.unwrap();
    put(&project, &session, json!({ "password": "password2" })).await.expect(422);
    put(&project, &session, json!({ "password": "correct donkey" })).await.expect(200);
    let closed = json!({ "password_hibp_fail_closed": true });
    app.management.patch_config(&project.project_ref, closed.as_object().unwrap()).await.unwrap();
    let refused = put(&project, &session, json!({ "password": "correct horse" })).await.expect(500);
    assert_eq!(refused.json()["msg"], "Unable to perform password strength check with HaveIBeenPwned.org.");
}

on_both!(common_passwords_are_refused, common_passwords_are_refused_on_postgres, common);
async fn common(app: TestApp) {
    let config = json!({ "password_blocklist_enabled": true, "site_url": "https://acme-shop.example" });
    let project = project(&app, config).await;
    confirmed(&project, "marigold@example.com").await;
    let session = project.sign_in("marigold@example.com").await;
    for (password, status) in
        [("Password1", 422), ("letters2024!", 422), ("acme-shop99", 422), ("Marigold1", 422), ("battery staple", 200)]
    {
        let answer = put(&project, &session, json!({ "password": password })).await;
        assert_eq!(answer.status.as_u16(), status, "{password}: {}", answer.text);
    }
    // Never at sign-in.
    let weak = json!({ "email": "b@example.com", "password": "password1", "email_confirm": true });
    admin(&project, Method::POST, "/admin/users", weak).await.expect(200);
    let grant = json!({ "email": "b@example.com", "password": "password1" });
    let answer = project.post("/token?grant_type=password", grant).send().await.expect(200);
    assert_eq!(answer.json()["weak_password"]["reasons"], json!(["pwned"]));
}

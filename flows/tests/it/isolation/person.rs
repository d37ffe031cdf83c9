//! A person of a project with one of everything that can be held, and the settings under which there is all of it.

use std::collections::BTreeMap;

use domain::time::Clock;
use http::Method;
use serde_json::{Value, json};
use testkit::{Authenticator, TestApp, TestProject};

use crate::letters::{access, sms_code};
use crate::{mails, oauth, passkey};

/// The same in every project.
const EMAIL: &str = "a@example.com";
const PHONE: &str = "15550001111";

/// What can be held of a project: its keys, then what its people have. A sign-in ends the codes of a person, so these come last.
pub(super) const HANDLES: [&str; 28] = [
    "anon",
    "service",
    "publishable",
    "secret",
    "user",
    "aal1",
    "aal2",
    "refresh",
    "session",
    "factor",
    "recovery_code",
    "passkey",
    "cursor",
    "identity",
    "provider",
    "challenge",
    "totp",
    "registration",
    "attestation",
    "ceremony",
    "assertion",
    "auth_code",
    "verifier",
    "state",
    "invite",
    "phone_otp",
    "hash",
    "otp",
];

/// What a person has from the beginning, and keys.
const BASE: [&str; 8] = ["anon", "service", "user", "aal1", "aal2", "refresh", "session", "factor"];

/// Settings of a project that has all there is, and refuses nobody for asking often.
pub(super) fn settings() -> Value {
    let config = oauth::config(json!({
        "jwt_exp": 604_800,
        "smtp_max_frequency": 1,
        "sms_max_frequency": 1,
        // An empty sign-up is refused, so that it can be asked again and again.
        "external_anonymous_users_enabled": false,
        "rate_limit_anonymous_users": 1_000_000,
        "rate_limit_email_sent": 1_000_000,
        "rate_limit_otp": 1_000_000,
        "rate_limit_sms_sent": 1_000_000,
        "rate_limit_token_refresh": 1_000_000,
        "rate_limit_verify": 1_000_000,
        "rate_limit_web3": 1_000_000,
        "rate_limit_mfa_challenge_and_verify": 1_000_000,
        "rate_limit_passkey": 1_000_000,
        "mfa_totp_max_failures": 1000,
        "mfa_recovery_codes_max_verify_attempts": 15,
        "security_otp_max_attempts": 20,
        "mfa_recovery_codes_enroll_enabled": true,
        "mfa_recovery_codes_verify_enabled": true,
        "custom_oauth_enabled": true,
        "external_phone_enabled": true,
        "sms_provider": "messagebird",
        "sms_messagebird_access_key": "key",
        "sms_messagebird_originator": "us",
        "external_web3_solana_enabled": true,
        "security_update_password_require_reauthentication": true,
    }));
    passkey::settings(config)
}

/// The same of the project that is asked: it is asked so often that what it would write down of it were most of its rows.
pub(super) fn asked() -> Value {
    let mut config = settings();
    config["audit_log_disable_postgres"] = json!(true);
    config
}

/// What one person holds, made when it is wanted.
pub(super) struct Person<'a> {
    app: &'a TestApp,
    project: &'a TestProject,
    /// A name that tells what he owns from what others own.
    name: &'static str,
    totp: totp_rs::Totp,
    raised: Value,
    authenticator: Option<Authenticator>,
    held: BTreeMap<&'static str, String>,
}

impl<'a> Person<'a> {
    /// Makes the person, signed in twice: with a second factor, and without.
    pub(super) async fn new(app: &'a TestApp, project: &'a TestProject, name: &'static str) -> Self {
        let body = json!({ "email": EMAIL, "phone": PHONE, "email_confirm": true, "phone_confirm": true });
        let user = admin(project, Method::POST, "/admin/users", body).await;
        let first = sign_in(project).await;
        let body = json!({ "factor_type": "totp", "friendly_name": "app" });
        let factor = project.post("/factors", body).bearer(access(&first)).send().await.expect(200).json();
        let secret = totp_rs::Secret::try_from_base32(factor["totp"]["secret"].as_str().unwrap()).unwrap();
        let mut person = Self {
            app,
            project,
            name,
            totp: totp_rs::Builder::new().with_secret(secret).build_noncompliant(),
            raised: Value::Null,
            authenticator: None,
            held: BTreeMap::from([("user", text(&user["id"])), ("factor", text(&factor["id"]))]),
        };
        let challenge = person.challenge(access(&first)).await;
        // The code before the one of now, so that the one of now is fresh.
        let body = json!({ "challenge_id": challenge, "code": person.code(-30) });
        let path = format!("/factors/{}/verify", person.held["factor"]);
        person.raised = project.post(&path, body).bearer(access(&first)).send().await.expect(200).json();
        let low = sign_in(project).await;
        let sessions = project.get("/sessions").bearer(access(&low)).send().await.expect(200).json();
        let current = sessions["sessions"].as_array().unwrap().iter().find(|session| session["current"] == true);
        person.held.extend([
            ("aal1", text(&low["access_token"])),
            ("aal2", text(&person.raised["access_token"])),
            ("refresh", text(&low["refresh_token"])),
            ("session", text(&current.unwrap()["id"])),
        ]);
        person
    }

    /// Another person in the place of this one.
    pub(super) async fn renewed(&self) -> Self {
        let path = format!("/admin/users/{}", self.held["user"]);
        let gone = self.project.ask(Method::DELETE, &path).bearer(&self.project.service_role_key).send().await;
        assert!(gone.status == 200 || gone.status == 404, "{}", gone.text);
        Self::new(self.app, self.project, self.name).await
    }

    /// All that can be held.
    pub(super) async fn all(&mut self) -> BTreeMap<&'static str, String> {
        for name in HANDLES {
            self.handle(name).await;
        }
        self.held.clone()
    }

    /// Whether anything was made for the person beyond what all have.
    pub(super) fn has_more(&self) -> bool {
        self.held.keys().any(|name| !BASE.contains(name))
    }

    /// Gives the person a password, which takes its time.
    pub(super) async fn set_password(&self, password: &str) {
        let path = format!("/admin/users/{}", self.held["user"]);
        admin(self.project, Method::PUT, &path, json!({ "password": password })).await;
    }

    /// A code that proves once more that the person, whose session is old, is here.
    pub(super) async fn nonce(&self) -> String {
        self.project.get("/reauthenticate").bearer(access(&self.raised)).send().await.expect(200);
        mails::take(self.app, EMAIL).await.pop().unwrap().code
    }

    /// Forgets what a refused ceremony has used up.
    pub(super) fn ceremonies_are_over(&mut self) {
        for name in ["registration", "attestation", "ceremony", "assertion"] {
            self.held.remove(name);
        }
    }

    /// What is held under this name.
    pub(super) async fn handle(&mut self, name: &str) -> String {
        if let Some(held) = self.held.get(name) {
            return held.clone();
        }
        let made = Box::pin(self.make(name)).await;
        self.held.extend(made);
        self.held.get(name).expect("a handle that there is").clone()
    }

    async fn make(&mut self, name: &str) -> Vec<(&'static str, String)> {
        let (app, project) = (self.app, self.project);
        let raised = access(&self.raised).to_owned();
        match name {
            "anon" => vec![("anon", project.anon_key.clone())],
            "service" => vec![("service", project.service_role_key.clone())],
            "publishable" | "secret" => {
                let keys = app.management.api_keys(&project.project_ref, true).await.unwrap();
                let key = |kind: &str| keys.iter().find(|key| key.kind == kind).unwrap().key.expose().clone();
                vec![("publishable", key("publishable")), ("secret", key("secret"))]
            }
            "challenge" => {
                let low = self.held["aal1"].clone();
                vec![("challenge", self.challenge(&low).await)]
            }
            "totp" => vec![("totp", self.code(0))],
            "recovery_code" => {
                let made = project.post("/factors/recovery-codes", json!({})).bearer(&raised);
                vec![("recovery_code", text(&made.send().await.expect(200).json()["codes"][0]))]
            }
            "passkey" => {
                let mut authenticator = passkey::authenticator();
                let made = passkey::register(project, &self.raised, &mut authenticator).await;
                self.authenticator = Some(authenticator);
                vec![("passkey", text(&made["id"]))]
            }
            "registration" | "attestation" => {
                let begun = passkey::registration(project, &self.raised).await;
                let credential = passkey::authenticator().create(&begun["options"]);
                vec![("registration", text(&begun["challenge_id"])), ("attestation", credential.to_string())]
            }
            "ceremony" | "assertion" => {
                self.handle("passkey").await;
                let begun = passkey::challenge(project).await;
                let credential = self.authenticator.as_mut().unwrap().get(&begun["options"]);
                vec![("ceremony", text(&begun["challenge_id"])), ("assertion", credential.to_string())]
            }
            "hash" | "otp" => {
                let made = link(project, "magiclink", EMAIL).await;
                vec![("hash", text(&made["hashed_token"])), ("otp", text(&made["email_otp"]))]
            }
            "invite" => {
                let guest = format!("guest-of-{}@example.com", self.held["user"]);
                vec![("invite", text(&link(project, "invite", &guest).await["hashed_token"]))]
            }
            "phone_otp" => {
                project.post("/otp", json!({ "phone": PHONE })).send().await.expect(200);
                vec![("phone_otp", sms_code(app))]
            }
            "state" => {
                self.granted();
                vec![("state", oauth::begin(project, "").await)]
            }
            "identity" => {
                self.granted();
                oauth::land(project, &oauth::begin(project, "").await, "granted").await;
                let user = admin(project, Method::GET, &format!("/admin/users/{}", self.held["user"]), json!({})).await;
                let identities = user["identities"].as_array().unwrap();
                let linked = identities.iter().find(|identity| identity["provider"] == "gitlab").unwrap();
                vec![("identity", text(&linked["identity_id"]))]
            }
            "auth_code" | "verifier" => {
                self.granted();
                let verifier = format!("{:-<43}", format!("verifier-of-{}", self.name));
                let query = format!("&code_challenge={verifier}&code_challenge_method=plain");
                let landed = oauth::land(project, &oauth::begin(project, &query).await, "granted").await;
                vec![("auth_code", landed.code().to_owned()), ("verifier", verifier)]
            }
            "provider" => {
                let identifier = format!("custom:{}", self.name);
                let body = json!({
                    "provider_type": "oauth2", "identifier": identifier, "name": "Own", "client_id": "own-client",
                    "client_secret": "own-secret", "authorization_url": "https://8.8.8.8/authorize",
                    "token_url": "https://8.8.8.8/token", "userinfo_url": "https://8.8.8.8/userinfo",
                });
                // It may be there from the person before.
                project.post("/admin/custom-providers", body).bearer(&project.service_role_key).send().await;
                vec![("provider", identifier)]
            }
            "cursor" => {
                let ended = sign_in(project).await;
                project.ask(Method::POST, "/logout?scope=local").bearer(access(&ended)).send().await.expect(204);
                let page = admin(project, Method::GET, "/admin/revocations?cursor=0", json!({})).await;
                vec![("cursor", page["cursor"].to_string().trim_matches('"').to_owned())]
            }
            _ => Vec::new(),
        }
    }

    /// Whoever comes back from GitLab with the code `granted` is this person.
    fn granted(&self) {
        self.app.providers.grant("granted", Ok(oauth::person(&format!("subject-{}", self.name), EMAIL)));
    }

    async fn challenge(&self, token: &str) -> String {
        let path = format!("/factors/{}/challenge", self.held["factor"]);
        text(&self.project.post(&path, json!({})).bearer(token).send().await.expect(200).json()["id"])
    }

    /// The code that the app shows `seconds` from now.
    fn code(&self, seconds: i64) -> String {
        let at = self.app.clock.now().unix() + seconds;
        self.totp.generate(u64::try_from(at).unwrap()).to_string()
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

async fn admin(project: &TestProject, method: Method, path: &str, body: Value) -> Value {
    let ask = project.ask(method.clone(), path).bearer(&project.service_role_key);
    let ask = if method == Method::GET { ask } else { ask.json(&body) };
    ask.send().await.expect(200).json()
}

async fn link(project: &TestProject, kind: &str, email: &str) -> Value {
    admin(project, Method::POST, "/admin/generate_link", json!({ "type": kind, "email": email })).await
}

/// Signs the person in without a password, which would have to be hashed.
async fn sign_in(project: &TestProject) -> Value {
    let made = link(project, "magiclink", EMAIL).await;
    let body = json!({ "type": "magiclink", "token_hash": made["hashed_token"] });
    project.post("/verify", body).send().await.expect(200).json()
}

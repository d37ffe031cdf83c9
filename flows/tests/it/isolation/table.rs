//! What each route is asked in the matrix. A route of the router's that is not in here fails the test.

use std::sync::atomic::{AtomicU32, Ordering};

use http::Method;
use serde_json::Value;
use testkit::{Ask, TestProject, auth_routes};

/// A line for each question: method; path below the project, with the names of handles in braces; whose token opens it; what the
/// owner of the handles is answered (`-` = he has no such thing); the body, JSON or a form. A `~` behind the status marks
/// what answers everybody without refusing; it must say the same of what is foreign and of what is unknown. `{fresh}` is
/// another number each time.
const LINES: &str = r#"
GET    /auth/v1/health                                        none    200~
GET    /auth/v1/settings                                      none    200~
GET    /auth/v1/openapi.json                                  none    200~
GET    /auth/v1/.well-known/jwks.json                         none    200~
GET    /auth/v1/.well-known/openid-configuration              none    200~
GET    /auth/v1/.well-known/oauth-authorization-server        none    404~
GET    /.well-known/jwks.json                                 none    200~
GET    /.well-known/openid-configuration                      none    200~
GET    /.well-known/oauth-authorization-server                none    404~
POST   /auth/v1/signup                                        none    200   {"email":"new-{fresh}@example.com","password":"correct horse"}
POST   /auth/v1/token?grant_type=password                     none    200   {"email":"a@example.com","password":"correct horse"}
POST   /auth/v1/token?grant_type=refresh_token                none    200   {"refresh_token":"{refresh}"}
POST   /auth/v1/token?grant_type=pkce                         none    200   {"auth_code":"{auth_code}","code_verifier":"{verifier}"}
POST   /auth/v1/token?grant_type=id_token                     none    -     {"provider":"gitlab","id_token":"{aal2}"}
POST   /auth/v1/token?grant_type=web3                         none    -     {"chain":"solana","message":"{aal2}","signature":"{otp}"}
GET    /auth/v1/authorize?provider={provider}                 none    302
GET    /auth/v1/authorize?provider=gitlab&invite_token={invite}  none 302~
GET    /auth/v1/callback?state={state}&code=granted           none    302~
POST   /auth/v1/callback                                      none    302~  form:state={state}&code=granted
POST   /auth/v1/otp                                           none    200   {"email":"b-{fresh}@example.com"}
POST   /auth/v1/magiclink                                     none    200   {"email":"b-{fresh}@example.com"}
POST   /auth/v1/recover                                       none    200   {"email":"b-{fresh}@example.com"}
POST   /auth/v1/resend                                        none    200   {"type":"signup","email":"b@example.com"}
GET    /auth/v1/verify?type=magiclink&token={hash}            none    303~
GET    /auth/v1/verify?type=invite&token={invite}             none    303~
POST   /auth/v1/verify                                        none    200   {"type":"magiclink","token_hash":"{hash}"}
POST   /auth/v1/verify                                        none    200   {"type":"email","email":"a@example.com","token":"{otp}"}
POST   /auth/v1/verify                                        none    200   {"type":"recovery","token_hash":"{hash}"}
POST   /auth/v1/verify                                        none    200   {"type":"invite","token_hash":"{invite}"}
POST   /auth/v1/verify                                        none    200   {"type":"sms","phone":"15550001111","token":"{phone_otp}"}
POST   /auth/v1/verify/confirm                                none    303~  form:type=magiclink&token={hash}
GET    /auth/v1/verify/confirm.css                            none    200~
GET    /auth/v1/reauthenticate                                aal2    200
GET    /auth/v1/user                                          aal1    200
PUT    /auth/v1/user                                          aal2    200   {"data":{"theme":"dark"}}
DELETE /auth/v1/user                                          aal2    204
GET    /auth/v1/user/identities/authorize?provider=gitlab     aal2    302
GET    /auth/v1/user/identities/authorize?provider={provider} aal2    302
DELETE /auth/v1/user/identities/{identity}                    aal2    200
POST   /auth/v1/logout                                        aal1    204
GET    /auth/v1/sessions                                      aal1    200
DELETE /auth/v1/sessions/{session}                            aal2    204
POST   /auth/v1/factors                                       aal2    200   {"factor_type":"totp","friendly_name":"second"}
DELETE /auth/v1/factors/{factor}                              aal2    200
POST   /auth/v1/factors/{factor}/challenge                    aal1    200   {}
POST   /auth/v1/factors/{factor}/verify                       aal1    200   {"challenge_id":"{challenge}","code":"{totp}"}
GET    /auth/v1/factors/recovery-codes                        aal2    200
POST   /auth/v1/factors/recovery-codes                        aal2    200   {}
DELETE /auth/v1/factors/recovery-codes                        aal2    200
POST   /auth/v1/factors/recovery-codes/verify                 aal1    200   {"code":"{recovery_code}"}
POST   /auth/v1/factors/recovery-codes/regenerate             aal2    200   {}
GET    /auth/v1/passkeys                                      aal2    200
PATCH  /auth/v1/passkeys/{passkey}                            aal2    200   {"friendly_name":"mine"}
DELETE /auth/v1/passkeys/{passkey}                            aal2    204
POST   /auth/v1/passkeys/registration/options                 aal2    200   {}
POST   /auth/v1/passkeys/registration/verify                  aal2    200   {"challenge_id":"{registration}","credential":"{attestation}"}
POST   /auth/v1/passkeys/authentication/options               none    200   {}
POST   /auth/v1/passkeys/authentication/verify                none    200   {"challenge_id":"{ceremony}","credential":"{assertion}"}
POST   /auth/v1/invite                                        service 200   {"email":"guest-{fresh}@example.com"}
GET    /auth/v1/admin/users                                   service 200
POST   /auth/v1/admin/users                                   service 200   {"email":"made-{fresh}@example.com"}
GET    /auth/v1/admin/users/{user}                            service 200
PUT    /auth/v1/admin/users/{user}                            service 200   {"user_metadata":{"theme":"dark"}}
DELETE /auth/v1/admin/users/{user}                            service 200
GET    /auth/v1/admin/users/{user}/factors                    service 200
PUT    /auth/v1/admin/users/{user}/factors/{factor}           service 200   {"friendly_name":"renamed"}
DELETE /auth/v1/admin/users/{user}/factors/{factor}           service 200
GET    /auth/v1/admin/users/{user}/passkeys                   service 200
DELETE /auth/v1/admin/users/{user}/passkeys/{passkey}         service 204
GET    /auth/v1/admin/users/{user}/sessions                   service 200
DELETE /auth/v1/admin/users/{user}/sessions                   service 204
DELETE /auth/v1/admin/users/{user}/sessions/{session}         service 204
GET    /auth/v1/admin/custom-providers                        service 200
POST   /auth/v1/admin/custom-providers                        service 201   {"provider_type":"oauth2","identifier":"custom:new-{fresh}","name":"New","client_id":"new","client_secret":"secret","authorization_url":"https://8.8.8.8/authorize","token_url":"https://8.8.8.8/token","userinfo_url":"https://8.8.8.8/userinfo"}
GET    /auth/v1/admin/custom-providers/{provider}             service 200
PUT    /auth/v1/admin/custom-providers/{provider}             service 200   {"name":"Renamed"}
DELETE /auth/v1/admin/custom-providers/{provider}             service 204
POST   /auth/v1/admin/generate_link                           service 200   {"type":"magiclink","email":"a@example.com"}
GET    /auth/v1/admin/audit                                   service 200
POST   /auth/v1/admin/introspect                              service 200~  {"token":"{aal1}"}
GET    /auth/v1/admin/revocations?cursor={cursor}             service 200~
"#;

static FRESH: AtomicU32 = AtomicU32::new(0);

/// A question to a route.
#[derive(Clone)]
pub(super) struct Question {
    /// The method.
    pub(super) method: Method,
    /// The route, as the router has it.
    pub(super) route: String,
    path: String,
    /// The name of the token that opens it; `None` where nobody's is needed.
    pub(super) bearer: Option<&'static str>,
    /// What the owner of the handles is answered; `None` = he has no such thing.
    pub(super) own: Option<u16>,
    /// Whether it answers everybody without refusing.
    pub(super) tells: bool,
    body: &'static str,
}

/// The questions to every route there is; one that has none fails.
pub(super) fn questions() -> Vec<Question> {
    let lines: Vec<Question> = LINES.lines().filter(|line| !line.trim().is_empty()).map(read).collect();
    let mut all = Vec::new();
    let mut asked = vec![false; lines.len()];
    for (route, methods) in auth_routes() {
        for method in methods {
            let before = all.len();
            for (line, asked) in lines.iter().zip(&mut asked) {
                let path = line.path.split('?').next().unwrap();
                // A path that is served with a slash at its end too is asked both ways.
                let slash = if route.ends_with('/') { "/" } else { "" };
                if line.method == method && is_at(&format!("{path}{slash}"), &route) {
                    let path = line.path.replacen(path, &format!("{path}{slash}"), 1);
                    all.push(Question { route: route.clone(), path, ..line.clone() });
                    *asked = true;
                }
            }
            assert!(all.len() > before, "{method} {route} is not in the matrix: add a line to {}", file!());
        }
    }
    for (line, asked) in lines.iter().zip(asked) {
        assert!(asked, "{} {} is served nowhere", line.method, line.path);
    }
    all
}

/// Whether `path`, whose variable parts are handles, is one of the route `pattern`.
fn is_at(path: &str, pattern: &str) -> bool {
    let (path, pattern): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), pattern.split('/').collect());
    let fits = |(part, pattern): (&&str, &&str)| part == pattern || (part.starts_with('{') && pattern.starts_with('{'));
    path.len() == pattern.len() && path.iter().zip(&pattern).all(fits)
}

fn read(line: &'static str) -> Question {
    let mut rest = line;
    let mut word = || {
        let (first, after) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
        rest = after;
        first
    };
    let (method, path, bearer, own) = (word(), word(), word(), word());
    Question {
        method: method.parse().unwrap(),
        route: String::new(),
        path: path.to_owned(),
        bearer: (bearer != "none").then_some(bearer),
        own: (own != "-").then(|| own.trim_end_matches('~').parse().unwrap()),
        tells: own.ends_with('~'),
        body: rest.trim(),
    }
}

impl Question {
    /// The names of the handles in path and body.
    pub(super) fn slots(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for text in [self.path.as_str(), self.body] {
            for part in text.split('{').skip(1) {
                let name = part.split('}').next().unwrap();
                let is_name =
                    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_12".contains(&byte));
                if is_name && name != "fresh" && !found.contains(&name) {
                    found.push(name);
                }
            }
        }
        found
    }

    /// Whether the route is another one with a slash at its end.
    pub(super) fn is_again(&self) -> bool {
        self.route.ends_with('/')
    }

    /// Whether it is about recovery codes that are there.
    pub(super) fn wants_recovery_codes(&self) -> bool {
        self.route.contains("/recovery-codes")
            && !(self.method == Method::POST && self.route.ends_with("/recovery-codes"))
    }

    /// Whether it takes a password.
    pub(super) fn wants_password(&self) -> bool {
        self.path.contains("grant_type=password")
    }

    /// The request with these handles in their places.
    pub(super) fn ask(&self, project: &TestProject, value: &dyn Fn(&str) -> String) -> Ask {
        let path = filled(&self.path, &self.slots(), &|name| encoded(&value(name)));
        let mut ask = project.ask_below(self.method.clone(), &path);
        if let Some(form) = self.body.strip_prefix("form:") {
            let form = filled(form, &self.slots(), &|name| encoded(&value(name)));
            ask = ask.header("content-type", "application/x-www-form-urlencoded").raw(form);
        } else if !self.body.is_empty() {
            ask = ask.json(&self.json(value));
        }
        ask
    }

    /// The request without query, without body: what somebody asks who only shows a token.
    pub(super) fn ask_bare(&self, project: &TestProject) -> Ask {
        let path = self.path.split('?').next().unwrap();
        let ask = project.ask_below(self.method.clone(), path);
        if self.method == Method::GET { ask } else { ask.json(&Value::Object(serde_json::Map::new())) }
    }

    fn json(&self, value: &dyn Fn(&str) -> String) -> Value {
        fn walk(json: &mut Value, slots: &[&str], value: &dyn Fn(&str) -> String) {
            match json {
                Value::String(text) => {
                    let text = filled(text, slots, value);
                    // A credential is an object.
                    *json = serde_json::from_str(&text).ok().filter(Value::is_object).unwrap_or(Value::String(text));
                }
                Value::Object(fields) => fields.values_mut().for_each(|field| walk(field, slots, value)),
                Value::Array(items) => items.iter_mut().for_each(|item| walk(item, slots, value)),
                _ => {}
            }
        }
        let mut json = serde_json::from_str(self.body).unwrap();
        walk(&mut json, &self.slots(), value);
        // A body in which it is seen that it was asked before would not be the same question.
        let fresh = FRESH.fetch_add(1, Ordering::Relaxed);
        serde_json::from_str(&json.to_string().replace("{fresh}", &fresh.to_string())).unwrap()
    }
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.method, self.path, self.body)
    }
}

fn filled(text: &str, slots: &[&str], value: &dyn Fn(&str) -> String) -> String {
    slots.iter().fold(text.to_owned(), |text, slot| {
        let place = format!("{{{slot}}}");
        if text.contains(&place) { text.replace(&place, &value(slot)) } else { text }
    })
}

/// Percent-encoded for a part of a path or of a query.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~:".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

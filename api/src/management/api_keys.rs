//! `/v1/projects/{ref}/api-keys` (`contract/management.md` §2.4), and Tenantry's own: when a key was used last, when it ends, and
//! a rotation that lets the old key live on for a while.

use actors::management::{ApiKeyView, NewApiKeyRequest, PatchApiKey};
use axum::response::Response;
use domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::failure::Failure;
use crate::management::operator::{Operator, refused};
use crate::management::{answer, message};

/// How many characters stand for those of a key that are not shown.
const MASK: usize = 26;

/// How much of an old-style key whoever may see no secrets is shown.
const SHOWN: usize = 5;

/// An API key.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(super) struct Key<'a> {
    name: &'a str,
    /// The whole key, or its beginning and dots.
    api_key: String,
    /// A UUID; the name of an old-style key.
    id: &'a str,
    /// `legacy`, `publishable` or `secret`.
    r#type: &'static str,
    prefix: Option<&'a str>,
    description: Option<&'a str>,
    hash: Option<&'a str>,
    #[schema(value_type = Option<Object>)]
    secret_jwt_template: Option<&'a Value>,
    #[schema(value_type = Option<String>, format = DateTime)]
    inserted_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    /// To the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// When it is accepted no longer.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

impl<'a> Key<'a> {
    /// The key as it is shown to whoever may see secrets, or may not: an old-style key opens everything as a secret one does.
    fn of(view: &'a ApiKeyView, may_reveal: bool) -> Self {
        let key = view.key.expose();
        let hidden = !may_reveal && view.role != "anon";
        Self {
            name: &view.name,
            api_key: if hidden { masked(key) } else { key.clone() },
            id: &view.id,
            r#type: view.kind,
            prefix: view.prefix.as_deref(),
            description: view.description.as_deref(),
            hash: view.hash.as_deref(),
            secret_jwt_template: view.secret_jwt_template.as_ref(),
            inserted_at: view.created_at,
            updated_at: view.updated_at,
            last_used_at: view.last_used_at,
            expires_at: view.expires_at,
        }
    }
}

fn masked(key: &str) -> String {
    let dots = "\u{b7}".repeat(MASK);
    if key.ends_with(&dots) { key.to_owned() } else { key.chars().take(SHOWN).chain(dots.chars()).collect() }
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewApiKey)]
pub(super) struct NewKey {
    /// `publishable` or `secret`.
    r#type: String,
    /// 4 to 64 characters: small letters, digits and underscores.
    name: String,
    description: Option<String>,
    /// The role of a secret key, as `{"role": "service_role"}`.
    #[schema(value_type = Option<Object>)]
    secret_jwt_template: Option<Value>,
}

/// What changes; what is not named stays, and `null` clears.
#[derive(ToSchema)]
#[schema(as = ChangedApiKey)]
#[expect(dead_code, reason = "absence and null are told apart, which no derived reader does")]
pub(super) struct ChangedKey {
    name: Option<String>,
    description: Option<String>,
    #[schema(value_type = Option<Object>)]
    secret_jwt_template: Option<Value>,
}

/// How long the old key goes on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiKeyRotation)]
pub(super) struct Rotation {
    /// A day where it is not given; 0 = it is refused at once.
    grace_seconds: Option<u32>,
}

/// The new key, and the one whose place it took.
#[derive(Serialize, ToSchema)]
#[schema(as = RotatedApiKey)]
pub(super) struct Rotated<'a> {
    #[serde(flatten)]
    key: Key<'a>,
    replaces: Key<'a>,
}

/// `GET`: old-style keys first, in clear; secret keys masked unless `reveal=true`.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let reveal = reveal(&operator)?;
    let keys = operator.management().api_keys(&operator.project()?, reveal).await.map_err(refused)?;
    let may_reveal = operator.may_reveal();
    answer(StatusCode::OK, &keys.iter().map(|key| Key::of(key, may_reveal)).collect::<Vec<_>>())
}

/// `POST`: a new key. Its answer shows it in clear.
pub(super) async fn create(operator: Operator) -> Result<Response, Failure> {
    let NewKey { r#type: kind, name, description, secret_jwt_template } = operator.body()?;
    let request = NewApiKeyRequest { kind, name, description, secret_jwt_template };
    let key = operator.management().create_api_key(&operator.project()?, request).await.map_err(refused)?;
    answer(StatusCode::CREATED, &Key::of(&key, true))
}

/// `GET .../{id}`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let reveal = reveal(&operator)?;
    let key = operator.management().api_key(&operator.project()?, operator.id()?, reveal).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key, operator.may_reveal()))
}

/// `PATCH .../{id}`.
pub(super) async fn update(operator: Operator) -> Result<Response, Failure> {
    let reveal = reveal(&operator)?;
    let patch = patch(operator.members()?)?;
    let (management, project) = (operator.management(), operator.project()?);
    let key = management.patch_api_key(&project, operator.id()?, patch, reveal).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key, operator.may_reveal()))
}

fn patch(mut members: serde_json::Map<String, Value>) -> Result<PatchApiKey, Failure> {
    let mut text = |name: &str| match members.remove(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(text))),
        Some(_) => Err(message(StatusCode::BAD_REQUEST, format!("{name} must be a string"))),
    };
    let (name, description) = (text("name")?.flatten(), text("description")?);
    let secret_jwt_template =
        members.remove("secret_jwt_template").map(|value| Some(value).filter(|value| !value.is_null()));
    Ok(PatchApiKey { name, description, secret_jwt_template })
}

/// `POST .../{id}/rotate`: the new key has name and role of the old one, and is shown in clear.
pub(super) async fn rotate(operator: Operator) -> Result<Response, Failure> {
    let Rotation { grace_seconds } = operator.body_if_any()?;
    let (management, project) = (operator.management(), operator.project()?);
    let rotated = management.rotate_api_key(&project, operator.id()?, grace_seconds).await.map_err(refused)?;
    answer(StatusCode::CREATED, &Rotated { key: Key::of(&rotated.new, true), replaces: Key::of(&rotated.old, true) })
}

/// `DELETE .../{id}`: the key is refused at once.
pub(super) async fn delete(operator: Operator) -> Result<Response, Failure> {
    let (management, project) = (operator.management(), operator.project()?);
    let key = management.delete_api_key(&project, operator.id()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key, true))
}

/// Whether old-style keys are accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = LegacyApiKeys)]
pub(super) struct Legacy {
    enabled: bool,
}

/// `GET .../legacy`.
pub(super) async fn legacy(operator: Operator) -> Result<Response, Failure> {
    let enabled = operator.management().legacy_keys_enabled(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Legacy { enabled })
}

/// `PUT .../legacy?enabled=`: accepts or refuses them from now on.
pub(super) async fn set_legacy(operator: Operator) -> Result<Response, Failure> {
    let wanted = operator.switch("enabled")?;
    let wanted = wanted.ok_or_else(|| message(StatusCode::BAD_REQUEST, "enabled must be true or false"))?;
    let project = operator.project()?;
    let enabled = operator.management().set_legacy_keys_enabled(&project, wanted).await.map_err(refused)?;
    answer(StatusCode::OK, &Legacy { enabled })
}

/// Whether secret keys are asked for in clear, by somebody who may have them.
fn reveal(operator: &Operator) -> Result<bool, Failure> {
    match operator.switch("reveal")?.unwrap_or(false) {
        true if !operator.may_reveal() => Err(message(StatusCode::FORBIDDEN, "This token may see no secrets")),
        reveal => Ok(reveal),
    }
}

#[cfg(test)]
mod tests {
    use domain::secret::Secret;
    use serde_json::json;

    use super::*;
    use crate::output::json;

    fn view(kind: &'static str, role: &'static str, key: &str) -> ApiKeyView {
        ApiKeyView {
            id: "11111111-2222-4333-8444-555555555555".to_owned(),
            kind,
            name: "default".to_owned(),
            description: None,
            key: Secret::new(key.to_owned()),
            hash: Some("h".to_owned()),
            prefix: Some("sb_secret_abc".to_owned()),
            role,
            secret_jwt_template: (kind == "secret").then(|| json!({ "role": role })),
            created_at: Some(Timestamp::from_unix(1_700_000_000)),
            updated_at: Some(Timestamp::from_unix(1_700_000_000)),
            last_used_at: None,
            expires_at: None,
        }
    }

    #[test]
    fn keys_have_the_members_that_tools_know() {
        let view = view("secret", "service_role", "sb_secret_abc");
        insta::assert_snapshot!(String::from_utf8(json::encode(&Key::of(&view, true)).unwrap()).unwrap(), @r#"{"name":"default","api_key":"sb_secret_abc","id":"11111111-2222-4333-8444-555555555555","type":"secret","prefix":"sb_secret_abc","description":null,"hash":"h","secret_jwt_template":{"role":"service_role"},"inserted_at":"2023-11-14T22:13:20Z","updated_at":"2023-11-14T22:13:20Z","last_used_at":null,"expires_at":null}"#);
    }

    #[test]
    fn whoever_may_see_no_secrets_sees_no_key_that_opens_everything() {
        let dots = "\u{b7}".repeat(26);
        let legacy = view("legacy", "service_role", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln");
        assert_eq!(Key::of(&legacy, false).api_key, format!("eyJhb{dots}"));
        assert_eq!(Key::of(&legacy, true).api_key, "eyJhbGciOiJIUzI1NiJ9.e30.c2ln");
        let secret = view("secret", "service_role", &format!("sb_secret_abc{dots}"));
        assert_eq!(Key::of(&secret, false).api_key, format!("sb_secret_abc{dots}"));
        for kind in ["legacy", "publishable"] {
            assert_eq!(Key::of(&view(kind, "anon", "anybody's"), false).api_key, "anybody's");
        }
    }

    #[test]
    fn a_patch_tells_absence_from_null() {
        let read = |body: Value| patch(body.as_object().cloned().unwrap());
        let nothing = read(json!({})).unwrap();
        assert!(nothing.name.is_none() && nothing.description.is_none() && nothing.secret_jwt_template.is_none());
        let cleared = read(json!({ "description": null, "secret_jwt_template": null })).unwrap();
        assert!(cleared.description == Some(None) && cleared.secret_jwt_template == Some(None));
        assert!(read(json!({ "name": 5 })).is_err());
    }
}

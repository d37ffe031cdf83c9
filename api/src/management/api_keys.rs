//! `/v1/projects/{ref}/api-keys` (`contract/management.md` §2.4).

use actors::management::{ApiKeyView, NewApiKeyRequest};
use axum::response::Response;
use domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::management::operator::{Operator, refused, told};
use crate::management::{answer, message};

#[derive(Serialize)]
struct Key<'a> {
    name: &'a str,
    api_key: &'a str,
    id: &'a str,
    r#type: &'static str,
    prefix: Option<&'a str>,
    description: Option<&'a str>,
    hash: Option<&'a str>,
    secret_jwt_template: Option<Value>,
    inserted_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

impl<'a> Key<'a> {
    fn of(view: &'a ApiKeyView) -> Self {
        Self {
            name: &view.name,
            api_key: view.key.expose(),
            id: &view.id,
            r#type: view.kind,
            prefix: view.prefix.as_deref(),
            description: view.description.as_deref(),
            hash: view.hash.as_deref(),
            secret_jwt_template: (view.kind == "secret").then(|| json!({ "role": view.role })),
            inserted_at: view.created_at,
            updated_at: view.created_at,
        }
    }
}

/// `GET`: old-style keys first, in clear; secret keys masked unless `reveal=true`.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let keys = keys(&operator).await?;
    answer(StatusCode::OK, &keys.iter().map(Key::of).collect::<Vec<_>>())
}

/// `POST`: a new key. Its answer shows it in clear.
pub(super) async fn create(operator: Operator) -> Result<Response, Failure> {
    let mut fields = operator.object()?;
    let request = (|| {
        Ok(NewApiKeyRequest {
            kind: fields.text("type")?,
            name: fields.text("name")?,
            description: fields.optional_text("description")?,
        })
    })();
    let key =
        operator.management()?.create_api_key(&operator.project()?, request.map_err(told)?).await.map_err(refused)?;
    answer(StatusCode::CREATED, &Key::of(&key))
}

/// `GET .../{id}`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let id = operator.id()?.to_string();
    let keys = keys(&operator).await?;
    let key = keys.iter().find(|key| key.id == id).ok_or_else(|| message(StatusCode::NOT_FOUND, "Not found"))?;
    answer(StatusCode::OK, &Key::of(key))
}

/// `DELETE .../{id}`: the key is refused at once.
pub(super) async fn delete(operator: Operator) -> Result<Response, Failure> {
    let key = operator.management()?.delete_api_key(&operator.project()?, operator.id()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Key::of(&key))
}

#[derive(Serialize)]
struct Legacy {
    enabled: bool,
}

/// `GET .../legacy`: whether the old-style keys are accepted.
pub(super) async fn legacy(operator: Operator) -> Result<Response, Failure> {
    let enabled = operator.management()?.legacy_keys_enabled(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Legacy { enabled })
}

/// `PUT .../legacy?enabled=`: accepts or refuses them from now on.
pub(super) async fn set_legacy(operator: Operator) -> Result<Response, Failure> {
    let wanted = operator.switch("enabled")?;
    let wanted = wanted.ok_or_else(|| message(StatusCode::BAD_REQUEST, "enabled must be true or false"))?;
    let project = operator.project()?;
    let enabled = operator.management()?.set_legacy_keys_enabled(&project, wanted).await.map_err(refused)?;
    answer(StatusCode::OK, &Legacy { enabled })
}

async fn keys(operator: &Operator) -> Result<Vec<ApiKeyView>, Failure> {
    let reveal = operator.switch("reveal")?.unwrap_or(false);
    operator.management()?.api_keys(&operator.project()?, reveal).await.map_err(refused)
}

#[cfg(test)]
mod tests {
    use domain::secret::Secret;

    use super::*;
    use crate::output::json;

    #[test]
    fn keys_have_the_members_that_tools_know() {
        let view = ApiKeyView {
            id: "11111111-2222-4333-8444-555555555555".to_owned(),
            kind: "secret",
            name: "default".to_owned(),
            description: None,
            key: Secret::new("sb_secret_abc".to_owned()),
            hash: Some("h".to_owned()),
            prefix: Some("sb_secret_abc".to_owned()),
            role: "service_role",
            created_at: Some(Timestamp::from_unix(1_700_000_000)),
        };
        insta::assert_snapshot!(String::from_utf8(json::encode(&Key::of(&view)).unwrap()).unwrap(), @r#"{"name":"default","api_key":"sb_secret_abc","id":"11111111-2222-4333-8444-555555555555","type":"secret","prefix":"sb_secret_abc","description":null,"hash":"h","secret_jwt_template":{"role":"service_role"},"inserted_at":"2023-11-14T22:13:20Z","updated_at":"2023-11-14T22:13:20Z"}"#);
        let publishable = ApiKeyView { kind: "publishable", role: "anon", ..view };
        assert_eq!(Key::of(&publishable).secret_jwt_template, None);
    }
}

//! `/v1/projects/{ref}/config/auth/third-party-auth` (`contract/management.md` §2.7): issuers whose access tokens a project
//! accepts as its own.

use actors::management::NewThirdParty;
use axum::response::Response;
use domain::third_party::{Source, ThirdParty};
use domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::failure::Failure;
use crate::management::answer;
use crate::management::operator::{Operator, refused};

/// An issuer whose tokens are accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = ThirdPartyIssuer)]
pub(super) struct Issuer<'a> {
    id: Uuid,
    r#type: &'static str,
    oidc_issuer_url: Option<&'a str>,
    jwks_url: Option<&'a str>,
    custom_jwks: Option<&'a Value>,
    resolved_jwks: Option<&'a Value>,
    #[schema(value_type = String, format = DateTime)]
    inserted_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Timestamp>,
}

impl<'a> Issuer<'a> {
    fn of(issuer: &'a ThirdParty) -> Self {
        let shown = Self {
            id: issuer.id,
            r#type: issuer.kind(),
            oidc_issuer_url: None,
            jwks_url: None,
            custom_jwks: None,
            resolved_jwks: issuer.resolved_jwks.as_ref(),
            inserted_at: issuer.inserted_at,
            updated_at: issuer.updated_at,
            resolved_at: issuer.resolved_at,
        };
        match &issuer.source {
            Source::OidcIssuer(url) => Self { oidc_issuer_url: Some(url), ..shown },
            Source::JwksUrl(url) => Self { jwks_url: Some(url), ..shown },
            Source::CustomJwks(keys) => Self { custom_jwks: Some(keys), ..shown },
        }
    }
}

/// `GET`: all of them, the oldest first.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let issuers = operator.management().third_parties(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &issuers.iter().map(Issuer::of).collect::<Vec<_>>())
}

/// An issuer to accept, by exactly one of these.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewThirdPartyIssuer)]
pub(super) struct NewIssuer {
    /// Of its OpenID metadata.
    oidc_issuer_url: Option<String>,
    /// Of its keys.
    jwks_url: Option<String>,
    /// Its keys.
    #[schema(value_type = Option<Object>)]
    custom_jwks: Option<Value>,
}

/// `POST`: one more, by its metadata, its keys' address or its keys.
pub(super) async fn create(operator: Operator) -> Result<Response, Failure> {
    let NewIssuer { oidc_issuer_url, jwks_url, custom_jwks } = operator.body()?;
    let request = NewThirdParty { oidc_issuer_url, jwks_url, custom_jwks };
    let issuer = operator.management().create_third_party(&operator.project()?, request).await.map_err(refused)?;
    answer(StatusCode::CREATED, &Issuer::of(&issuer))
}

/// `GET .../{id}`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let issuer = operator.management().third_party(&operator.project()?, operator.id()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Issuer::of(&issuer))
}

/// `DELETE .../{id}`: its tokens are refused at once.
pub(super) async fn delete(operator: Operator) -> Result<Response, Failure> {
    let (management, project) = (operator.management(), operator.project()?);
    let issuer = management.delete_third_party(&project, operator.id()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Issuer::of(&issuer))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::json;

    fn shown(source: Source, resolved: bool) -> Value {
        let issuer = ThirdParty {
            id: Uuid::nil(),
            source,
            resolved_jwks: resolved.then(|| json!({"keys": []})),
            inserted_at: Timestamp::from_unix(1_700_000_000),
            updated_at: Timestamp::from_unix(1_700_000_000),
            resolved_at: resolved.then(|| Timestamp::from_unix(1_700_000_001)),
        };
        serde_json::from_slice(&json::encode(&Issuer::of(&issuer)).unwrap()).unwrap()
    }

    #[test]
    fn an_issuer_has_every_member_and_one_source() {
        let members = |shown: &Value| shown.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        let by_metadata = shown(Source::OidcIssuer("https://a.co".to_owned()), true);
        let every = "custom_jwks id inserted_at jwks_url oidc_issuer_url resolved_at resolved_jwks type updated_at";
        let mut sorted: Vec<_> = members(&by_metadata).split(' ').map(str::to_owned).collect();
        sorted.sort();
        assert_eq!(sorted.join(" "), every);
        assert_eq!(by_metadata["oidc_issuer_url"], "https://a.co");
        assert_eq!((&by_metadata["jwks_url"], &by_metadata["custom_jwks"]), (&Value::Null, &Value::Null));
        assert_eq!(by_metadata["resolved_at"], "2023-11-14T22:13:21Z");
        let by_address = shown(Source::JwksUrl("https://a.co/jwks".to_owned()), false);
        assert_eq!(
            (&by_address["jwks_url"], &by_address["resolved_jwks"]),
            (&json!("https://a.co/jwks"), &Value::Null)
        );
        let by_keys = shown(Source::CustomJwks(json!({"keys": [1]})), false);
        assert_eq!((&by_keys["custom_jwks"], &by_keys["oidc_issuer_url"]), (&json!({"keys": [1]}), &Value::Null));
    }
}

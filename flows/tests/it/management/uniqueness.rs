//! No two projects verify with one key (attacks of class H), and none takes tokens of another.

use domain::secret::Secret;
use flows::management::{CreateProject, Error, NewSigningKeyRequest, NewThirdParty};
use serde_json::{Value, json};
use testkit::TestApp;

use super::members;
use crate::both::on_both;

const SECRET: &str = "a-secret-of-more-than-thirty-two-bytes";

fn wanting(name: &str, secret: Option<&str>, keys: &[Value]) -> CreateProject {
    CreateProject {
        project_ref: Some(name.to_owned()),
        jwt_secret: secret.map(|text| Secret::new(text.to_owned())),
        signing_keys: keys.to_vec(),
        ..CreateProject::default()
    }
}

fn shared(text: &str) -> Value {
    use base64::Engine;
    json!({ "kty": "oct", "k": base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text), "key_ops": ["sign", "verify"] })
}

fn ed25519() -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "key_ops": ["sign", "verify"],
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    })
}

on_both!(a_secret_belongs_to_one_project, a_secret_belongs_to_one_project_on_postgres, secrets);
async fn secrets(app: TestApp) {
    let manage = &app.management;
    manage.create_project(wanting("one", Some(SECRET), &[])).await.unwrap();
    let refused = manage.create_project(wanting("two", Some(SECRET), &[])).await;
    assert!(matches!(refused, Err(Error::Invalid(text)) if text.contains("another project")));
    let refused = manage.create_project(wanting("two", None, &[shared(SECRET)])).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "as a key, too");
    assert!(matches!(manage.project(&"two".parse().unwrap()).await, Err(Error::NotFound)));
    manage.create_project(wanting("two", None, &[])).await.unwrap();
    let import = NewSigningKeyRequest {
        algorithm: "HS256".to_owned(),
        status: Some("in_use".to_owned()),
        private_jwk: Some(shared(SECRET)),
    };
    let refused = manage.create_signing_key(&"two".parse().unwrap(), import).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    manage.import_legacy_signing_key(&"one".parse().unwrap()).await.unwrap();
}

on_both!(a_key_belongs_to_one_project, a_key_belongs_to_one_project_on_postgres, keys);
async fn keys(app: TestApp) {
    let manage = &app.management;
    manage.create_project(wanting("one", None, &[ed25519()])).await.unwrap();
    let two = app.project("two", json!({})).await.project_ref;
    let mut public = ed25519();
    public.as_object_mut().unwrap().remove("d");
    for jwk in [ed25519(), public] {
        let import = NewSigningKeyRequest { algorithm: "EdDSA".to_owned(), status: None, private_jwk: Some(jwk) };
        let refused = manage.create_signing_key(&two, import).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "whatever its kid, and its public half alone");
    }
    assert!(manage.signing_keys(&two).await.unwrap().is_empty());
    // What went with its project may be used again.
    manage.delete_project(&"one".parse().unwrap(), Some(0)).await.unwrap();
    manage.create_project(wanting("three", None, &[ed25519()])).await.unwrap();
}

on_both!(a_neighbour_is_nobodys_issuer, a_neighbour_is_nobodys_issuer_on_postgres, issuers);
async fn issuers(app: TestApp) {
    let (one, two) = (app.project("one", json!({})).await, app.project("two", json!({})).await);
    let issuer = app.management.urls.auth(&two.project_ref);
    for request in [
        NewThirdParty { oidc_issuer_url: Some(issuer.clone()), ..NewThirdParty::default() },
        NewThirdParty { jwks_url: Some(format!("{issuer}/.well-known/jwks.json")), ..NewThirdParty::default() },
    ] {
        let refused = app.management.create_third_party(&one.project_ref, request).await;
        assert!(matches!(refused, Err(Error::Invalid(text)) if text.contains("project of this gateway")));
    }
}

on_both!(a_short_secret_is_refused, a_short_secret_is_refused_on_postgres, short);
async fn short(app: TestApp) {
    let manage = &app.management;
    let refused = manage.create_project(wanting("one", Some("fifteen-bytes--"), &[])).await;
    assert!(matches!(refused, Err(Error::Invalid(text)) if text.contains("16 bytes")));
    let shield = |secret: &str| CreateProject {
        config: members(json!({ "security_profile": "shield" })),
        ..wanting("one", Some(secret), &[])
    };
    let refused = manage.create_project(shield("a-secret-of-31-bytes-is-refused")).await;
    assert!(matches!(refused, Err(Error::Invalid(text)) if text.contains("32 bytes")));
    manage.create_project(shield(SECRET)).await.unwrap();
    let import = NewSigningKeyRequest {
        algorithm: "HS256".to_owned(),
        status: None,
        private_jwk: Some(shared("twenty-bytes-of-text")),
    };
    let refused = manage.create_signing_key(&"one".parse().unwrap(), import).await;
    assert!(matches!(refused, Err(Error::Invalid(text)) if text.contains("32 bytes")));
}

//! Public documents of a project (`contract/core.md` §11): answered from the snapshot, no statement.

use domain::discovery::{self, Health, OpenidConfiguration, Settings};
use domain::refusal::Refusal;
use serde_json::Value;

use crate::context::Context;
use crate::error::Result;

/// `GET /settings`.
pub fn settings(ctx: &Context) -> Settings {
    discovery::settings(ctx.policy())
}

/// `GET /.well-known/jwks.json`: public keys only.
pub fn jwks(ctx: &Context) -> Value {
    ctx.tenant.keys.jwks()
}

/// `GET /health`. Touches no database.
pub fn health(_: &Context) -> Health {
    Health {
        version: concat!("v", env!("CARGO_PKG_VERSION")),
        name: "GoTrue",
        description: "GoTrue is a user registration and authentication API",
    }
}

/// `GET /.well-known/openid-configuration`.
pub fn openid_configuration(ctx: &Context) -> OpenidConfiguration {
    discovery::openid_configuration(&ctx.tenant.base_url, ctx.policy())
}

/// `GET /.well-known/oauth-authorization-server`.
///
/// # Errors
/// Refused unless the project has its OAuth server on.
pub fn oauth_metadata(ctx: &Context) -> Result<OpenidConfiguration> {
    if !ctx.policy().oauth_server_enabled {
        return Err(Refusal::OauthServerDisabled.into());
    }
    Ok(discovery::openid_configuration(&ctx.tenant.base_url, ctx.policy()))
}

//! `/v1/projects/{ref}/config/auth/providers`, Tenantry's own: where a project's people can sign in, and whether that would
//! work now.

use actors::management::{CheckView, ProviderTest, ProviderView};
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::failure::Failure;
use crate::management::answer;
use crate::management::operator::{Operator, refused};

/// Where people can sign in.
#[derive(Serialize, ToSchema)]
pub(super) struct Provider<'a> {
    name: &'a str,
    kind: &'static str,
    enabled: bool,
    client_id: &'a str,
    has_secret: bool,
    redirect_uri: &'a str,
}

impl<'a> Provider<'a> {
    fn of(view: &'a ProviderView) -> Self {
        let ProviderView { name, kind, enabled, client_id, redirect_uri, has_secret } = view;
        Self { name, kind, enabled: *enabled, client_id, has_secret: *has_secret, redirect_uri }
    }
}

/// Whether a sign-in would work now.
#[derive(Serialize, ToSchema)]
#[schema(as = TestedProvider)]
pub(super) struct Tested<'a> {
    provider: &'a str,
    healthy: bool,
    checks: Vec<Check<'a>>,
}

/// One thing that was asked.
#[derive(Serialize, ToSchema)]
#[schema(as = ProviderCheck)]
pub(super) struct Check<'a> {
    name: &'a str,
    state: &'a str,
    detail: &'a str,
}

impl<'a> Tested<'a> {
    fn of(test: &'a ProviderTest) -> Self {
        let check = |CheckView { name, state, detail }: &'a CheckView| Check { name, state, detail };
        Self { provider: &test.provider, healthy: test.healthy, checks: test.checks.iter().map(check).collect() }
    }
}

/// `GET`: the built-in ones that are on, and all of the project's own.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let providers = operator.management().providers(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &providers.iter().map(Provider::of).collect::<Vec<_>>())
}

/// `POST .../{provider}/test`: asks the provider all that can be asked without a person.
pub(super) async fn test(operator: Operator) -> Result<Response, Failure> {
    let tested = operator.management().test_provider(&operator.project()?, operator.text("provider")).await;
    answer(StatusCode::OK, &Tested::of(&tested.map_err(refused)?))
}

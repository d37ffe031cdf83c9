//! One call to a hook, over HTTP or to a function in the project's own database.

use domain::hook::{Point, Target};
use domain::refusal::{DatabaseError, HookRefusal};
use outbound::hooks::HookError;
use serde_json::Value;
use storage::FunctionError;

use super::payload;
use crate::context::Context;
use crate::error::{Error, Result};

/// What the hook at `point` says; `None` where there is none, [`Value::Null`] where it says nothing.
pub(super) async fn ask<const N: usize>(
    ctx: &Context,
    point: Point,
    input: impl FnOnce() -> [(&'static str, Value); N],
) -> Result<Option<Value>> {
    let Some(target) = ctx.policy().hooks.get(&point) else { return Ok(None) };
    let input = payload::compose(ctx, point, input());
    let said = match target {
        Target::Http(hook) => ctx.services.hooks.call(hook, &input).await.map_err(|error| failed(point, &error))?,
        Target::Unusable => return Err(failed(point, &HookError::Uri).into()),
        Target::Function { uri, schema, function } => {
            // A function acts with the rights of who connects: in the gateway's own database those are the gateway's.
            if ctx.tenant.project.database_url.is_none() {
                return Err(not_called(uri).into());
            }
            let said = ctx.store().call_function(schema, function, &input).await;
            said.map_err(|error| function_failed(point, uri, error))?.unwrap_or_default()
        }
    };
    Ok(Some(said))
}

/// What the client is told about a hook that refuses or fails. An operator reads of the failures.
pub(super) fn failed(point: Point, error: &HookError) -> HookRefusal {
    if !matches!(error, HookError::Rejected { .. }) {
        tracing::warn!(hook = point.name(), %error, "hook failed");
    }
    error.refusal()
}

fn function_failed(point: Point, uri: &str, error: FunctionError) -> Error {
    tracing::warn!(hook = point.name(), %error, "hook failed");
    match error {
        FunctionError::Store(error) => error.into(),
        FunctionError::NotJson => HookError::Output.refusal().into(),
        FunctionError::Raised { sqlstate, message, detail, hint } => {
            let (detail, hint) = (detail.unwrap_or_default(), hint.unwrap_or_default());
            let raised = DatabaseError { code: sqlstate, message, detail, hint };
            HookRefusal::Raised(raised, uri.to_owned()).into()
        }
        FunctionError::NotAvailable | FunctionError::Name | FunctionError::Timeout => not_called(uri).into(),
    }
}

fn not_called(uri: &str) -> HookRefusal {
    HookRefusal::Failed(format!("Error running hook URI: {uri}"))
}

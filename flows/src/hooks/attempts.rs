//! The hooks that hear of every password and of every code of a second factor that was checked (`contract/platform.md` §4.5).
//! A rejection stands whether it was right or wrong.

use domain::factor::FactorType;
use domain::hook::Point;
use domain::ids::{FactorId, UserId};
use domain::refusal::{HookRefusal, Refusal};
use outbound::hooks::answer;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{EndSessions, Which};

use super::call;
use crate::context::Context;
use crate::error::Result;

/// What is said of passwords where the hook has no words of its own.
const PASSWORD_REJECTED: &str = "Further password verification attempts will be rejected.";

/// The same of second factors.
const FACTOR_REJECTED: &str = "Further MFA verification attempts will be rejected.";

/// A `null` is as good as nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Decision {
    decision: Option<String>,
    message: Option<String>,
    should_logout_user: Option<bool>,
}

impl Decision {
    fn message(self, otherwise: &str) -> String {
        self.message.filter(|message| !message.is_empty()).unwrap_or_else(|| otherwise.to_owned())
    }
}

/// Tells that a password of `user` was checked. A rejection ends the user's sessions if the hook says so.
pub(crate) async fn password_verified(ctx: &Context, user: UserId, valid: bool) -> Result<()> {
    let input = || [("user_id", json!(user)), ("valid", json!(valid))];
    let Some(said) = rejected(ctx, Point::PasswordVerificationAttempt, input).await? else { return Ok(()) };
    if said.should_logout_user.unwrap_or_default() {
        end_sessions(ctx, user).await?;
    }
    Err(HookRefusal::PasswordAttempt(said.message(PASSWORD_REJECTED)).into())
}

/// Tells that a code of a factor of `user` was checked. A rejection ends the user's sessions.
pub(crate) async fn factor_verified(
    ctx: &Context,
    user: UserId,
    (factor, kind): (FactorId, FactorType),
    valid: bool,
) -> Result<()> {
    let input = || {
        [
            ("user_id", json!(user)),
            ("factor_id", json!(factor)),
            ("factor_type", json!(kind.as_str())),
            ("valid", json!(valid)),
        ]
    };
    let Some(said) = rejected(ctx, Point::MfaVerificationAttempt, input).await? else { return Ok(()) };
    end_sessions(ctx, user).await?;
    Err(Refusal::MfaVerificationRejected(said.message(FACTOR_REJECTED)).into())
}

/// What the hook at `point` says, where it rejects.
async fn rejected<const N: usize>(
    ctx: &Context,
    point: Point,
    input: impl FnOnce() -> [(&'static str, Value); N],
) -> Result<Option<Decision>> {
    let Some(said) = call::ask(ctx, point, input).await? else { return Ok(None) };
    let answer: Decision = answer::read(&said).map_err(|error| call::failed(point, &error))?;
    Ok(Some(answer).filter(|answer| answer.decision.as_deref() == Some("reject")))
}

async fn end_sessions(ctx: &Context, user: UserId) -> Result<()> {
    let end = EndSessions { user, bearer_session: None, which: Which::All, audit: None, now: ctx.now };
    let ended = ctx.store().end_sessions(end).await?;
    ctx.forget_sessions(user, &ended.ended).await;
    Ok(())
}

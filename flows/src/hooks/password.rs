//! The hook that hears of every password that was checked (`contract/platform.md` §4.5).

use domain::hook::Point;
use domain::ids::UserId;
use domain::refusal::Refusal;
use outbound::hooks::answer;
use serde::Deserialize;
use serde_json::json;
use storage::{EndSessions, Which};

use super::call;
use crate::context::Context;
use crate::error::Result;

/// What is said where the hook has no words of its own.
const REJECTED: &str = "Further password verification attempts will be rejected.";

/// A `null` is as good as nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Decision {
    decision: Option<String>,
    message: Option<String>,
    should_logout_user: Option<bool>,
}

/// Tells that a password of `user` was checked. A rejection stands whether it was right or wrong, and ends the user's
/// sessions if the hook says so.
pub(crate) async fn password_verified(ctx: &Context, user: UserId, valid: bool) -> Result<()> {
    let point = Point::PasswordVerificationAttempt;
    let input = || [("user_id", json!(user)), ("valid", json!(valid))];
    let Some(said) = call::ask(ctx, point, input).await? else {
        return Ok(());
    };
    let answer: Decision = answer::read(&said).map_err(|error| call::failed(point, &error))?;
    if answer.decision.as_deref() != Some("reject") {
        return Ok(());
    }
    if answer.should_logout_user.unwrap_or_default() {
        end_sessions(ctx, user).await?;
    }
    let message = answer.message.filter(|message| !message.is_empty()).unwrap_or_else(|| REJECTED.to_owned());
    Err(Refusal::PasswordAttemptRejected(message).into())
}

async fn end_sessions(ctx: &Context, user: UserId) -> Result<()> {
    let end = EndSessions { user, bearer_session: None, which: Which::All, audit: None, now: ctx.now };
    let ended = ctx.store().end_sessions(end).await?;
    ctx.forget_sessions(user, &ended.ended).await;
    Ok(())
}

//! Hooks (`contract/platform.md` §4): the points at which the project is asked. No connection is held while a hook runs,
//! and what a hook refuses has not been written.

mod attempts;
mod call;
mod payload;

use domain::access_token::Claims;
use domain::hook::{Point, claims};
use domain::ids::UserId;
use domain::refusal::HookRefusal;
use domain::secret::Secret;
use domain::user::{Metadata, User};
use domain::user_json;
use outbound::hooks::{HookError, answer};
use serde_json::{Value, json};

pub(crate) use attempts::{factor_verified, password_verified};
pub(crate) use payload::{EmailData, NewDevice};

use crate::context::Context;
use crate::error::Result;

/// Whether the project has a hook at `point`.
pub(crate) fn is_on(ctx: &Context, point: Point) -> bool {
    ctx.policy().hooks.contains_key(&point)
}

/// Asks whether `user` may be made: as he will be, with the metadata that was sent.
pub(crate) async fn before_user_created(ctx: &Context, user: &User) -> Result<()> {
    notify(ctx, Point::BeforeUserCreated, || [("user", json!(user_json::User::unborn(user)))]).await
}

/// Tells that `user` was made. He stays, whatever the hook says.
pub(crate) async fn after_user_created(ctx: &Context, user: &User) -> Result<()> {
    notify(ctx, Point::AfterUserCreated, || [shown(user)]).await
}

/// Has a mail to `user` sent, before what it holds is written.
pub(crate) async fn send_email(ctx: &Context, user: &User, email_data: EmailData) -> Result<()> {
    notify(ctx, Point::SendEmail, || [shown(user), ("email_data", email_data.to_json(ctx))]).await
}

/// Has a code sent to `phone`, before it is written.
pub(crate) async fn send_sms(ctx: &Context, user: &User, otp: &Secret<String>, phone: &str) -> Result<()> {
    let sms = || ("sms", json!({ "otp": otp.expose(), "phone": phone }));
    notify(ctx, Point::SendSms, || [shown(user), sms()]).await
}

/// The same for the code of a second factor, which the hook is told.
pub(crate) async fn send_factor_sms(ctx: &Context, user: &User, otp: &Secret<String>, phone: &str) -> Result<()> {
    let sms = || ("sms", json!({ "otp": otp.expose(), "sms_type": "mfa", "phone": phone }));
    notify(ctx, Point::SendSms, || [shown(user), sms()]).await
}

fn shown(user: &User) -> (&'static str, Value) {
    ("user", json!(user_json::User::of(user)))
}

/// Calls a hook whose answer is a refusal or nothing.
async fn notify<const N: usize>(
    ctx: &Context,
    point: Point,
    input: impl FnOnce() -> [(&'static str, Value); N],
) -> Result<()> {
    let Some(said) = call::ask(ctx, point, input).await? else { return Ok(()) };
    answer::read::<Metadata>(&said).map_err(|error| call::failed(point, &error))?;
    Ok(())
}

/// The claims of a token as the hook wants them. Without a hook they stay as they are.
pub(crate) async fn access_token(ctx: &Context, claims: Claims, user: UserId, method: &str) -> Result<Metadata> {
    let point = Point::CustomAccessToken;
    let input = || [("user_id", json!(user)), ("claims", json!(claims)), ("authentication_method", json!(method))];
    let given = match call::ask(ctx, point, input).await? {
        None => json!(claims),
        Some(Value::Null) => Value::Null,
        Some(said) => {
            let mut fields: Metadata = answer::read(&said).map_err(|error| call::failed(point, &error))?;
            match fields.remove("claims").ok_or(HookRefusal::ClaimsMissing)? {
                given @ (Value::Object(_) | Value::Null) => given,
                _ => return Err(call::failed(point, &HookError::Output).into()),
            }
        }
    };
    Ok(claims::check(given)?)
}

//! The captcha check (`contract/core.md` §18.4). Where the provider cannot be asked nobody passes.

use domain::captcha::{self, Judgement, Proof};
use domain::refusal::Refusal;

use crate::authenticate;
use crate::context::Context;
use crate::error::{Error, Result};

/// Whether the request may go on: always without a captcha, and for administrators.
pub(crate) async fn check(ctx: &Context, proof: &Proof) -> Result<()> {
    let Some(settings) = &ctx.policy().captcha else { return Ok(()) };
    if is_admin(ctx, proof).await? {
        return Ok(());
    }
    if proof.malformed {
        let detail = "field gotrue_meta_security must be an object with a string captcha_token";
        return Err(Refusal::BadJson(detail.to_owned()).into());
    }
    if proof.token.expose().is_empty() {
        return Err(Refusal::CaptchaFailed("no captcha_token found".to_owned()).into());
    }
    let verdict = ctx.services.captcha.verify(settings, &proof.token, ctx.caller.ip.as_deref()).await;
    let verdict = verdict.map_err(|error| {
        tracing::warn!(%error, "captcha provider is away");
        Refusal::CaptchaUnavailable
    })?;
    let judgement = Judgement {
        success: verdict.success,
        error_codes: &verdict.error_codes,
        hostname: verdict.hostname.as_deref(),
    };
    Ok(captcha::judge(judgement, settings)?)
}

async fn is_admin(ctx: &Context, proof: &Proof) -> Result<bool> {
    match authenticate::admin(ctx, &proof.bearer).await {
        Ok(_role) => Ok(true),
        Err(Error::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

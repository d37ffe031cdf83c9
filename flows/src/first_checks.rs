//! What comes before the decoding of a body that cannot be decoded.

use domain::captcha::Proof;
use domain::first_checks::{Endpoint, Request};
use domain::magic_link;
use domain::refusal::Refusal;

use crate::captcha;
use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Limited};

/// Makes the checks of `request.endpoint` that come before its body is decoded.
pub async fn first_checks(ctx: &Context, request: Request) -> Result<()> {
    let captcha = request.captcha.as_ref();
    match request.endpoint {
        Endpoint::Otp => limited(ctx, Limited::Otp, captcha).await.map(drop),
        Endpoint::Recover => limited(ctx, Limited::Recover, captcha).await.map(drop),
        Endpoint::Resend => limited(ctx, Limited::Resend, captcha).await.map(drop),
        Endpoint::MagicLink => match limited(ctx, Limited::MagicLink, captcha).await? {
            true => Ok(magic_link::check_switches(ctx.policy())?),
            false => Ok(()),
        },
        Endpoint::Verify => limits::per_address(ctx, Limited::Verify).await,
        Endpoint::UserUpdate => limits::per_address(ctx, Limited::UserUpdate).await,
        Endpoint::Exchange => limits::per_address(ctx, Limited::Token).await,
        Endpoint::Password => match passes(ctx, captcha).await? {
            true => limits::per_address(ctx, Limited::Token).await,
            false => Ok(()),
        },
        Endpoint::UnknownGrant => match passes(ctx, captcha).await? {
            true => Err(Refusal::UnsupportedGrantType.into()),
            false => Ok(()),
        },
    }
}

async fn limited(ctx: &Context, limited: Limited, captcha: Option<&Proof>) -> Result<bool> {
    limits::per_address(ctx, limited).await?;
    passes(ctx, captcha).await
}

/// Whether the captcha check lets the request go on; false where it would have to read a body that nobody can read.
async fn passes(ctx: &Context, captcha: Option<&Proof>) -> Result<bool> {
    match captcha {
        Some(proof) => captcha::check(ctx, proof).await.map(|()| true),
        None => Ok(ctx.policy().captcha.is_none()),
    }
}

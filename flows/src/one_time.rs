//! One-time tokens: what travels in a mail, and what is stored of it (`contract/core.md` §9, mission row 14).

use crypto::otp;
use domain::ids::UserId;
use domain::pkce::Challenge;
use domain::secret::Secret;
use domain::user::Metadata;
use outbound::mails::{Data, Kind, confirmation_link};
use storage::{NewOneTimeToken, TokenKind};

use crate::context::Context;

/// Marks the token of a flow that began with a challenge.
const PKCE_PREFIX: &str = "pkce_";

/// A fresh code with its link token.
pub(crate) struct Fresh {
    /// The short code, for typing.
    pub(crate) code: Secret<String>,
    /// What stands in the link, `pkce_` included.
    pub(crate) link_token: Secret<String>,
}

/// A fresh code for `contact`.
pub(crate) fn fresh(ctx: &Context, contact: &str, challenge: Option<&Challenge>) -> Fresh {
    let code = ctx.entropy().otp(ctx.policy().mailer_otp_length);
    let token = otp::link_token(contact, &code);
    let link_token = if challenge.is_some() { format!("{PKCE_PREFIX}{token}") } else { token };
    Fresh { code: Secret::new(code), link_token: Secret::new(link_token) }
}

/// The row that recognises `fresh`: a keyed hash, nothing that could be used.
pub(crate) fn row(ctx: &Context, user: UserId, kind: TokenKind, contact: &str, fresh: &Fresh) -> NewOneTimeToken {
    NewOneTimeToken {
        id: ctx.entropy().uuid(),
        user_id: user,
        kind,
        hash: stored(ctx, fresh.link_token.expose()),
        code_hash: stored(ctx, &otp::link_token(contact, fresh.code.expose())),
        relates_to: contact.to_owned(),
    }
}

/// The stored form of what stands in a link.
pub(crate) fn stored(ctx: &Context, link_token: &str) -> String {
    ctx.tenant.project_key.one_time_hash(link_token)
}

/// The stored forms a typed `code` for `contact` may have: a flow that began with a challenge can be finished by code too.
pub(crate) fn stored_forms_of_code(ctx: &Context, contact: &str, code: &str) -> [String; 2] {
    let token = otp::link_token(contact, code);
    let prefixed = format!("{PKCE_PREFIX}{token}");
    [stored(ctx, &token), stored(ctx, &prefixed)]
}

/// Whether a link belongs to a flow that began with a challenge.
pub(crate) fn is_pkce(link_token: &str) -> bool {
    link_token.starts_with(PKCE_PREFIX)
}

/// The facts of a mail with a link (`contract/platform.md` §5.3).
pub(crate) fn mail_data(ctx: &Context, kind: Kind, email: &str, fresh: &Fresh, user_metadata: &Metadata) -> Data {
    let redirect_to = domain::redirect::choose(&ctx.caller.redirect_candidates, ctx.policy());
    let verify = format!("{}/verify", ctx.tenant.base_url);
    let link_type = kind.link_type().unwrap_or_default();
    Data {
        site_url: ctx.policy().site_url.clone(),
        confirmation_url: confirmation_link(&verify, fresh.link_token.expose(), link_type, &redirect_to),
        email: email.to_owned(),
        token: fresh.code.expose().clone(),
        token_hash: fresh.link_token.expose().clone(),
        data: user_metadata.clone(),
        redirect_to,
        ..Data::default()
    }
}

//! One-time tokens: what travels in a message, and what is stored of it (`contract/core.md` §9, mission row 14).

use crypto::{digest, otp};
use domain::contact::Contact;
use domain::ids::UserId;
use domain::pkce::Challenge;
use domain::secret::Secret;
use storage::{NewOneTimeToken, OneTimeToken, TokenKind, Tx};

use crate::context::Context;
use crate::error::Result;

/// Length of a link token in rows that an adopted reference server wrote: SHA-224 in hex, stored as it travels.
const REFERENCE_LENGTH: usize = 56;

/// A fresh code with its link token.
pub(crate) struct Fresh {
    /// The short code, for typing.
    pub(crate) code: Secret<String>,
    /// What stands in the link, `pkce_` included.
    pub(crate) link_token: Secret<String>,
}

/// A fresh code for `contact`, as long as the project wants it for an address or a number. The link token is derived from
/// both, or 256 random bits where the project wants that.
pub(crate) fn fresh(ctx: &Context, contact: &Contact, challenge: Option<&Challenge>) -> Fresh {
    let length = match contact {
        Contact::Email(_) => ctx.policy().mailer_otp_length,
        Contact::Phone(_) => ctx.policy().sms.otp_length,
    };
    with_code(ctx, contact, Secret::new(ctx.entropy().otp(length)), challenge)
}

/// `code` for `contact` with its link token.
pub(crate) fn with_code(
    ctx: &Context,
    contact: &Contact,
    code: Secret<String>,
    challenge: Option<&Challenge>,
) -> Fresh {
    let token = match contact {
        Contact::Email(email) if !ctx.policy().mailer_link_random => otp::link_token(email, code.expose()),
        // No link ever goes to a phone: a token that could be computed from a guessed code would only help to guess.
        Contact::Email(_) | Contact::Phone(_) => random_token(ctx),
    };
    let link_token = if challenge.is_some() { format!("{}{token}", otp::PKCE_PREFIX) } else { token };
    Fresh { code, link_token: Secret::new(link_token) }
}

/// 256 random bits in lower-case hex.
fn random_token(ctx: &Context) -> String {
    digest::hex(ctx.entropy().bytes::<32>())
}

/// The row that recognises `fresh`: keyed hashes, nothing that could be used.
pub(crate) fn row(ctx: &Context, user: UserId, kind: TokenKind, contact: &Contact, fresh: &Fresh) -> NewOneTimeToken {
    let contact = contact.as_str();
    NewOneTimeToken {
        id: ctx.entropy().uuid(),
        user_id: user,
        kind,
        hash: stored(ctx, fresh.link_token.expose()),
        code_hash: code_hash(ctx, contact, fresh.code.expose()),
        relates_to: contact.to_owned(),
    }
}

/// `row` with hashes of what nobody was told: nothing opens it.
pub(crate) fn dead(ctx: &Context, row: NewOneTimeToken) -> NewOneTimeToken {
    let unknown = |_| stored(ctx, &random_token(ctx));
    let [hash, code_hash] = [(); 2].map(unknown);
    NewOneTimeToken { hash, code_hash, ..row }
}

/// The stored form of what stands in a link.
pub(crate) fn stored(ctx: &Context, link_token: &str) -> String {
    ctx.tenant.project_key.one_time_hash(link_token)
}

/// The token of one of these kinds that `link_token` stands for.
pub(crate) async fn find(
    ctx: &Context,
    tx: &mut Tx,
    link_token: &Secret<String>,
    kinds: &[TokenKind],
) -> Result<Option<OneTimeToken>> {
    let token = link_token.expose();
    if let Some(found) = tx.one_time_tokens().find_by_hash(&stored(ctx, token), kinds).await? {
        return Ok(Some(found));
    }
    // What we store is longer: no hash of ours, taken from a stolen database, is ever looked up as it is.
    match token.strip_prefix(otp::PKCE_PREFIX).unwrap_or(token).len() {
        REFERENCE_LENGTH => Ok(tx.one_time_tokens().find_by_hash(token, kinds).await?),
        _ => Ok(None),
    }
}

/// The stored form of `code` as typed by whom `contact` belongs to.
pub(crate) fn code_hash(ctx: &Context, contact: &str, code: &str) -> String {
    stored(ctx, &otp::link_token(contact, code))
}

/// Whether `code` is the one that was sent to `contact` with `token`. Rows of older versions, and those that an adopted
/// reference server wrote, hold one hash for link and code.
pub(crate) fn matches_code(ctx: &Context, token: &OneTimeToken, contact: &str, code: &str) -> bool {
    let bare = otp::link_token(contact, code);
    let hash = stored(ctx, &bare);
    match &token.code_hash {
        Some(stored) => digest::constant_time_eq(stored.as_bytes(), hash.as_bytes()),
        None => otp::same(&token.hash, &hash) || otp::same(&token.hash, &bare),
    }
}

/// Whether a link belongs to a flow that began with a challenge.
pub(crate) fn is_pkce(link_token: &str) -> bool {
    link_token.starts_with(otp::PKCE_PREFIX)
}

//! A typed code proves. Guesses are counted on the rows they are guesses at, so that they are counted once for all gateways
//! and survive a restart; too many kill the code.

use async_trait::async_trait;
use crypto::digest::constant_time_eq;
use domain::contact::Contact;
use domain::ids::UserId;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::sms::test_code;
use domain::user::User;
use domain::verify::{Kind, is_guess};
use serde_json::json;
use storage::{Locked, OneTimeToken, TokenKind, Tx};

use super::effects::{self, Proven};
use super::{belongs, has_expired, tokens_of};
use crate::context::Context;
use crate::error::Result;
use crate::settle::{Given, Gives, Proving, Settled, Step, settle};
use crate::{audit, discretion, message, one_time};

/// Takes `code`, which was sent to `contact`.
pub(super) async fn verify(
    ctx: &Context,
    kind: &str,
    contact: Contact,
    code: Secret<String>,
    password: Option<Secret<String>>,
) -> Result<Settled> {
    let by_sms = contact.phone().is_some();
    let parsed = Kind::parse(kind);
    if parsed.is_none() && !by_sms {
        return Err(unknown_kind(ctx, &contact).await?.into());
    }
    let kind = parsed.filter(|kind| kind.is_by_sms() == by_sms).ok_or(Refusal::CodeExpired)?;
    let (Contact::Email(contact) | Contact::Phone(contact)) = contact;
    let audience = ctx.asked_audience().to_owned();
    let mut proving = ByCode { kind, contact, audience, code, says: Says::Rows, password };
    if by_sms {
        proving.says = proving.ask_phone(ctx).await?;
    }
    settle(ctx, &proving).await
}

/// The refusal of a type that is none: the user is looked for before the code.
async fn unknown_kind(ctx: &Context, contact: &Contact) -> Result<Refusal> {
    if discretion::is_on(ctx) {
        return Ok(Refusal::CodeExpired);
    }
    let known = ctx.store().find_credentials(contact, ctx.asked_audience()).await?;
    let banned = known.is_some_and(|known| known.user.is_banned(ctx.now));
    Ok(if banned { Refusal::BearerUserBanned } else { Refusal::CodeExpired })
}

/// Who says whether a code is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// The hashes in the rows.
    Rows,
    /// The fixed code of a test number, which is right whatever was sent.
    Fixed,
    /// Somebody else, who was asked.
    Right,
    /// Somebody else, who was asked.
    Wrong,
}

/// Consumes the row of a code.
struct ByCode {
    kind: Kind,
    contact: String,
    /// Whose accounts are looked at (§8.6).
    audience: String,
    code: Secret<String>,
    says: Says,
    password: Option<Secret<String>>,
}

impl ByCode {
    /// A number with a fixed code takes that one too; Twilio Verify makes and checks codes of its own, and is asked while no
    /// connection is held. All else is looked up.
    async fn ask_phone(&self, ctx: &Context) -> Result<Says> {
        let settings = &ctx.policy().sms;
        if let Some(fixed) = test_code(settings, &self.contact, ctx.now) {
            let right = constant_time_eq(fixed.as_bytes(), self.code.expose().as_bytes());
            return Ok(if right { Says::Fixed } else { Says::Rows });
        }
        let Some(provider) = message::checker(ctx, &self.contact) else { return Ok(Says::Rows) };
        if !is_guess(self.code.expose()) || !self.is_awaited(ctx).await? {
            return Ok(Says::Wrong);
        }
        let right = message::is_right(ctx, provider, &self.contact, &self.code).await?;
        Ok(if right { Says::Right } else { Says::Wrong })
    }

    /// Whether a code was asked for at all: the provider is not asked about others.
    async fn is_awaited(&self, ctx: &Context) -> Result<bool> {
        let mut tx = ctx.store().begin().await?;
        let rows = tx.one_time_tokens().find_by_contact(&self.contact, tokens_of(self.kind)).await?;
        Ok(rows.iter().any(|row| is_alive(ctx, row)))
    }

    fn is_right(&self, ctx: &Context, token: &OneTimeToken) -> bool {
        is_alive(ctx, token)
            && match self.says {
                Says::Rows => one_time::matches_code(ctx, token, &self.contact, self.code.expose()),
                Says::Right => true,
                Says::Fixed | Says::Wrong => false,
            }
    }

    /// The account, if the code may be used by it.
    fn check(&self, ctx: &Context, user: &User, token: &OneTimeToken) -> Result<()> {
        if user.is_banned(ctx.now) {
            return Err(Refusal::BearerUserBanned.into());
        }
        // Others keep the time of their own codes.
        let expired = self.says == Says::Rows && has_expired(ctx, self.kind, user, token);
        if user.aud != self.audience || expired || !belongs(self.kind, user, token) {
            return Err(Refusal::CodeExpired.into());
        }
        Ok(())
    }

    /// A fixed code proves the number of whoever has it, or waits for it, as often as it is typed; no row is needed and
    /// none grows old.
    async fn take_fixed(&self, ctx: &Context, tx: &mut Tx, given: &Given) -> Result<Step> {
        let known = self.known(tx).await?.ok_or(Refusal::CodeExpired)?;
        let locked = tx.users().lock(known.id).await?.filter(|locked| self.is_meant(&locked.user));
        let locked = locked.ok_or(Refusal::CodeExpired)?;
        if locked.user.is_banned(ctx.now) {
            return Err(Refusal::BearerUserBanned.into());
        }
        let token = match self.kind {
            Kind::PhoneChange => TokenKind::PhoneChange,
            _ => TokenKind::Confirmation,
        };
        let row = tx.one_time_tokens().find_by_user(locked.user.id, token).await?;
        let sent_at = row.filter(|row| row.relates_to == self.contact).map(|row| row.created_at);
        let password = self.password.as_ref();
        let proven = Proven { kind: self.kind, locked, token, sent_at, gives: Gives::Session, password };
        effects::apply(ctx, tx, given, proven).await
    }

    /// The account that the contact finds for this kind.
    async fn known(&self, tx: &mut Tx) -> Result<Option<User>> {
        let found = match self.kind {
            Kind::PhoneChange => tx.users().find_by_phone_change(&self.contact).await?,
            Kind::Sms => tx.users().find_by_phone(&self.contact).await?.into_iter().collect(),
            _ => tx.users().find_by_email(&self.contact).await?.into_iter().collect(),
        };
        Ok(found.into_iter().find(|user| self.is_meant(user)))
    }

    /// Whether the contact alone finds `user`. A change of address is found by its token only.
    fn is_meant(&self, user: &User) -> bool {
        let contact = match self.kind {
            Kind::EmailChange => None,
            Kind::PhoneChange => Some(user.phone_change.as_str()),
            Kind::Sms => user.phone.as_deref(),
            _ => user.email.as_deref(),
        };
        user.deleted_at.is_none() && user.aud == self.audience && contact == Some(self.contact.as_str())
    }

    /// Counts a wrong code on every row it could have been meant for.
    async fn miss(&self, ctx: &Context, tx: &mut Tx, mut rows: Vec<OneTimeToken>) -> Result<Step> {
        rows.sort_unstable_by_key(|row| (row.user_id.0, row.id));
        let mut locked: Option<Locked> = None;
        let mut meant = Vec::new();
        let guess = is_guess(self.code.expose());
        for row in &rows {
            // Users first, in one order: a right code locks its user, then the rows.
            if locked.as_ref().is_none_or(|locked| locked.user.id != row.user_id) {
                locked = tx.users().lock(row.user_id).await?;
            }
            let user = locked.as_ref().map(|locked| &locked.user).filter(|user| self.is_meant(user));
            meant.extend(user.map(|user| user.is_banned(ctx.now)));
            if guess
                && tx.one_time_tokens().count_attempt(row.id).await? >= ctx.policy().otp_max_attempts
                && !self.has_link_of_its_own(ctx, row)
            {
                tx.one_time_tokens().consume(row.id).await?;
            }
        }
        if rows.is_empty() {
            meant.extend(self.miss_without_rows(ctx, tx).await?.map(|user| user.is_banned(ctx.now)));
        }
        if !discretion::is_on(ctx) && !meant.is_empty() && meant.iter().all(|banned| *banned) {
            return Ok(Step::Refused(Refusal::BearerUserBanned));
        }
        if ctx.policy().audit_log_failures_enabled {
            let provider = if self.kind.is_by_sms() { "phone" } else { "email" };
            let traits = json!({ "provider": provider, "reason": Refusal::CodeExpired.wire().code });
            ctx.write_audit(tx, audit::by_stranger(&self.contact, audit::LOGIN_FAILED, traits)).await?;
        }
        Ok(Step::Refused(Refusal::CodeExpired))
    }

    /// Whether the link of `row` cannot be had from its code: it outlives the guesses at that.
    fn has_link_of_its_own(&self, ctx: &Context, row: &OneTimeToken) -> bool {
        ctx.policy().mailer_link_random && !self.kind.is_by_sms() && row.code_hash.is_some()
    }

    /// Nothing was sent to this contact. Where the project does not tell, the work is the same as for a wrong code.
    async fn miss_without_rows(&self, ctx: &Context, tx: &mut Tx) -> Result<Option<User>> {
        let known = self.known(tx).await?;
        if discretion::is_on(ctx) {
            tx.users().lock(UserId(ctx.entropy().uuid())).await?;
            tx.one_time_tokens().count_attempt(ctx.entropy().uuid()).await?;
        }
        Ok(known)
    }
}

#[async_trait]
impl Proving for ByCode {
    async fn run(&self, ctx: &Context, tx: &mut Tx, given: &Given) -> Result<Step> {
        if self.says == Says::Fixed {
            return self.take_fixed(ctx, tx, given).await;
        }
        let mut rows = tx.one_time_tokens().find_by_contact(&self.contact, tokens_of(self.kind)).await?;
        let Some(right) = rows.iter().position(|row| self.is_right(ctx, row)) else {
            return self.miss(ctx, tx, rows).await;
        };
        let token = rows.swap_remove(right);
        let locked = tx.users().lock(token.user_id).await?.ok_or(Refusal::CodeExpired)?;
        self.check(ctx, &locked.user, &token)?;
        // Exactly one caller gets past the guarded delete.
        if !tx.one_time_tokens().consume(token.id).await? {
            return Err(Refusal::CodeExpired.into());
        }
        let (sent_at, token) = (Some(token.created_at), token.kind);
        let password = self.password.as_ref();
        let proven = Proven { kind: self.kind, locked, token, sent_at, gives: Gives::Session, password };
        effects::apply(ctx, tx, given, proven).await
    }
}

fn is_alive(ctx: &Context, token: &OneTimeToken) -> bool {
    token.attempts < ctx.policy().otp_max_attempts
}

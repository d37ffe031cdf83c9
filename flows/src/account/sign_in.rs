//! Somebody signs in: the account that has the identity, the one that has its verified address, or a new one (§3.5).

use domain::account::{Addresses, Arriving, Standing, Verdict, decide, identity_data, may_come_in, standing};
use domain::ids::UserId;
use domain::refusal::{ProviderRefusal, Refusal};
use domain::signup::without_nulls;
use domain::user::User;
use serde_json::{Value, json};
use storage::{NewIdentity, NewUser, StoreError, Tx};

use super::entry::Entry;
use super::facts::{holdings, known};
use super::{Admission, Admitted, Arrival, Gets};
use crate::context::Context;
use crate::error::Result;
use crate::new_user::{self, Account};
use crate::notices::Notice;
use crate::settle::{Given, Step};
use crate::{audit, discretion};

/// Lets somebody in who has proven his identity.
pub(super) async fn admit(ctx: &Context, tx: &mut Tx, given: &Given, arrival: &Arrival<'_>) -> Result<Admission> {
    let addresses = Addresses::of(arrival.profile);
    match look(ctx, tx, arrival, &addresses).await? {
        Verdict::Known(user) => by_own(ctx, tx, given, arrival, &addresses, user).await,
        Verdict::Link(user) => by_address(ctx, tx, given, arrival, &addresses, user).await,
        Verdict::Create { email, is_sso, withheld } => {
            let birth = Birth { ctx, given, arrival, addresses: &addresses };
            birth.make(tx, email, is_sso, withheld).await
        }
        Verdict::Refused(refusal) => Err(refusal.into()),
    }
}

async fn look(ctx: &Context, tx: &mut Tx, arrival: &Arrival<'_>, addresses: &Addresses) -> Result<Verdict> {
    let owner = known(tx, arrival).await?.map(|identity| identity.user_id);
    let holdings = if owner.is_some() { Vec::new() } else { holdings(ctx, tx, addresses).await? };
    let claims = arrival.gets != Gets::Account;
    let arriving = Arriving { provider: arrival.provider, addresses, owner, holdings: &holdings, claims };
    Ok(decide(&arriving, ctx.policy()))
}

/// The account has the identity.
async fn by_own(
    ctx: &Context,
    tx: &mut Tx,
    given: &Given,
    arrival: &Arrival<'_>,
    addresses: &Addresses,
    user: UserId,
) -> Result<Admission> {
    let Some(user) = tx.users().lock(user).await?.map(|locked| locked.user) else { return again() };
    // It may have been unlinked while the account was waited for.
    let own = known(tx, arrival).await?.filter(|identity| identity.user_id == user.id);
    let Some(own) = own else { return again() };
    may_come_in(&user, ctx.now)?;
    if arrival.gets == Gets::Account {
        let before = user.clone();
        let admitted = Admitted { user, before, made: false, ended: Vec::new(), notices: Vec::new() };
        return Ok(Admission::Admitted(Box::new(admitted)));
    }
    let Some(mut entry) = Entry::by_own(ctx, tx, arrival, user, &own).await? else { return again() };
    entry.merge();
    let confirming = Confirming { ctx, given, arrival, addresses };
    confirming.enter(tx, entry).await
}

/// The account has the address, and gets the identity.
async fn by_address(
    ctx: &Context,
    tx: &mut Tx,
    given: &Given,
    arrival: &Arrival<'_>,
    addresses: &Addresses,
    user: UserId,
) -> Result<Admission> {
    let Some(user) = tx.users().lock(user).await?.map(|locked| locked.user) else { return again() };
    // Address and identities may have changed while the account was waited for.
    if look(ctx, tx, arrival, addresses).await? != Verdict::Link(user.id) {
        return again();
    }
    may_come_in(&user, ctx.now)?;
    let Some(mut entry) = Entry::by_new(ctx, tx, arrival, user).await? else { return again() };
    entry.merge();
    entry.log_link(ctx, tx).await?;
    if entry.before.email_confirmed_at.is_some() {
        entry.notices.push(Notice::IdentityLinked { provider: arrival.provider.to_owned() });
    }
    let confirming = Confirming { ctx, given, arrival, addresses };
    confirming.enter(tx, entry).await
}

fn again() -> Result<Admission> {
    Ok(Admission::Waits(Step::Again))
}

/// The confirmation step (§3.5) of an account that exists.
struct Confirming<'a> {
    ctx: &'a Context,
    given: &'a Given,
    arrival: &'a Arrival<'a>,
    addresses: &'a Addresses,
}

impl Confirming<'_> {
    async fn enter(&self, tx: &mut Tx, mut entry: Entry<'_>) -> Result<Admission> {
        let (ctx, provider) = (self.ctx, self.arrival.provider);
        let optional = self.arrival.email_optional || self.arrival.gets == Gets::Account;
        let open = ctx.policy().mailer_allow_unverified_email_sign_ins;
        match standing(&entry.besides(), provider, self.addresses, optional, ctx.policy()) {
            Standing::Confirmed => {
                if self.arrival.gets != Gets::Account {
                    entry.log(ctx, tx, audit::LOGIN).await?;
                }
            }
            Standing::Proven => {
                entry.take_over(ctx, tx).await?;
                entry.log(ctx, tx, audit::USER_SIGNED_UP).await?;
            }
            // The address of an account that stands behind another's token is of no matter to it.
            Standing::Awaits if self.arrival.gets == Gets::Account => {}
            Standing::Awaits => {
                entry.write(ctx, tx).await?;
                let refusal = ProviderRefusal::EmailNeedsVerification(provider.to_owned());
                return match mail(ctx, tx, self.given, entry.before.id).await? {
                    Some(step) => Ok(Admission::Waits(step)),
                    None if open => entry.admitted(tx).await,
                    None => Ok(Admission::Waits(Step::Refused(refusal.into()))),
                };
            }
            Standing::NoAddress if open => {}
            Standing::NoAddress => return Err(ProviderRefusal::NoEmailToVerify(provider.to_owned()).into()),
        }
        entry.write(ctx, tx).await?;
        entry.admitted(tx).await
    }
}

/// Writes the mail that has `user`, as this transaction sees him, confirm his address; the step that gets it if there is none
/// yet.
pub(super) async fn mail(ctx: &Context, tx: &mut Tx, given: &Given, user: UserId) -> Result<Option<Step>> {
    let Some(user) = tx.users().read(user).await? else { return Ok(Some(Step::Again)) };
    let Some(prepared) = given.mail_for(&user) else { return Ok(Some(Step::NeedsMail(Box::new(user)))) };
    prepared.write(ctx, tx, &user).await?;
    Ok(None)
}

/// A new account.
struct Birth<'a> {
    ctx: &'a Context,
    given: &'a Given,
    arrival: &'a Arrival<'a>,
    addresses: &'a Addresses,
}

impl Birth<'_> {
    async fn make(
        &self,
        tx: &mut Tx,
        email: Option<String>,
        is_sso: bool,
        withheld: Option<String>,
    ) -> Result<Admission> {
        let (ctx, provider) = (self.ctx, self.arrival.provider);
        let mut account = self.account(email, is_sso);
        let optional = self.arrival.email_optional || self.arrival.gets == Gets::Account;
        let stands = standing(&account.preview(ctx.now), provider, self.addresses, optional, ctx.policy());
        let open = ctx.policy().mailer_allow_unverified_email_sign_ins;
        let hides = withheld.is_some() && discretion::is_on(ctx);
        if !open && (stands == Standing::NoAddress || hides) {
            return self.refuse(tx, withheld).await;
        }
        let preview = account.preview(ctx.now);
        if !self.given.lets_be_made(ctx, &preview) {
            return Ok(Admission::Waits(Step::NeedsLeave(Box::new(preview))));
        }
        if stands == Standing::Proven {
            account.user.email_confirmed_at = Some(ctx.now);
            account.user.user_metadata.insert("email_verified".to_owned(), Value::Bool(true));
        }
        if !self.insert(tx, &account).await? {
            return again();
        }
        if let Some(step) = self.confirm(tx, &account.user, stands, open).await? {
            return Ok(Admission::Waits(step));
        }
        self.admitted(tx, account).await
    }

    fn account(&self, email: Option<String>, is_sso: bool) -> Account {
        let (user, identity) = self.given.new_ids(self.ctx);
        let data = identity_data(self.arrival.profile);
        let provider = self.arrival.provider;
        Account {
            user: NewUser {
                email,
                is_sso_user: is_sso,
                user_metadata: without_nulls(data.clone()),
                app_metadata: new_user::app_metadata(&[provider]),
                ..new_user::blank(self.ctx, user)
            },
            identities: vec![NewIdentity {
                id: identity,
                user_id: user,
                provider: provider.to_owned(),
                provider_id: self.arrival.profile.subject.clone(),
                data,
                last_sign_in_at: Some(self.ctx.now),
            }],
        }
    }

    /// Nobody could ever confirm the account: it is not made. Where the project does not tell whether an address is taken, the
    /// answer is that of a free one, and its owner is told.
    async fn refuse(&self, tx: &mut Tx, withheld: Option<String>) -> Result<Admission> {
        let provider = self.arrival.provider.to_owned();
        let Some(address) = withheld.filter(|_| discretion::is_on(self.ctx)) else {
            return Err(ProviderRefusal::NoEmailToVerify(provider).into());
        };
        let Some(notice) = self.given.notice_to(&address) else {
            return Ok(Admission::Waits(Step::NeedsNotice(address)));
        };
        tx.outbox().put(notice).await?;
        let refusal = ProviderRefusal::EmailNeedsVerification(provider);
        Ok(Admission::Waits(Step::Refused(refusal.into())))
    }

    /// False when somebody else has just got the identity or the address.
    async fn insert(&self, tx: &mut Tx, account: &Account) -> Result<bool> {
        let written = async {
            tx.users().insert(&account.user, self.ctx.now).await?;
            for identity in &account.identities {
                tx.identities().insert(identity, self.ctx.now).await?;
            }
            Ok(())
        };
        match written.await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The confirmation step; the step that ends the run, if one does.
    async fn confirm(&self, tx: &mut Tx, user: &NewUser, stands: Standing, open: bool) -> Result<Option<Step>> {
        let (ctx, provider) = (self.ctx, self.arrival.provider);
        let traits = json!({ "provider": provider });
        match stands {
            Standing::Confirmed if self.arrival.gets == Gets::Account => Ok(None),
            Standing::Confirmed => {
                ctx.write_audit(tx, audit::by_user(user, audit::LOGIN, traits)).await?;
                Ok(None)
            }
            Standing::Proven => {
                ctx.write_audit(tx, audit::by_user(user, audit::USER_SIGNED_UP, traits)).await?;
                Ok(None)
            }
            Standing::NoAddress => Ok(None),
            Standing::Awaits => {
                let waits = mail(ctx, tx, self.given, user.id).await?;
                if waits.is_some() || open {
                    return Ok(waits);
                }
                let Some(made) = tx.users().read(user.id).await? else { return Ok(Some(Step::Again)) };
                let refusal: Refusal = ProviderRefusal::EmailNeedsVerification(provider.to_owned()).into();
                Ok(Some(Step::MadeAndRefused(Box::new(made), refusal)))
            }
        }
    }

    async fn admitted(&self, tx: &mut Tx, account: Account) -> Result<Admission> {
        let id = account.user.id;
        if self.arrival.gets == Gets::Session {
            let changes =
                storage::UserChanges { last_sign_in_at: Some(Some(self.ctx.now)), ..storage::UserChanges::default() };
            tx.users().update(id, changes, self.ctx.now).await?;
        }
        let Some(user) = tx.users().read(id).await? else { return again() };
        let user = User { confirmed_at: None, ..user };
        let before = account.preview(self.ctx.now);
        let admitted = Admitted { user, before, made: true, ended: Vec::new(), notices: Vec::new() };
        Ok(Admission::Admitted(Box::new(admitted)))
    }
}

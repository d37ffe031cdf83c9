//! What an identity changes about the account it leads to, gathered and written once.

use domain::account::{identity_data, merged, taken_over, with_providers};
use domain::ids::{IdentityId, SessionId};
use domain::signup::without_nulls;
use domain::user::{Identity, Metadata, User};
use serde_json::{Value, json};
use storage::{NewIdentity, StoreError, Tx, UserChanges};

use super::{Admitted, Arrival, Gets, clean_up};
use crate::account::Admission;
use crate::context::Context;
use crate::error::Result;
use crate::notices::Notice;
use crate::settle::Step;
use crate::{audit, change_contact};

/// Somebody on his way into an account that exists and is locked.
pub(super) struct Entry<'a> {
    arrival: &'a Arrival<'a>,
    /// The account as it was.
    pub(super) before: User,
    /// What the provider says.
    pub(super) data: Metadata,
    pub(super) changes: UserChanges,
    pub(super) notices: Vec<Notice>,
    /// The identity he comes by, and whether the account had it.
    identity: IdentityId,
    is_new: bool,
    removed: Vec<IdentityId>,
    ended: Vec<SessionId>,
}

impl<'a> Entry<'a> {
    /// Comes by an identity that the account has. `None` when it is gone.
    pub(super) async fn by_own(
        ctx: &Context,
        tx: &mut Tx,
        arrival: &'a Arrival<'a>,
        user: User,
        identity: &Identity,
    ) -> Result<Option<Self>> {
        let mut data = identity_data(arrival.profile);
        // Another spelling leaves the identity as it is named.
        if let Some(subject) = identity.data.get("sub").filter(|_| identity.provider_id != arrival.profile.subject) {
            data.insert("sub".to_owned(), subject.clone());
        }
        if !tx.identities().used(identity.id, &data, ctx.now).await? {
            return Ok(None);
        }
        Ok(Some(Self::new(arrival, user, data, identity.id, false)))
    }

    /// Comes by an identity that the account gets now. `None` when another account has just got it.
    pub(super) async fn by_new(
        ctx: &Context,
        tx: &mut Tx,
        arrival: &'a Arrival<'a>,
        user: User,
    ) -> Result<Option<Self>> {
        let data = identity_data(arrival.profile);
        let identity = NewIdentity {
            id: IdentityId(ctx.entropy().uuid()),
            user_id: user.id,
            provider: arrival.provider.to_owned(),
            provider_id: arrival.profile.subject.clone(),
            data: data.clone(),
            last_sign_in_at: Some(ctx.now),
        };
        match tx.identities().insert(&identity, ctx.now).await {
            Ok(()) => Ok(Some(Self::new(arrival, user, data, identity.id, true))),
            Err(StoreError::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn new(arrival: &'a Arrival<'a>, before: User, data: Metadata, identity: IdentityId, is_new: bool) -> Self {
        Self {
            arrival,
            before,
            data,
            changes: UserChanges::default(),
            notices: Vec::new(),
            identity,
            is_new,
            removed: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// The account as it was, without the identity he comes by.
    pub(super) fn besides(&self) -> User {
        let mut user = self.before.clone();
        user.identities.retain(|identity| identity.id != self.identity);
        user
    }

    /// The account's metadata gets the claims.
    pub(super) fn merge(&mut self) {
        let metadata = self.before.user_metadata.clone();
        self.changes.user_metadata = Some(merged(metadata, &self.data));
    }

    /// An audit row says that the identity was linked.
    pub(super) async fn log_link(&self, ctx: &Context, tx: &mut Tx) -> Result<()> {
        let traits = link_traits(self.identity, self.arrival.provider, &self.arrival.profile.subject);
        let entry = ctx.audit_with_address(audit::by_user(&self.before, audit::IDENTITY_LINKED, traits));
        if let Some(entry) = entry {
            tx.audit().insert(entry).await?;
        }
        Ok(())
    }

    /// An audit row about the user himself.
    pub(super) async fn log(&self, ctx: &Context, tx: &mut Tx, action: audit::Action) -> Result<()> {
        let traits = json!({ "provider": self.arrival.provider });
        ctx.write_audit(tx, audit::by_user(&self.before, action, traits)).await
    }

    /// The account turns out to be this person's: what anybody else could come in by goes, with what he wrote.
    pub(super) async fn take_over(&mut self, ctx: &Context, tx: &mut Tx) -> Result<()> {
        let lost = taken_over(&self.before, self.identity, ctx.policy());
        self.ended.extend(clean_up(tx, &self.before, &lost, &mut self.changes).await?);
        tx.flow_states().delete_all(self.before.id).await?;
        tx.one_time_tokens().clear(self.before.id).await?;
        self.changes.clear_tokens();
        self.changes.user_metadata = Some(without_nulls(self.data.clone()));
        self.changes.is_anonymous = Some(false);
        change_contact::confirm_email(ctx, &self.before, &mut self.changes);
        self.removed = lost.identities;
        Ok(())
    }

    /// Writes the account. What is left of `self` is written by [`Entry::admitted`].
    pub(super) async fn write(&mut self, ctx: &Context, tx: &mut Tx) -> std::result::Result<(), StoreError> {
        let kept = self.before.identities.iter().filter(|identity| !self.removed.contains(&identity.id));
        let added = self.is_new.then_some(self.arrival.provider);
        let providers = kept.map(|identity| identity.provider.as_str()).chain(added);
        self.changes.app_metadata = with_providers(&self.before.app_metadata, providers);
        self.write_as_it_is(ctx, tx).await
    }

    /// The same without saying by which providers the account can be entered.
    pub(super) async fn write_as_it_is(&mut self, ctx: &Context, tx: &mut Tx) -> std::result::Result<(), StoreError> {
        let mut changes = std::mem::take(&mut self.changes);
        if self.arrival.gets == Gets::Session {
            changes.last_sign_in_at = Some(Some(ctx.now));
        }
        tx.users().update(self.before.id, changes, ctx.now).await?;
        Ok(())
    }

    /// Lets him in. Answers show the identities as they were read, and neither what is added to them nor what this very request
    /// confirms (§3.5), unless some of them went.
    pub(super) async fn admitted(self, tx: &mut Tx) -> Result<Admission> {
        let Some(mut user) = tx.users().read(self.before.id).await? else {
            return Ok(Admission::Waits(Step::Again));
        };
        user.confirmed_at = self.before.confirmed_at;
        if self.removed.is_empty() {
            user.identities.clone_from(&self.before.identities);
        }
        let Self { before, ended, notices, .. } = self;
        Ok(Admission::Admitted(Box::new(Admitted { user, before, made: false, ended, notices })))
    }
}

/// What audit rows about an identity say.
pub(crate) fn link_traits(identity: IdentityId, provider: &str, provider_id: &str) -> Value {
    json!({ "identity_id": identity, "provider": provider, "provider_id": provider_id })
}

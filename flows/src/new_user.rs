//! The rows of a new account (`contract/core.md` §12.2, §17.3).

use crypto::password;
use domain::contact::Contact;
use domain::ids::{IdentityId, UserId};
use domain::secret::Secret;
use domain::signup::{identity_claims, without_nulls};
use domain::time::Timestamp;
use domain::user::{Identity, Metadata, User};
use serde_json::{Value, json};
use storage::{NewIdentity, NewUser};

use crate::context::Context;
use crate::error::Result;
use crate::{hooks, limits};

/// Whether the contact is proven by the request that makes the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proven {
    /// The project confirms without asking.
    Now,
    /// A message must be answered first.
    Later,
}

/// The rows of an account that is about to be made.
pub(crate) struct Account {
    /// The row of `users`.
    pub(crate) user: NewUser,
    /// Its identities.
    pub(crate) identities: Vec<NewIdentity>,
}

impl Account {
    /// The account as it will be read back.
    pub(crate) fn preview(&self, now: Timestamp) -> User {
        let user = &self.user;
        let as_read = |identity: &NewIdentity| Identity {
            id: identity.id,
            user_id: identity.user_id,
            provider: identity.provider.clone(),
            provider_id: identity.provider_id.clone(),
            data: identity.data.clone(),
            last_sign_in_at: identity.last_sign_in_at,
            created_at: now,
            updated_at: now,
        };
        User {
            email: user.email.clone(),
            phone: user.phone.clone(),
            email_confirmed_at: user.email_confirmed_at,
            phone_confirmed_at: user.phone_confirmed_at,
            confirmed_at: user.email_confirmed_at.or(user.phone_confirmed_at),
            invited_at: user.invited_at,
            app_metadata: user.app_metadata.clone(),
            user_metadata: user.user_metadata.clone(),
            is_sso_user: user.is_sso_user,
            is_anonymous: user.is_anonymous,
            banned_until: user.banned_until,
            identities: self.identities.iter().map(as_read).collect(),
            ..User::new(user.id, &user.aud, &user.role, now)
        }
    }

    /// Asks whether there is room for the account, and the hook whether it may be made. That is shown the metadata as it was sent.
    pub(crate) async fn may_be_made(&self, ctx: &Context, data: &Metadata) -> Result<()> {
        limits::account(ctx).await?;
        let user = User { user_metadata: data.clone(), ..self.preview(ctx.now) };
        hooks::before_user_created(ctx, &user).await
    }
}

/// An account that signed up with `contact` and `data`.
pub(crate) fn account(
    ctx: &Context,
    contact: &Contact,
    data: &Metadata,
    hash: Option<Secret<String>>,
    proven: Proven,
) -> Account {
    let id = UserId(ctx.entropy().uuid());
    let identity_data = identity_claims(id, contact, data);
    let mut user_metadata = without_nulls(identity_data.clone());
    if proven == Proven::Now && matches!(contact, Contact::Email(_)) {
        user_metadata.insert("email_verified".to_owned(), Value::Bool(true));
    }
    let confirmed_at = (proven == Proven::Now).then_some(ctx.now);
    let row = with_contact(blank(ctx, id), contact);
    Account {
        user: NewUser {
            email_confirmed_at: contact.email().and(confirmed_at),
            phone_confirmed_at: contact.phone().and(confirmed_at),
            password_hash: hash,
            user_metadata,
            ..row
        },
        identities: vec![identity(ctx, id, contact.provider(), identity_data)],
    }
}

/// An account that an administrator asks for by address: its metadata is what was given, its identity has nothing of that.
pub(crate) fn by_invitation(ctx: &Context, email: &str, data: &Metadata, hash: Option<Secret<String>>) -> Account {
    let id = UserId(ctx.entropy().uuid());
    let contact = Contact::Email(email.to_owned());
    let row = with_contact(blank(ctx, id), &contact);
    Account {
        user: NewUser { password_hash: hash, user_metadata: data.clone(), ..row },
        identities: vec![identity(ctx, id, contact.provider(), identity_claims(id, &contact, &Metadata::new()))],
    }
}

fn with_contact(row: NewUser, contact: &Contact) -> NewUser {
    NewUser {
        email: contact.email().map(str::to_owned),
        phone: contact.phone().map(str::to_owned),
        app_metadata: app_metadata(&[contact.provider()]),
        ..row
    }
}

/// A hash of today's kind that no password has, for accounts that are entered by code: it looks like that of a password
/// nobody knows, and costs nothing to make.
pub(crate) fn unknown_password(ctx: &Context) -> Secret<String> {
    let costs: Vec<&str> = password::dummy_hash().split('$').take(4).collect();
    let [salt, first, second] = [(); 3].map(|()| ctx.entropy().uuid().simple());
    Secret::new(format!("{}${salt}${first}{second}", costs.join("$")))
}

/// An account without any contact.
pub(crate) fn anonymous(ctx: &Context, data: Metadata) -> Account {
    let id = UserId(ctx.entropy().uuid());
    let user = NewUser { user_metadata: data, is_anonymous: true, ..blank(ctx, id) };
    Account { user, identities: Vec::new() }
}

/// A row with nothing but its id and the project's audience and role.
pub(crate) fn blank(ctx: &Context, id: UserId) -> NewUser {
    NewUser {
        id,
        aud: ctx.audience().to_owned(),
        role: ctx.policy().default_role.clone(),
        email: None,
        phone: None,
        password_hash: None,
        email_confirmed_at: None,
        phone_confirmed_at: None,
        invited_at: None,
        app_metadata: Metadata::new(),
        user_metadata: Metadata::new(),
        is_sso_user: false,
        is_anonymous: false,
        banned_until: None,
    }
}

/// The claims of a new identity of `contact` that an administrator makes; those of a sign-up do not repeat the number.
pub(crate) fn contact_claims(id: UserId, contact: &Contact) -> Metadata {
    let mut claims = Metadata::new();
    claims.insert("sub".to_owned(), json!(id));
    match contact {
        Contact::Email(email) => claims.insert("email".to_owned(), json!(email)),
        Contact::Phone(phone) => claims.insert("phone".to_owned(), json!(phone)),
    };
    claims.insert("email_verified".to_owned(), json!(false));
    claims.insert("phone_verified".to_owned(), json!(false));
    claims
}

/// A row of `identities` for `user`.
pub(crate) fn identity(ctx: &Context, user: UserId, provider: &str, data: Metadata) -> NewIdentity {
    NewIdentity {
        id: IdentityId(ctx.entropy().uuid()),
        user_id: user,
        provider: provider.to_owned(),
        provider_id: user.to_string(),
        data,
        last_sign_in_at: Some(ctx.now),
    }
}

/// `provider` and `providers` of an account with these providers, first come first.
pub(crate) fn app_metadata(providers: &[&str]) -> Metadata {
    let mut metadata = Metadata::new();
    if let Some(first) = providers.first() {
        metadata.insert("provider".to_owned(), json!(first));
        metadata.insert("providers".to_owned(), json!(providers));
    }
    metadata
}

//! The rows of a new account (`contract/core.md` §12.2, §17.3).

use domain::contact::Contact;
use domain::ids::{IdentityId, UserId};
use domain::secret::Secret;
use domain::user::Metadata;
use serde_json::{Value, json};
use storage::{NewIdentity, NewUser};

use crate::context::Context;

/// Claims a client cannot set through its own metadata.
const RESERVED: [&str; 5] = ["sub", "email", "email_verified", "phone", "phone_verified"];

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

/// An account that signed up with `contact` and `data`.
pub(crate) fn account(
    ctx: &Context,
    contact: &Contact,
    data: &Metadata,
    hash: Option<Secret<String>>,
    proven: Proven,
) -> Account {
    let id = UserId(ctx.entropy().uuid());
    let mut identity_data: Metadata = data.clone();
    identity_data.retain(|key, value| !RESERVED.contains(&key.as_str()) && !value.is_null());
    identity_data.extend(contact_claims(id, contact));
    let mut user_metadata = identity_data.clone();
    if proven == Proven::Now && matches!(contact, Contact::Email(_)) {
        user_metadata.insert("email_verified".to_owned(), Value::Bool(true));
    }
    let (email, phone) = (contact.email(), contact.phone());
    let confirmed_at = (proven == Proven::Now).then_some(ctx.now);
    Account {
        user: NewUser {
            email_confirmed_at: email.and(confirmed_at),
            phone_confirmed_at: phone.and(confirmed_at),
            email: email.map(str::to_owned),
            phone: phone.map(str::to_owned),
            password_hash: hash,
            app_metadata: app_metadata(&[contact.provider()]),
            user_metadata,
            ..blank(ctx, id)
        },
        identities: vec![identity(ctx, id, contact.provider(), identity_data)],
    }
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

/// The claims of a new identity of `contact`.
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

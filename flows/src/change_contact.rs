//! An account gets another address or number: what is written once the new one is proven, or needs no proof
//! (`contract/core.md` §15.4, §15.5).

use domain::contact::Contact;
use domain::user::{Metadata, User};
use serde_json::{Value, json};
use storage::{Tx, UserChanges};

use crate::context::Context;
use crate::error::Result;
use crate::new_user;
use crate::notices::Notice;

/// Takes `email` over. The caller writes `changes`, clears the one-time tokens, and tells of the notices.
pub(crate) async fn email(
    ctx: &Context,
    tx: &mut Tx,
    user: &User,
    email: &str,
    changes: &mut UserChanges,
) -> Result<Vec<Notice>> {
    prove_identity(ctx, tx, user, &Contact::Email(email.to_owned())).await?;
    changes.email = Some(Some(email.to_owned()));
    changes.email_change = Some(String::new());
    changes.email_change_token_new = Some(String::new());
    changes.email_change_token_current = Some(String::new());
    changes.email_change_confirm_status = Some(0);
    changes.is_anonymous = Some(false);
    if user.email_confirmed_at.is_none() {
        confirm_email(ctx, user, changes);
    }
    Ok(user.email.clone().map(|old| Notice::EmailChanged { old }).into_iter().collect())
}

/// Takes `phone` over, as [`email`] does an address.
pub(crate) async fn phone(
    ctx: &Context,
    tx: &mut Tx,
    user: &User,
    phone: &str,
    changes: &mut UserChanges,
) -> Result<Vec<Notice>> {
    let linked = prove_identity(ctx, tx, user, &Contact::Phone(phone.to_owned())).await?;
    changes.phone = Some(Some(phone.to_owned()));
    changes.phone_change = Some(String::new());
    changes.phone_change_token = Some(String::new());
    changes.phone_confirmed_at = Some(Some(ctx.now));
    changes.is_anonymous = Some(false);
    let mut notices = vec![Notice::PhoneChanged { old: user.phone.clone().unwrap_or_default() }];
    if linked {
        notices.push(Notice::IdentityLinked { provider: "phone".to_owned() });
    }
    Ok(notices)
}

/// The columns of an address that was proven.
pub(crate) fn confirm_email(ctx: &Context, user: &User, changes: &mut UserChanges) {
    changes.email_confirmed_at = Some(Some(ctx.now));
    changes.confirmation_token = Some(String::new());
    let mut metadata = changes.user_metadata.take().unwrap_or_else(|| user.user_metadata.clone());
    metadata.insert("email_verified".to_owned(), json!(true));
    changes.user_metadata = Some(metadata);
}

/// The account's identity of this kind gets the contact, proven. True where there was none and one was made.
pub(crate) async fn prove_identity(ctx: &Context, tx: &mut Tx, user: &User, contact: &Contact) -> Result<bool> {
    let provider = contact.provider();
    let proven = |mut data: Metadata| {
        let (name, value, verified) = match contact {
            Contact::Email(email) => ("email", email, "email_verified"),
            Contact::Phone(phone) => ("phone", phone, "phone_verified"),
        };
        data.insert(name.to_owned(), json!(value));
        data.insert(verified.to_owned(), Value::Bool(true));
        data
    };
    match user.identities.iter().find(|identity| identity.provider == provider) {
        Some(identity) => {
            tx.identities().update_data(identity.id, &proven(identity.data.clone()), ctx.now).await?;
            Ok(false)
        }
        None => {
            let data = proven(new_user::contact_claims(user.id, contact));
            tx.identities().insert(&new_user::identity(ctx, user.id, provider, data), ctx.now).await?;
            Ok(true)
        }
    }
}

//! `/admin/users` (`contract/core.md` §17.2 to §17.6).

use crypto::{digest, password};
use domain::admin_users::{self, Attributes, Create, Delete, Get, List, Listing, Update, Users};
use domain::contact::Contact;
use domain::ids::{IdentityId, SessionId, UserId};
use domain::pagination::{Page, Paged};
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::user::{Metadata, User};
use domain::{email, phone};
use serde_json::json;
use storage::{ListUsers, ListUsersAfter, NewIdentity, NewUser, SignUp, SoftDelete, StoreError, Tx, UserChanges};

use crate::context::Context;
use crate::error::Result;
use crate::sessions::admin_user;
use crate::user_update::taken;
use crate::{audit, authenticate, limits, new_user, password_strength};

/// A page of users of the request's audience, or a stretch of them behind a cursor.
pub async fn admin_list_users(ctx: &Context, request: List) -> Result<Listing> {
    authenticate::admin(ctx, &request.bearer).await?;
    let page = Page::parse(request.page.as_deref(), request.per_page.as_deref())?;
    let ascending = admin_users::sort_ascending(&request.sort)?;
    let aud = ctx.asked_audience().to_owned();
    let (store, filter) = (ctx.store(), request.filter);
    let users = match request.stretch {
        None => {
            let (limit, offset) = (page.size, page.offset());
            let (items, total) =
                store.list_users(ListUsers { aud: aud.clone(), filter, ascending, limit, offset }).await?;
            Users::Page(Paged { items, total, page })
        }
        Some(stretch) => {
            let after = stretch.after.map(|cursor| (cursor.created_at, cursor.id));
            let limit = stretch.limit + 1;
            let list = ListUsersAfter { aud: aud.clone(), filter, ascending, limit, after };
            Users::stretch(store.list_users_after(list).await?, stretch.limit)
        }
    };
    Ok(Listing { aud, users })
}

/// One user.
pub async fn admin_get_user(ctx: &Context, request: Get) -> Result<User> {
    authenticate::admin(ctx, &request.bearer).await?;
    admin_user(ctx, &request.user).await
}

/// Makes a user: no strength check, no mail, not stopped by closed sign-ups.
pub async fn admin_create_user(ctx: &Context, request: Create) -> Result<User> {
    let role = authenticate::admin(ctx, &request.bearer).await?;
    let mut attributes = request.attributes;
    if attributes.email.is_empty() && attributes.phone.is_empty() {
        return Err(Refusal::AdminContactRequired.into());
    }
    let aud = match attributes.aud.as_str() {
        "" => ctx.asked_audience().to_owned(),
        given => given.to_owned(),
    };
    attributes.aud.clone_from(&aud);
    let mut contacts = Vec::new();
    if !attributes.email.is_empty() {
        let contact = Contact::Email(email::validate(&attributes.email)?);
        refuse_known(ctx, std::slice::from_ref(&contact), &aud).await?;
        contacts.push(contact);
    }
    if !attributes.phone.is_empty() {
        let contact = Contact::Phone(phone::validate(&attributes.phone)?);
        refuse_known(ctx, std::slice::from_ref(&contact), &aud).await?;
        contacts.push(contact);
    }
    admin_users::check_password(&attributes)?;
    if !attributes.password_hash.expose().is_empty() {
        password::check_import(attributes.password_hash.expose()).map_err(|_| Refusal::AdminBadHash)?;
    }
    let plan = admin_users::check_create(&attributes, ctx.now)?;
    let hash = create_hash(ctx, &attributes).await?;
    let id = plan.id.unwrap_or_else(|| UserId(ctx.entropy().uuid()));
    let user = new_row(ctx, id, aud.clone(), &attributes, &contacts, plan.banned_until, hash);
    let identities: Vec<NewIdentity> = contacts
        .iter()
        .map(|contact| new_user::identity(ctx, id, contact.provider(), new_user::contact_claims(id, contact)))
        .collect();
    let provider = contacts.first().map(Contact::provider).unwrap_or_default();
    let traits = json!({ "provider": provider });
    let entry = ctx.audit(audit::by_admin(&role, &user, audit::USER_SIGNED_UP, traits));
    let sign_up = SignUp { user, identities, session: None, audit: entry.into_iter().collect(), now: ctx.now };
    limits::account(ctx).await?;
    match ctx.store().sign_up(sign_up).await {
        Ok(made) => Ok(User { confirmed_at: None, ..made.user }),
        Err(StoreError::Conflict) => {
            // Somebody else made the account since it was looked for; otherwise the id is taken.
            refuse_known(ctx, &contacts, &aud).await?;
            Err(Refusal::AdminCreateConflict.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Refuses contacts of an account that exists.
async fn refuse_known(ctx: &Context, contacts: &[Contact], aud: &str) -> Result<()> {
    for contact in contacts {
        if ctx.store().find_account(contact, aud).await?.is_some() {
            return Err(match contact {
                Contact::Email(_) => Refusal::EmailExists.into(),
                Contact::Phone(_) => Refusal::AdminPhoneExists.into(),
            });
        }
    }
    Ok(())
}

async fn create_hash(ctx: &Context, attributes: &Attributes) -> Result<Secret<String>> {
    if !attributes.password_hash.expose().is_empty() {
        return Ok(attributes.password_hash.clone());
    }
    match attributes.password.as_ref().filter(|password| !password.expose().is_empty()) {
        Some(password) => ctx.hash_password(password).await,
        // Nobody knows it: the account is entered by link or code until it gets one.
        None => ctx.hash_password(&Secret::new(ctx.entropy().uuid().to_string())).await,
    }
}

fn new_row(
    ctx: &Context,
    id: UserId,
    aud: String,
    attributes: &Attributes,
    contacts: &[Contact],
    banned_until: Option<domain::time::Timestamp>,
    hash: Secret<String>,
) -> NewUser {
    let providers: Vec<&str> = contacts.iter().map(Contact::provider).collect();
    let own = new_user::app_metadata(&providers);
    let app_metadata =
        attributes.app_metadata.as_ref().map_or(own.clone(), |given| domain::metadata::merged(&own, given));
    let mut user_metadata: Metadata = attributes.user_metadata.clone().unwrap_or_default();
    let mut row = NewUser {
        aud,
        role: if attributes.role.is_empty() { ctx.policy().default_role.clone() } else { attributes.role.clone() },
        password_hash: Some(hash),
        app_metadata,
        banned_until,
        ..new_user::blank(ctx, id)
    };
    for contact in contacts {
        match contact {
            Contact::Email(email) => row.email = Some(email.clone()),
            Contact::Phone(phone) => row.phone = Some(phone.clone()),
        }
    }
    // Both stand for themselves: a contact that is not there yet can be declared proven too (§17.3).
    row.phone_confirmed_at = attributes.phone_confirm.then_some(ctx.now);
    if attributes.email_confirm {
        row.email_confirmed_at = Some(ctx.now);
        user_metadata.insert("email_verified".to_owned(), json!(true));
    }
    row.user_metadata = user_metadata;
    row
}

/// Changes a user; a new password ends all his sessions.
pub async fn admin_update_user(ctx: &Context, request: Update) -> Result<User> {
    let role = authenticate::admin(ctx, &request.bearer).await?;
    let User { id, email, .. } = admin_user(ctx, &request.user).await?;
    let attributes = request.attributes;
    let plan = admin_users::check_update(&attributes, ctx.now)?;
    if let Some(password) = &attributes.password {
        let owner = [email.as_deref().unwrap_or_default(), &attributes.email];
        password_strength::accept(ctx, password, &owner).await?;
    }
    let hash = match &attributes.password {
        Some(password) => Some(ctx.hash_password(password).await?),
        None => None,
    };
    let mut tx = ctx.store().begin().await?;
    let locked = tx.users().lock(id).await?.ok_or(Refusal::UserNotFound)?.user;
    let mut changes = UserChanges::default();
    let mut ended: Vec<SessionId> = Vec::new();
    if !attributes.role.is_empty() {
        changes.role = Some(attributes.role.clone());
    }
    let mut user_metadata = locked.user_metadata.clone();
    if attributes.email_confirm {
        changes.email_confirmed_at = Some(Some(ctx.now));
        changes.confirmation_token = Some(String::new());
        user_metadata.insert("email_verified".to_owned(), json!(true));
    }
    if attributes.phone_confirm {
        changes.phone_confirmed_at = Some(Some(ctx.now));
        changes.confirmation_token = Some(String::new());
    }
    // What was sent before proves nothing any more.
    let proves_anew = attributes.email_confirm || attributes.phone_confirm || hash.is_some();
    if proves_anew || plan.email.is_some() || plan.phone.is_some() {
        tx.one_time_tokens().clear(id).await?;
    }
    if let Some(hash) = hash {
        changes.clear_tokens_and_times();
        changes.password_hash = Some(Some(hash));
        ended = tx.sessions().delete_all(id).await?;
    }
    if let Some(email) = plan.email {
        let claims = [("email", json!(email)), ("email_verified", json!(attributes.email_confirm))];
        change_identity(ctx, &mut tx, &locked, Contact::Email(email.clone()), claims).await?;
        changes.email = Some(Some(email));
        changes.is_anonymous = attributes.email_confirm.then_some(false);
    }
    if let Some(phone) = plan.phone {
        let claims = [("phone", json!(phone)), ("phone_verified", json!(attributes.phone_confirm))];
        change_identity(ctx, &mut tx, &locked, Contact::Phone(phone.clone()), claims).await?;
        changes.phone = Some(Some(phone));
        if attributes.phone_confirm {
            changes.is_anonymous = Some(false);
        }
    }
    if let Some(given) = &attributes.app_metadata {
        changes.app_metadata = Some(domain::metadata::merged(&locked.app_metadata, given));
    }
    if let Some(given) = &attributes.user_metadata {
        user_metadata = domain::metadata::merged(&user_metadata, given);
    }
    if user_metadata != locked.user_metadata {
        changes.user_metadata = Some(user_metadata);
    }
    changes.banned_until = plan.banned_until;
    tx.users().update(id, changes, ctx.now).await.map_err(taken(Refusal::AdminUpdateConflict))?;
    let user = tx.users().read(id).await?.ok_or(Refusal::UserNotFound)?;
    ctx.write_audit(&mut tx, audit::by_admin(&role, &user, audit::USER_MODIFIED, json!({}))).await?;
    tx.commit().await?;
    ctx.forget_sessions(id, &ended).await;
    Ok(stale(user, &locked))
}

/// The answer shows identities as they were before, only new ones appear, and a confirmation of this very request does
/// not show in `confirmed_at` yet (`contract/core.md` §7.1, §17.5).
fn stale(mut user: User, before: &User) -> User {
    user.confirmed_at = before.confirmed_at;
    for identity in &mut user.identities {
        if let Some(old) = before.identities.iter().find(|old| old.id == identity.id) {
            *identity = old.clone();
        }
    }
    user
}

async fn change_identity(
    ctx: &Context,
    tx: &mut Tx,
    user: &User,
    contact: Contact,
    claims: [(&str, serde_json::Value); 2],
) -> Result<()> {
    let provider = contact.provider();
    let with_claims = |mut data: Metadata| {
        data.extend(claims.clone().into_iter().map(|(name, value)| (name.to_owned(), value)));
        data
    };
    match user.identities.iter().find(|identity| identity.provider == provider) {
        Some(identity) => {
            tx.identities().update_data(identity.id, &with_claims(identity.data.clone()), ctx.now).await?
        }
        None => {
            let data = with_claims(new_user::contact_claims(user.id, &contact));
            let identity = new_user::identity(ctx, user.id, provider, data);
            tx.identities().insert(&identity, ctx.now).await.map_err(taken(Refusal::AdminUpdateConflict))?;
            true
        }
    };
    Ok(())
}

/// Removes a user, or makes the row unusable and keeps it.
pub async fn admin_delete_user(ctx: &Context, request: Delete) -> Result<()> {
    let role = authenticate::admin(ctx, &request.bearer).await?;
    let id = admin_user(ctx, &request.user).await?.id;
    let mut tx = ctx.store().begin().await?;
    let user = tx.users().lock(id).await?.ok_or(Refusal::UserNotFound)?.user;
    ctx.write_audit(&mut tx, audit::by_admin(&role, &user, audit::USER_DELETED, json!({}))).await?;
    let ended = tx.sessions().delete_all(id).await?;
    if !request.soft {
        tx.users().delete(id).await?;
    } else if user.deleted_at.is_none() {
        tx.users().soft_delete(id, soft_delete(&user, ctx.now)).await?;
    }
    tx.commit().await?;
    ctx.forget_sessions(id, &ended).await;
    Ok(())
}

/// The values that take the place of everything that names a person (`contract/core.md` §17.6).
pub(crate) fn soft_delete(user: &User, now: domain::time::Timestamp) -> SoftDelete {
    let hidden = |value: &str| digest::obfuscate(&user.id.0, value);
    let hidden_phone = |value: &str| hidden(value).chars().take(15).collect::<String>();
    SoftDelete {
        email: hidden(user.email.as_deref().unwrap_or_default()),
        phone: hidden_phone(user.phone.as_deref().unwrap_or_default()),
        email_change: hidden(&user.email_change),
        phone_change: hidden_phone(&user.phone_change),
        identities: user
            .identities
            .iter()
            .map(|identity| (identity.id, hidden(&format!("{}:{}", identity.provider, identity.provider_id))))
            .collect::<Vec<(IdentityId, String)>>(),
        now,
    }
}

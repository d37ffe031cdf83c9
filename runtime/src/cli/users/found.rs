//! The user that a person means: by id, address or number.

use serde_json::Value;
use uuid::Uuid;

use super::{One, list, project, user_path};
use crate::cli::connection::Management;
use crate::cli::failure::Failure;
use crate::cli::output::field;

/// The project, and the id of its user.
pub(super) async fn id(gateway: &Management, one: &One) -> Result<(Management, Uuid), Failure> {
    // What cannot be anybody's needs no question to the gateway.
    let named = named(&one.user)?;
    let project = project(gateway, &one.reference).await?;
    let id = match named {
        Named::Id(id) => id,
        Named::Contact(contact) => by_contact(&project, one, contact).await?,
    };
    Ok((project, id))
}

/// The project, and its user.
pub(super) async fn one(gateway: &Management, one: &One) -> Result<(Management, Value), Failure> {
    let (project, id) = id(gateway, one).await?;
    let user = project.get(&user_path(id)).await?;
    Ok((project, user))
}

enum Named<'a> {
    Id(Uuid),
    Contact(&'a str),
}

fn named(user: &str) -> Result<Named<'_>, Failure> {
    if let Ok(id) = user.parse() {
        return Ok(Named::Id(id));
    }
    let is_number = |text: &str| text.len() > 4 && text.chars().all(|letter| letter.is_ascii_digit());
    if user.contains('@') || is_number(user.trim_start_matches('+')) {
        return Ok(Named::Contact(user));
    }
    Err(Failure::usage(format!("`{user}` cannot be used"), "it is neither the UUID of a user nor an address or number"))
}

async fn by_contact(project: &Management, one: &One, contact: &str) -> Result<Uuid, Failure> {
    let number = contact.trim_start_matches('+');
    let is_meant = |user: &Value| field(user, "email").eq_ignore_ascii_case(contact) || field(user, "phone") == number;
    // The search finds parts of addresses as well: go on until the whole one was met.
    let mut after = None;
    loop {
        let (users, next) = list(project, Some(number), super::PAGE, after).await?;
        if let Some(user) = users.iter().find(|user| is_meant(user)) {
            return field(user, "id").parse().map_err(|error| Failure::caused("the answer cannot be read", &error));
        }
        if next.is_none() {
            return Err(Failure::new(
                format!("there is no user {contact}"),
                format!("nobody in {} has it", one.reference),
            )
            .next(format!("`tenantry users list {}` shows who there is", one.reference)));
        }
        after = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_by_id_address_or_number() {
        assert!(matches!(named("9a8f4b5e-4f0a-4a55-9d2a-9c7d1c1f0b11"), Ok(Named::Id(_))));
        for contact in ["ada@example.com", "+15550000001", "15550000001"] {
            assert!(matches!(named(contact), Ok(Named::Contact(found)) if found == contact), "{contact}");
        }
        for nobody in ["ada", "123", "../x", ""] {
            assert!(named(nobody).is_err(), "{nobody}");
        }
    }
}

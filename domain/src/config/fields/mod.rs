//! The table of all configuration fields, one file a subject.

mod factors;
mod general;
mod hooks;
mod limits;
mod mail;
mod mail_texts;
mod oauth;
mod passwords;
mod providers;
mod server;
mod sms;
mod tokens;

use std::sync::LazyLock;

use crate::config::field::Field;

const SUBJECTS: [&[Field]; 12] = [
    general::FIELDS,
    tokens::FIELDS,
    passwords::FIELDS,
    limits::FIELDS,
    factors::FIELDS,
    mail::FIELDS,
    mail_texts::FIELDS,
    sms::FIELDS,
    hooks::FIELDS,
    oauth::FIELDS,
    providers::FIELDS,
    server::FIELDS,
];

/// Every field, sorted by name.
pub static FIELDS: LazyLock<Vec<&'static Field>> = LazyLock::new(|| {
    let mut fields: Vec<&'static Field> = SUBJECTS.into_iter().flatten().collect();
    fields.sort_by_key(|field| field.name);
    fields
});

/// The field of that name.
pub fn field(name: &str) -> Option<&'static Field> {
    let place = FIELDS.binary_search_by_key(&name, |field| field.name).ok()?;
    FIELDS.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        assert!(FIELDS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn the_contract_has_241_fields_and_36_secrets() {
        assert_eq!(FIELDS.iter().filter(|field| !field.ours).count(), 241);
        assert_eq!(FIELDS.iter().filter(|field| field.specified).count(), 237);
        assert_eq!(FIELDS.iter().filter(|field| field.secret && !field.ours).count(), 36);
    }

    #[test]
    fn exactly_four_fields_take_no_null() {
        let names: Vec<&str> = FIELDS.iter().filter(|field| !field.nullable).map(|field| field.name).collect();
        assert_eq!(names, ["custom_oauth_enabled", "mailer_otp_exp", "passkey_enabled", "sms_otp_length"]);
    }

    #[test]
    fn lookup_knows_every_name_and_no_other() {
        assert!(FIELDS.iter().all(|entry| field(entry.name) == Some(*entry)));
        assert_eq!(field("no_such_field"), None);
    }
}

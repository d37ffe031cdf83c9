//! The texts of a project's mails. Kinds are named as in the fields: `invite`, `password_changed_notification`, ...

use std::collections::{BTreeMap, BTreeSet};

use crate::config::explicit::Explicit;
use crate::config::field::Literal;
use crate::config::fields::{FIELDS, field};

/// Subjects and bodies a project has set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MailTemplates {
    subjects: BTreeMap<&'static str, String>,
    bodies: BTreeMap<&'static str, String>,
}

/// The kind a subject field is for.
fn subject_kind(field: &'static str) -> Option<&'static str> {
    field.strip_prefix("mailer_subjects_")
}

/// The kind a body field is for.
fn body_kind(field: &'static str) -> Option<&'static str> {
    field.strip_prefix("mailer_templates_")?.strip_suffix("_content")
}

/// The notice a switch is for.
fn notice_kind(field: &'static str) -> Option<&'static str> {
    field.strip_prefix("mailer_notifications_")?.strip_suffix("_enabled")
}

impl MailTemplates {
    /// Takes the texts a project has set; an empty text means the default.
    pub fn from_explicit(explicit: &Explicit) -> Self {
        let set = |kind: fn(&'static str) -> Option<&'static str>| {
            let text = |name| Some((kind(name)?, explicit.text(name)?.to_owned()));
            FIELDS.iter().filter_map(|field| text(field.name)).collect()
        };
        Self { subjects: set(subject_kind), bodies: set(body_kind) }
    }

    /// The subject in force; `None` for a kind that is none.
    pub fn subject(&self, kind: &str) -> Option<&str> {
        if let Some(text) = self.subjects.get(kind) {
            return Some(text);
        }
        match field(&format!("mailer_subjects_{kind}"))?.compat {
            Literal::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The HTML body the project has set; `None` = the built-in one.
    pub fn body(&self, kind: &str) -> Option<&str> {
        self.bodies.get(kind).map(String::as_str)
    }
}

/// Fields that hold the body of a mail with a link or a code.
pub(crate) fn link_bodies() -> impl Iterator<Item = &'static str> {
    let links = |name| body_kind(name).is_some_and(|kind| !kind.ends_with("_notification"));
    FIELDS.iter().map(|field| field.name).filter(move |name| links(name))
}

/// The notices of which `on` holds for the switch.
pub(crate) fn notices(on: impl Fn(&'static str) -> bool) -> BTreeSet<&'static str> {
    FIELDS.iter().filter_map(|field| notice_kind(field.name).filter(|_| on(field.name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_was_set_replaces_the_default() {
        let mut explicit = Explicit::default();
        explicit.set("mailer_subjects_invite", "Come in".into());
        explicit.set("mailer_templates_invite_content", "<p>hi</p>".into());
        explicit.set("mailer_templates_recovery_content", "".into());
        let templates = MailTemplates::from_explicit(&explicit);
        assert_eq!(templates.subject("invite"), Some("Come in"));
        assert_eq!(templates.subject("recovery"), Some("Reset Your Password"));
        assert_eq!(templates.subject("no_such_kind"), None);
        assert_eq!(templates.body("invite"), Some("<p>hi</p>"));
        assert_eq!(templates.body("recovery"), None);
    }

    #[test]
    fn every_kind_has_a_subject_and_a_body_and_six_carry_a_link_or_a_code() {
        let kinds = |of: fn(&'static str) -> Option<&'static str>| -> BTreeSet<&str> {
            FIELDS.iter().filter_map(|field| of(field.name)).collect()
        };
        assert_eq!(kinds(subject_kind), kinds(body_kind));
        assert_eq!(FIELDS.iter().filter(|field| !field.ours && subject_kind(field.name).is_some()).count(), 13);
        assert_eq!(link_bodies().count(), 6);
        let told: BTreeSet<&str> =
            kinds(subject_kind).iter().filter_map(|kind| kind.strip_suffix("_notification")).collect();
        assert_eq!(notices(|_| true), told);
        assert!(notices(|name| name == "mailer_notifications_email_changed_enabled").contains("email_changed"));
    }
}

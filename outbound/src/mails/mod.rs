//! The mails of a project: names, defaults, variables. Thirteen are the contract's (`contract/platform.md` §5.3), others ours.

mod data;
mod defaults;
mod headers;
mod inspect;
mod link;

pub use data::Data;
pub use headers::headers;
pub use inspect::{Shows, shows};
pub use link::confirmation_link;

use std::borrow::Cow;

use domain::config::MailTemplates;

use crate::plain;
use crate::template::{self, TemplateError};

/// A kind of mail, named on the wire as in `mailer_templates_<name>_content` and the send-email hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An administrator invites somebody.
    Invite,
    /// A new account confirms its address.
    Confirmation,
    /// A forgotten password.
    Recovery,
    /// Sign-in by mail.
    MagicLink,
    /// A new address, or the current one, confirms a change.
    EmailChange,
    /// A code for an operation that asks for a fresh proof.
    Reauthentication,
    /// The password was changed.
    PasswordChangedNotification,
    /// The address was changed.
    EmailChangedNotification,
    /// The phone number was changed.
    PhoneChangedNotification,
    /// A sign-in method was added.
    IdentityLinkedNotification,
    /// A sign-in method was removed.
    IdentityUnlinkedNotification,
    /// A second factor was added.
    MfaFactorEnrolledNotification,
    /// A second factor was removed.
    MfaFactorUnenrolledNotification,
    /// A recovery code was used. Ours.
    RecoveryCodeUsedNotification,
    /// A sign-in from a device that was not seen before. Ours.
    NewDeviceNotification,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 15] = [
        Self::Invite,
        Self::Confirmation,
        Self::Recovery,
        Self::MagicLink,
        Self::EmailChange,
        Self::Reauthentication,
        Self::PasswordChangedNotification,
        Self::EmailChangedNotification,
        Self::PhoneChangedNotification,
        Self::IdentityLinkedNotification,
        Self::IdentityUnlinkedNotification,
        Self::MfaFactorEnrolledNotification,
        Self::MfaFactorUnenrolledNotification,
        Self::RecoveryCodeUsedNotification,
        Self::NewDeviceNotification,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Confirmation => "confirmation",
            Self::Recovery => "recovery",
            Self::MagicLink => "magic_link",
            Self::EmailChange => "email_change",
            Self::Reauthentication => "reauthentication",
            Self::PasswordChangedNotification => "password_changed_notification",
            Self::EmailChangedNotification => "email_changed_notification",
            Self::PhoneChangedNotification => "phone_changed_notification",
            Self::IdentityLinkedNotification => "identity_linked_notification",
            Self::IdentityUnlinkedNotification => "identity_unlinked_notification",
            Self::MfaFactorEnrolledNotification => "mfa_factor_enrolled_notification",
            Self::MfaFactorUnenrolledNotification => "mfa_factor_unenrolled_notification",
            Self::RecoveryCodeUsedNotification => "recovery_code_used_notification",
            Self::NewDeviceNotification => "new_device_notification",
        }
    }

    /// The kind of a name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// `type` of the link in the mail; `None` for mails without one.
    pub fn link_type(self) -> Option<&'static str> {
        match self {
            Self::Invite => Some("invite"),
            Self::Confirmation => Some("signup"),
            Self::Recovery => Some("recovery"),
            Self::MagicLink => Some("magiclink"),
            Self::EmailChange => Some("email_change"),
            _ => None,
        }
    }

    /// Tells of something done instead of asking for something; sent only where the project enables it.
    pub fn is_notification(self) -> bool {
        self.link_type().is_none() && self != Self::Reauthentication
    }

    /// The built-in subject template: the default of the project's field for it.
    pub fn default_subject(self) -> String {
        MailTemplates::default().subject(self.as_str()).unwrap_or_default().to_owned()
    }

    /// The built-in body template.
    pub fn default_body(self) -> &'static str {
        defaults::body(self)
    }
}

/// A mail's rendered parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The text part, made from the HTML.
    pub text: String,
}

/// Renders one mail. A template that is absent or empty is the built-in one; subject and body see the same variables,
/// those of `kind` only, and both are escaped as HTML (`contract/platform.md` §5.3).
///
/// Templates that passed [`template::check`] fail only at a limit. A caller that must send all the same composes again
/// without templates, as the reference falls back to its own when one cannot be used (§5.4).
pub fn compose(kind: Kind, subject: Option<&str>, body: Option<&str>, data: &Data) -> Result<Rendered, TemplateError> {
    let variables = data.variables(kind);
    let subject = subject.filter(|text| !text.is_empty());
    let subject = subject.map_or_else(|| Cow::Owned(kind.default_subject()), Cow::Borrowed);
    let body = body.filter(|text| !text.is_empty()).unwrap_or_else(|| kind.default_body());
    let html = template::render(body, &variables)?;
    Ok(Rendered { subject: template::render(&subject, &variables)?, text: plain::from_html(&html), html })
}

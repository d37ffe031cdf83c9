//! Subjects, bodies and switches of the mails.

use crate::config::field::Field;
use crate::config::field::Literal::{Bool, Null, Text};

/// The fields of this subject.
pub(super) const FIELDS: &[Field] = &[
    Field::switch("mailer_notifications_email_changed_enabled", Bool(false)).preset(Bool(true), "AUD-01"),
    Field::switch("mailer_notifications_identity_linked_enabled", Bool(false)).preset(Bool(true), "AUD-01"),
    Field::switch("mailer_notifications_identity_unlinked_enabled", Bool(false)).preset(Bool(true), "AUD-01"),
    Field::switch("mailer_notifications_mfa_factor_enrolled_enabled", Bool(false)).preset(Bool(true), "AUD-01"),
    Field::switch("mailer_notifications_mfa_factor_unenrolled_enabled", Bool(false)).preset(Bool(true), "AUD-01"),
    Field::switch("mailer_notifications_password_changed_enabled", Bool(false)).preset(Bool(true), "AUD-01"),
    Field::switch("mailer_notifications_phone_changed_enabled", Bool(false)).preset(Bool(true), "AUD-01"),
    Field::text("mailer_subjects_confirmation", Text("Confirm Your Signup")),
    Field::text("mailer_subjects_email_change", Text("Confirm Email Change")),
    Field::text("mailer_subjects_email_changed_notification", Text("Your email address has been changed")),
    Field::text("mailer_subjects_identity_linked_notification", Text("A new identity has been linked")),
    Field::text("mailer_subjects_identity_unlinked_notification", Text("An identity has been unlinked")),
    Field::text("mailer_subjects_invite", Text("You have been invited")),
    Field::text("mailer_subjects_magic_link", Text("Your Magic Link")),
    Field::text("mailer_subjects_mfa_factor_enrolled_notification", Text("A new MFA factor has been enrolled")),
    Field::text("mailer_subjects_mfa_factor_unenrolled_notification", Text("An MFA factor has been unenrolled")),
    Field::text("mailer_subjects_password_changed_notification", Text("Your password has been changed")),
    Field::text("mailer_subjects_phone_changed_notification", Text("Your phone number has been changed")),
    Field::text("mailer_subjects_reauthentication", Text("Confirm Reauthentication")),
    Field::text("mailer_subjects_recovery", Text("Reset Your Password")),
    Field::text("mailer_templates_confirmation_content", Null),
    Field::text("mailer_templates_email_change_content", Null),
    Field::text("mailer_templates_email_changed_notification_content", Null),
    Field::text("mailer_templates_identity_linked_notification_content", Null),
    Field::text("mailer_templates_identity_unlinked_notification_content", Null),
    Field::text("mailer_templates_invite_content", Null),
    Field::text("mailer_templates_magic_link_content", Null),
    Field::text("mailer_templates_mfa_factor_enrolled_notification_content", Null),
    Field::text("mailer_templates_mfa_factor_unenrolled_notification_content", Null),
    Field::text("mailer_templates_password_changed_notification_content", Null),
    Field::text("mailer_templates_phone_changed_notification_content", Null),
    Field::text("mailer_templates_reauthentication_content", Null),
    Field::text("mailer_templates_recovery_content", Null),
];

//! The built-in templates: one heading, a few paragraphs, and at the end the domain the mail is about, so that the
//! reader can compare it with what the browser shows.

use super::Kind;

pub(super) fn subject(kind: Kind) -> &'static str {
    match kind {
        Kind::Invite => "You've been invited",
        Kind::Confirmation => "Confirm your email address",
        Kind::Recovery => "Reset your password",
        Kind::MagicLink => "Your sign-in link",
        Kind::EmailChange => "Confirm your new email address",
        Kind::Reauthentication => "{{ .Token }} is your verification code",
        Kind::PasswordChangedNotification => "Your password was changed",
        Kind::EmailChangedNotification => "Your email address was changed",
        Kind::PhoneChangedNotification => "Your phone number was changed",
        Kind::IdentityLinkedNotification => "A new sign-in method was linked to your account",
        Kind::IdentityUnlinkedNotification => "A sign-in method was removed from your account",
        Kind::MfaFactorEnrolledNotification => "A new verification method was added to your account",
        Kind::MfaFactorUnenrolledNotification => "A verification method was removed from your account",
    }
}

macro_rules! body {
    ($heading:literal, $($line:literal),+ $(,)?) => {
        concat!(
            "<h2>", $heading, "</h2>\n\n",
            $("<p>", $line, "</p>\n",)+
            "<p>This email is about your account at <strong>{{ .Domain }}</strong>.</p>\n"
        )
    };
}

/// Closes mails about something that was already done.
macro_rules! notice {
    ($heading:literal, $($line:literal),+ $(,)?) => {
        body!($heading, $($line,)+ "If this was not you, secure your account now and contact support.")
    };
}

pub(super) fn body(kind: Kind) -> &'static str {
    match kind {
        Kind::Invite => body!(
            "You've been invited",
            "You have been invited to create an account. Follow this link to accept:",
            r#"<a href="{{ .ConfirmationURL }}">Accept invitation</a>"#,
        ),
        Kind::Confirmation => body!(
            "Confirm your email address",
            "Follow this link to confirm your email address and finish signing up:",
            r#"<a href="{{ .ConfirmationURL }}">Confirm email address</a>"#,
        ),
        Kind::Recovery => body!(
            "Reset your password",
            "Follow this link to choose a new password:",
            r#"<a href="{{ .ConfirmationURL }}">Reset password</a>"#,
            "If you did not ask for this, ignore this email; your password stays as it is.",
        ),
        Kind::MagicLink => body!(
            "Your sign-in link",
            "Follow this link to sign in:",
            r#"<a href="{{ .ConfirmationURL }}">Sign in</a>"#,
            "If you did not ask for this, ignore this email.",
        ),
        Kind::EmailChange => body!(
            "Confirm your new email address",
            "Follow this link to change the email address of your account to {{ .NewEmail }}:",
            r#"<a href="{{ .ConfirmationURL }}">Confirm new email address</a>"#,
            "If you did not ask for this, ignore this email.",
        ),
        Kind::Reauthentication => body!(
            "Your verification code",
            "Enter this code to go on: <strong>{{ .Token }}</strong>",
            "If you did not ask for this, ignore this email and give the code to nobody.",
        ),
        Kind::PasswordChangedNotification => {
            notice!("Your password was changed", "The password of your account was changed.")
        }
        Kind::EmailChangedNotification => notice!(
            "Your email address was changed",
            "The email address of your account was changed from {{ .OldEmail }} to {{ .Email }}.",
        ),
        Kind::PhoneChangedNotification => notice!(
            "Your phone number was changed",
            "The phone number of your account was changed from {{ .OldPhone }} to {{ .Phone }}.",
        ),
        Kind::IdentityLinkedNotification => notice!(
            "A new sign-in method was linked to your account",
            "You can now sign in to the account of {{ .Email }} with {{ .Provider }}.",
        ),
        Kind::IdentityUnlinkedNotification => notice!(
            "A sign-in method was removed from your account",
            "You can no longer sign in to the account of {{ .Email }} with {{ .Provider }}.",
        ),
        Kind::MfaFactorEnrolledNotification => notice!(
            "A new verification method was added to your account",
            "A second step of the type {{ .FactorType }} now protects the sign-in to your account.",
        ),
        Kind::MfaFactorUnenrolledNotification => notice!(
            "A verification method was removed from your account",
            "A second step of the type {{ .FactorType }} no longer protects the sign-in to your account.",
        ),
    }
}

//! The built-in bodies: one heading, a few paragraphs, the code large where there is one, and at the end the domain the mail
//! is about, so that the reader can compare it with what the browser shows. The built-in subjects are the defaults of the
//! configuration fields, which a project sees and edits.

use super::Kind;

macro_rules! body {
    ($heading:literal, $($part:expr),+ $(,)?) => {
        concat!(
            "<h2>", $heading, "</h2>\n\n",
            $($part,)+
            "<p>This email is about your account at <strong>{{ .Domain }}</strong>.</p>\n"
        )
    };
}

macro_rules! line {
    ($text:literal) => {
        concat!("<p>", $text, "</p>\n")
    };
}

macro_rules! link {
    ($words:literal) => {
        concat!("<p><a href=\"{{ .ConfirmationURL }}\">", $words, "</a></p>\n")
    };
}

/// The code where the reader cannot miss it, and copies nothing else with it.
macro_rules! code {
    ($before:literal) => {
        concat!(
            "{{ if .Token }}<p>",
            $before,
            "</p>\n",
            "<p style=\"font-size: 28px; font-weight: bold; letter-spacing: 4px\">{{ .Token }}</p>\n{{ end }}"
        )
    };
}

/// Closes mails that anybody can make the server send.
macro_rules! unasked {
    ($rest:literal) => {
        concat!("<p>If you did not ask for this, ignore this email", $rest, "</p>\n")
    };
}

/// A mail about something that was already done.
macro_rules! notice {
    ($heading:literal, $text:literal) => {
        body!($heading, line!($text), line!("If this was not you, secure your account now and contact support."))
    };
}

pub(super) fn body(kind: Kind) -> &'static str {
    match kind {
        Kind::Invite => body!(
            "You've been invited",
            line!(
                "You have been invited to create an account at <strong>{{ .Domain }}</strong>. Follow this link to accept:"
            ),
            link!("Accept invitation"),
            code!("Or enter this code there:"),
            line!("If you know nothing of this, ignore this email."),
        ),
        Kind::Confirmation => body!(
            "Confirm your email address",
            line!("Follow this link to confirm your email address and finish signing up:"),
            link!("Confirm email address"),
            code!("Or enter this code where you signed up:"),
            unasked!("."),
        ),
        Kind::Recovery => body!(
            "Reset your password",
            line!("Follow this link to choose a new password:"),
            link!("Reset password"),
            code!("Or enter this code where you asked for it:"),
            unasked!("; your password stays as it is."),
        ),
        Kind::MagicLink => body!(
            "Your sign-in link",
            line!("Follow this link to sign in:"),
            link!("Sign in"),
            code!("Or enter this code where you want to sign in:"),
            unasked!(" and give the code to nobody."),
        ),
        Kind::EmailChange => body!(
            "Confirm your new email address",
            line!("Follow this link to change the email address of your account to {{ .NewEmail }}:"),
            link!("Confirm new email address"),
            code!("Or enter this code where you asked for the change:"),
            unasked!("; your address stays as it is."),
        ),
        Kind::Reauthentication => body!(
            "Your verification code",
            code!("Enter this code to go on:"),
            unasked!(" and give the code to nobody."),
        ),
        Kind::PasswordChangedNotification => {
            notice!("Your password was changed", "The password of your account was changed.")
        }
        Kind::EmailChangedNotification => notice!(
            "Your email address was changed",
            "The email address of your account was changed from {{ .OldEmail }} to {{ .Email }}."
        ),
        Kind::PhoneChangedNotification => notice!(
            "Your phone number was changed",
            "The phone number of your account was changed{{ if .OldPhone }} from {{ .OldPhone }}{{ end }} to {{ .Phone }}."
        ),
        Kind::IdentityLinkedNotification => notice!(
            "A new sign-in method was linked to your account",
            "You can now sign in to the account of {{ .Email }} with {{ .Provider }}."
        ),
        Kind::IdentityUnlinkedNotification => notice!(
            "A sign-in method was removed from your account",
            "You can no longer sign in to the account of {{ .Email }} with {{ .Provider }}."
        ),
        Kind::MfaFactorEnrolledNotification => notice!(
            "A new verification method was added to your account",
            "A second step of the type {{ .FactorType }} now protects the sign-in to your account."
        ),
        Kind::MfaFactorUnenrolledNotification => notice!(
            "A verification method was removed from your account",
            "A second step of the type {{ .FactorType }} no longer protects the sign-in to your account."
        ),
        Kind::NewDeviceNotification => notice!(
            "A sign-in from a new device",
            "Somebody signed in to your account with {{ .Device }}{{ if .IP }}, from the address {{ .IP }}{{ end }}, at \
             {{ .Time }}. If it was not you, change your password and end the session."
        ),
        Kind::RecoveryCodeUsedNotification => notice!(
            "A recovery code was used",
            "One of your recovery codes took the place of the second step of a sign-in to your account. Codes left: \
             {{ .Remaining }}.{{ if le .Remaining 3 }} Make new ones before you run out.{{ end }}"
        ),
    }
}

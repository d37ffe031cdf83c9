//! The mails of a project.

use outbound::mails::{Data, Kind, compose};
use outbound::template::{self, TemplateError};
use serde_json::json;

fn data() -> Data {
    Data {
        site_url: "https://app.test:8443/start".to_owned(),
        confirmation_url:
            "https://auth.test/auth/v1/verify?token=pkce_0a1b&type=signup&redirect_to=https://app.test/cb".to_owned(),
        email: "ada@example.test".to_owned(),
        token: "123456".to_owned(),
        token_hash: "pkce_0a1b".to_owned(),
        data: json!({ "plan": "pro & more" }).as_object().unwrap().clone(),
        redirect_to: "https://app.test/cb".to_owned(),
        new_email: "new@example.test".to_owned(),
        sending_to: "new@example.test".to_owned(),
        old_email: "old@example.test".to_owned(),
        phone: "4915".to_owned(),
        old_phone: "4914".to_owned(),
        provider: "github".to_owned(),
        factor_type: "totp".to_owned(),
        remaining: 7,
        device: "Firefox on Linux".to_owned(),
        ip: "192.0.2.7".to_owned(),
        time: "2026-11-22 10:00 UTC".to_owned(),
    }
}

#[test]
fn names_lead_back_to_their_kind() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_name(kind.as_str()), Some(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    assert_eq!(Kind::from_name("signup"), None);
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().ends_with("_notification"), kind.is_notification());
    }
}

#[test]
fn the_built_in_confirmation() {
    let mail = compose(Kind::Confirmation, None, Some(""), &data()).unwrap();
    assert_eq!(mail.subject, "Confirm Your Signup");
    assert_eq!(
        mail.html,
        "<h2>Confirm your email address</h2>\n\n\
         <p>Follow this link to confirm your email address and finish signing up:</p>\n\
         <p><a href=\"https://auth.test/auth/v1/verify?token=pkce_0a1b&amp;type=signup&amp;redirect_to=https://app.test/cb\">\
         Confirm email address</a></p>\n\
         <p>Or enter this code where you signed up:</p>\n\
         <p style=\"font-size: 28px; font-weight: bold; letter-spacing: 4px\">123456</p>\n\
         <p>If you did not ask for this, ignore this email.</p>\n\
         <p>This email is about your account at <strong>app.test:8443</strong>.</p>\n"
    );
    assert_eq!(
        mail.text,
        "Confirm your email address\n\n\
         Follow this link to confirm your email address and finish signing up:\n\n\
         Confirm email address <https://auth.test/auth/v1/verify?token=pkce_0a1b&type=signup&redirect_to=https://app.test/cb>\n\n\
         Or enter this code where you signed up:\n\n\
         123456\n\n\
         If you did not ask for this, ignore this email.\n\n\
         This email is about your account at app.test:8443."
    );
}

#[test]
fn a_mail_without_a_code_does_not_mention_one() {
    let data = Data { token: String::new(), ..data() };
    for kind in Kind::ALL.into_iter().filter(|kind| kind.link_type().is_some()) {
        let mail = compose(kind, None, None, &data).unwrap();
        assert!(!mail.text.contains("Or enter"), "{kind:?}: {}", mail.text);
        assert!(mail.text.contains("verify?token="), "{kind:?}: {}", mail.text);
    }
}

#[test]
fn every_built_in_mail_says_what_it_is_about() {
    for (kind, subject, words) in [
        (Kind::Invite, "You have been invited", "Accept invitation"),
        (Kind::Recovery, "Reset Your Password", "Reset password"),
        (Kind::MagicLink, "Your Magic Link", "Sign in"),
        (Kind::EmailChange, "Confirm Email Change", "to new@example.test"),
        (Kind::Reauthentication, "Confirm Reauthentication", ">123456</p>"),
        (Kind::PasswordChangedNotification, "Your password has been changed", "password of your account"),
        (
            Kind::EmailChangedNotification,
            "Your email address has been changed",
            "from old@example.test to ada@example.test",
        ),
        (Kind::PhoneChangedNotification, "Your phone number has been changed", "from 4914 to 4915"),
        (Kind::IdentityLinkedNotification, "A new identity has been linked", "with github"),
        (Kind::IdentityUnlinkedNotification, "An identity has been unlinked", "with github"),
        (Kind::MfaFactorEnrolledNotification, "A new MFA factor has been enrolled", "type totp"),
        (Kind::MfaFactorUnenrolledNotification, "An MFA factor has been unenrolled", "type totp"),
        (Kind::RecoveryCodeUsedNotification, "A recovery code has been used", "Codes left: 7.</p>"),
        (
            Kind::NewDeviceNotification,
            "A sign-in from a new device",
            "with Firefox on Linux, from the address 192.0.2.7",
        ),
    ] {
        let mail = compose(kind, None, None, &data()).unwrap();
        assert_eq!(mail.subject, subject);
        assert!(mail.html.contains(words), "{kind:?}: {}", mail.html);
        assert!(mail.html.contains("<strong>app.test:8443</strong>"), "{kind:?}: {}", mail.html);
        assert_eq!(mail.html.contains("href="), kind.link_type().is_some());
        assert_eq!(mail.html.contains("123456"), !kind.is_notification());
        assert!(template::check(&kind.default_subject()).is_ok());
    }
}

#[test]
fn a_first_phone_number_comes_from_nowhere() {
    let data = Data { old_phone: String::new(), ..data() };
    let mail = compose(Kind::PhoneChangedNotification, None, None, &data).unwrap();
    assert!(mail.text.contains("was changed to 4915."), "{}", mail.text);
}

#[test]
fn new_recovery_codes_are_asked_for_when_few_are_left() {
    for (remaining, few) in [(9, false), (4, false), (3, true), (1, true), (0, true)] {
        let mail = compose(Kind::RecoveryCodeUsedNotification, None, None, &Data { remaining, ..data() }).unwrap();
        assert!(mail.text.contains(&format!("Codes left: {remaining}.")), "{}", mail.text);
        assert_eq!(mail.text.contains("Make new ones"), few, "{}", mail.text);
    }
}

#[test]
fn a_mail_sees_the_variables_of_its_kind_only() {
    let body = "{{ .Token }}|{{ .TokenHash }}|{{ .ConfirmationURL }}|{{ .NewEmail }}|{{ .OldEmail }}|{{ .Phone }}|{{ .Provider }}|{{ .FactorType }}|{{ .Email }}|{{ .Data.plan }}";
    let html = |kind| compose(kind, None, Some(body), &data()).unwrap().html;
    assert_eq!(html(Kind::PasswordChangedNotification), "||||||||ada@example.test|pro &amp; more");
    assert_eq!(html(Kind::Reauthentication), "123456||||||||ada@example.test|pro &amp; more");
    assert_eq!(html(Kind::IdentityLinkedNotification), "||||||github||ada@example.test|pro &amp; more");
    assert!(
        html(Kind::EmailChange)
            .starts_with("123456|pkce_0a1b|https://auth.test/auth/v1/verify?token=pkce_0a1b&amp;type=")
    );
}

#[test]
fn subjects_are_escaped_like_bodies() {
    let mail = compose(Kind::Confirmation, Some("Welcome {{ .Data.plan }}, \"{{ .Email }}\""), None, &data()).unwrap();
    assert_eq!(mail.subject, "Welcome pro &amp; more, \"ada@example.test\"");
}

#[test]
fn a_broken_template_is_refused_and_names_its_line() {
    let refused = compose(Kind::Invite, None, Some("a\n{{ if }}"), &data()).unwrap_err();
    assert_eq!(refused, TemplateError::Syntax { line: 2, message: "missing value".to_owned() });
}

#[test]
fn data_survives_storage() {
    let stored = serde_json::to_string(&data()).unwrap();
    assert!(serde_json::from_str::<Data>(&stored).unwrap() == data());
    assert!(serde_json::from_str::<Data>("{\"email\":\"a@b.test\"}").unwrap().token.is_empty());
}

#[test]
fn the_domain_is_what_the_browser_shows() {
    for (site, domain) in [
        ("https://app.test", "app.test"),
        ("http://localhost:3000/x?y", "localhost:3000"),
        ("https://APP.test:443/", "app.test"),
        ("myapp://callback", "callback"),
        ("not a url", "not a url"),
        ("", ""),
    ] {
        let data = Data { site_url: site.to_owned(), ..Data::default() };
        assert_eq!(data.domain(), domain, "{site}");
    }
}

//! The e-mail flow, links and codes, and the SMTP server.

use crate::config::field::Literal::{Bool, Int, Null, Text};
use crate::config::field::{Field, Kind, Lock, MAX};
use crate::config::format::Format;

/// The fields of this subject.
pub(super) const FIELDS: &[Field] = &[
    Field::switch("mailer_allow_unverified_email_sign_ins", Bool(false)).locked(
        Bool(false),
        Lock::Only(Bool(false)),
        "IDN-02",
    ),
    Field::switch("mailer_autoconfirm", Bool(false)).locked(Bool(false), Lock::Only(Bool(false)), "IDN-01"),
    Field::int("mailer_otp_exp", 0, MAX, Int(3600)).never_null().locked(Int(300), Lock::Between(60, 300), "LNK-01"),
    Field::int("mailer_otp_length", 6, 10, Int(8)).locked(Int(8), Lock::AtLeast(6), "LNK-02"),
    Field::switch("mailer_secure_email_change_enabled", Bool(true)).locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "CHG-01",
    ),
    Field::new("smtp_admin_email", Kind::Text(Format::Email), Null),
    Field::text("smtp_host", Null),
    Field::int("smtp_max_frequency", 0, 32767, Int(60)),
    Field::text("smtp_pass", Null).secret(),
    Field::new("smtp_port", Kind::Text(Format::Port), Null),
    Field::text("smtp_sender_name", Null),
    Field::text("smtp_user", Null),
    Field::int("mailer_invite_exp", 60, 604_800, Null).ours().preset(Int(300), "LNK-01"),
    Field::int("security_otp_max_attempts", 1, 20, Int(10)).ours().locked(Int(5), Lock::Between(1, 5), "LNK-02"),
    Field::new("mailer_link_token_mode", Kind::Choice(&["derived", "random"]), Text("derived")).ours().locked(
        Text("random"),
        Lock::Only(Text("random")),
        "LNK-02",
    ),
    Field::switch("mailer_link_confirm_page_enabled", Bool(false)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "LNK-03",
    ),
    Field::switch("mailer_require_domain_in_templates", Bool(false)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "LNK-04",
    ),
    Field::switch("external_email_magic_link_enabled", Bool(true)).ours(),
    Field::new("external_email_authorized_addresses", Kind::Text(Format::List), Null).ours(),
    Field::text("smtp_headers", Null).ours(),
    Field::new("smtp_reply_to", Kind::Text(Format::Email), Null).ours(),
    Field::switch("smtp_tls_required", Bool(false)).ours().preset(Bool(true), "LNK-06"),
];

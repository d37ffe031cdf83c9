//! SMS.

use crate::config::field::Literal::{Bool, Int, Null, Text};
use crate::config::field::{Field, Kind, Lock, MAX};
use crate::config::format::Format;

/// The fields of this subject.
pub(super) const FIELDS: &[Field] = &[
    Field::switch("sms_autoconfirm", Bool(false)).locked(Bool(false), Lock::Only(Bool(false)), "IDN-01"),
    Field::int("sms_max_frequency", 0, 32767, Int(5)),
    Field::text("sms_messagebird_access_key", Null).secret(),
    Field::text("sms_messagebird_originator", Null),
    Field::int("sms_otp_exp", 0, MAX, Int(60)).locked(Int(60), Lock::AtMost(300), "LNK-01"),
    Field::int("sms_otp_length", 0, 32767, Int(6)).never_null().locked(Int(6), Lock::AtLeast(6), "LNK-02"),
    Field::new(
        "sms_provider",
        Kind::Choice(&["messagebird", "textlocal", "twilio", "twilio_verify", "vonage"]),
        Text("twilio"),
    ),
    Field::text("sms_template", Text("Your code is {{ .Code }}")),
    Field::new("sms_test_otp", Kind::Text(Format::TestOtps), Null),
    Field::new("sms_test_otp_valid_until", Kind::Text(Format::DateTime), Null),
    Field::text("sms_textlocal_api_key", Null).secret(),
    Field::text("sms_textlocal_sender", Null),
    Field::text("sms_twilio_account_sid", Null),
    Field::text("sms_twilio_auth_token", Null).secret(),
    Field::text("sms_twilio_content_sid", Null),
    Field::text("sms_twilio_message_service_sid", Null),
    Field::text("sms_twilio_verify_account_sid", Null),
    Field::text("sms_twilio_verify_auth_token", Null).secret(),
    Field::text("sms_twilio_verify_message_service_sid", Null),
    Field::text("sms_vonage_api_key", Null),
    Field::text("sms_vonage_api_secret", Null).secret(),
    Field::text("sms_vonage_from", Null),
];

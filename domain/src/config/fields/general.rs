//! General settings, URLs and the security profile.

use crate::config::field::Literal::{Bool, Null, Text};
use crate::config::field::{Field, Kind, Lock};
use crate::config::format::Format;

/// The fields of this subject.
pub(super) const FIELDS: &[Field] = &[
    Field::switch("disable_signup", Bool(false)),
    Field::switch("external_anonymous_users_enabled", Bool(false)),
    Field::switch("external_email_enabled", Bool(true)),
    Field::switch("external_phone_enabled", Bool(false)),
    Field::switch("security_manual_linking_enabled", Bool(false)),
    Field::new("site_url", Kind::Text(Format::SiteUrl), Null),
    Field::new("uri_allow_list", Kind::Text(Format::AllowList), Text("")).lock(Lock::NoWildcards, "OAU-04"),
    Field::new("security_profile", Kind::Choice(&["compat", "shield"]), Text("compat"))
        .ours()
        .preset(Text("shield"), ""),
    Field::new("security_profile_mode", Kind::Choice(&["advise", "enforce"]), Text("advise"))
        .ours()
        .preset(Text("enforce"), ""),
    Field::new("app_kinds", Kind::Text(Format::Words(&["web_spa", "ssr", "mobile", "internal_admin"])), Null).ours(),
    Field::switch("security_enumeration_protection_enabled", Bool(false)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "ENU-01",
    ),
];

//! Web3, PKCE and redirects, the OAuth server, custom providers, SAML.

use crate::config::field::Literal::{Bool, Int, Null, Text};
use crate::config::field::{Field, Kind, Lock, MAX};
use crate::config::format::Format;

/// The fields of this subject.
pub(super) const FIELDS: &[Field] = &[
    Field::switch("custom_oauth_enabled", Bool(false)).never_null(),
    Field::int("custom_oauth_max_providers", 0, MAX, Int(3)).answer_only(),
    Field::switch("external_web3_ethereum_enabled", Bool(false)),
    Field::switch("external_web3_solana_enabled", Bool(false)),
    Field::text("nimbus_oauth_client_id", Null),
    Field::text("nimbus_oauth_client_secret", Null).secret(),
    Field::switch("nimbus_oauth_email_optional", Null).answer_only(),
    Field::switch("oauth_server_allow_dynamic_registration", Bool(false)),
    Field::text("oauth_server_authorization_path", Null),
    Field::switch("oauth_server_enabled", Bool(false)),
    Field::switch("saml_allow_encrypted_assertions", Bool(false)).answer_only(),
    Field::switch("saml_enabled", Bool(false)),
    Field::new("saml_external_url", Kind::Text(Format::OneUrl), Null),
    Field::new("security_pkce_required", Kind::Choice(&["off", "oauth", "all"]), Text("off")).ours().locked(
        Text("all"),
        Lock::Only(Text("all")),
        "OAU-01",
    ),
    Field::switch("security_oauth_state_cookie_enabled", Bool(false)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "OAU-02",
    ),
    Field::switch("security_oauth_nonce_required", Bool(false)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "OAU-03",
    ),
    Field::switch("security_redirect_exact_match_enabled", Bool(false)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "OAU-04",
    ),
    Field::new("external_scopes_allowed", Kind::Text(Format::List), Null)
        .ours()
        .preset(Text("openid,email,profile"), "OAU-07"),
    // No contract knows of a rule for these: both profiles have the reference's behaviour but for wallets (the page on weaknesses).
    Field::switch("security_automatic_linking_enabled", Bool(true)).ours(),
    Field::text("external_linking_domains", Null).ours(),
    Field::new("external_id_token_issuers", Kind::Text(Format::List), Null).ours(),
    Field::switch("security_web3_single_use_enabled", Bool(false)).ours().locked(
        Bool(true),
        Lock::Only(Bool(true)),
        "",
    ),
    Field::switch("saml_allow_idp_initiated", Bool(true)).ours().preset(Bool(false), "OAU-09"),
];

//! All tables that hold rows of projects: their columns, what hangs on what, and in which order their rows are read.
//!
//! Left out are `instance_id` (the project's own, bound by every statement), columns the database computes, the number that a
//! database gives an end of a session for itself (`session_revocations.id`), and who is delivering a message at the moment
//! (`outbox.leased_until`). A test compares the list with the schema of both databases.

use super::cells::Kind;
use crate::sql::Sql;
#[cfg(test)]
use crate::sql::{Listed, Scope};

/// A column.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// A table whose rows belong to projects.
pub struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    /// Its rows are read in the order of these columns, through an index that begins with the project. They say which row it is.
    pub(crate) key: &'static [&'static str],
    /// Whether rows of other tables hang on its rows.
    pub(crate) is_parent: bool,
    pub(super) first: Sql,
    pub(super) after: Sql,
    pub(super) insert: Sql,
    pub(super) delete: Sql,
    pub(super) count: Sql,
}

impl Table {
    /// Its name in the schema `auth`.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

macro_rules! kind {
    ((uuid)) => {
        Kind::Uuid
    };
    ((text)) => {
        Kind::Text
    };
    ((word $type:literal)) => {
        Kind::Text
    };
    ((time)) => {
        Kind::Time
    };
    ((wall)) => {
        Kind::Time
    };
    ((json)) => {
        Kind::Json
    };
    ((json as json)) => {
        Kind::Json
    };
    ((bool)) => {
        Kind::Bool
    };
    ((int)) => {
        Kind::Int
    };
    ((token)) => {
        Kind::Token
    };
    ((raised)) => {
        Kind::Raised
    };
    ((bytes)) => {
        Kind::Bytes
    };
    ((texts)) => {
        Kind::Texts
    };
    ((address)) => {
        Kind::Address
    };
}

/// `name (life) { columns } key [..] where filter; found reach [..]; hangs on [..]`.
macro_rules! table_statements {
    ($(
        $name:literal $life:ident {
            $head:literal $head_kind:tt, $($column:literal $kind:tt,)*
        } read by [$($key:literal $key_kind:tt),+] $filter:literal found $reach:ident [$($id:literal $id_kind:tt),+]
        on [$($parent_column:literal => $parent:literal),*];
    )+) => {
        /// All tables: what hangs on something comes after it, ends of sessions come last.
        pub(crate) const TABLES: &[Table] = &[$(Table {
            name: $name,
            columns: &[
                Column { name: $head, kind: kind!($head_kind) },
                $(Column { name: $column, kind: kind!($kind) },)*
            ],
            key: &[$($key),+],
            is_parent: matches!(stringify!($life).as_bytes(), b"parent"),
            first: first_rows!($name, $head $head_kind, [$($column $kind,)*], $filter, [$($key $key_kind),+]),
            after: rows_after!($name, $head $head_kind, [$($column $kind,)*], $filter, [$($key $key_kind),+]),
            insert: insert_rows!($name, $life, $head $head_kind, [$($column $kind,)*], [$($parent_column => $parent),*]),
            delete: delete_rows!($name, $reach, [$($id $id_kind),+]),
            count: count_rows!($name),
        },)+];

        #[cfg(test)]
        pub(crate) const STATEMENTS: &[Listed] = &[$(
            Listed {
                scope: Scope::Project,
                name: concat!($name, " first"),
                sql: first_rows!($name, $head $head_kind, [$($column $kind,)*], $filter, [$($key $key_kind),+]),
            },
            Listed {
                scope: Scope::Project,
                name: concat!($name, " after"),
                sql: rows_after!($name, $head $head_kind, [$($column $kind,)*], $filter, [$($key $key_kind),+]),
            },
            Listed {
                scope: Scope::Project,
                name: concat!($name, " insert"),
                sql: insert_rows!($name, $life, $head $head_kind, [$($column $kind,)*], [$($parent_column => $parent),*]),
            },
            Listed { scope: Scope::Project, name: concat!($name, " delete"), sql: delete_rows!($name, $reach, [$($id $id_kind),+]) },
            Listed { scope: Scope::Project, name: concat!($name, " count"), sql: count_rows!($name) },
        )+];
    };
}

table_statements! {
    "users" parent {
        "id" (uuid), "aud" (text), "role" (text), "email" (text), "encrypted_password" (text), "email_confirmed_at" (time),
        "invited_at" (time), "confirmation_token" (text), "confirmation_sent_at" (time), "recovery_token" (text),
        "recovery_sent_at" (time), "email_change_token_new" (text), "email_change" (text), "email_change_sent_at" (time),
        "last_sign_in_at" (time), "raw_app_meta_data" (json), "raw_user_meta_data" (json), "is_super_admin" (bool),
        "created_at" (time), "updated_at" (time), "phone" (text), "phone_confirmed_at" (time), "phone_change" (text),
        "phone_change_token" (text), "phone_change_sent_at" (time), "email_change_token_current" (text),
        "email_change_confirm_status" (int), "banned_until" (time), "reauthentication_token" (text),
        "reauthentication_sent_at" (time), "is_sso_user" (bool), "deleted_at" (time), "is_anonymous" (bool),
    } read by ["id" (uuid)] "" found global ["id" (uuid)] on [];

    "identities" leaf {
        "id" (uuid), "user_id" (uuid), "provider" (text), "provider_id" (text), "identity_data" (json),
        "last_sign_in_at" (time), "created_at" (time), "updated_at" (time),
    } read by ["user_id" (uuid), "id" (uuid)] "" found global ["id" (uuid)] on ["user_id" => "users"];

    "oauth_clients" parent {
        "id" (uuid), "client_secret_hash" (text), "registration_type" (word "auth.oauth_registration_type"),
        "redirect_uris" (text), "grant_types" (text), "client_name" (text), "client_uri" (text), "logo_uri" (text),
        "created_at" (time), "updated_at" (time), "deleted_at" (time), "client_type" (word "auth.oauth_client_type"),
        "token_endpoint_auth_method" (text),
    } read by ["id" (uuid)] "" found global ["id" (uuid)] on [];

    "sessions" parent {
        "id" (uuid), "user_id" (uuid), "created_at" (time), "updated_at" (time), "factor_id" (uuid),
        "aal" (word "auth.aal_level"), "not_after" (time), "refreshed_at" (wall), "user_agent" (text), "ip" (address),
        "tag" (text), "oauth_client_id" (uuid), "refresh_token_hmac_key" (text), "refresh_token_counter" (int),
        "scopes" (text), "raised_from" (raised),
    } read by ["id" (uuid)] "" found global ["id" (uuid)] on ["user_id" => "users", "oauth_client_id" => "oauth_clients"];

    "refresh_tokens" leaf {
        "id" (token), "token" (text), "user_id" (text), "revoked" (bool), "created_at" (time), "updated_at" (time),
        "parent" (text), "session_id" (uuid),
    } read by ["id" (token)] "" found global ["id" (token)] on ["session_id" => "sessions"];

    "mfa_amr_claims" leaf {
        "id" (uuid), "session_id" (uuid), "created_at" (time), "updated_at" (time), "authentication_method" (text),
    } read by ["session_id" (uuid), "id" (uuid)] "" found global ["id" (uuid)] on ["session_id" => "sessions"];

    "one_time_tokens" leaf {
        "id" (uuid), "user_id" (uuid), "token_type" (word "auth.one_time_token_type"), "token_hash" (text),
        "relates_to" (text), "created_at" (wall), "updated_at" (wall), "attempts" (int), "code_hash" (text),
    } read by ["user_id" (uuid), "id" (uuid)] "" found global ["id" (uuid)] on ["user_id" => "users"];

    "flow_state" parent {
        "id" (uuid), "user_id" (uuid), "auth_code" (text), "code_challenge_method" (word "auth.code_challenge_method"),
        "code_challenge" (text), "provider_type" (text), "provider_access_token" (text), "provider_refresh_token" (text),
        "created_at" (time), "updated_at" (time), "authentication_method" (text), "auth_code_issued_at" (time),
        "invite_token" (text), "referrer" (text), "oauth_client_state_id" (uuid), "linking_target_id" (uuid),
        "email_optional" (bool), "linking_session_id" (uuid),
    } read by ["id" (uuid)] "" found global ["id" (uuid)] on [];

    "mfa_factors" parent {
        "id" (uuid), "user_id" (uuid), "friendly_name" (text), "factor_type" (word "auth.factor_type"),
        "status" (word "auth.factor_status"), "created_at" (time), "updated_at" (time), "secret" (text), "phone" (text),
        "last_challenged_at" (time), "web_authn_credential" (json), "web_authn_aaguid" (uuid),
        "last_webauthn_challenge_data" (json), "last_accepted_step" (int),
    } read by ["id" (uuid)] "" found global ["id" (uuid)] on ["user_id" => "users"];

    "mfa_challenges" leaf {
        "id" (uuid), "factor_id" (uuid), "created_at" (time), "verified_at" (time), "ip_address" (address),
        "otp_code" (text), "web_authn_session_data" (json),
    } read by ["factor_id" (uuid), "id" (uuid)] "" found global ["id" (uuid)] on ["factor_id" => "mfa_factors"];

    "mfa_recovery_codes" leaf {
        "id" (uuid), "user_id" (uuid), "set_id" (uuid), "code_hash" (text), "created_at" (time), "used_at" (time),
    } read by ["user_id" (uuid), "id" (uuid)] "" found global ["id" (uuid)] on ["user_id" => "users"];

    "known_devices" leaf {
        "user_id" (uuid), "device" (text), "first_seen_at" (time), "last_seen_at" (time),
    } read by ["user_id" (uuid), "device" (text)] "" found local ["user_id" (uuid), "device" (text)]
    on ["user_id" => "users"];

    "webauthn_credentials" leaf {
        "id" (uuid), "user_id" (uuid), "credential_id" (bytes), "public_key" (bytes), "attestation_type" (text),
        "aaguid" (uuid), "sign_count" (int), "transports" (json), "backup_eligible" (bool), "backed_up" (bool),
        "friendly_name" (text), "created_at" (time), "updated_at" (time), "last_used_at" (time),
    } read by ["user_id" (uuid), "id" (uuid)] "" found global ["id" (uuid)] on ["user_id" => "users"];

    "webauthn_challenges" leaf {
        "id" (uuid), "user_id" (uuid), "challenge_type" (text), "session_data" (json), "created_at" (time),
        "expires_at" (time),
    } read by ["expires_at" (time), "id" (uuid)] "" found global ["id" (uuid)] on ["user_id" => "users"];

    "sso_providers" parent {
        "id" (uuid), "resource_id" (text), "created_at" (time), "updated_at" (time), "disabled" (bool),
    } read by ["id" (uuid)] "" found global ["id" (uuid)] on [];

    "sso_domains" leaf {
        "id" (uuid), "sso_provider_id" (uuid), "domain" (text), "created_at" (time), "updated_at" (time),
    } read by ["sso_provider_id" (uuid), "id" (uuid)] "" found global ["id" (uuid)]
    on ["sso_provider_id" => "sso_providers"];

    "saml_providers" leaf {
        "id" (uuid), "sso_provider_id" (uuid), "entity_id" (text), "metadata_xml" (text), "metadata_url" (text),
        "attribute_mapping" (json), "created_at" (time), "updated_at" (time), "name_id_format" (text),
    } read by ["sso_provider_id" (uuid), "id" (uuid)] "" found global ["id" (uuid)]
    on ["sso_provider_id" => "sso_providers"];

    "saml_relay_states" leaf {
        "id" (uuid), "sso_provider_id" (uuid), "request_id" (text), "for_email" (text), "redirect_to" (text),
        "created_at" (time), "updated_at" (time), "flow_state_id" (uuid),
    } read by ["sso_provider_id" (uuid), "id" (uuid)] "" found global ["id" (uuid)]
    on ["sso_provider_id" => "sso_providers", "flow_state_id" => "flow_state"];

    "oauth_authorizations" leaf {
        "id" (uuid), "authorization_id" (text), "client_id" (uuid), "user_id" (uuid), "redirect_uri" (text),
        "scope" (text), "state" (text), "resource" (text), "code_challenge" (text),
        "code_challenge_method" (word "auth.code_challenge_method"), "response_type" (word "auth.oauth_response_type"),
        "status" (word "auth.oauth_authorization_status"), "authorization_code" (text), "created_at" (time),
        "expires_at" (time), "approved_at" (time), "nonce" (text),
    } read by ["client_id" (uuid), "id" (uuid)] "" found global ["id" (uuid)]
    on ["client_id" => "oauth_clients", "user_id" => "users"];

    "oauth_consents" leaf {
        "id" (uuid), "user_id" (uuid), "client_id" (uuid), "scopes" (text), "granted_at" (time), "revoked_at" (time),
    } read by ["client_id" (uuid), "id" (uuid)] "" found global ["id" (uuid)]
    on ["client_id" => "oauth_clients", "user_id" => "users"];

    "oauth_client_states" leaf {
        "id" (uuid), "provider_type" (text), "code_verifier" (text), "created_at" (time),
    } read by ["created_at" (time), "id" (uuid)] "" found global ["id" (uuid)] on [];

    "custom_oauth_providers" leaf {
        "id" (uuid), "provider_type" (text), "identifier" (text), "name" (text), "client_id" (text),
        "client_secret" (text), "acceptable_client_ids" (texts), "scopes" (texts), "pkce_enabled" (bool),
        "attribute_mapping" (json), "authorization_params" (json), "enabled" (bool), "email_optional" (bool),
        "issuer" (text), "discovery_url" (text), "skip_nonce_check" (bool), "cached_discovery" (json),
        "discovery_cached_at" (time), "authorization_url" (text), "token_url" (text), "userinfo_url" (text),
        "jwks_uri" (text), "created_at" (time), "updated_at" (time), "custom_claims_allowlist" (texts),
    } read by ["created_at" (time), "id" (uuid)] "" found global ["id" (uuid)] on [];

    "web3_signatures" leaf {
        "digest" (bytes), "expires_at" (time),
    } read by ["digest" (bytes)] "" found local ["digest" (bytes)] on [];

    "instances" leaf {
        "id" (uuid), "uuid" (uuid), "raw_base_config" (text), "created_at" (time), "updated_at" (time),
    } read by ["id" (uuid)] "" found global ["id" (uuid)] on [];

    "audit_log_entries" leaf {
        "id" (uuid), "payload" (json as json), "created_at" (time), "ip_address" (text),
    } read by ["id" (uuid)] "" found global ["id" (uuid)] on [];

    "outbox" leaf {
        "id" (uuid), "kind" (text), "payload" (text), "attempts" (int), "state" (text), "next_attempt_at" (time),
        "last_error" (text), "created_at" (time),
    } read by ["created_at" (time), "id" (uuid)] "" found global ["id" (uuid)] on [];

    "session_revocations" leaf {
        "seq" (int), "session_id" (uuid), "user_id" (uuid), "at" (time),
    } read by ["seq" (int)] " and x.seq is not null" found local ["seq" (int)] on [];
}

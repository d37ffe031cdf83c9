//! A project with rows in every table: in each one with a value in every column, and one with as few as there may be.

use storage::archive::{Row, Table, table};

/// The ids end in what they belong to: `{1}` is replaced by the first half of an id.
const LINES: &[(&str, &str)] = &[
    (
        "users",
        r#"{"aud":"authenticated","banned_until":"2999-01-01T00:00:00.000000Z","confirmation_sent_at":"2026-01-31T12:00:00.000001Z","confirmation_token":"t-confirm","created_at":"2026-01-31T12:00:00.123456Z","deleted_at":"2026-02-01T00:00:00.000000Z","email":"ada@example.com","email_change":"new@example.com","email_change_confirm_status":1,"email_change_sent_at":"2026-01-31T12:00:00.000002Z","email_change_token_current":"t-current","email_change_token_new":"t-new","email_confirmed_at":"2026-01-31T12:00:00.000003Z","encrypted_password":"$2a$10$hash","id":"{1}-0001","invited_at":"2026-01-31T12:00:00.000004Z","is_anonymous":true,"is_sso_user":false,"is_super_admin":true,"last_sign_in_at":"2026-01-31T12:00:00.000005Z","phone":"4930123456","phone_change":"4930999999","phone_change_sent_at":"2026-01-31T12:00:00.000006Z","phone_change_token":"t-phone","phone_confirmed_at":"2026-01-31T12:00:00.000007Z","raw_app_meta_data":{"provider":"email","providers":["email"]},"raw_user_meta_data":{"a \"quote\"":"back\\slash","deep":{"list":[1,2.5,null,true,{"ü":"ß\n"}]},"empty":{},"large":12345678901234567890123},"reauthentication_sent_at":"2026-01-31T12:00:00.000008Z","reauthentication_token":"t-again","recovery_sent_at":"2026-01-31T12:00:00.000009Z","recovery_token":"t-recover","role":"authenticated","updated_at":"2026-01-31T12:00:00.000010Z"}"#,
    ),
    ("users", r#"{"email":"","id":"{1}-0002","is_anonymous":false,"is_sso_user":true,"raw_user_meta_data":null}"#),
    (
        "identities",
        r#"{"created_at":"2026-01-31T12:00:00.000000Z","id":"{1}-0003","identity_data":{"email":"Ada@Example.com","sub":"1"},"last_sign_in_at":"2026-01-31T12:00:00.000000Z","provider":"github","provider_id":"1","updated_at":"2026-01-31T12:00:00.000000Z","user_id":"{1}-0001"}"#,
    ),
    ("identities", r#"{"id":"{1}-0004","identity_data":{},"provider":"email","provider_id":"2","user_id":"{1}-0002"}"#),
    (
        "oauth_clients",
        r#"{"client_name":"App","client_secret_hash":"h","client_type":"public","client_uri":"https://a.example","created_at":"2026-01-31T12:00:00.000000Z","deleted_at":"2026-01-31T12:00:00.000000Z","grant_types":"authorization_code","id":"{1}-0005","logo_uri":"https://a.example/l","redirect_uris":"https://a.example/cb","registration_type":"dynamic","token_endpoint_auth_method":"none","updated_at":"2026-01-31T12:00:00.000000Z"}"#,
    ),
    (
        "oauth_clients",
        r#"{"client_type":"confidential","created_at":"2026-01-31T12:00:00.000000Z","grant_types":"","id":"{1}-0006","redirect_uris":"","registration_type":"manual","token_endpoint_auth_method":"client_secret_basic","updated_at":"2026-01-31T12:00:00.000000Z"}"#,
    ),
    (
        "sessions",
        r#"{"aal":"aal2","created_at":"2026-01-31T12:00:00.000000Z","factor_id":"{1}-0013","id":"{1}-0007","ip":"2001:db8::7","not_after":"2027-01-31T12:00:00.000000Z","oauth_client_id":"{1}-0005","raised_from":41,"refresh_token_hmac_key":"k","refreshed_at":"2026-01-31T12:00:00.654321Z","scopes":"openid","tag":"t","updated_at":"2026-01-31T12:00:00.000000Z","user_agent":"Agent/1 (\"x\")","user_id":"{1}-0001"}"#,
    ),
    ("sessions", r#"{"id":"{1}-0008","raised_from":4,"refresh_token_counter":9,"user_id":"{1}-0002"}"#),
    (
        "refresh_tokens",
        r#"{"created_at":"2026-01-31T12:00:00.000000Z","id":40,"parent":"","revoked":true,"session_id":"{1}-0007","token":"abcdefghijkl","updated_at":"2026-01-31T12:00:00.000000Z","user_id":"{1}-0001"}"#,
    ),
    (
        "refresh_tokens",
        r#"{"id":41,"parent":"abcdefghijkl","revoked":false,"session_id":"{1}-0007","token":"mnopqrstuvwx"}"#,
    ),
    ("refresh_tokens", r#"{"id":1000,"token":"without session"}"#),
    (
        "mfa_amr_claims",
        r#"{"authentication_method":"password","created_at":"2026-01-31T12:00:00.000000Z","id":"{1}-0009","session_id":"{1}-0007","updated_at":"2026-01-31T12:00:00.000000Z"}"#,
    ),
    (
        "one_time_tokens",
        r#"{"attempts":2,"code_hash":"c","created_at":"2026-01-31T12:00:00.000001Z","id":"{1}-0010","relates_to":"ada@example.com","token_hash":"h","token_type":"email_change_token_current","updated_at":"2026-01-31T12:00:00.000002Z","user_id":"{1}-0001"}"#,
    ),
    (
        "one_time_tokens",
        r#"{"attempts":0,"created_at":"2026-01-31T12:00:00.000000Z","id":"{1}-0011","relates_to":"","token_hash":"i","token_type":"recovery_token","updated_at":"2026-01-31T12:00:00.000000Z","user_id":"{1}-0001"}"#,
    ),
    (
        "flow_state",
        r#"{"auth_code":"code","auth_code_issued_at":"2026-01-31T12:00:00.000000Z","authentication_method":"oauth","code_challenge":"ch","code_challenge_method":"s256","created_at":"2026-01-31T12:00:00.000000Z","email_optional":true,"id":"{1}-0012","invite_token":"i","linking_session_id":"{1}-0007","linking_target_id":"{1}-0001","oauth_client_state_id":"{1}-0028","provider_access_token":"v1.x","provider_refresh_token":"v1.y","provider_type":"github","referrer":"https://a.example","updated_at":"2026-01-31T12:00:00.000000Z","user_id":"{1}-0001"}"#,
    ),
    (
        "flow_state",
        r#"{"authentication_method":"magiclink","email_optional":false,"id":"{1}-0032","provider_type":"email"}"#,
    ),
    (
        "mfa_factors",
        r#"{"created_at":"2026-01-31T12:00:00.000000Z","factor_type":"totp","friendly_name":"Phone","id":"{1}-0013","last_accepted_step":58000000,"last_challenged_at":"2026-01-31T12:00:00.000000Z","last_webauthn_challenge_data":{"c":1},"phone":"49","secret":"v1.sealed","status":"verified","updated_at":"2026-01-31T12:00:00.000000Z","user_id":"{1}-0001","web_authn_aaguid":"{1}-0099","web_authn_credential":{"k":[]}}"#,
    ),
    (
        "mfa_factors",
        r#"{"created_at":"2026-01-31T12:00:00.000000Z","factor_type":"webauthn","id":"{1}-0014","status":"unverified","updated_at":"2026-01-31T12:00:00.000000Z","user_id":"{1}-0002"}"#,
    ),
    (
        "mfa_challenges",
        r#"{"created_at":"2026-01-31T12:00:00.000000Z","factor_id":"{1}-0013","id":"{1}-0015","ip_address":"192.0.2.9","otp_code":"123456","verified_at":"2026-01-31T12:00:00.000000Z","web_authn_session_data":{"s":true}}"#,
    ),
    (
        "mfa_recovery_codes",
        r#"{"code_hash":"h","created_at":"2026-01-31T12:00:00.000000Z","id":"{1}-0016","set_id":"{1}-0098","used_at":"2026-01-31T12:00:00.000000Z","user_id":"{1}-0001"}"#,
    ),
    (
        "mfa_recovery_codes",
        r#"{"code_hash":"i","created_at":"2026-01-31T12:00:00.000000Z","id":"{1}-0017","set_id":"{1}-0098","user_id":"{1}-0001"}"#,
    ),
    (
        "known_devices",
        r#"{"device":"Firefox","first_seen_at":"2026-01-31T12:00:00.000000Z","last_seen_at":"2026-01-31T12:00:00.000000Z","user_id":"{1}-0001"}"#,
    ),
    (
        "known_devices",
        r#"{"device":"ZZ before a","first_seen_at":"2026-01-31T12:00:00.000000Z","last_seen_at":"2026-01-31T12:00:00.000000Z","user_id":"{1}-0001"}"#,
    ),
    (
        "known_devices",
        r#"{"device":"a after ZZ","first_seen_at":"2026-01-31T12:00:00.000000Z","last_seen_at":"2026-01-31T12:00:00.000000Z","user_id":"{1}-0001"}"#,
    ),
    (
        "webauthn_credentials",
        r#"{"aaguid":"{1}-0097","attestation_type":"none","backed_up":true,"backup_eligible":false,"created_at":"2026-01-31T12:00:00.000000Z","credential_id":"00ff10","friendly_name":"Key","id":"{1}-0018","last_used_at":"2026-01-31T12:00:00.000000Z","public_key":"","sign_count":4294967295,"transports":["usb","nfc"],"updated_at":"2026-01-31T12:00:00.000000Z","user_id":"{1}-0001"}"#,
    ),
    (
        "webauthn_challenges",
        r#"{"challenge_type":"registration","created_at":"2026-01-31T12:00:00.000000Z","expires_at":"2026-01-31T12:05:00.000000Z","id":"{1}-0019","session_data":{"c":"x"},"user_id":"{1}-0001"}"#,
    ),
    (
        "webauthn_challenges",
        r#"{"challenge_type":"authentication","created_at":"2026-01-31T12:00:00.000000Z","expires_at":"2026-01-31T12:05:00.000000Z","id":"{1}-0020","session_data":[]}"#,
    ),
    (
        "sso_providers",
        r#"{"created_at":"2026-01-31T12:00:00.000000Z","disabled":false,"id":"{1}-0021","resource_id":"r","updated_at":"2026-01-31T12:00:00.000000Z"}"#,
    ),
    (
        "sso_domains",
        r#"{"created_at":"2026-01-31T12:00:00.000000Z","domain":"a.example","id":"{1}-0022","sso_provider_id":"{1}-0021","updated_at":"2026-01-31T12:00:00.000000Z"}"#,
    ),
    (
        "saml_providers",
        r#"{"attribute_mapping":{"keys":{}},"created_at":"2026-01-31T12:00:00.000000Z","entity_id":"e","id":"{1}-0023","metadata_url":"https://a.example/m","metadata_xml":"<x a=\"1\"/>","name_id_format":"f","sso_provider_id":"{1}-0021","updated_at":"2026-01-31T12:00:00.000000Z"}"#,
    ),
    (
        "saml_relay_states",
        r#"{"created_at":"2026-01-31T12:00:00.000000Z","flow_state_id":"{1}-0012","for_email":"a@a.example","id":"{1}-0024","redirect_to":"https://a.example","request_id":"r","sso_provider_id":"{1}-0021","updated_at":"2026-01-31T12:00:00.000000Z"}"#,
    ),
    (
        "oauth_authorizations",
        r#"{"approved_at":"2026-01-31T12:00:00.000000Z","authorization_code":"c","authorization_id":"a","client_id":"{1}-0005","code_challenge":"ch","code_challenge_method":"plain","created_at":"2026-01-31T12:00:00.000000Z","expires_at":"2026-01-31T12:03:00.000000Z","id":"{1}-0025","nonce":"n","redirect_uri":"https://a.example/cb","resource":"r","response_type":"code","scope":"openid","state":"s","status":"approved","user_id":"{1}-0001"}"#,
    ),
    (
        "oauth_consents",
        r#"{"client_id":"{1}-0005","granted_at":"2026-01-31T12:00:00.000000Z","id":"{1}-0027","revoked_at":"2026-01-31T12:00:00.000000Z","scopes":"openid","user_id":"{1}-0001"}"#,
    ),
    (
        "oauth_client_states",
        r#"{"code_verifier":"v","created_at":"2026-01-31T12:00:00.000000Z","id":"{1}-0028","provider_type":"github"}"#,
    ),
    (
        "custom_oauth_providers",
        r#"{"acceptable_client_ids":["a","b \"c\"",""],"attribute_mapping":{"email":"mail"},"authorization_params":{"p":"1"},"authorization_url":"https://p.example/a","cached_discovery":{"issuer":"https://p.example"},"client_id":"c","client_secret":"v1.sealed","created_at":"2026-01-31T12:00:00.000000Z","custom_claims_allowlist":["x"],"discovery_cached_at":"2026-01-31T12:00:00.000000Z","discovery_url":"https://p.example/d","email_optional":true,"enabled":true,"id":"{1}-0029","identifier":"custom:p","issuer":"https://p.example","jwks_uri":"https://p.example/j","name":"P","pkce_enabled":false,"provider_type":"oidc","scopes":[],"skip_nonce_check":true,"token_url":"https://p.example/t","updated_at":"2026-01-31T12:00:00.000000Z","userinfo_url":"https://p.example/u"}"#,
    ),
    (
        "web3_signatures",
        r#"{"digest":"00ff000000000000000000000000000000000000000000000000000000000abc","expires_at":"2026-01-31T12:00:00.000000Z"}"#,
    ),
    (
        "instances",
        r#"{"created_at":"2026-01-31T12:00:00.000000Z","id":"{1}-0030","raw_base_config":"{}","updated_at":"2026-01-31T12:00:00.000000Z","uuid":"{1}-0096"}"#,
    ),
    (
        "audit_log_entries",
        r#"{"created_at":"2026-01-31T12:00:00.000000Z","id":"{1}-0031","ip_address":"192.0.2.1","payload":{"action":"login","actor_id":"1"}}"#,
    ),
    ("audit_log_entries", r#"{"id":"{1}-0033","ip_address":""}"#),
    (
        "outbox",
        r#"{"attempts":3,"created_at":"2026-01-31T12:00:00.000000Z","id":"{1}-0034","kind":"mail","last_error":"refused","next_attempt_at":"2026-01-31T13:00:00.000000Z","payload":"v1.sealed","state":"dead"}"#,
    ),
    (
        "session_revocations",
        r#"{"at":"2026-01-31T12:00:00.000000Z","seq":7,"session_id":"{1}-0095","user_id":"{1}-0001"}"#,
    ),
    (
        "session_revocations",
        r#"{"at":"2026-01-31T12:00:00.000000Z","seq":8,"session_id":"{1}-0094","user_id":"{1}-0001"}"#,
    ),
];

/// The rows with ids that begin with `number`, as JSON.
pub(crate) fn lines(number: u32) -> Vec<(&'static Table, String)> {
    let begin = format!("{number:08x}-1111-4111-8111-11111111");
    let full = |text: &str| text.replace("{1}-", &begin);
    LINES.iter().map(|(name, text)| (table(name).unwrap(), full(text))).collect()
}

/// The same, read.
pub(crate) fn rows(number: u32) -> Vec<(&'static Table, Row)> {
    lines(number).into_iter().map(|(table, line)| (table, Row::from_json(table, &line).unwrap())).collect()
}

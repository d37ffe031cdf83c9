-- Passkeys, single sign-on, the OAuth server and the OAuth client.

create table auth.webauthn_credentials (
    instance_id blob not null,
    id blob not null,
    user_id blob not null,
    credential_id blob not null,
    public_key blob not null,
    attestation_type text not null default '',
    aaguid blob,
    sign_count integer not null default 0,
    transports text not null default '[]',
    backup_eligible integer not null default 0 check (backup_eligible in (0, 1)),
    backed_up integer not null default 0 check (backed_up in (0, 1)),
    friendly_name text not null default '',
    created_at text not null,
    updated_at text not null,
    last_used_at text,
    constraint webauthn_credentials_pkey primary key (id),
    constraint webauthn_credentials_user_id_fkey
        foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade
) strict;
create unique index auth.webauthn_credentials_credential_id_key on webauthn_credentials (instance_id, credential_id);
create index auth.webauthn_credentials_user_id_idx on webauthn_credentials (instance_id, user_id);

create table auth.webauthn_challenges (
    instance_id blob not null,
    id blob not null,
    user_id blob,
    challenge_type text not null,
    session_data text not null,
    created_at text not null,
    expires_at text not null,
    constraint webauthn_challenges_pkey primary key (id),
    constraint webauthn_challenges_user_id_fkey
        foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade,
    constraint webauthn_challenges_challenge_type_check
        check (challenge_type in ('signup', 'registration', 'authentication'))
) strict;
create index auth.webauthn_challenges_expires_at_idx on webauthn_challenges (instance_id, expires_at);
create index auth.webauthn_challenges_user_id_idx on webauthn_challenges (instance_id, user_id);

-- A comparison with NULL is never true: an empty text passes these checks, as it does in the schema this one is compatible with.
create table auth.sso_providers (
    instance_id blob not null,
    id blob not null,
    resource_id text,
    created_at text,
    updated_at text,
    disabled integer check (disabled in (0, 1)),
    constraint sso_providers_pkey primary key (id),
    constraint sso_providers_instance_id_id_key unique (instance_id, id),
    constraint "resource_id not empty" check (resource_id = null or length(resource_id) > 0)
) strict;
create unique index auth.sso_providers_resource_id_idx on sso_providers (instance_id, lower(resource_id));
create index auth.sso_providers_resource_id_pattern_idx on sso_providers (instance_id, resource_id);

create table auth.sso_domains (
    instance_id blob not null,
    id blob not null,
    sso_provider_id blob not null,
    domain text not null,
    created_at text,
    updated_at text,
    constraint sso_domains_pkey primary key (id),
    constraint sso_domains_sso_provider_id_fkey
        foreign key (instance_id, sso_provider_id) references sso_providers (instance_id, id) on delete cascade,
    constraint "domain not empty" check (length(domain) > 0)
) strict;
create unique index auth.sso_domains_domain_idx on sso_domains (instance_id, lower(domain));
create index auth.sso_domains_sso_provider_id_idx on sso_domains (instance_id, sso_provider_id);

create table auth.saml_providers (
    instance_id blob not null,
    id blob not null,
    sso_provider_id blob not null,
    entity_id text not null,
    metadata_xml text not null,
    metadata_url text,
    attribute_mapping text,
    created_at text,
    updated_at text,
    name_id_format text,
    constraint saml_providers_pkey primary key (id),
    constraint saml_providers_entity_id_key unique (instance_id, entity_id),
    constraint saml_providers_sso_provider_id_fkey
        foreign key (instance_id, sso_provider_id) references sso_providers (instance_id, id) on delete cascade,
    constraint "entity_id not empty" check (length(entity_id) > 0),
    constraint "metadata_url not empty" check (metadata_url = null or length(metadata_url) > 0),
    constraint "metadata_xml not empty" check (length(metadata_xml) > 0)
) strict;
create index auth.saml_providers_sso_provider_id_idx on saml_providers (instance_id, sso_provider_id);

create table auth.saml_relay_states (
    instance_id blob not null,
    id blob not null,
    sso_provider_id blob not null,
    request_id text not null,
    for_email text,
    redirect_to text,
    created_at text,
    updated_at text,
    flow_state_id blob,
    constraint saml_relay_states_pkey primary key (id),
    constraint saml_relay_states_flow_state_id_fkey
        foreign key (instance_id, flow_state_id) references flow_state (instance_id, id) on delete cascade,
    constraint saml_relay_states_sso_provider_id_fkey
        foreign key (instance_id, sso_provider_id) references sso_providers (instance_id, id) on delete cascade,
    constraint "request_id not empty" check (length(request_id) > 0)
) strict;
create index auth.saml_relay_states_created_at_idx on saml_relay_states (instance_id, created_at desc);
create index auth.saml_relay_states_for_email_idx on saml_relay_states (instance_id, for_email);
create index auth.saml_relay_states_sso_provider_id_idx on saml_relay_states (instance_id, sso_provider_id);
create index auth.saml_relay_states_flow_state_id_idx on saml_relay_states (instance_id, flow_state_id);

create table auth.oauth_authorizations (
    instance_id blob not null,
    id blob not null,
    authorization_id text not null,
    client_id blob not null,
    user_id blob,
    redirect_uri text not null,
    scope text not null,
    state text,
    resource text,
    code_challenge text,
    code_challenge_method text check (code_challenge_method in ('s256', 'plain')),
    response_type text not null default 'code' check (response_type in ('code')),
    status text not null default 'pending' check (status in ('pending', 'approved', 'denied', 'expired')),
    authorization_code text,
    created_at text not null,
    expires_at text not null,
    approved_at text,
    nonce text,
    constraint oauth_authorizations_pkey primary key (id),
    constraint oauth_authorizations_authorization_code_key unique (instance_id, authorization_code),
    constraint oauth_authorizations_authorization_id_key unique (instance_id, authorization_id),
    constraint oauth_authorizations_client_id_fkey
        foreign key (instance_id, client_id) references oauth_clients (instance_id, id) on delete cascade,
    constraint oauth_authorizations_user_id_fkey
        foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade,
    constraint oauth_authorizations_authorization_code_length check (length(authorization_code) <= 255),
    constraint oauth_authorizations_code_challenge_length check (length(code_challenge) <= 128),
    constraint oauth_authorizations_expires_at_future check (expires_at > created_at),
    constraint oauth_authorizations_nonce_length check (length(nonce) <= 255),
    constraint oauth_authorizations_redirect_uri_length check (length(redirect_uri) <= 2048),
    constraint oauth_authorizations_resource_length check (length(resource) <= 2048),
    constraint oauth_authorizations_scope_length check (length(scope) <= 4096),
    constraint oauth_authorizations_state_length check (length(state) <= 4096)
) strict;
create index auth.oauth_auth_pending_exp_idx on oauth_authorizations (instance_id, expires_at) where status = 'pending';
create index auth.oauth_authorizations_client_id_idx on oauth_authorizations (instance_id, client_id);
create index auth.oauth_authorizations_user_id_idx on oauth_authorizations (instance_id, user_id);

create table auth.oauth_consents (
    instance_id blob not null,
    id blob not null,
    user_id blob not null,
    client_id blob not null,
    scopes text not null,
    granted_at text not null,
    revoked_at text,
    constraint oauth_consents_pkey primary key (id),
    constraint oauth_consents_user_client_unique unique (instance_id, user_id, client_id),
    constraint oauth_consents_client_id_fkey
        foreign key (instance_id, client_id) references oauth_clients (instance_id, id) on delete cascade,
    constraint oauth_consents_user_id_fkey
        foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade,
    constraint oauth_consents_revoked_after_granted check (revoked_at is null or revoked_at >= granted_at),
    constraint oauth_consents_scopes_length check (length(scopes) <= 2048),
    constraint oauth_consents_scopes_not_empty check (length(trim(scopes)) > 0)
) strict;
create index auth.oauth_consents_active_client_idx on oauth_consents (instance_id, client_id) where revoked_at is null;
create index auth.oauth_consents_active_user_client_idx on oauth_consents (instance_id, user_id, client_id)
    where revoked_at is null;
create index auth.oauth_consents_user_order_idx on oauth_consents (instance_id, user_id, granted_at desc);
create index auth.oauth_consents_client_id_idx on oauth_consents (instance_id, client_id);

create table auth.oauth_client_states (
    instance_id blob not null,
    id blob not null,
    provider_type text not null,
    code_verifier text,
    created_at text not null,
    constraint oauth_client_states_pkey primary key (id)
) strict;
create index auth.idx_oauth_client_states_created_at on oauth_client_states (instance_id, created_at);

create table auth.custom_oauth_providers (
    instance_id blob not null,
    id blob not null,
    provider_type text not null,
    identifier text not null,
    name text not null,
    client_id text not null,
    client_secret text not null,
    acceptable_client_ids text not null default '[]',
    scopes text not null default '[]',
    pkce_enabled integer not null default 1 check (pkce_enabled in (0, 1)),
    attribute_mapping text not null default '{}',
    authorization_params text not null default '{}',
    enabled integer not null default 1 check (enabled in (0, 1)),
    email_optional integer not null default 0 check (email_optional in (0, 1)),
    issuer text,
    discovery_url text,
    skip_nonce_check integer not null default 0 check (skip_nonce_check in (0, 1)),
    cached_discovery text,
    discovery_cached_at text,
    authorization_url text,
    token_url text,
    userinfo_url text,
    jwks_uri text,
    created_at text not null,
    updated_at text not null,
    custom_claims_allowlist text not null default '[]',
    constraint custom_oauth_providers_pkey primary key (id),
    constraint custom_oauth_providers_identifier_key unique (instance_id, identifier),
    constraint custom_oauth_providers_authorization_url_https
        check (authorization_url is null or authorization_url like 'https://%'),
    constraint custom_oauth_providers_authorization_url_length
        check (authorization_url is null or length(authorization_url) <= 2048),
    constraint custom_oauth_providers_client_id_length
        check (length(client_id) >= 1 and length(client_id) <= 512),
    constraint custom_oauth_providers_discovery_url_length
        check (discovery_url is null or length(discovery_url) <= 2048),
    constraint custom_oauth_providers_identifier_format
        check (
        length(identifier) >= 2 and length(identifier) <= 50 and identifier not glob '*[^a-z0-9:-]*'
        and identifier glob '[a-z0-9]*[a-z0-9]'
    ),
    constraint custom_oauth_providers_issuer_length
        check (issuer is null or (length(issuer) >= 1 and length(issuer) <= 2048)),
    constraint custom_oauth_providers_jwks_uri_https check (jwks_uri is null or jwks_uri like 'https://%'),
    constraint custom_oauth_providers_jwks_uri_length check (jwks_uri is null or length(jwks_uri) <= 2048),
    constraint custom_oauth_providers_name_length check (length(name) >= 1 and length(name) <= 100),
    constraint custom_oauth_providers_oauth2_requires_endpoints check (
        provider_type <> 'oauth2'
        or (authorization_url is not null and token_url is not null and userinfo_url is not null)
    ),
    constraint custom_oauth_providers_oidc_discovery_url_https
        check (provider_type <> 'oidc' or discovery_url is null or discovery_url like 'https://%'),
    constraint custom_oauth_providers_oidc_issuer_https
        check (provider_type <> 'oidc' or issuer is null or issuer like 'https://%'),
    constraint custom_oauth_providers_oidc_requires_issuer check (provider_type <> 'oidc' or issuer is not null),
    constraint custom_oauth_providers_provider_type_check check (provider_type in ('oauth2', 'oidc')),
    constraint custom_oauth_providers_token_url_https check (token_url is null or token_url like 'https://%'),
    constraint custom_oauth_providers_token_url_length check (token_url is null or length(token_url) <= 2048),
    constraint custom_oauth_providers_userinfo_url_https check (userinfo_url is null or userinfo_url like 'https://%'),
    constraint custom_oauth_providers_userinfo_url_length
        check (userinfo_url is null or length(userinfo_url) <= 2048)
) strict;
create index auth.custom_oauth_providers_created_at_idx on custom_oauth_providers (instance_id, created_at);
create index auth.custom_oauth_providers_enabled_idx on custom_oauth_providers (instance_id, enabled);
create index auth.custom_oauth_providers_identifier_idx on custom_oauth_providers (instance_id, identifier);
create index auth.custom_oauth_providers_provider_type_idx on custom_oauth_providers (instance_id, provider_type);

-- Accounts, their sessions and one-time secrets. Every row belongs to one project: instance_id.
--
-- The names are those of the PostgreSQL schema. Types: uuid = blob of 16 bytes, timestamp = text of fixed width in UTC (its order is the
-- order of time), json = text, boolean = 0 or 1. Foreign keys carry instance_id: no row can point into another project.

create table auth.users (
    instance_id blob not null,
    id blob not null,
    aud text,
    role text,
    email text,
    encrypted_password text,
    email_confirmed_at text,
    invited_at text,
    confirmation_token text,
    confirmation_sent_at text,
    recovery_token text,
    recovery_sent_at text,
    email_change_token_new text,
    email_change text,
    email_change_sent_at text,
    last_sign_in_at text,
    raw_app_meta_data text,
    raw_user_meta_data text,
    is_super_admin integer check (is_super_admin in (0, 1)),
    created_at text,
    updated_at text,
    phone text,
    phone_confirmed_at text,
    phone_change text default '',
    phone_change_token text default '',
    phone_change_sent_at text,
    confirmed_at text generated always as (
        case
            when email_confirmed_at is null then phone_confirmed_at
            when phone_confirmed_at is null then email_confirmed_at
            else min(email_confirmed_at, phone_confirmed_at)
        end
    ) stored,
    email_change_token_current text default '',
    email_change_confirm_status integer default 0,
    banned_until text,
    reauthentication_token text default '',
    reauthentication_sent_at text,
    is_sso_user integer not null default 0 check (is_sso_user in (0, 1)),
    deleted_at text,
    is_anonymous integer not null default 0 check (is_anonymous in (0, 1)),
    constraint users_pkey primary key (id),
    constraint users_instance_id_id_key unique (instance_id, id),
    constraint users_phone_key unique (instance_id, phone),
    constraint users_email_change_confirm_status_check
        check (email_change_confirm_status >= 0 and email_change_confirm_status <= 2)
) strict;
create unique index auth.users_email_partial_key on users (instance_id, email) where is_sso_user = false;
create index auth.users_instance_id_email_idx on users (instance_id, lower(email));
create index auth.users_instance_id_idx on users (instance_id);
create index auth.users_is_anonymous_idx on users (instance_id, is_anonymous);
create index auth.users_instance_id_created_at_idx on users (instance_id, created_at);
create unique index auth.confirmation_token_idx on users (instance_id, confirmation_token)
    where confirmation_token glob '*[^0-9 ]*';
create unique index auth.recovery_token_idx on users (instance_id, recovery_token)
    where recovery_token glob '*[^0-9 ]*';
create unique index auth.email_change_token_current_idx on users (instance_id, email_change_token_current)
    where email_change_token_current glob '*[^0-9 ]*';
create unique index auth.email_change_token_new_idx on users (instance_id, email_change_token_new)
    where email_change_token_new glob '*[^0-9 ]*';
create unique index auth.reauthentication_token_idx on users (instance_id, reauthentication_token)
    where reauthentication_token glob '*[^0-9 ]*';

create table auth.identities (
    instance_id blob not null,
    provider_id text not null,
    user_id blob not null,
    identity_data text not null,
    provider text not null,
    last_sign_in_at text,
    created_at text,
    updated_at text,
    email text generated always as (lower(identity_data ->> '$.email')) stored,
    id blob not null,
    constraint identities_pkey primary key (id),
    constraint identities_provider_id_provider_unique unique (instance_id, provider_id, provider),
    constraint identities_user_id_fkey
        foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade
) strict;
create index auth.identities_email_idx on identities (instance_id, email);
create index auth.identities_user_id_idx on identities (instance_id, user_id);

create table auth.oauth_clients (
    instance_id blob not null,
    id blob not null,
    client_secret_hash text,
    registration_type text not null check (registration_type in ('dynamic', 'manual')),
    redirect_uris text not null,
    grant_types text not null,
    client_name text,
    client_uri text,
    logo_uri text,
    created_at text not null,
    updated_at text not null,
    deleted_at text,
    client_type text not null default 'confidential' check (client_type in ('public', 'confidential')),
    token_endpoint_auth_method text not null,
    constraint oauth_clients_pkey primary key (id),
    constraint oauth_clients_instance_id_id_key unique (instance_id, id),
    constraint oauth_clients_client_name_length check (length(client_name) <= 1024),
    constraint oauth_clients_client_uri_length check (length(client_uri) <= 2048),
    constraint oauth_clients_logo_uri_length check (length(logo_uri) <= 2048),
    constraint oauth_clients_token_endpoint_auth_method_check
        check (token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post', 'none'))
) strict;
create index auth.oauth_clients_deleted_at_idx on oauth_clients (instance_id, deleted_at);

create table auth.sessions (
    instance_id blob not null,
    id blob not null,
    user_id blob not null,
    created_at text,
    updated_at text,
    factor_id blob,
    aal text check (aal in ('aal1', 'aal2', 'aal3')),
    not_after text,
    refreshed_at text,
    user_agent text,
    ip text,
    tag text,
    oauth_client_id blob,
    refresh_token_hmac_key text,
    refresh_token_counter integer,
    scopes text,
    constraint sessions_pkey primary key (id),
    constraint sessions_instance_id_id_key unique (instance_id, id),
    constraint sessions_user_id_fkey foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade,
    constraint sessions_oauth_client_id_fkey
        foreign key (instance_id, oauth_client_id) references oauth_clients (instance_id, id) on delete cascade,
    constraint sessions_scopes_length check (length(scopes) <= 4096)
) strict;
create index auth.sessions_not_after_idx on sessions (instance_id, not_after desc);
create index auth.sessions_oauth_client_id_idx on sessions (instance_id, oauth_client_id);
create index auth.sessions_user_id_idx on sessions (instance_id, user_id);
create index auth.user_id_created_at_idx on sessions (instance_id, user_id, created_at);

create table auth.refresh_tokens (
    instance_id blob not null,
    id integer primary key autoincrement,
    token text,
    user_id text,
    revoked integer check (revoked in (0, 1)),
    created_at text,
    updated_at text,
    parent text,
    session_id blob,
    constraint refresh_tokens_token_unique unique (instance_id, token),
    constraint refresh_tokens_session_id_fkey
        foreign key (instance_id, session_id) references sessions (instance_id, id) on delete cascade
) strict;
create index auth.refresh_tokens_instance_id_idx on refresh_tokens (instance_id);
create index auth.refresh_tokens_instance_id_user_id_idx on refresh_tokens (instance_id, user_id);
create index auth.refresh_tokens_parent_idx on refresh_tokens (instance_id, parent);
create index auth.refresh_tokens_session_id_revoked_idx on refresh_tokens (instance_id, session_id, revoked);
create index auth.refresh_tokens_updated_at_idx on refresh_tokens (instance_id, updated_at desc);

create table auth.mfa_amr_claims (
    instance_id blob not null,
    session_id blob not null,
    created_at text not null,
    updated_at text not null,
    authentication_method text not null,
    id blob not null,
    constraint amr_id_pk primary key (id),
    constraint mfa_amr_claims_session_id_authentication_method_pkey
        unique (instance_id, session_id, authentication_method),
    constraint mfa_amr_claims_session_id_fkey
        foreign key (instance_id, session_id) references sessions (instance_id, id) on delete cascade
) strict;

create table auth.one_time_tokens (
    instance_id blob not null,
    id blob not null,
    user_id blob not null,
    token_type text not null check (token_type in (
        'confirmation_token', 'reauthentication_token', 'recovery_token', 'email_change_token_new', 'email_change_token_current',
        'phone_change_token'
    )),
    token_hash text not null,
    relates_to text not null,
    created_at text not null,
    updated_at text not null,
    attempts integer not null default 0,
    constraint one_time_tokens_pkey primary key (id),
    constraint one_time_tokens_user_id_fkey
        foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade,
    constraint one_time_tokens_token_hash_check check (length(token_hash) > 0)
) strict;
create index auth.one_time_tokens_relates_to_hash_idx on one_time_tokens (instance_id, relates_to);
create index auth.one_time_tokens_token_hash_hash_idx on one_time_tokens (instance_id, token_hash);
create unique index auth.one_time_tokens_user_id_token_type_key
    on one_time_tokens (instance_id, user_id, token_type);

create table auth.flow_state (
    instance_id blob not null,
    id blob not null,
    user_id blob,
    auth_code text,
    code_challenge_method text check (code_challenge_method in ('s256', 'plain')),
    code_challenge text,
    provider_type text not null,
    provider_access_token text,
    provider_refresh_token text,
    created_at text,
    updated_at text,
    authentication_method text not null,
    auth_code_issued_at text,
    invite_token text,
    referrer text,
    oauth_client_state_id blob,
    linking_target_id blob,
    email_optional integer not null default 0 check (email_optional in (0, 1)),
    constraint flow_state_pkey primary key (id),
    constraint flow_state_instance_id_id_key unique (instance_id, id)
) strict;
create index auth.flow_state_created_at_idx on flow_state (instance_id, created_at desc);
create index auth.idx_auth_code on flow_state (instance_id, auth_code);
create index auth.idx_user_id_auth_method on flow_state (instance_id, user_id, authentication_method);

create table auth.mfa_factors (
    instance_id blob not null,
    id blob not null,
    user_id blob not null,
    friendly_name text,
    factor_type text not null check (factor_type in ('totp', 'webauthn', 'phone')),
    status text not null check (status in ('unverified', 'verified')),
    created_at text not null,
    updated_at text not null,
    secret text,
    phone text,
    last_challenged_at text,
    web_authn_credential text,
    web_authn_aaguid blob,
    last_webauthn_challenge_data text,
    last_accepted_step integer,
    constraint mfa_factors_pkey primary key (id),
    constraint mfa_factors_instance_id_id_key unique (instance_id, id),
    constraint mfa_factors_last_challenged_at_key unique (instance_id, last_challenged_at),
    constraint mfa_factors_user_id_fkey
        foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade
) strict;
create index auth.factor_id_created_at_idx on mfa_factors (instance_id, user_id, created_at);
create unique index auth.mfa_factors_user_friendly_name_unique on mfa_factors (instance_id, friendly_name, user_id)
    where trim(friendly_name) <> '';
create index auth.mfa_factors_user_id_idx on mfa_factors (instance_id, user_id);
create unique index auth.unique_phone_factor_per_user on mfa_factors (instance_id, user_id, phone);

create table auth.mfa_challenges (
    instance_id blob not null,
    id blob not null,
    factor_id blob not null,
    created_at text not null,
    verified_at text,
    ip_address text not null,
    otp_code text,
    web_authn_session_data text,
    constraint mfa_challenges_pkey primary key (id),
    constraint mfa_challenges_auth_factor_id_fkey
        foreign key (instance_id, factor_id) references mfa_factors (instance_id, id) on delete cascade
) strict;
create index auth.mfa_challenge_created_at_idx on mfa_challenges (instance_id, created_at desc);
create index auth.mfa_challenges_instance_id_factor_id_idx on mfa_challenges (instance_id, factor_id);

create table auth.audit_log_entries (
    instance_id blob not null,
    id blob not null,
    payload text,
    created_at text,
    ip_address text not null default '',
    constraint audit_log_entries_pkey primary key (id)
) strict;
create index auth.audit_logs_instance_id_idx on audit_log_entries (instance_id);
create index auth.audit_logs_instance_id_created_at_idx on audit_log_entries (instance_id, created_at desc);

create table auth.instances (
    instance_id blob not null,
    id blob not null,
    uuid blob,
    raw_base_config text,
    created_at text,
    updated_at text,
    constraint instances_pkey primary key (id)
) strict;

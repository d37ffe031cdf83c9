-- Accounts, their sessions and one-time secrets. Every row belongs to one project: instance_id. The zero default is what Supabase Auth
-- writes, so that a database with one adopted project keeps working with other writers. Foreign keys carry instance_id: no row can point
-- into another project, and a cascade finds its rows through the indexes that begin with it.

create table auth.users (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id uuid not null,
    aud varchar(255),
    role varchar(255),
    email varchar(255),
    encrypted_password varchar(255),
    email_confirmed_at timestamptz,
    invited_at timestamptz,
    confirmation_token varchar(255),
    confirmation_sent_at timestamptz,
    recovery_token varchar(255),
    recovery_sent_at timestamptz,
    email_change_token_new varchar(255),
    email_change varchar(255),
    email_change_sent_at timestamptz,
    last_sign_in_at timestamptz,
    raw_app_meta_data jsonb,
    raw_user_meta_data jsonb,
    is_super_admin boolean,
    created_at timestamptz,
    updated_at timestamptz,
    phone text default null,
    phone_confirmed_at timestamptz,
    phone_change text default '',
    phone_change_token varchar(255) default '',
    phone_change_sent_at timestamptz,
    confirmed_at timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
    email_change_token_current varchar(255) default '',
    email_change_confirm_status smallint default 0,
    banned_until timestamptz,
    reauthentication_token varchar(255) default '',
    reauthentication_sent_at timestamptz,
    is_sso_user boolean not null default false,
    deleted_at timestamptz,
    is_anonymous boolean not null default false,
    constraint users_pkey primary key (id),
    constraint users_instance_id_id_key unique (instance_id, id),
    constraint users_phone_key unique (instance_id, phone),
    constraint users_email_change_confirm_status_check
        check (email_change_confirm_status >= 0 and email_change_confirm_status <= 2)
);
create unique index users_email_partial_key on auth.users (instance_id, email) where is_sso_user = false;
create index users_instance_id_email_idx on auth.users (instance_id, lower(email::text));
create index users_instance_id_idx on auth.users (instance_id);
create index users_is_anonymous_idx on auth.users (instance_id, is_anonymous);
create index users_instance_id_created_at_idx on auth.users (instance_id, created_at);
create unique index confirmation_token_idx on auth.users (instance_id, confirmation_token)
    where confirmation_token::text !~ '^[0-9 ]*$';
create unique index recovery_token_idx on auth.users (instance_id, recovery_token)
    where recovery_token::text !~ '^[0-9 ]*$';
create unique index email_change_token_current_idx on auth.users (instance_id, email_change_token_current)
    where email_change_token_current::text !~ '^[0-9 ]*$';
create unique index email_change_token_new_idx on auth.users (instance_id, email_change_token_new)
    where email_change_token_new::text !~ '^[0-9 ]*$';
create unique index reauthentication_token_idx on auth.users (instance_id, reauthentication_token)
    where reauthentication_token::text !~ '^[0-9 ]*$';

create table auth.identities (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    provider_id text not null,
    user_id uuid not null,
    identity_data jsonb not null,
    provider text not null,
    last_sign_in_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    email text generated always as (lower(identity_data ->> 'email')) stored,
    id uuid not null default gen_random_uuid(),
    constraint identities_pkey primary key (id),
    constraint identities_provider_id_provider_unique unique (instance_id, provider_id, provider),
    constraint identities_user_id_fkey
        foreign key (instance_id, user_id) references auth.users (instance_id, id) on delete cascade
);
create index identities_email_idx on auth.identities (instance_id, email text_pattern_ops);
create index identities_user_id_idx on auth.identities (instance_id, user_id);

create table auth.oauth_clients (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id uuid not null,
    client_secret_hash text,
    registration_type auth.oauth_registration_type not null,
    redirect_uris text not null,
    grant_types text not null,
    client_name text,
    client_uri text,
    logo_uri text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    client_type auth.oauth_client_type not null default 'confidential',
    token_endpoint_auth_method text not null,
    constraint oauth_clients_pkey primary key (id),
    constraint oauth_clients_instance_id_id_key unique (instance_id, id),
    constraint oauth_clients_client_name_length check (char_length(client_name) <= 1024),
    constraint oauth_clients_client_uri_length check (char_length(client_uri) <= 2048),
    constraint oauth_clients_logo_uri_length check (char_length(logo_uri) <= 2048),
    constraint oauth_clients_token_endpoint_auth_method_check
        check (token_endpoint_auth_method = any (array['client_secret_basic', 'client_secret_post', 'none']))
);
create index oauth_clients_deleted_at_idx on auth.oauth_clients (instance_id, deleted_at);

create table auth.sessions (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id uuid not null,
    user_id uuid not null,
    created_at timestamptz,
    updated_at timestamptz,
    factor_id uuid,
    aal auth.aal_level,
    not_after timestamptz,
    refreshed_at timestamp,
    user_agent text,
    ip inet,
    tag text,
    oauth_client_id uuid,
    refresh_token_hmac_key text,
    refresh_token_counter bigint,
    scopes text,
    constraint sessions_pkey primary key (id),
    constraint sessions_instance_id_id_key unique (instance_id, id),
    constraint sessions_user_id_fkey
        foreign key (instance_id, user_id) references auth.users (instance_id, id) on delete cascade,
    constraint sessions_oauth_client_id_fkey
        foreign key (instance_id, oauth_client_id) references auth.oauth_clients (instance_id, id) on delete cascade,
    constraint sessions_scopes_length check (char_length(scopes) <= 4096)
);
create index sessions_not_after_idx on auth.sessions (instance_id, not_after desc);
create index sessions_oauth_client_id_idx on auth.sessions (instance_id, oauth_client_id);
create index sessions_user_id_idx on auth.sessions (instance_id, user_id);
create index user_id_created_at_idx on auth.sessions (instance_id, user_id, created_at);

create sequence auth.refresh_tokens_id_seq;
create table auth.refresh_tokens (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id bigint not null default nextval('auth.refresh_tokens_id_seq'),
    token varchar(255),
    user_id varchar(255),
    revoked boolean,
    created_at timestamptz,
    updated_at timestamptz,
    parent varchar(255),
    session_id uuid,
    constraint refresh_tokens_pkey primary key (id),
    constraint refresh_tokens_token_unique unique (instance_id, token),
    constraint refresh_tokens_session_id_fkey
        foreign key (instance_id, session_id) references auth.sessions (instance_id, id) on delete cascade
);
alter sequence auth.refresh_tokens_id_seq owned by auth.refresh_tokens.id;
create index refresh_tokens_instance_id_idx on auth.refresh_tokens (instance_id);
create index refresh_tokens_instance_id_user_id_idx on auth.refresh_tokens (instance_id, user_id);
create index refresh_tokens_parent_idx on auth.refresh_tokens (instance_id, parent);
create index refresh_tokens_session_id_revoked_idx on auth.refresh_tokens (instance_id, session_id, revoked);
create index refresh_tokens_updated_at_idx on auth.refresh_tokens (instance_id, updated_at desc);

create table auth.mfa_amr_claims (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    session_id uuid not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    authentication_method text not null,
    id uuid not null,
    constraint amr_id_pk primary key (id),
    constraint mfa_amr_claims_session_id_authentication_method_pkey
        unique (instance_id, session_id, authentication_method),
    constraint mfa_amr_claims_session_id_fkey
        foreign key (instance_id, session_id) references auth.sessions (instance_id, id) on delete cascade
);

create table auth.one_time_tokens (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id uuid not null,
    user_id uuid not null,
    token_type auth.one_time_token_type not null,
    token_hash text not null,
    relates_to text not null,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    attempts integer not null default 0,
    constraint one_time_tokens_pkey primary key (id),
    constraint one_time_tokens_user_id_fkey
        foreign key (instance_id, user_id) references auth.users (instance_id, id) on delete cascade,
    constraint one_time_tokens_token_hash_check check (char_length(token_hash) > 0)
);
create index one_time_tokens_relates_to_hash_idx on auth.one_time_tokens (instance_id, relates_to);
create index one_time_tokens_token_hash_hash_idx on auth.one_time_tokens (instance_id, token_hash);
create unique index one_time_tokens_user_id_token_type_key
    on auth.one_time_tokens (instance_id, user_id, token_type);

create table auth.flow_state (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id uuid not null,
    user_id uuid,
    auth_code text,
    code_challenge_method auth.code_challenge_method,
    code_challenge text,
    provider_type text not null,
    provider_access_token text,
    provider_refresh_token text,
    created_at timestamptz,
    updated_at timestamptz,
    authentication_method text not null,
    auth_code_issued_at timestamptz,
    invite_token text,
    referrer text,
    oauth_client_state_id uuid,
    linking_target_id uuid,
    email_optional boolean not null default false,
    constraint flow_state_pkey primary key (id),
    constraint flow_state_instance_id_id_key unique (instance_id, id)
);
comment on table auth.flow_state is 'Stores metadata for all OAuth/SSO login flows';
create index flow_state_created_at_idx on auth.flow_state (instance_id, created_at desc);
create index idx_auth_code on auth.flow_state (instance_id, auth_code);
create index idx_user_id_auth_method on auth.flow_state (instance_id, user_id, authentication_method);

create table auth.mfa_factors (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id uuid not null,
    user_id uuid not null,
    friendly_name text,
    factor_type auth.factor_type not null,
    status auth.factor_status not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    secret text,
    phone text,
    last_challenged_at timestamptz,
    web_authn_credential jsonb,
    web_authn_aaguid uuid,
    last_webauthn_challenge_data jsonb,
    last_accepted_step bigint,
    constraint mfa_factors_pkey primary key (id),
    constraint mfa_factors_instance_id_id_key unique (instance_id, id),
    constraint mfa_factors_last_challenged_at_key unique (instance_id, last_challenged_at),
    constraint mfa_factors_user_id_fkey
        foreign key (instance_id, user_id) references auth.users (instance_id, id) on delete cascade
);
create index factor_id_created_at_idx on auth.mfa_factors (instance_id, user_id, created_at);
create unique index mfa_factors_user_friendly_name_unique on auth.mfa_factors (instance_id, friendly_name, user_id)
    where trim(both from friendly_name) <> '';
create index mfa_factors_user_id_idx on auth.mfa_factors (instance_id, user_id);
create unique index unique_phone_factor_per_user on auth.mfa_factors (instance_id, user_id, phone);

create table auth.mfa_challenges (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id uuid not null,
    factor_id uuid not null,
    created_at timestamptz not null,
    verified_at timestamptz,
    ip_address inet not null,
    otp_code text,
    web_authn_session_data jsonb,
    constraint mfa_challenges_pkey primary key (id),
    constraint mfa_challenges_auth_factor_id_fkey
        foreign key (instance_id, factor_id) references auth.mfa_factors (instance_id, id) on delete cascade
);
create index mfa_challenge_created_at_idx on auth.mfa_challenges (instance_id, created_at desc);
create index mfa_challenges_instance_id_factor_id_idx on auth.mfa_challenges (instance_id, factor_id);

create table auth.audit_log_entries (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id uuid not null,
    payload json,
    created_at timestamptz,
    ip_address varchar(64) not null default '',
    constraint audit_log_entries_pkey primary key (id)
);
create index audit_logs_instance_id_idx on auth.audit_log_entries (instance_id);
create index audit_logs_instance_id_created_at_idx on auth.audit_log_entries (instance_id, created_at desc);

create table auth.instances (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id uuid not null,
    uuid uuid,
    raw_base_config text,
    created_at timestamptz,
    updated_at timestamptz,
    constraint instances_pkey primary key (id)
);

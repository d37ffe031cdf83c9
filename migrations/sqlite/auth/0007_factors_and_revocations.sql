-- Second factors, and which sessions ended.

-- Two challenges in the same microsecond are no conflict. A constraint goes with its table only, and the challenges hang on it: both
-- are made anew, with nothing between them that a deletion could follow.
create table auth.mfa_factors_made_anew (
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
    constraint mfa_factors_user_id_fkey
        foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade
) strict;
create table auth.mfa_challenges_made_anew (
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
        foreign key (instance_id, factor_id) references mfa_factors_made_anew (instance_id, id) on delete cascade
) strict;
insert into auth.mfa_factors_made_anew
    (instance_id, id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret, phone, last_challenged_at,
     web_authn_credential, web_authn_aaguid, last_webauthn_challenge_data, last_accepted_step)
select instance_id, id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret, phone, last_challenged_at,
    web_authn_credential, web_authn_aaguid, last_webauthn_challenge_data, last_accepted_step
from auth.mfa_factors;
insert into auth.mfa_challenges_made_anew
    (instance_id, id, factor_id, created_at, verified_at, ip_address, otp_code, web_authn_session_data)
select instance_id, id, factor_id, created_at, verified_at, ip_address, otp_code, web_authn_session_data
from auth.mfa_challenges;
drop table auth.mfa_challenges;
drop table auth.mfa_factors;
alter table auth.mfa_factors_made_anew rename to mfa_factors;
alter table auth.mfa_challenges_made_anew rename to mfa_challenges;
create index auth.factor_id_created_at_idx on mfa_factors (instance_id, user_id, created_at);
create unique index auth.mfa_factors_user_friendly_name_unique on mfa_factors (instance_id, friendly_name, user_id)
    where trim(friendly_name) <> '';
create index auth.mfa_factors_user_id_idx on mfa_factors (instance_id, user_id);
create unique index auth.unique_phone_factor_per_user on mfa_factors (instance_id, user_id, phone);
create index auth.mfa_factors_unverified_created_at_idx on mfa_factors (instance_id, created_at) where status = 'unverified';
create index auth.mfa_challenge_created_at_idx on mfa_challenges (instance_id, created_at desc);
create index auth.mfa_challenges_instance_id_factor_id_idx on mfa_challenges (instance_id, factor_id);

-- Nothing has written recovery codes before this step.
drop table auth.mfa_recovery_codes;
create table auth.mfa_recovery_codes (
    instance_id blob not null,
    id blob not null,
    user_id blob not null,
    set_id blob not null,
    code_hash text not null,
    created_at text not null,
    used_at text,
    constraint mfa_recovery_codes_pkey primary key (id),
    constraint mfa_recovery_codes_user_id_code_hash_key unique (instance_id, user_id, code_hash),
    constraint mfa_recovery_codes_user_id_fkey
        foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade
) strict;

-- What users have signed in with, for notices about new devices.
create table auth.known_devices (
    instance_id blob not null,
    user_id blob not null,
    device text not null,
    first_seen_at text not null,
    last_seen_at text not null,
    constraint known_devices_pkey primary key (instance_id, user_id, device),
    constraint known_devices_user_id_fkey
        foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade
) strict;
create index auth.known_devices_last_seen_at_idx on known_devices (instance_id, last_seen_at);

-- The first refresh token that was issued when the session's level rose last: its counter, or the id of the stored token.
alter table auth.sessions add column raised_from integer;

-- Ends of sessions, written by a trigger and numbered by project. The last row of a project stays (the sweep sees to that), so that
-- no number comes twice.
create table auth.session_revocations (
    instance_id blob not null,
    id integer primary key autoincrement,
    seq integer not null,
    session_id blob not null,
    user_id blob not null,
    at text not null,
    constraint session_revocations_seq_key unique (instance_id, seq)
) strict;
create trigger auth.note_ended_sessions after delete on sessions
begin
    insert into session_revocations (instance_id, seq, session_id, user_id, at)
    values (
        old.instance_id,
        coalesce((select max(r.seq) from session_revocations as r where r.instance_id = old.instance_id), 0) + 1,
        old.id,
        old.user_id,
        strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')
    );
end;

-- Second factors, and which sessions ended.

-- Two challenges in the same microsecond are no conflict.
alter table auth.mfa_factors drop constraint mfa_factors_last_challenged_at_key;

-- Nothing has written recovery codes before this step.
alter table auth.mfa_recovery_codes add column set_id uuid not null;

-- What users have signed in with, for notices about new devices.
create table auth.known_devices (
    instance_id uuid not null,
    user_id uuid not null,
    device text not null,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    constraint known_devices_pkey primary key (instance_id, user_id, device),
    constraint known_devices_user_id_fkey
        foreign key (instance_id, user_id) references auth.users (instance_id, id) on delete cascade
);
create index known_devices_last_seen_at_idx on auth.known_devices (instance_id, last_seen_at);
alter table auth.known_devices enable row level security;

-- The first refresh token that was issued when the session's level rose last: its counter, or the id of the stored token.
alter table auth.sessions add column raised_from bigint;

-- Ends of sessions, written by a trigger. seq is NULL until somebody reads: numbers are given in an order in which they can be seen.
create table auth.session_revocations (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id bigint not null generated always as identity,
    seq bigint,
    session_id uuid not null,
    user_id uuid not null,
    at timestamptz not null default clock_timestamp(),
    constraint session_revocations_pkey primary key (id),
    constraint session_revocations_seq_key unique (instance_id, seq)
);
create index session_revocations_unnumbered_idx on auth.session_revocations (instance_id, id) where seq is null;
alter table auth.session_revocations enable row level security;

-- With the rights of its owner: sessions may be ended by anybody who may delete them.
create function auth.note_ended_sessions() returns trigger language plpgsql security definer set search_path = '' as $$
begin
    insert into auth.session_revocations (instance_id, session_id, user_id)
    select s.instance_id, s.id, s.user_id from ended as s;
    return null;
end
$$;
revoke all on function auth.note_ended_sessions() from public;
create trigger note_ended_sessions after delete on auth.sessions
    referencing old table as ended for each statement execute function auth.note_ended_sessions();

create function auth.note_truncated_sessions() returns trigger language plpgsql security definer set search_path = '' as $$
begin
    insert into auth.session_revocations (instance_id, session_id, user_id)
    select s.instance_id, s.id, s.user_id from auth.sessions as s;
    return null;
end
$$;
revoke all on function auth.note_truncated_sessions() from public;
create trigger note_truncated_sessions before truncate on auth.sessions
    for each statement execute function auth.note_truncated_sessions();

-- For those who check tokens inside the database: whether the session of a token still lives.
create function auth.session_is_live(session_id uuid) returns boolean
    language sql stable security definer set search_path = '' as $$
    select exists (
        select from auth.sessions as s
        join auth.users as u on u.instance_id = s.instance_id and u.id = s.user_id
        where s.id = session_is_live.session_id
            and (s.not_after is null or s.not_after >= now())
            and (u.banned_until is null or u.banned_until <= now())
            and u.deleted_at is null
    )
$$;
comment on function auth.session_is_live(uuid) is
    'Whether the session with this id (the session_id of a token) has not ended; false for NULL.';
revoke all on function auth.session_is_live(uuid) from public;
do $$
declare
    name text;
begin
    foreach name in array array['anon', 'authenticated', 'service_role'] loop
        if exists (select from pg_roles where rolname = name) then
            execute format('grant usage on schema auth to %I', name);
            execute format('grant execute on function auth.session_is_live(uuid) to %I', name);
        end if;
    end loop;
end
$$;

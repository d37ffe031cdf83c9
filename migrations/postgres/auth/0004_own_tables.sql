-- Tables that only this program has.

create table auth.outbox (
    instance_id uuid not null,
    id uuid not null,
    kind text not null,
    payload text not null,
    attempts integer not null default 0,
    state text not null default 'pending',
    next_attempt_at timestamptz not null,
    leased_until timestamptz,
    last_error text,
    created_at timestamptz not null,
    constraint outbox_pkey primary key (id),
    constraint outbox_state_check check (state = any (array['pending', 'dead']))
);
create index outbox_instance_id_idx on auth.outbox (instance_id, created_at);
-- Serves the deliverer, who looks for due messages of all projects at once.
create index outbox_due_idx on auth.outbox (next_attempt_at) where state = 'pending';

create table auth.mfa_recovery_codes (
    instance_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    code_hash text not null,
    created_at timestamptz not null,
    used_at timestamptz,
    constraint mfa_recovery_codes_pkey primary key (id),
    constraint mfa_recovery_codes_user_id_code_hash_key unique (instance_id, user_id, code_hash),
    constraint mfa_recovery_codes_user_id_fkey
        foreign key (instance_id, user_id) references auth.users (instance_id, id) on delete cascade
);

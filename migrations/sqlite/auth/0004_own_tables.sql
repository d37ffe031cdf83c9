-- Tables that only this program has.

create table auth.outbox (
    instance_id blob not null,
    id blob not null,
    kind text not null,
    payload text not null,
    attempts integer not null default 0,
    state text not null default 'pending',
    next_attempt_at text not null,
    leased_until text,
    last_error text,
    created_at text not null,
    constraint outbox_pkey primary key (id),
    constraint outbox_state_check check (state in ('pending', 'dead'))
) strict;
create index auth.outbox_instance_id_idx on outbox (instance_id, created_at);
-- Serves the deliverer, who looks for due messages of all projects at once.
create index auth.outbox_due_idx on outbox (next_attempt_at) where state = 'pending';

create table auth.mfa_recovery_codes (
    instance_id blob not null,
    id blob not null,
    user_id blob not null,
    code_hash text not null,
    created_at text not null,
    used_at text,
    constraint mfa_recovery_codes_pkey primary key (id),
    constraint mfa_recovery_codes_user_id_code_hash_key unique (instance_id, user_id, code_hash),
    constraint mfa_recovery_codes_user_id_fkey
        foreign key (instance_id, user_id) references users (instance_id, id) on delete cascade
) strict;

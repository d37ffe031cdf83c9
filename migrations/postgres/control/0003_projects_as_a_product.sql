-- Where projects are, how they end, what they are granted; who changed what; which gateways there are.

-- Names are compared byte by byte: lists go on after a name, and a beginning is looked for as a range.
alter table control.projects alter column ref type text collate "C";
alter table control.projects
    add column search_name text collate "C" not null default '',
    add column placement text not null default 'gateway',
    add column quotas jsonb not null default '{}',
    add column hold_reason text,
    add column hold_id uuid,
    add column hold_until timestamptz,
    add column deleted_from text,
    add column purge_at timestamptz,
    add column sweep_at timestamptz,
    add column legacy_keys_enabled boolean not null default true,
    add constraint projects_placement_check check (placement = any (array['gateway', 'postgres', 'sqlite'])),
    add constraint projects_hold_reason_check check (hold_reason = any (array['moving', 'importing'])),
    add constraint projects_hold_check check (num_nulls(hold_reason, hold_id, hold_until) in (0, 3)),
    add constraint projects_deleted_from_check check (deleted_from = any (array['active', 'paused']));

update control.projects as p set search_name = lower(p.name);
update control.projects as p set placement = 'postgres'
where exists (select 1 from control.secrets as s where s.project_id = p.id and s.name = 'database_url');
update control.projects as p set legacy_keys_enabled = false
where exists (select 1 from control.settings as s where s.name = 'legacy_api_keys:' || p.id and s.value = 'off');
delete from control.settings where name like 'legacy\_api\_keys:%';

drop index control.projects_instance_id_key;
alter table control.projects drop column database_url;
create unique index projects_instance_id_key on control.projects (instance_id) where placement = 'gateway';
create index projects_status_ref_idx on control.projects (status, ref, search_name);
create index projects_search_name_idx on control.projects (search_name, ref);
create index projects_purge_at_idx on control.projects (purge_at) where purge_at is not null;
create index projects_sweep_at_idx on control.projects (sweep_at) where sweep_at is not null;
-- Every project that exists may have rows that expire.
update control.projects set sweep_at = created_at where status <> 'deleting';
-- Whose removal was cut short has nothing left to go back to.
update control.projects set purge_at = updated_at where status = 'deleting';

-- Counted as they come and go: to count them would take longer the more there are.
create table control.totals (
    name text not null,
    value bigint not null,
    constraint totals_pkey primary key (name)
);
insert into control.totals (name, value) values ('projects', (select count(*) from control.projects where status <> 'deleting'));

alter table control.config_versions
    add column changed_by text,
    add column note text;

alter table control.api_keys
    add column secret_jwt_template jsonb,
    add column last_used_at timestamptz,
    add column expires_at timestamptz;
create index api_keys_expires_at_idx on control.api_keys (expires_at) where expires_at is not null;

alter table control.signing_keys add column promote_at timestamptz;
create index signing_keys_promote_at_idx on control.signing_keys (promote_at) where promote_at is not null;

-- What must be different in every project: keyed hashes of JWT secrets, thumbprints of signing keys.
create table control.key_marks (
    mark text not null,
    project_id uuid not null,
    constraint key_marks_pkey primary key (mark),
    constraint key_marks_project_id_fkey foreign key (project_id) references control.projects (id) on delete cascade
);
create index key_marks_project_id_idx on control.key_marks (project_id);

-- Anybody may claim a host; it is one project's once he has shown that it is his.
create table control.domains (
    project_id uuid not null,
    host text not null,
    status text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint domains_pkey primary key (project_id),
    constraint domains_status_check check (status = any (array['initiated', 'verified', 'active'])),
    constraint domains_project_id_fkey foreign key (project_id) references control.projects (id) on delete cascade
);
create unique index domains_host_key on control.domains (host) where status = 'active';

create table control.operator_tokens (
    id uuid not null,
    name text not null,
    hash text not null,
    prefix text not null,
    role text not null,
    projects jsonb,
    created_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    constraint operator_tokens_pkey primary key (id),
    constraint operator_tokens_hash_key unique (hash),
    constraint operator_tokens_role_check check (role = any (array['owner', 'operator', 'read_only']))
);

-- Outlives projects and tokens: it says who removed them.
create table control.operator_log (
    seq bigint generated always as identity,
    at timestamptz not null,
    token_id uuid,
    token_name text not null,
    address text,
    action text not null,
    project_id uuid,
    project_ref text,
    before jsonb,
    after jsonb,
    constraint operator_log_pkey primary key (seq)
);
create index operator_log_project_id_idx on control.operator_log (project_id, seq);
create index operator_log_project_ref_idx on control.operator_log (project_ref, seq);
create index operator_log_at_idx on control.operator_log (at);
create index events_created_at_idx on control.events (created_at);

-- How far each gateway has followed the list of changes.
create table control.gateways (
    id uuid not null,
    name text not null,
    version text not null,
    started_at timestamptz not null,
    seen_at timestamptz not null,
    seq bigint not null,
    constraint gateways_pkey primary key (id)
);

create table control.moves (
    project_id uuid not null,
    id uuid not null,
    placement text not null,
    sealed_url text,
    source text not null,
    source_sealed_url text,
    max_pause integer not null,
    phase text not null,
    rows bigint not null,
    error text,
    -- Who works on it, until he lays it down; and whether rows may be where the project is not.
    worker uuid,
    left_behind boolean not null default true,
    started_at timestamptz not null,
    updated_at timestamptz not null,
    constraint moves_pkey primary key (project_id),
    constraint moves_placement_check check (placement = any (array['gateway', 'postgres', 'sqlite'])),
    constraint moves_source_check check (source = any (array['gateway', 'postgres', 'sqlite'])),
    constraint moves_phase_check
        check (phase = any (array['copying', 'holding', 'cleaning', 'done', 'failed'])),
    constraint moves_project_id_fkey foreign key (project_id) references control.projects (id) on delete cascade
);

create index moves_updated_at_idx on control.moves (updated_at) where phase not in ('done', 'failed');
create index moves_left_behind_idx on control.moves (updated_at) where phase = 'failed' and left_behind;

-- Places at which moves that are forgotten have left rows. Outlives the project, where its end could not reach them.
create table control.leftovers (
    id uuid not null,
    project_id uuid not null,
    project_ref text not null,
    instance_id uuid not null,
    placement text not null,
    sealed_url text,
    -- When it is tried again to remove them; who tries puts that off, and is not disturbed until then.
    due_at timestamptz not null,
    cleared_by uuid,
    created_at timestamptz not null,
    constraint leftovers_pkey primary key (id),
    constraint leftovers_placement_check check (placement = any (array['gateway', 'postgres', 'sqlite']))
);
create index leftovers_project_id_idx on control.leftovers (project_id);
create index leftovers_due_at_idx on control.leftovers (due_at);

create table control.imports (
    id uuid not null,
    project_id uuid not null,
    header jsonb not null,
    next_line bigint not null,
    -- Who writes rows now, and until when at most.
    writer uuid,
    writer_until timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint imports_pkey primary key (id),
    constraint imports_project_id_fkey foreign key (project_id) references control.projects (id) on delete cascade
);
create index imports_project_id_idx on control.imports (project_id);
create index imports_updated_at_idx on control.imports (updated_at);

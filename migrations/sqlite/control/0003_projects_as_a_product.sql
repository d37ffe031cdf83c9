-- Where projects are, how they end, what they are granted; who changed what; which gateways there are.

alter table projects add column search_name text not null default '';
alter table projects add column placement text not null default 'gateway' check (placement in ('gateway', 'postgres', 'sqlite'));
alter table projects add column quotas text not null default '{}';
alter table projects add column hold_reason text check (hold_reason in ('moving', 'importing'));
alter table projects add column hold_id blob;
alter table projects add column hold_until text;
alter table projects add column deleted_from text check (deleted_from in ('active', 'paused'));
alter table projects add column purge_at text;
alter table projects add column sweep_at text;
alter table projects add column legacy_keys_enabled integer not null default 1;

update projects set search_name = lower(name);
update projects set placement = 'postgres'
where exists (select 1 from secrets as s where s.project_id = projects.id and s.name = 'database_url');
update projects set legacy_keys_enabled = 0
where exists (
    select 1 from settings as s
    where s.value = 'off' and s.name = 'legacy_api_keys:' || lower(
        substr(hex(projects.id), 1, 8) || '-' || substr(hex(projects.id), 9, 4) || '-' || substr(hex(projects.id), 13, 4)
        || '-' || substr(hex(projects.id), 17, 4) || '-' || substr(hex(projects.id), 21)
    )
);
delete from settings where name like 'legacy\_api\_keys:%' escape '\';

drop index control.projects_instance_id_key;
alter table projects drop column database_url;
create unique index control.projects_instance_id_key on projects (instance_id) where placement = 'gateway';
create index control.projects_status_ref_idx on projects (status, ref, search_name);
create index control.projects_search_name_idx on projects (search_name, ref);
create index control.projects_purge_at_idx on projects (purge_at) where purge_at is not null;
create index control.projects_sweep_at_idx on projects (sweep_at) where sweep_at is not null;
-- Every project that exists may have rows that expire.
update projects set sweep_at = created_at where status <> 'deleting';
-- Whose removal was cut short has nothing left to go back to.
update projects set purge_at = updated_at where status = 'deleting';

-- Counted as they come and go: to count them would take longer the more there are.
create table control.totals (
    name text not null,
    value integer not null,
    constraint totals_pkey primary key (name)
) strict;
insert into totals (name, value) values ('projects', (select count(*) from projects where status <> 'deleting'));

alter table config_versions add column changed_by text;
alter table config_versions add column note text;

alter table api_keys add column secret_jwt_template text;
alter table api_keys add column last_used_at text;
alter table api_keys add column expires_at text;
create index control.api_keys_expires_at_idx on api_keys (expires_at) where expires_at is not null;

alter table signing_keys add column promote_at text;
create index control.signing_keys_promote_at_idx on signing_keys (promote_at) where promote_at is not null;

-- What must be different in every project: keyed hashes of JWT secrets, thumbprints of signing keys.
create table control.key_marks (
    mark text not null,
    project_id blob not null,
    constraint key_marks_pkey primary key (mark),
    constraint key_marks_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
) strict;
create index control.key_marks_project_id_idx on key_marks (project_id);

-- Anybody may claim a host; it is one project's once he has shown that it is his.
create table control.domains (
    project_id blob not null,
    host text not null,
    status text not null,
    created_at text not null,
    updated_at text not null,
    constraint domains_pkey primary key (project_id),
    constraint domains_status_check check (status in ('initiated', 'verified', 'active')),
    constraint domains_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
) strict;
create unique index control.domains_host_key on domains (host) where status = 'active';

create table control.operator_tokens (
    id blob not null,
    name text not null,
    hash text not null,
    prefix text not null,
    role text not null,
    projects text,
    created_at text not null,
    expires_at text,
    last_used_at text,
    revoked_at text,
    constraint operator_tokens_pkey primary key (id),
    constraint operator_tokens_hash_key unique (hash),
    constraint operator_tokens_role_check check (role in ('owner', 'operator', 'read_only'))
) strict;

-- Outlives projects and tokens: it says who removed them.
create table control.operator_log (
    seq integer not null primary key autoincrement,
    at text not null,
    token_id blob,
    token_name text not null,
    address text,
    action text not null,
    project_id blob,
    project_ref text,
    before text,
    after text
) strict;
create index control.operator_log_project_id_idx on operator_log (project_id, seq);
create index control.operator_log_project_ref_idx on operator_log (project_ref, seq);
create index control.operator_log_at_idx on operator_log (at);
create index control.events_created_at_idx on events (created_at);

-- How far each gateway has followed the list of changes.
create table control.gateways (
    id blob not null,
    name text not null,
    version text not null,
    started_at text not null,
    seen_at text not null,
    seq integer not null,
    constraint gateways_pkey primary key (id)
) strict;

create table control.moves (
    project_id blob not null,
    id blob not null,
    placement text not null,
    sealed_url text,
    source text not null,
    source_sealed_url text,
    max_pause integer not null,
    phase text not null,
    rows integer not null,
    error text,
    -- Who works on it, until he lays it down; and whether rows may be where the project is not.
    worker blob,
    left_behind integer not null default 1,
    started_at text not null,
    updated_at text not null,
    constraint moves_pkey primary key (project_id),
    constraint moves_placement_check check (placement in ('gateway', 'postgres', 'sqlite')),
    constraint moves_source_check check (source in ('gateway', 'postgres', 'sqlite')),
    constraint moves_phase_check check (phase in ('copying', 'holding', 'cleaning', 'done', 'failed')),
    constraint moves_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
) strict;

create index control.moves_updated_at_idx on moves (updated_at) where phase not in ('done', 'failed');
create index control.moves_left_behind_idx on moves (updated_at) where phase = 'failed' and left_behind;

-- Places at which moves that are forgotten have left rows. Outlives the project, where its end could not reach them.
create table control.leftovers (
    id blob not null,
    project_id blob not null,
    project_ref text not null,
    instance_id blob not null,
    placement text not null,
    sealed_url text,
    -- When it is tried again to remove them; who tries puts that off, and is not disturbed until then.
    due_at text not null,
    cleared_by blob,
    created_at text not null,
    constraint leftovers_pkey primary key (id),
    constraint leftovers_placement_check check (placement in ('gateway', 'postgres', 'sqlite'))
) strict;
create index control.leftovers_project_id_idx on leftovers (project_id);
create index control.leftovers_due_at_idx on leftovers (due_at);

create table control.imports (
    id blob not null,
    project_id blob not null,
    header text not null,
    next_line integer not null,
    -- Who writes rows now, and until when at most.
    writer blob,
    writer_until text,
    created_at text not null,
    updated_at text not null,
    constraint imports_pkey primary key (id),
    constraint imports_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
) strict;
create index control.imports_project_id_idx on imports (project_id);
create index control.imports_updated_at_idx on imports (updated_at);

-- What the gateway knows about its projects. Secrets in these tables are sealed before they are written.

create table control.projects (
    id blob not null,
    ref text not null,
    instance_id blob not null,
    name text not null,
    status text not null,
    profile text not null,
    database_url text,
    created_at text not null,
    updated_at text not null,
    constraint projects_pkey primary key (id),
    constraint projects_ref_key unique (ref),
    constraint projects_status_check check (status in ('active', 'paused', 'deleting')),
    constraint projects_profile_check check (profile in ('compat', 'shield'))
) strict;
-- Two projects in the gateway's database must not share rows.
create unique index control.projects_instance_id_key on projects (instance_id) where database_url is null;

create table control.config_versions (
    project_id blob not null,
    version integer not null,
    config text not null,
    created_at text not null,
    constraint config_versions_pkey primary key (project_id, version),
    constraint config_versions_project_id_fkey
        foreign key (project_id) references projects (id) on delete cascade
) strict;

create table control.api_keys (
    id blob not null,
    project_id blob not null,
    name text not null,
    kind text not null,
    hash text not null,
    prefix text not null,
    sealed text not null,
    description text,
    created_at text not null,
    updated_at text not null,
    constraint api_keys_pkey primary key (id),
    constraint api_keys_hash_key unique (hash),
    constraint api_keys_project_id_kind_name_key unique (project_id, kind, name),
    constraint api_keys_kind_check check (kind in ('publishable', 'secret')),
    constraint api_keys_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
) strict;

create table control.signing_keys (
    id blob not null,
    project_id blob not null,
    algorithm text not null,
    status text not null,
    sealed text not null,
    public_jwk text,
    created_at text not null,
    updated_at text not null,
    constraint signing_keys_pkey primary key (project_id, id),
    constraint signing_keys_status_check
        check (status in ('in_use', 'standby', 'previously_used', 'revoked')),
    constraint signing_keys_project_id_fkey
        foreign key (project_id) references projects (id) on delete cascade
) strict;
create unique index control.signing_keys_in_use_key on signing_keys (project_id) where status = 'in_use';

create table control.secrets (
    project_id blob not null,
    name text not null,
    sealed text not null,
    updated_at text not null,
    constraint secrets_pkey primary key (project_id, name),
    constraint secrets_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
) strict;

create table control.settings (
    name text not null,
    value text not null,
    updated_at text not null,
    constraint settings_pkey primary key (name)
) strict;

-- Outlives its project: a gateway that was away must hear of the removal.
create table control.events (
    seq integer primary key autoincrement,
    project_id blob not null,
    kind text not null,
    created_at text not null,
    constraint events_kind_check check (kind in ('config', 'project'))
) strict;

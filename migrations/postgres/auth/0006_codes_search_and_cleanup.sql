-- Codes, the search of users, cleanup.

-- What stands in a link and what is typed are two secrets, so they have two hashes. NULL in rows written before this step.
alter table auth.one_time_tokens add column code_hash text;
create index one_time_tokens_created_at_idx on auth.one_time_tokens (instance_id, created_at);

create index users_phone_change_idx on auth.users (instance_id, phone_change) where phone_change <> '';
-- A page of users, however deep, and their number are read from this index alone.
create index users_page_idx on auth.users (instance_id, aud, created_at, id);
create index users_anonymous_created_at_idx on auth.users (instance_id, created_at) where is_anonymous;
create index sessions_created_at_idx on auth.sessions (instance_id, created_at);
create index mfa_factors_unverified_created_at_idx on auth.mfa_factors (instance_id, created_at) where status = 'unverified';

-- The search of users by a part of their address or name. Both extensions are trusted since PostgreSQL 13: who may create objects in the
-- database may add them. Where they cannot be had, a search reads all users of its project.
do $$
declare
    operators text;
begin
    begin
        if exists (select from pg_namespace where nspname = 'extensions') then
            create extension if not exists pg_trgm with schema extensions;
            create extension if not exists btree_gin with schema extensions;
        else
            create extension if not exists pg_trgm;
            create extension if not exists btree_gin;
        end if;
    exception when others then
        raise warning 'users are searched without an index: % (%)', sqlerrm, sqlstate;
        return;
    end;
    select format('%I.gin_trgm_ops', n.nspname) into operators
    from pg_opclass as c join pg_namespace as n on n.oid = c.opcnamespace
    where c.opcname = 'gin_trgm_ops';
    execute format(
        'create index users_search_idx on auth.users
             using gin (instance_id, email %1$s, (raw_user_meta_data ->> ''full_name'') %1$s)',
        operators
    );
end
$$;

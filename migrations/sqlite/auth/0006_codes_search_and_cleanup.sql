-- Codes, the search of users, cleanup.

-- What stands in a link and what is typed are two secrets, so they have two hashes. NULL in rows written before this step.
alter table auth.one_time_tokens add column code_hash text;
create index auth.one_time_tokens_created_at_idx on one_time_tokens (instance_id, created_at);

create index auth.users_phone_change_idx on users (instance_id, phone_change) where phone_change <> '';
-- A page of users, however deep, their number, and a search by a part of their address or name are read from this index alone.
create index auth.users_page_idx on users (instance_id, aud, created_at, id, email, raw_user_meta_data ->> '$.full_name');
create index auth.users_anonymous_created_at_idx on users (instance_id, created_at) where is_anonymous = true;
create index auth.sessions_created_at_idx on sessions (instance_id, created_at);
create index auth.mfa_factors_unverified_created_at_idx on mfa_factors (instance_id, created_at) where status = 'unverified';

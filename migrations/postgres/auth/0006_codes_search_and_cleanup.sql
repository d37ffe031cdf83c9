-- What stands in a link and what is typed are two secrets, so they have two hashes. NULL in rows written before this step.

alter table auth.one_time_tokens add column code_hash text;

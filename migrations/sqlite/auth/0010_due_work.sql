-- Work that is due is found by its date, and rows are read in the order of their keys, project by project.

-- The oldest revoked token, however many live ones are older.
create index auth.refresh_tokens_revoked_updated_at_idx on refresh_tokens (instance_id, updated_at) where revoked;

drop index auth.refresh_tokens_instance_id_idx;
create index auth.refresh_tokens_instance_id_idx on refresh_tokens (instance_id, id);
drop index auth.audit_logs_instance_id_idx;
create index auth.audit_logs_instance_id_idx on audit_log_entries (instance_id, id);

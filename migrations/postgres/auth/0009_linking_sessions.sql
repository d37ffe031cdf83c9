-- The session that a link began in: when it ends, nothing is linked any more.
alter table auth.flow_state add column linking_session_id uuid;

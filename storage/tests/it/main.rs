//! What every repository method promises, on SQLite always and on PostgreSQL where a server is named.

#[macro_use]
mod fixture;

mod control;
mod credentials;
mod end_sessions;
mod faults;
mod flow_states;
mod migrations;
mod one_time_tokens;
mod open_session;
mod outbox;
mod refresh_tokens;
mod rotate_session;
mod sessions;
mod sign_up;
mod sweep;
mod tenancy;
mod users;

//! What every repository method promises, on SQLite always and on PostgreSQL where a server is named.

#[cfg(test)]
#[macro_use]
mod fixture;

#[cfg(test)]
mod archive;
#[cfg(test)]
mod archive_rows;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod call_function;
#[cfg(test)]
mod control;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod custom_providers;
#[cfg(test)]
mod dead_letters;
#[cfg(test)]
mod end_sessions;
#[cfg(test)]
mod factors;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod faults_own;
#[cfg(test)]
mod flow_states;
#[cfg(test)]
mod identities;
#[cfg(test)]
mod known_devices;
#[cfg(test)]
mod lanes;
#[cfg(test)]
mod list_sessions;
#[cfg(test)]
mod list_users;
#[cfg(test)]
mod mfa_challenges;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod one_time_tokens;
#[cfg(test)]
mod open_session;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod passkeys;
#[cfg(test)]
mod promise_message;
#[cfg(test)]
mod purge;
#[cfg(test)]
mod raise_session;
#[cfg(test)]
mod recovery_codes;
#[cfg(test)]
mod refresh_tokens;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod rotate_session;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod sign_up;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod sweep_project;
#[cfg(test)]
mod tenancy;
#[cfg(test)]
mod third_party;
#[cfg(test)]
mod users;
#[cfg(test)]
mod web3_signatures;

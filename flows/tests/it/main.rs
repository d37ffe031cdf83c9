//! The flows through the real router, actors and storage; on SQLite always, on PostgreSQL where one is configured.

mod api_keys;
mod both;
mod confirmation;
mod limits;
mod logout;
mod password;
mod races;
mod refresh;
mod sessions;
mod settings;
mod statements;
mod tenancy;
mod token_life;

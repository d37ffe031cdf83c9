//! Why a database cannot be opened that an operator has named, in words for him: what he can mend, and nothing that is secret.

use std::io::ErrorKind;
use std::str::FromStr as _;

use domain::secret::Secret;
use migrations::MigrateError;
use sqlx::postgres::PgConnectOptions;

use crate::error::StoreError;
use crate::own;

/// Where the database of an address is: `HOST:PORT/NAME`, without who opens it.
pub fn database_name(url: &Secret<String>) -> String {
    PgConnectOptions::from_str(url.expose()).map_or_else(
        |_| "unknown".to_owned(),
        |options| {
            let name = options.get_database().unwrap_or_else(|| options.get_username());
            format!("{}:{}/{name}", options.get_host(), options.get_port())
        },
    )
}

/// Why a PostgreSQL database could not be opened; `None` where that is not the database's fault.
pub fn why_unopened(error: &StoreError) -> Option<String> {
    let (StoreError::Busy(cause) | StoreError::Unknown(cause) | StoreError::Fault(cause)) = error else { return None };
    if let Some(error) = cause.downcast_ref::<MigrateError>() {
        return Some(match error {
            MigrateError::Database(error) => of_driver(error),
            MigrateError::Newer { .. } => "it was written by a newer version of this program".to_owned(),
            MigrateError::Foreign(_) => "it has a schema auth that is somebody else's".to_owned(),
            MigrateError::Failed(sqlx::migrate::MigrateError::Execute(error)) => of_driver(error),
            MigrateError::Failed(_) => "its schema cannot be brought up to date".to_owned(),
        });
    }
    if let Some(error) = cause.downcast_ref::<sqlx::Error>() {
        return Some(of_driver(error));
    }
    match cause.to_string().as_str() {
        own::AWAY => Some("it was away just now and is not asked for a while".to_owned()),
        own::OPENING | own::SLOW => Some("timeout".to_owned()),
        _ => None,
    }
}

fn of_driver(error: &sqlx::Error) -> String {
    let known = match error {
        sqlx::Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => "connection refused",
            ErrorKind::TimedOut => "timeout",
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "host cannot be reached",
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::UnexpectedEof
            | ErrorKind::BrokenPipe => "the server closed the connection",
            // Whatever else keeps a connection from being made: above all a name that no server has.
            _ => "host is not known or cannot be reached",
        },
        sqlx::Error::PoolTimedOut => "timeout",
        sqlx::Error::Tls(_) => "TLS could not be agreed on",
        sqlx::Error::Protocol(_) => "it does not answer like a PostgreSQL server",
        sqlx::Error::Configuration(_) => "the address is not understood",
        sqlx::Error::Database(refusal) => {
            let code = refusal.code().unwrap_or_default();
            match &*code {
                "3D000" => "database does not exist",
                "28P01" | "28000" => "password or role refused",
                "42501" => "the role may not do there what is needed",
                "53300" => "the server has no connection left",
                "57P03" => "the server is starting or stopping",
                "55000" => "the database takes no connections",
                _ => return format!("the server refuses with SQLSTATE {code}"),
            }
        }
        _ => "it does not answer",
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_database_is_named_without_who_opens_it() {
        let named = |url: &str| database_name(&Secret::new(url.to_owned()));
        assert_eq!(named("postgres://ada:secret@db.example:6543/own?application_name=x"), "db.example:6543/own");
        assert_eq!(named("postgres://ada:secret@db.example"), "db.example:5432/ada", "as the driver takes it");
        assert_eq!(named("nonsense"), "unknown");
    }

    #[test]
    fn what_an_operator_can_mend_has_a_name() {
        let io = |kind| sqlx::Error::Io(std::io::Error::new(kind, "an internal"));
        let why = |error: sqlx::Error| why_unopened(&StoreError::Busy(Arc::new(MigrateError::Database(error))));
        assert_eq!(why(io(ErrorKind::ConnectionRefused)).as_deref(), Some("connection refused"));
        assert_eq!(why(sqlx::Error::PoolTimedOut).as_deref(), Some("timeout"));
        assert_eq!(why(io(ErrorKind::Other)).as_deref(), Some("host is not known or cannot be reached"));
        assert_eq!(why_unopened(&StoreError::busy(own::OPENING)).as_deref(), Some("timeout"));
        assert_eq!(why_unopened(&StoreError::busy("everybody is in use")), None, "that is not the database's fault");
        assert_eq!(why_unopened(&StoreError::Conflict), None);
    }
}

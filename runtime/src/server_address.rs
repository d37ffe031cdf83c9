//! Why a database server cannot be reached: what a pool of connections only reports as the end of its patience.

use std::time::Duration;

use domain::secret::Secret;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

/// The port of PostgreSQL where a URL names none.
const PORT: u16 = 5432;

/// How long one attempt to connect may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What happens to a connection to the server of a PostgreSQL `url`; `None` where one can be made, or the URL names no host.
pub(crate) async fn problem(url: &Secret<String>) -> Option<String> {
    let url = Url::parse(url.expose()).ok()?;
    let (host, port) = (url.host_str().filter(|host| !host.is_empty())?, url.port().unwrap_or(PORT));
    let server = format!("{host}:{port}");
    match timeout(PATIENCE, TcpStream::connect((host.trim_matches(['[', ']']), port))).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(format!("{server} cannot be reached: {error}")),
        Err(_) => Some(format!("{server} does not answer within {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(url: &str) -> Option<String> {
        problem(&Secret::new(url.to_owned())).await
    }

    #[tokio::test]
    async fn a_refused_connection_is_named_without_the_password() {
        let closed = {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        let said = of(&format!("postgres://user:hunter2@127.0.0.1:{closed}/db")).await.unwrap();
        assert!(said.contains(&format!("127.0.0.1:{closed}")) && said.contains("refused"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[tokio::test]
    async fn a_server_that_listens_is_no_problem_of_reaching_it() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(of(&format!("postgres://user@127.0.0.1:{port}/db")).await, None);
        assert_eq!(of("postgres:///db?host=/var/run/postgresql").await, None);
    }
}

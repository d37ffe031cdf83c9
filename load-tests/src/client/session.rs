//! A user, and a session of one.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::json;

use super::{Failure, Project, send, send_json};

/// A user of this run.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) project: Project,
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) password: Arc<str>,
}

/// What a sign-in answers.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    expires_in: u64,
}

/// One session of a user.
pub(crate) struct Session {
    pub(crate) user: User,
    pub(crate) tokens: Tokens,
}

impl Session {
    /// Opens a session with the password.
    pub(crate) async fn sign_in(user: User) -> Result<Self, Failure> {
        let tokens = password_grant(&user).await?;
        Ok(Self { user, tokens })
    }

    /// How long the access token is valid from its issue on.
    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.tokens.expires_in)
    }

    /// A request of the signed-in user.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.user.project.public(method, path).bearer_auth(&self.tokens.access_token)
    }

    /// Leaves the session behind and opens another.
    pub(crate) async fn sign_in_again(&mut self) -> Result<(), Failure> {
        self.tokens = password_grant(&self.user).await?;
        Ok(())
    }

    /// Exchanges the refresh token.
    pub(crate) async fn refresh(&mut self) -> Result<(), Failure> {
        let body = json!({"refresh_token": self.tokens.refresh_token});
        let request = self.user.project.public(Method::POST, "token?grant_type=refresh_token").json(&body);
        self.tokens = send_json(request).await?;
        Ok(())
    }

    /// Reads the user and makes sure that it is the right one.
    pub(crate) async fn read_user(&self) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Body<'a> {
            id: &'a str,
        }
        let body = send(self.request(Method::GET, "user")).await?;
        match serde_json::from_slice::<Body<'_>>(&body) {
            Ok(Body { id }) if id == self.user.id => Ok(()),
            Ok(_) => Err(Failure("another user's data".to_owned())),
            Err(_) => Err(Failure::unexpected()),
        }
    }
}

async fn password_grant(user: &User) -> Result<Tokens, Failure> {
    let body = json!({"email": user.email, "password": &*user.password});
    send_json(user.project.public(Method::POST, "token?grant_type=password").json(&body)).await
}

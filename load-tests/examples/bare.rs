//! A server that does nothing: axum handlers which answer what an auth server would, from constants. What `scripts/bench` measures of
//! it is what HTTP itself costs on the machine. Prints its URL as a line of JSON and runs until it is ended.

use std::sync::LazyLock;

use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const ID: &str = "35ac7bff-a00e-4243-b89c-78dd7176afbd";
const ADDRESS: &str = "somebody@example.com";
const THEN: &str = "2026-01-01T00:00:00.000000Z";

/// The length of an access token of a user without metadata of his own.
const TOKEN_LENGTH: usize = 800;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let router = Router::new()
        .route("/auth/v1/user", get(async || Json(&*USER)))
        .route("/auth/v1/token", post(async |Json(_): Json<Value>| Json(&*SESSION)))
        .route("/auth/v1/signup", post(async |Json(_): Json<Value>| Json(&*SESSION)))
        .route("/auth/v1/admin/users", post(async |Json(_): Json<Value>| Json(&*USER)))
        .route("/auth/v1/admin/users/{id}", delete(async || Json(json!({}))));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", json!({ "url": format!("http://{}", listener.local_addr()?) }));
    axum::serve(listener, router).await?;
    Ok(())
}

static USER: LazyLock<Value> = LazyLock::new(user);
static SESSION: LazyLock<Value> = LazyLock::new(session);

/// As large as the answer to `GET /user`.
fn user() -> Value {
    let data = json!({ "email": ADDRESS, "email_verified": true, "phone_verified": false, "sub": ID });
    let identity = json!({
        "identity_id": ID, "id": ID, "user_id": ID, "identity_data": data, "provider": "email", "last_sign_in_at": THEN,
        "created_at": THEN, "updated_at": THEN, "email": ADDRESS,
    });
    json!({
        "id": ID, "aud": "authenticated", "role": "authenticated", "email": ADDRESS, "email_confirmed_at": THEN, "phone": "",
        "confirmed_at": THEN, "last_sign_in_at": THEN, "app_metadata": { "provider": "email", "providers": ["email"] },
        "user_metadata": data, "identities": [identity], "created_at": THEN, "updated_at": THEN, "is_anonymous": false,
    })
}

/// As large as the answer to a sign-in or a refresh.
fn session() -> Value {
    json!({
        "access_token": "a".repeat(TOKEN_LENGTH), "token_type": "bearer", "expires_in": 3600, "expires_at": 1_800_003_600,
        "refresh_token": "r".repeat(51), "user": user(),
    })
}

//! Which path and method leads to which handler, and what surrounds them.

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, any, get};
use http::StatusCode;

use crate::auth::gate::Gate;
use crate::auth::{
    admin_users, audit_log, generate_link, health, introspect, invite, jwks, logout, magic_link, openid, otp,
    reauthenticate, recover, resend, sessions, settings, signup, token, user_delete, user_read, user_update, verify,
};
use crate::edge::Edge;
use crate::failure::Failure;
use crate::layers::{enter, observe};
use crate::mail;
use crate::management;
use crate::metrics;
use crate::output::confirm_page;
use crate::state::ApiState;

/// The public listener: the projects' auth APIs, `/livez` and `/readyz`.
pub fn router(state: ApiState) -> Router {
    finish(public(&state), state)
}

/// The operator's listener: the Management API, `/metrics`, the mailbox, `/livez` and `/readyz`.
pub fn admin_router(state: ApiState) -> Router {
    finish(operator(&state).merge(probes()), state)
}

/// Both on one listener.
pub fn combined_router(state: ApiState) -> Router {
    finish(public(&state).merge(operator(&state)), state)
}

fn finish(routes: Router<ApiState>, state: ApiState) -> Router {
    routes.fallback(no_route).layer(from_fn_with_state(state.clone(), observe)).with_state(state)
}

fn public(state: &ApiState) -> Router<ApiState> {
    let project = || {
        let routes =
            Router::new().nest("/auth/v1", auth()).route("/auth/v1/", any(no_route)).nest("/.well-known", well_known());
        routes.layer(from_fn_with_state(state.clone(), enter))
    };
    Router::new().merge(project()).nest("/p/{ref}", project()).merge(probes())
}

/// Of the gateway itself, on every listener.
fn probes() -> Router<ApiState> {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready))
}

fn operator(state: &ApiState) -> Router<ApiState> {
    management::routes().merge(mail::routes(state)).route("/metrics", get(metrics::handle))
}

/// A project's auth API, relative to `/auth/v1`. A path that the contract mounts as a group is served with a trailing slash
/// too (`contract/core.md` §1.1).
fn auth() -> Router<ApiState> {
    let user = || {
        let methods = only(Gate::User, "DELETE, GET, PUT").get(user_read::handle);
        methods.put(user_update::handle).delete(user_delete::handle)
    };
    let users = || only(Gate::Admin, "GET, POST").get(admin_users::list).post(admin_users::create);
    let one_user = || {
        let methods = only(Gate::Admin, "DELETE, GET, PUT").get(admin_users::get);
        methods.put(admin_users::update).delete(admin_users::delete)
    };
    let user_sessions = || {
        let methods = only(Gate::Admin, "DELETE, GET").get(sessions::admin_list);
        methods.delete(sessions::admin_end_all)
    };
    let signup = || only(Gate::Open, "POST").post(signup::handle);
    let verify = || only(Gate::Open, "GET, POST").get(verify::link).post(verify::handle);
    let reauthenticate = || only(Gate::User, "GET").get(reauthenticate::handle);
    let audit = || only(Gate::Admin, "GET").get(audit_log::list);
    Router::new()
        .route("/health", only(Gate::Open, "GET").get(health::handle))
        .route("/settings", only(Gate::Open, "GET").get(settings::handle))
        .route("/signup", signup())
        .route("/signup/", signup())
        .route("/token", only(Gate::Open, "POST").post(token::handle))
        .route("/otp", only(Gate::Open, "POST").post(otp::handle))
        .route("/magiclink", only(Gate::Open, "POST").post(magic_link::handle))
        .route("/recover", only(Gate::Open, "POST").post(recover::handle))
        .route("/resend", only(Gate::Open, "POST").post(resend::handle))
        .route("/verify", verify())
        .route("/verify/", verify())
        .route("/verify/confirm", only(Gate::Open, "POST").post(verify::confirm))
        .route("/verify/confirm.css", only(Gate::Open, "GET").get(confirm_page::style))
        .route("/reauthenticate", reauthenticate())
        .route("/reauthenticate/", reauthenticate())
        .route("/user", user())
        .route("/user/", user())
        .route("/user/{*rest}", nothing(Gate::User))
        .route("/logout", only(Gate::User, "POST").post(logout::handle))
        .route("/sessions", only(Gate::User, "GET").get(sessions::list))
        .route("/sessions/{id}", only(Gate::User, "DELETE").delete(sessions::end))
        .route("/invite", only(Gate::Admin, "POST").post(invite::handle))
        .route("/admin/users", users())
        .route("/admin/users/", users())
        .route("/admin/users/{id}", one_user())
        .route("/admin/users/{id}/", one_user())
        .route("/admin/users/{id}/sessions", user_sessions())
        .route("/admin/users/{id}/sessions/{session}", only(Gate::Admin, "DELETE").delete(sessions::admin_end_one))
        .route("/admin/generate_link", only(Gate::Admin, "POST").post(generate_link::handle))
        .route("/admin/audit", audit())
        .route("/admin/audit/", audit())
        .route("/admin/introspect", only(Gate::Admin, "POST").post(introspect::handle))
        .route("/admin", nothing(Gate::Admin))
        .route("/admin/", nothing(Gate::Admin))
        .route("/admin/{*rest}", nothing(Gate::Admin))
        .nest("/.well-known", well_known())
        .route("/", any(no_route))
        .route("/{*rest}", any(no_route))
}

/// The documents that stand below `/.well-known`, of the auth API and of the project's own host.
fn well_known() -> Router<ApiState> {
    Router::new()
        .route("/jwks.json", only(Gate::Open, "GET").get(jwks::handle))
        .route("/openid-configuration", only(Gate::Open, "GET").get(openid::configuration))
        .route("/oauth-authorization-server", only(Gate::Open, "GET").get(openid::oauth_metadata))
        .route("/{*rest}", any(no_route))
}

/// A route that serves the methods it is given next, named in `allow`, and nothing else: not even HEAD where GET is served,
/// so that scanners of links use nothing up.
fn only(gate: Gate, allow: &'static str) -> MethodRouter<ApiState> {
    let refuse = move |edge: Edge| async move {
        match gate.pass(&edge).await {
            Ok(()) => Failure::MethodNotAllowed(allow),
            Err(failure) => failure,
        }
    };
    any(refuse).head(refuse)
}

/// Paths that do not exist, behind a gate.
fn nothing(gate: Gate) -> MethodRouter<ApiState> {
    any(move |edge: Edge| async move {
        match gate.pass(&edge).await {
            Ok(()) => Failure::NoRoute,
            Err(failure) => failure,
        }
    })
}

async fn no_route() -> Failure {
    Failure::NoRoute
}

async fn live() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn ready(State(state): State<ApiState>) -> StatusCode {
    if state.runtime().ready().await { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
}

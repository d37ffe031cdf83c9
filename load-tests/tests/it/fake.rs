//! A project in memory: users, sessions, refresh tokens that work once.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const SERVICE_KEY: &str = "the service key";
pub(crate) const ANON_KEY: &str = "the anon key";

/// What has happened so far.
#[derive(Default)]
pub(crate) struct State {
    /// Password and address by id.
    pub(crate) users: HashMap<String, (String, String)>,
    pub(crate) created: usize,
    pub(crate) sign_ins: usize,
    pub(crate) refreshes: usize,
    pub(crate) reads: usize,
    /// Requests that the API does not know or that had no right to be sent.
    pub(crate) wrong: Vec<String>,
    /// How many users may be created.
    pub(crate) room: Option<usize>,
    /// Whether reads answer 503.
    pub(crate) busy: bool,
    /// User by token.
    pub(crate) sessions: HashMap<String, String>,
    pub(crate) spent: BTreeSet<String>,
    pub(crate) issued: usize,
}

pub(crate) struct Fake {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub(crate) async fn start(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/p/demo", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| serve(request, Arc::clone(&state)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, state }
    }

    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

async fn serve(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let call = Call {
        method: request.method().clone(),
        path: request.uri().path_and_query().unwrap().as_str().to_owned(),
        apikey: header("apikey"),
        bearer: header("authorization").strip_prefix("Bearer ").unwrap_or_default().to_owned(),
        body: Value::Null,
    };
    let bytes = request.into_body().collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let (status, answer) = answer(&Call { body, ..call }, &mut state.lock().unwrap());
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::from(answer.to_string())).unwrap())
}

struct Call {
    method: Method,
    path: String,
    apikey: String,
    bearer: String,
    body: Value,
}

fn answer(call: &Call, state: &mut State) -> (StatusCode, Value) {
    let path = call.path.strip_prefix("/p/demo/auth/v1/").unwrap_or("outside");
    let admin = call.bearer == SERVICE_KEY && call.apikey == SERVICE_KEY;
    let public = call.apikey == ANON_KEY;
    match (&call.method, path) {
        (&Method::POST, "admin/users") if admin => create(call, state),
        (&Method::DELETE, _) if admin && path.starts_with("admin/users/") => {
            let id = path.trim_start_matches("admin/users/");
            match state.users.remove(id) {
                Some(_) => (StatusCode::OK, json!({})),
                None => refuse(StatusCode::NOT_FOUND, "user_not_found"),
            }
        }
        (&Method::POST, "token?grant_type=password") if public => sign_in(call, state),
        (&Method::POST, "token?grant_type=refresh_token") if public => refresh(call, state),
        (&Method::GET, "user") if public => read(call, state),
        _ => {
            state.wrong.push(format!("{} {path}", call.method));
            refuse(StatusCode::UNAUTHORIZED, "no_authorization")
        }
    }
}

fn create(call: &Call, state: &mut State) -> (StatusCode, Value) {
    if state.room.is_some_and(|room| state.created >= room) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "email_exists");
    }
    assert_eq!(call.body["email_confirm"], json!(true));
    state.created += 1;
    let id = format!("user-{}", state.created);
    let text = |name: &str| call.body[name].as_str().unwrap().to_owned();
    state.users.insert(id.clone(), (text("password"), text("email")));
    (StatusCode::OK, json!({"id": id}))
}

fn sign_in(call: &Call, state: &mut State) -> (StatusCode, Value) {
    let text = |name: &str| call.body[name].as_str().unwrap().to_owned();
    let given = (text("password"), text("email"));
    let user = state.users.iter().find(|(_, known)| **known == given).map(|(id, _)| id.clone());
    match user {
        Some(user) => {
            state.sign_ins += 1;
            issue(user, state)
        }
        None => refuse(StatusCode::BAD_REQUEST, "invalid_credentials"),
    }
}

fn refresh(call: &Call, state: &mut State) -> (StatusCode, Value) {
    let token = call.body["refresh_token"].as_str().unwrap().to_owned();
    match state.sessions.get(&token).cloned() {
        Some(user) if state.spent.insert(token) => {
            state.refreshes += 1;
            issue(user, state)
        }
        _ => refuse(StatusCode::BAD_REQUEST, "refresh_token_already_used"),
    }
}

fn read(call: &Call, state: &mut State) -> (StatusCode, Value) {
    if state.busy {
        return (StatusCode::SERVICE_UNAVAILABLE, Value::Null);
    }
    state.reads += 1;
    match state.sessions.get(&call.bearer) {
        Some(user) => (StatusCode::OK, json!({"id": user, "email": "someone"})),
        None => refuse(StatusCode::FORBIDDEN, "bad_jwt"),
    }
}

fn issue(user: String, state: &mut State) -> (StatusCode, Value) {
    state.issued += 1;
    let (access, refresh) = (format!("access-{}", state.issued), format!("refresh-{}", state.issued));
    for token in [&access, &refresh] {
        state.sessions.insert(token.clone(), user.clone());
    }
    (StatusCode::OK, json!({"access_token": access, "refresh_token": refresh, "expires_in": 3600}))
}

fn refuse(status: StatusCode, code: &str) -> (StatusCode, Value) {
    (status, json!({"code": status.as_u16(), "error_code": code, "msg": "no"}))
}

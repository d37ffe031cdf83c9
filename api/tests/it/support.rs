//! A runtime that answers what it is told, and a client that speaks to the router in process.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::Operation;
use actors::management::Management;
use api::failure::Failure;
use api::mail::MailStore;
use api::metrics::{MetricSource, Reading};
use api::runtime::{Ask, Call, Facts, Projects};
use api::{ApiState, Cors, Parts};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use domain::entropy::Entropy;
use domain::ids::{ProjectId, ProjectRef};
use domain::project::Profile;
use domain::refusal::Refusal;
use domain::secret::Secret;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::Instant;
use tower::ServiceExt;

type Answer = Box<dyn Any + Send>;
type Script = Box<dyn FnMut(Call, Answer) -> Result<Answer, Failure> + Send>;

/// What the edge knows of `acme` unless a test says otherwise.
pub(crate) fn facts() -> Facts {
    Facts {
        profile: Profile::Compat,
        cors: Cors::default(),
        sb_forwarded_for: false,
        api_key_in_query: true,
        block_secret_key_in_browser: true,
        hsts_max_age: 0,
        mailbox: true,
        site_host: "shop.example.com".to_owned(),
    }
}

/// Knows the project `acme` and answers the questions a test has scripted.
pub(crate) struct FakeRuntime {
    scripts: Mutex<HashMap<TypeId, Script>>,
    facts: Facts,
    hangs: bool,
}

impl Default for FakeRuntime {
    fn default() -> Self {
        let silent = Self { scripts: Mutex::default(), facts: facts(), hangs: false };
        silent.on(|_, _: domain::first_checks::Request| Ok(()))
    }
}

impl FakeRuntime {
    /// The edge's facts of the project.
    pub(crate) fn with_facts(self, facts: Facts) -> Self {
        Self { facts, ..self }
    }

    /// Never answers.
    pub(crate) fn hanging() -> Self {
        Self { hangs: true, ..Self::default() }
    }

    /// Answers questions of type `O` with what `script` says.
    pub(crate) fn on<O: Operation>(
        self,
        mut script: impl FnMut(Call, O) -> Result<O::Answer, Failure> + Send + 'static,
    ) -> Self {
        let erased: Script = Box::new(move |call, operation| {
            let operation = operation.downcast::<O>().expect("scripts are kept by the operation's type");
            Ok(Box::new(script(call, *operation)?))
        });
        self.scripts.lock().unwrap().insert(TypeId::of::<O>(), erased);
        self
    }

    /// Refuses every token that is not `good`, as a user's and as an admin's.
    pub(crate) fn with_tokens(self, good: &'static str) -> Self {
        let check = move |bearer: &domain::request::Bearer| match &bearer.0 {
            None => Err(Failure::from(Refusal::NoAuthorization)),
            Some(token) if token.expose() == good => Ok(()),
            Some(_) => Err(Refusal::BadJwt("token is malformed: test".to_owned()).into()),
        };
        self.on(move |_, read: domain::user_read::Request| {
            check(&read.bearer)?;
            Ok(crate::examples::user())
        })
        .on(move |_, get: domain::admin_users::Get| {
            check(&get.bearer)?;
            Err(Refusal::UserIdMalformed.into())
        })
    }
}

#[async_trait]
impl<O: Operation> Ask<O> for FakeRuntime {
    async fn ask(&self, call: Call, operation: O) -> Result<O::Answer, Failure> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let mut scripts = self.scripts.lock().unwrap();
        let Some(script) = scripts.get_mut(&TypeId::of::<O>()) else {
            return Err(Failure::fault(format!("nobody answers {}", O::NAME)));
        };
        let answer = script(call, Box::new(operation))?;
        Ok(*answer.downcast().expect("scripts answer what was asked"))
    }
}

#[async_trait]
impl Projects for FakeRuntime {
    async fn facts(&self, project: &ProjectRef, _: Instant) -> Result<Facts, Failure> {
        if project.as_str() == "acme" { Ok(self.facts.clone()) } else { Err(Failure::UnknownProject) }
    }

    async fn id(&self, _: &ProjectRef) -> Result<ProjectId, Failure> {
        Ok(ProjectId(uuid::Uuid::from_u128(1)))
    }

    async fn name(&self, _: &ProjectRef) -> Result<String, Failure> {
        Ok("Acme <shop>".to_owned())
    }

    async fn project_of_api_key(&self, key: &Secret<String>) -> Result<Option<ProjectRef>, Failure> {
        Ok((key.expose() == "sb_publishable_acme").then(|| "acme".parse().unwrap()))
    }

    async fn project_of_host(&self, _: &str) -> Result<Option<ProjectRef>, Failure> {
        Ok(None)
    }

    async fn only_project(&self) -> Result<Option<ProjectRef>, Failure> {
        Ok(None)
    }

    async fn ready(&self) -> bool {
        true
    }

    fn management(&self) -> Option<&Management> {
        None
    }
}

/// Counts: ids differ and repeat from run to run.
struct Counting(Mutex<u8>);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let mut count = self.0.lock().unwrap();
        *count += 1;
        buffer.fill(*count);
    }
}

/// A counter beside the edge's own, and one that names a project.
pub(crate) struct TwoReadings;

impl MetricSource for TwoReadings {
    fn read(&self) -> Vec<Reading> {
        let of_acme = vec![(api::metrics::PROJECT, "acme".to_owned())];
        vec![
            Reading { name: "asks_total", help: "Questions.", counter: true, labels: Vec::new(), value: 7.0 },
            Reading { name: "project_asks_total", help: "A project's.", counter: true, labels: of_acme, value: 3.0 },
        ]
    }
}

/// The router of a test.
pub(crate) struct TestEdge {
    router: Router,
    state: ApiState,
}

/// An answer that was read to its end.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and error code of the legacy shape.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error_code"].as_str().unwrap_or_default().to_owned())
    }
}

impl TestEdge {
    pub(crate) fn new(runtime: FakeRuntime) -> Self {
        Self::with_mailbox(runtime, None)
    }

    pub(crate) fn with_mailbox(runtime: FakeRuntime, mailbox: Option<Arc<dyn MailStore>>) -> Self {
        let state = ApiState::new(Parts {
            runtime: Arc::new(runtime),
            mailbox,
            entropy: Arc::new(Counting(Mutex::new(0))),
            domain: "localhost".to_owned(),
            trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
            deadline: Duration::from_secs(10),
            metric_sources: vec![Arc::new(TwoReadings)],
        });
        Self { router: api::combined_router(state.clone()), state }
    }

    /// Ends what is answered for as long as somebody reads it.
    pub(crate) fn end_streams(&self) {
        self.state.end_streams();
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answered {
        self.send_from("127.0.0.1:4711", request).await
    }

    pub(crate) async fn send_from(&self, peer: &str, request: Request<Body>) -> Answered {
        let (parts, body) = self.begin(peer, request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answered { status: parts.status, headers: parts.headers, text }
    }

    /// An answer whose body was not read yet.
    pub(crate) async fn begin(&self, peer: &str, mut request: Request<Body>) -> Response<Body> {
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Serves the router on a port of this machine.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = self.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        address
    }

    /// A request to the project `acme` with the path below `/auth/v1`.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(format!("/p/acme/auth/v1{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.ask("GET", path, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answered {
        self.ask("POST", path, &[], body).await
    }
}

//! Which path and method leads to which handler, what its caller must be allowed, and what the document says of it: one row
//! each, so that no route is served unguarded or undescribed.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, any, on};
use domain::operator::Access;
use http::StatusCode;

use crate::failure::{Dialect, Failure};
use crate::management::document::Doc;
use crate::management::message;
use crate::management::operator::{Asker, Operator};
use crate::state::ApiState;

/// A route of the Management API.
#[derive(Clone, Copy, Debug)]
pub struct ManagementRoute {
    /// The method.
    pub method: &'static str,
    /// The path, with the caller's parts in braces.
    pub path: &'static str,
    /// What its caller must be allowed; `None` = anybody may ask.
    pub access: Option<Access>,
}

/// A row of the table.
pub(super) struct Row {
    pub(super) route: ManagementRoute,
    pub(super) doc: Doc,
}

/// Paths, what is served at them, and the list of both.
#[derive(Default)]
pub(super) struct Table {
    router: Router<ApiState>,
    pub(super) rows: Vec<Row>,
}

impl Table {
    /// Serves at `path` what `served` has.
    pub(super) fn at(mut self, path: &'static str, served: Served) -> Self {
        let methods: Vec<&str> = served.rows.iter().map(|(method, ..)| *method).collect();
        let refusal = refuse_method(methods.join(", "));
        self.router = self.router.route(path, served.router.fallback(refusal));
        let rows = served.rows.into_iter().map(|(method, access, doc)| {
            let route = ManagementRoute { method, path, access: Some(access) };
            Row { route, doc }
        });
        self.rows.extend(rows);
        self
    }

    /// Serves at `path` what anybody may read.
    pub(super) fn open(mut self, path: &'static str, router: MethodRouter<ApiState>, doc: Doc) -> Self {
        self.router = self.router.route(path, router);
        self.rows.push(Row { route: ManagementRoute { method: "GET", path, access: None }, doc });
        self
    }

    /// All of it, with a refusal for every other path below.
    pub(super) fn into_router(self) -> Router<ApiState> {
        let nothing =
            || any(guarded(Access::Read, |_: Operator| async { Err(message(StatusCode::NOT_FOUND, "Not Found")) }));
        self.router.route("/v1/{*rest}", nothing()).route("/v2/{*rest}", nothing())
    }
}

/// What is served at one path.
#[derive(Default)]
pub(super) struct Served {
    router: MethodRouter<ApiState>,
    rows: Vec<(&'static str, Access, Doc)>,
}

macro_rules! methods {
    ($($name:ident $filter:ident $text:literal)+) => {
        impl Served {
            $(
                #[doc = concat!("Adds ", $text, ".")]
                pub(super) fn $name<F, A>(self, access: Access, handler: F, doc: Doc) -> Self
                where
                    F: Fn(Operator) -> A + Clone + Send + Sync + 'static,
                    A: Future<Output = Result<Response, Failure>> + Send + 'static,
                {
                    self.with(MethodFilter::$filter, $text, access, handler, doc)
                }
            )+
        }
    };
}

methods! {
    get GET "GET"
    post POST "POST"
    put PUT "PUT"
    patch PATCH "PATCH"
    delete DELETE "DELETE"
}

macro_rules! beginnings {
    ($($name:ident)+) => {
        $(
            #[doc = concat!("A path at which `", stringify!($name), "` is served first.")]
            pub(super) fn $name<F, A>(access: Access, handler: F, doc: Doc) -> Served
            where
                F: Fn(Operator) -> A + Clone + Send + Sync + 'static,
                A: Future<Output = Result<Response, Failure>> + Send + 'static,
            {
                Served::default().$name(access, handler, doc)
            }
        )+
    };
}

beginnings! { get post patch delete }

impl Served {
    fn with<F, A>(mut self, filter: MethodFilter, method: &'static str, access: Access, handler: F, doc: Doc) -> Self
    where
        F: Fn(Operator) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Response, Failure>> + Send + 'static,
    {
        self.router = self.router.merge(on(filter, guarded(access, handler)));
        self.rows.push((method, access, doc));
        self
    }
}

/// `handler` for those who may; a failure in the words of the API it is of. [`Operator`] is made nowhere else.
fn guarded<F, A>(access: Access, handler: F) -> impl Fn(Asker) -> BoxedAnswer + Clone + Send + Sync + 'static
where
    F: Fn(Operator) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response, Failure>> + Send + 'static,
{
    move |asker: Asker| {
        let handler = handler.clone();
        let dialect = asker.dialect();
        let answer = async move {
            let answered = match asker.allowed(access).await {
                Ok(operator) => handler(operator).await,
                Err(failure) => Err(failure),
            };
            answered.unwrap_or_else(|failure| spoken(failure, dialect))
        };
        Box::pin(answer)
    }
}

type BoxedAnswer = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

/// Tells those who may look which methods there are; the router says it in a header.
fn refuse_method(allow: String) -> impl Fn(Asker) -> BoxedAnswer + Clone + Send + Sync + 'static {
    guarded(Access::Read, move |_: Operator| {
        let failure = message(StatusCode::METHOD_NOT_ALLOWED, format!("Method Not Allowed: use {allow}"));
        async move { Err(failure) }
    })
}

fn spoken(failure: Failure, dialect: Dialect) -> Response {
    let mut response = failure.into_response();
    response.extensions_mut().insert(dialect);
    response
}

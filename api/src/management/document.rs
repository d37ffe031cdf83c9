//! The Management API's OpenAPI document, made from the table of its routes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use domain::operator::Access;
use http::header::{CONTENT_TYPE, HeaderValue};
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathsBuilder,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::{Response as Answer, ResponseBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, Required, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use crate::management::routes;
use crate::management::table::{ManagementRoute, Row};

const BEARER: &str = "operator_token";
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// What a token can be refused with, wherever it asks.
const REFUSALS: [(&str, &str, &str); 4] = [
    ("400", "BadRequest", "The request cannot be carried out as it is."),
    ("401", "Unauthorized", "No token, or none that opens anything."),
    ("403", "Forbidden", "The token may not do that."),
    ("404", "NotFound", "There is no such thing, or not for this token."),
];

/// Where what was asked for meets something else, or would come a second time.
const CONFLICT: (&str, &str, &str) = ("409", "Conflict", "Something else stands against it, or was faster.");

/// Where a body is taken.
const TOO_LARGE: (&str, &str, &str) = ("413", "TooLarge", "The body is longer than 1 MiB.");

/// Wherever something is asked of a database.
const AWAY: (&str, &str, &str) =
    ("503", "Away", "A database is away or has its hands full, or the project is on its way: after Retry-After again.");

/// The shapes that have a name.
#[derive(Default)]
struct Schemas {
    named: BTreeMap<String, RefOr<Schema>>,
    /// Names of two shapes: one of them would be lost.
    twice: Vec<String>,
}

impl Schemas {
    fn add(&mut self, name: String, schema: RefOr<Schema>) {
        match self.named.get(&name) {
            Some(known) if *known != schema => self.twice.push(name),
            _ => drop(self.named.insert(name, schema)),
        }
    }
}

/// A shape of a body: writes down what it refers to and gives the schema to stand in the operation.
type Shape = Box<dyn Fn(&mut Schemas) -> RefOr<Schema> + Send + Sync>;

/// What comes of a request that its token may make.
#[derive(Clone, Copy)]
enum Status {
    /// This one, where all goes well.
    Success(u16),
    /// This refusal, always.
    Refusal(u16),
}

/// What the document says of one route.
pub(super) struct Doc {
    summary: &'static str,
    /// Ours, not Supabase's.
    own: bool,
    takes: Option<(&'static str, Shape, Required)>,
    /// Of success, or that it is always refused with.
    status: Status,
    /// Whether it can be refused for what else there is.
    conflicts: bool,
    gives: Option<(&'static str, Shape)>,
    parameters: Vec<(&'static str, ParameterIn, Type, &'static str)>,
}

/// A route of Supabase's Management API.
pub(super) fn doc(summary: &'static str) -> Doc {
    let status = Status::Success(200);
    Doc { summary, own: false, takes: None, status, conflicts: false, gives: None, parameters: Vec::new() }
}

/// A route of Tenantry's own.
pub(super) fn own(summary: &'static str) -> Doc {
    Doc { own: true, ..doc(summary) }
}

impl Doc {
    /// The body is one `T`.
    pub(super) fn takes<T: ToSchema + 'static>(self) -> Self {
        Self { takes: Some((JSON, Box::new(reference::<T>), Required::True)), ..self }
    }

    /// The body is one `T`, or there is none.
    pub(super) fn may_take<T: ToSchema + 'static>(self) -> Self {
        Self { takes: Some((JSON, Box::new(reference::<T>), Required::False)), ..self }
    }

    /// The body is any object.
    pub(super) fn takes_any(self) -> Self {
        Self { takes: Some((JSON, Box::new(|_| object()), Required::True)), ..self }
    }

    /// The body is lines of JSON.
    pub(super) fn takes_lines(self) -> Self {
        Self { takes: Some((NDJSON, Box::new(|_| text()), Required::True)), ..self }
    }

    /// The answer is one `T`.
    pub(super) fn gives<T: ToSchema + 'static>(self) -> Self {
        Self { gives: Some((JSON, Box::new(reference::<T>))), ..self }
    }

    /// The answer is a list of `T`.
    pub(super) fn lists<T: ToSchema + 'static>(self) -> Self {
        let list = |schemas: &mut Schemas| {
            RefOr::from(Schema::from(ArrayBuilder::new().items(reference::<T>(schemas)).build()))
        };
        Self { gives: Some((JSON, Box::new(list))), ..self }
    }

    /// The answer is any object.
    pub(super) fn gives_any(self) -> Self {
        Self { gives: Some((JSON, Box::new(|_| object()))), ..self }
    }

    /// The answer is a list of any objects.
    pub(super) fn lists_any(self) -> Self {
        let list = |_: &mut Schemas| RefOr::from(Schema::from(ArrayBuilder::new().items(object()).build()));
        Self { gives: Some((JSON, Box::new(list))), ..self }
    }

    /// The answer is lines of JSON.
    pub(super) fn gives_lines(self) -> Self {
        Self { gives: Some((NDJSON, Box::new(|_| text()))), ..self }
    }

    /// The status of success, where it is not 200.
    pub(super) fn with(self, status: u16) -> Self {
        Self { status: Status::Success(status), ..self }
    }

    /// It is always refused with this status.
    pub(super) fn never(self, status: u16) -> Self {
        Self { status: Status::Refusal(status), ..self }
    }

    /// It can be refused because of something else there is, or that happens at the same time.
    pub(super) fn conflicts(self) -> Self {
        Self { conflicts: true, ..self }
    }

    /// A text in the query.
    pub(super) fn query(self, name: &'static str, description: &'static str) -> Self {
        self.parameter(name, ParameterIn::Query, Type::String, description)
    }

    /// A whole number in the query.
    pub(super) fn number(self, name: &'static str, description: &'static str) -> Self {
        self.parameter(name, ParameterIn::Query, Type::Integer, description)
    }

    /// A switch in the query.
    pub(super) fn switch(self, name: &'static str, description: &'static str) -> Self {
        self.parameter(name, ParameterIn::Query, Type::Boolean, description)
    }

    /// A header.
    pub(super) fn header(self, name: &'static str, description: &'static str) -> Self {
        self.parameter(name, ParameterIn::Header, Type::String, description)
    }

    fn parameter(mut self, name: &'static str, place: ParameterIn, kind: Type, description: &'static str) -> Self {
        self.parameters.push((name, place, kind, description));
        self
    }

    fn operation(&self, route: &ManagementRoute, schemas: &mut Schemas) -> Operation {
        let tag = if self.own { "tenantry" } else { "supabase" };
        let mut operation = OperationBuilder::new()
            .operation_id(Some(operation_id(route)))
            .tag(tag)
            .summary(Some(self.summary))
            .parameters(Some(in_path(route.path)))
            .parameters(Some(self.parameters.iter().map(parameter)));
        if let Status::Success(status) = self.status {
            operation = operation.response(status.to_string(), self.answer(schemas));
        }
        if let Some((media, shape, required)) = &self.takes {
            operation = operation.request_body(Some(body(media, shape(schemas), required)));
        }
        match route.access {
            None => operation = operation.security(SecurityRequirement::default()),
            Some(access) => {
                operation = operation.description(Some(needs(access)));
                let version = if is_second(route.path) { "V2" } else { "" };
                for (status, name, _) in self.refusals() {
                    operation = operation.response(status, Ref::from_response_name(format!("{name}{version}")));
                }
            }
        }
        operation.build()
    }

    /// What whoever bears a token can be refused with.
    fn refusals(&self) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        let wanted = match self.status {
            Status::Success(_) => None,
            Status::Refusal(status) => Some(status.to_string()),
        };
        let conflict = self.conflicts.then_some(CONFLICT);
        let too_large = self.takes.as_ref().map(|_| TOO_LARGE);
        let listed = REFUSALS.into_iter().chain(conflict).chain(too_large).chain([AWAY]);
        listed.filter(move |(status, ..)| match &wanted {
            None => true,
            // The token is looked at first, and for that a database is asked.
            Some(wanted) => wanted == status || matches!(*status, "401" | "403" | "503"),
        })
    }

    fn answer(&self, schemas: &mut Schemas) -> Answer {
        match &self.gives {
            None => answer("Done.", JSON, None),
            Some((media, shape)) => answer("The answer.", media, Some(shape(schemas))),
        }
    }
}

/// Why a request was refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of what `failure` writes")]
struct Message {
    message: String,
}

/// Why a request to version 2 was refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of what `failure` writes")]
struct ErrorV2 {
    error: ErrorDetail,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of what `failure` writes")]
struct ErrorDetail {
    code: String,
    message: String,
}

/// The document of `rows`.
fn document(rows: &[Row]) -> OpenApi {
    let mut schemas = Schemas::default();
    let mut items: BTreeMap<&str, PathItem> = BTreeMap::new();
    for Row { route, doc } in rows {
        let operation = doc.operation(route, &mut schemas);
        let item = PathItem::new(method(route.method), operation);
        match items.get_mut(route.path) {
            Some(known) => known.merge_operations(item),
            None => drop(items.insert(route.path, item)),
        }
    }
    let paths = items.into_iter().fold(PathsBuilder::new(), |paths, (path, item)| paths.path(path, item));
    let info = InfoBuilder::new()
        .title("Tenantry Management API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Projects, their configuration and their keys, in the shapes of Supabase's Management API (tag `supabase`), and what \
             Tenantry has beside them (tag `tenantry`).",
        ));
    let (first, second) = (reference::<Message>(&mut schemas), reference::<ErrorV2>(&mut schemas));
    let refusals = REFUSALS.into_iter().chain([CONFLICT, TOO_LARGE, AWAY]).fold(
        ComponentsBuilder::new(),
        |components, (_, name, words)| {
            let components = components.response(name, answer(words, JSON, Some(first.clone())));
            components.response(format!("{name}V2"), answer(words, JSON, Some(second.clone())))
        },
    );
    let components = refusals
        .schemas_from_iter(schemas.named)
        .security_scheme(BEARER, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new(BEARER, Vec::<String>::new())]))
        .build()
}

fn text_of_document() -> String {
    let mut text = document(&routes::all().rows).to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// `GET /openapi.json`.
pub(super) async fn handle() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(text_of_document);
    let mut response = TEXT.as_str().into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

/// A reference to `T`, which is written down with all that it refers to.
fn reference<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    let name: Cow<'static, str> = T::name();
    let mut referred = Vec::new();
    T::schemas(&mut referred);
    referred.push((name.to_string(), T::schema()));
    for (name, schema) in referred {
        schemas.add(name, schema);
    }
    Ref::from_schema_name(name).into()
}

fn object() -> RefOr<Schema> {
    Schema::from(ObjectBuilder::new().build()).into()
}

fn text() -> RefOr<Schema> {
    <String as PartialSchema>::schema()
}

fn body(media: &'static str, schema: RefOr<Schema>, required: &Required) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    RequestBodyBuilder::new().content(media, content).required(Some(required.clone())).build()
}

fn answer(description: &'static str, media: &'static str, schema: Option<RefOr<Schema>>) -> Answer {
    let answer = ResponseBuilder::new().description(description);
    match schema {
        None => answer.build(),
        Some(schema) => answer.content(media, ContentBuilder::new().schema(Some(schema)).build()).build(),
    }
}

fn needs(access: Access) -> &'static str {
    match access {
        Access::Read => "For every token.",
        Access::Reveal => "Shows secrets: for tokens of the roles owner and operator.",
        Access::Change => "For tokens of the roles owner and operator.",
        Access::Dispose => "For tokens of the roles owner and operator that are for all projects.",
        Access::Tokens => "For tokens of the role owner that are for all projects.",
    }
}

fn parameter((name, place, kind, description): &(&'static str, ParameterIn, Type, &'static str)) -> Parameter {
    ParameterBuilder::new()
        .name(*name)
        .parameter_in(place.clone())
        .required(Required::False)
        .description(Some(*description))
        .schema(Some(ObjectBuilder::new().schema_type(kind.clone()).build()))
        .build()
}

fn in_path(path: &'static str) -> impl Iterator<Item = Parameter> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
            .build()
    })
}

/// `get_v1_projects_ref_config_auth` and the like: unique, since method and path are.
fn operation_id(route: &ManagementRoute) -> String {
    let words =
        route.path.split(['/', '-', '.']).filter(|word| !word.is_empty()).map(|word| word.trim_matches(['{', '}']));
    words.fold(route.method.to_ascii_lowercase(), |id, word| format!("{id}_{}", word.to_ascii_lowercase()))
}

/// Whether a path is of version 2.
fn is_second(path: &str) -> bool {
    path.starts_with("/v2/")
}

fn method(name: &str) -> HttpMethod {
    match name {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// The document as it is committed.
    const COMMITTED: &str = include_str!("../../openapi/management.json");

    #[test]
    fn the_committed_document_is_the_one_that_is_served() {
        let made = text_of_document();
        if std::env::var_os("TENANTRY_WRITE_OPENAPI").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/management.json"), &made).unwrap();
            return;
        }
        assert!(
            made == COMMITTED,
            "api/openapi/management.json is out of date: TENANTRY_WRITE_OPENAPI=1 cargo test -p api committed_document"
        );
    }

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let document: Value = serde_json::from_str(COMMITTED).unwrap();
        let documented: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
                methods.map(|method| (method.to_uppercase(), path.clone()))
            })
            .collect();
        let served: BTreeSet<(String, String)> =
            routes::all().rows.iter().map(|row| (row.route.method.to_owned(), row.route.path.to_owned())).collect();
        assert_eq!(documented, served);
        assert_eq!(served.len(), routes::all().rows.len(), "no route is listed twice");
    }

    #[test]
    fn every_shape_has_a_name_of_its_own_and_every_operation_an_id() {
        let mut schemas = Schemas::default();
        for Row { route, doc } in &routes::all().rows {
            doc.operation(route, &mut schemas);
        }
        assert_eq!(schemas.twice, Vec::<String>::new(), "two shapes have one name");
        let ids: Vec<String> = routes::all().rows.iter().map(|row| operation_id(&row.route)).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn what_is_always_refused_documents_no_success_and_what_can_conflict_says_so() {
        let document: Value = serde_json::from_str(&text_of_document()).unwrap();
        let statuses = |method: &str, path: &str| -> Vec<String> {
            document["paths"][path][method]["responses"].as_object().unwrap().keys().cloned().collect()
        };
        let sso = "/v1/projects/{ref}/config/auth/sso/providers";
        for (method, path, refusal) in [("post", "/v1/organizations", "400"), ("get", sso, "404"), ("post", sso, "404")]
        {
            let mut expected = vec![refusal, "401", "403", "503"];
            expected.sort_unstable();
            assert_eq!(statuses(method, path), expected, "{method} {path}");
        }
        for (method, path, success) in [
            ("post", "/v1/projects", "201"),
            ("post", "/v1/projects/{ref}/api-keys", "201"),
            ("post", "/v1/projects/{ref}/config/auth/third-party-auth", "201"),
            ("post", "/v1/projects/{ref}/config/auth/signing-keys/legacy", "201"),
            ("post", "/v1/projects/{ref}/move", "202"),
            ("patch", "/v1/projects/{ref}/config/auth", "200"),
            ("post", "/v1/projects/{ref}/config/auth/rollback", "200"),
            ("delete", "/v1/projects/{ref}/move", "200"),
            ("post", "/v1/imports/{id}/rows", "200"),
        ] {
            let mut expected = vec![success, "400", "401", "403", "404", "409", "503"];
            if document["paths"][path][method]["requestBody"].is_object() {
                expected.push("413");
            }
            expected.sort_unstable();
            assert_eq!(statuses(method, path), expected, "{method} {path}");
        }
        assert_eq!(statuses("get", "/v1/gateways"), ["200", "400", "401", "403", "404", "503"]);
        let created = &document["components"]["schemas"]["CreatedProject"].to_string();
        assert!(!created.contains("purge_at") && !created.contains("#/components/schemas/Project\""), "{created}");
    }
}

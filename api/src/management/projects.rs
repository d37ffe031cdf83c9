//! `/v1/projects` (`contract/management.md` §2.3), with Tenantry's own members: `ref`, `profile` (or `security_profile`),
//! `jwt_secret`, `signing_keys`, `config`, `placement` and `database_url` on creation; `url`, `profile`, `placement` and what
//! there is to know of a deleted one in every project, and the keys in clear in the answer to a creation.

use actors::management::{CreateProject, CreatedProject, ProjectView, ReadProjects};
use axum::response::Response;
use domain::ids::ProjectRef;
use domain::project::{Placement, Project, Status};
use domain::quota::Quotas;
use domain::secret::Secret;
use domain::time::Timestamp;
use http::StatusCode;
use http::header::{HeaderValue, LINK};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::failure::Failure;
use crate::management::operator::{Operator, hidden, read, refused};
use crate::management::profile::{self, ORGANIZATION};
use crate::management::{answer, elsewhere, message};

/// Members that Supabase's tools send and that mean nothing here.
const IGNORED: [&str; 10] = [
    "db_pass",
    "region",
    "region_selection",
    "desired_instance_size",
    "template_url",
    "plan",
    "kps_enabled",
    "postgres_engine",
    "release_channel",
    "high_availability",
];

/// Projects of one answer where the request pages and names no number; and where it does not page.
const LIMIT: u32 = 100;
const MOST: u32 = 1000;

/// The furthest that the other way to page goes: what it passes over is read.
const MOST_PASSED: u32 = 10_000;

/// What there is to say of every project.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectFacts)]
pub(super) struct Facts<'a> {
    #[schema(value_type = String)]
    id: &'a ProjectRef,
    #[schema(value_type = String)]
    r#ref: &'a ProjectRef,
    organization_id: &'static str,
    organization_slug: &'static str,
    name: &'a str,
    region: &'static str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// `ACTIVE_HEALTHY`, `INACTIVE` (paused) or `GOING_DOWN` (deleted).
    status: &'static str,
    /// What `createClient` takes.
    url: &'a str,
    profile: &'static str,
    /// `gateway`, `postgres` or `sqlite`.
    #[schema(value_type = String)]
    placement: Placement,
}

/// A project.
#[derive(Serialize, ToSchema)]
#[schema(as = Project)]
pub(super) struct Shown<'a> {
    #[serde(flatten)]
    facts: Facts<'a>,
    database: Database,
    /// When the data of a deleted project is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    purge_at: Option<Timestamp>,
}

/// What stands for a project's database: its address is nobody's affair.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectDatabase)]
struct Database {
    host: String,
    version: &'static str,
    postgres_engine: &'static str,
    release_channel: &'static str,
}

/// A project that was just made, with its keys in clear.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedProject)]
pub(super) struct Created<'a> {
    #[serde(flatten)]
    project: Facts<'a>,
    anon_key: &'a str,
    service_role_key: &'a str,
    jwt_secret: &'a str,
}

/// The short form in which changes are answered; its id is a number.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectShort)]
pub(super) struct Short<'a> {
    id: u32,
    #[schema(value_type = String)]
    r#ref: &'a ProjectRef,
    name: &'a str,
}

impl<'a> Facts<'a> {
    fn of(project: &'a Project, url: &'a str) -> Self {
        Self {
            id: &project.project_ref,
            r#ref: &project.project_ref,
            organization_id: ORGANIZATION,
            organization_slug: ORGANIZATION,
            name: &project.name,
            region: "local",
            created_at: project.created_at,
            status: status(project.status),
            url,
            profile: project.profile.as_str(),
            placement: project.placement,
        }
    }
}

impl<'a> Shown<'a> {
    pub(super) fn of(project: &'a Project, url: &'a str) -> Self {
        Self { facts: Facts::of(project, url), database: Database::of(project), purge_at: project.purge_at }
    }
}

impl Database {
    /// Tools put an address together from this and read a version out of it; where the rows really lie is the operator's affair,
    /// and the address may hold a password.
    fn of(project: &Project) -> Self {
        let host = format!("db.{}.invalid", project.project_ref);
        Self { host, version: elsewhere::POSTGRES_VERSION, postgres_engine: elsewhere::POSTGRES, release_channel: "ga" }
    }
}

impl<'a> Short<'a> {
    pub(super) fn of(project: &'a Project) -> Self {
        let (id, ..) = project.id.0.as_fields();
        Self { id, r#ref: &project.project_ref, name: &project.name }
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Active => "ACTIVE_HEALTHY",
        Status::Paused => "INACTIVE",
        Status::Deleting => "GOING_DOWN",
    }
}

/// `GET /v1/projects`: an array, and a `Link` to what comes after it.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let after = operator.parameter("after")?.map(str::parse).transpose();
    let after = after.map_err(|_| message(StatusCode::BAD_REQUEST, "after must be a ref"))?;
    let search = operator.parameter("search")?.map(str::to_owned);
    let limit = operator.number("limit")?;
    let usual = if after.is_some() || search.is_some() { LIMIT } else { MOST };
    let limit = bounded(limit.unwrap_or(usual), 1, MOST, "limit")?;
    let request = ReadProjects { after, offset: 0, limit, search, statuses: statuses(&operator)? };
    let page = operator.management().list_projects(request).await.map_err(refused)?;
    let shown: Vec<_> = page.projects.iter().map(|view| Shown::of(&view.project, &view.url)).collect();
    let mut response = answer(StatusCode::OK, &shown)?;
    if let Some(next) = page.next {
        let mut query = operator.query().clone();
        query.set("after", next.as_str());
        query.set("limit", limit.to_string());
        let link = format!("</v1/projects?{}>; rel=\"next\"", query.encode());
        response.headers_mut().insert(LINK, HeaderValue::try_from(link).map_err(Failure::fault)?);
    }
    Ok(response)
}

/// Which statuses the query names; `None` = those of projects that were not deleted.
fn statuses(operator: &Operator) -> Result<Option<Vec<Status>>, Failure> {
    let Some(words) = operator.parameter("statuses")? else { return Ok(None) };
    let known = [Status::Active, Status::Paused, Status::Deleting];
    // Supabase has more: no project here is ever in one of those.
    let named = |word: &str| known.into_iter().find(|known| status(*known) == word.trim());
    Ok(Some(words.split(',').filter_map(named).collect()))
}

fn bounded(number: u32, least: u32, most: u32, name: &str) -> Result<u32, Failure> {
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(message(StatusCode::BAD_REQUEST, format!("{name} must be {least} to {most}")))
    }
}

/// A page of the organization's projects.
#[derive(Serialize, ToSchema)]
pub(super) struct OrganizationProjects<'a> {
    projects: Vec<Listed<'a>>,
    pagination: Pagination,
}

/// A project as an organization lists it.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedProject)]
struct Listed<'a> {
    #[schema(value_type = String)]
    r#ref: &'a ProjectRef,
    name: &'a str,
    cloud_provider: &'static str,
    region: &'static str,
    is_branch: bool,
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    inserted_at: Timestamp,
    databases: [ListedDatabase<'a>; 1],
}

/// The one database of a project.
#[derive(Serialize, ToSchema)]
struct ListedDatabase<'a> {
    region: &'static str,
    status: &'static str,
    cloud_provider: &'static str,
    #[schema(value_type = String)]
    identifier: &'a ProjectRef,
    r#type: &'static str,
}

/// Where in the list a page is.
#[derive(Serialize, ToSchema)]
struct Pagination {
    count: u64,
    limit: u32,
    offset: u32,
}

impl<'a> Listed<'a> {
    fn of(project: &'a Project) -> Self {
        let (cloud_provider, region, status) = ("LOCAL", "local", status(project.status));
        let identifier = &project.project_ref;
        Self {
            r#ref: identifier,
            name: &project.name,
            cloud_provider,
            region,
            is_branch: false,
            status,
            inserted_at: project.created_at,
            databases: [ListedDatabase { region, status, cloud_provider, identifier, r#type: "PRIMARY" }],
        }
    }
}

/// `GET /v1/organizations/{slug}/projects`.
pub(super) async fn of_organization(operator: Operator) -> Result<Response, Failure> {
    profile::known(&operator)?;
    let limit = bounded(operator.number("limit")?.unwrap_or(LIMIT), 1, LIMIT, "limit")?;
    let offset = bounded(operator.number("offset")?.unwrap_or(0), 0, MOST_PASSED, "offset")?;
    let search = operator.parameter("search")?.map(str::to_owned);
    let request = ReadProjects { after: None, offset, limit, search, statuses: statuses(&operator)? };
    let page = operator.management().list_projects(request).await.map_err(refused)?;
    let projects = page.projects.iter().map(|view| Listed::of(&view.project)).collect();
    let pagination = Pagination { count: page.total, limit, offset };
    answer(StatusCode::OK, &OrganizationProjects { projects, pagination })
}

/// A project to be made. What else Supabase's tools send (`db_pass`, `region` and so on) is ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProject {
    /// Its ref; twenty random letters where none is given.
    r#ref: Option<String>,
    /// A name for people; the ref where none is given.
    name: Option<String>,
    /// `compat` or `shield`.
    profile: Option<String>,
    /// The same by its other name.
    security_profile: Option<String>,
    /// Fields of `config/auth`.
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
    /// The HS256 secret; a random one where none is given.
    #[serde(default, deserialize_with = "hidden")]
    #[schema(value_type = Option<String>)]
    jwt_secret: Option<Secret<String>>,
    /// Private JWKs.
    #[schema(value_type = Option<Vec<Object>>)]
    signing_keys: Option<Vec<Value>>,
    /// `gateway`, `postgres` or `sqlite`.
    #[schema(value_type = Option<String>)]
    placement: Option<Placement>,
    /// Of a PostgreSQL database of its own.
    #[serde(default, deserialize_with = "hidden")]
    #[schema(value_type = Option<String>)]
    database_url: Option<Secret<String>>,
    /// What the gateway grants it.
    #[schema(value_type = Option<Object>)]
    quotas: Option<Quotas>,
    /// The organization of the gateway: there is one.
    organization_slug: Option<String>,
    /// The same by its other name.
    organization_id: Option<String>,
}

impl From<NewProject> for CreateProject {
    fn from(new: NewProject) -> Self {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Self {
            project_ref: given(new.r#ref),
            name: given(new.name),
            profile: given(new.profile).or(given(new.security_profile)),
            config: new.config.unwrap_or_default(),
            jwt_secret: new.jwt_secret,
            signing_keys: new.signing_keys.unwrap_or_default(),
            placement: new.placement,
            database_url: new.database_url,
            quotas: new.quotas.unwrap_or_default(),
        }
    }
}

/// `POST /v1/projects`: it serves as soon as it is answered.
pub(super) async fn create(operator: Operator) -> Result<Response, Failure> {
    let request = parse(operator.members()?)?;
    of_this_organization(&request)?;
    let created = operator.management().create_project(request.into()).await.map_err(refused)?;
    answer(StatusCode::CREATED, &shown_created(&created))
}

fn shown_created(created: &CreatedProject) -> Created<'_> {
    Created {
        project: Facts::of(&created.project, &created.url),
        anon_key: created.anon_key.expose(),
        service_role_key: created.service_role_key.expose(),
        jwt_secret: created.jwt_secret.expose(),
    }
}

/// Refuses a project for an organization that there is not.
fn of_this_organization(new: &NewProject) -> Result<(), Failure> {
    let named = [("organization_slug", &new.organization_slug), ("organization_id", &new.organization_id)];
    let other = |(_, given): &(&str, &Option<String>)| {
        given.as_deref().is_some_and(|given| !given.is_empty() && given != ORGANIZATION)
    };
    match named.into_iter().find(other) {
        None => Ok(()),
        Some((member, _)) => {
            let why = format!("{member}: there is no such organization; a gateway is one, {ORGANIZATION}");
            Err(message(StatusCode::BAD_REQUEST, why))
        }
    }
}

fn parse(mut members: Map<String, Value>) -> Result<NewProject, Failure> {
    for name in IGNORED {
        members.remove(name);
    }
    read(members)
}

/// `GET /v1/projects/{ref}`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let deleted = operator.switch("deleted")?.unwrap_or(false);
    let (management, project) = (operator.management(), operator.project()?);
    let view = if deleted { management.project_or_deleted(&project).await } else { management.project(&project).await };
    full(&view.map_err(refused)?)
}

/// Another name.
#[derive(Deserialize, ToSchema)]
#[schema(as = ProjectRename)]
pub(super) struct Rename {
    /// 1 to 256 characters.
    name: String,
}

/// `PATCH /v1/projects/{ref}`.
pub(super) async fn rename(operator: Operator) -> Result<Response, Failure> {
    let Rename { name } = operator.body()?;
    let view = operator.management().rename_project(&operator.project()?, &name).await.map_err(refused)?;
    answer(StatusCode::OK, &Short::of(&view.project))
}

/// One project as it is shown.
pub(super) fn full(view: &ProjectView) -> Result<Response, Failure> {
    answer(StatusCode::OK, &Shown::of(&view.project, &view.url))
}

#[cfg(test)]
mod tests {
    use domain::ids::{InstanceId, ProjectId};
    use domain::project::Profile;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::output::json::encode;

    fn project() -> Project {
        Project {
            id: ProjectId(Uuid::from_u128(0x0000_0007_0000_4000_8000_0000_0000_0001)),
            project_ref: "acme".parse().unwrap(),
            instance: InstanceId(Uuid::nil()),
            name: "Acme".to_owned(),
            status: Status::Active,
            profile: Profile::Compat,
            placement: Placement::Postgres,
            database_url: Some(Secret::new("postgres://user:secret@db/acme".to_owned())),
            quotas: Quotas::default(),
            hold: None,
            purge_at: None,
            created_at: Timestamp::from_unix(1_700_000_000),
        }
    }

    fn text(value: &impl Serialize) -> String {
        String::from_utf8(encode(value).unwrap()).unwrap()
    }

    #[test]
    fn a_created_project_shows_its_keys_once() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let created = CreatedProject {
            project: project(),
            url: "http://127.0.0.1:8000/p/acme".to_owned(),
            anon_key: secret("the-anon-key"),
            service_role_key: secret("the-service-key"),
            jwt_secret: secret("the-secret"),
        };
        insta::assert_snapshot!(text(&shown_created(&created)), @r#"{"id":"acme","ref":"acme","organization_id":"tenantry","organization_slug":"tenantry","name":"Acme","region":"local","created_at":"2023-11-14T22:13:20Z","status":"ACTIVE_HEALTHY","url":"http://127.0.0.1:8000/p/acme","profile":"compat","placement":"postgres","anon_key":"the-anon-key","service_role_key":"the-service-key","jwt_secret":"the-secret"}"#);
    }

    #[test]
    fn a_shown_project_holds_no_secret() {
        let shown = text(&Shown::of(&project(), "http://127.0.0.1:8000/p/acme"));
        assert!(!shown.contains("secret") && !shown.contains("postgres://"), "{shown}");
        assert!(shown.contains("\"database\":{"), "{shown}");
    }

    #[test]
    fn the_short_form_has_a_number_for_an_id() {
        assert_eq!(text(&Short::of(&project())), r#"{"id":7,"ref":"acme","name":"Acme"}"#);
    }

    #[test]
    fn a_creation_is_read_and_strange_members_are_named() {
        let members = |body: Value| body.as_object().cloned().unwrap();
        let body = json!({
            "name": "Acme", "db_pass": "x", "organization_slug": "tenantry", "region": null, "ref": "acme", "profile": "shield",
            "jwt_secret": "s", "signing_keys": [{"kty": "oct"}], "config": {"jwt_exp": 60}, "database_url": "postgres://x",
            "placement": "postgres", "quotas": {"users": 5},
        });
        let request = CreateProject::from(parse(members(body)).unwrap());
        assert_eq!((request.project_ref.as_deref(), request.name.as_deref()), (Some("acme"), Some("Acme")));
        assert_eq!((request.profile.as_deref(), request.signing_keys.len()), (Some("shield"), 1));
        assert_eq!(request.config["jwt_exp"], 60);
        assert_eq!((request.placement, request.quotas.users), (Some(Placement::Postgres), Some(5)));
        let strange = parse(members(json!({"name": "Acme", "jwt_secrets": "s"}))).unwrap_err();
        let Failure::Management(StatusCode::BAD_REQUEST, message) = strange else { panic!("{strange:?}") };
        assert!(message.contains("jwt_secrets"), "{message}");
    }
}

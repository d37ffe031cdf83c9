//! `/v1/projects` (`contract/management.md` §2.3), with Tenantry's own members: `ref`, `profile` (or `security_profile`),
//! `jwt_secret`, `signing_keys`, `config` and `database_url` on creation; `url` and `profile` in every project, and the keys
//! in clear in the answer to a creation.

use actors::management::{CreateProject, CreatedProject, ProjectView};
use axum::response::Response;
use domain::ids::ProjectRef;
use domain::project::{Project, Status};
use domain::refusal::Refusal;
use domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;

use crate::failure::Failure;
use crate::input::object::Object;
use crate::management::operator::{Operator, refused, told};
use crate::management::{answer, message};

/// Members that Supabase's tools send and that mean nothing here.
const IGNORED: [&str; 11] = [
    "db_pass",
    "organization_slug",
    "organization_id",
    "region",
    "region_selection",
    "desired_instance_size",
    "template_url",
    "plan",
    "kps_enabled",
    "postgres_engine",
    "release_channel",
];

/// What stands for the one organization of a gateway.
const ORGANIZATION: &str = "tenantry";

#[derive(Serialize)]
struct Shown<'a> {
    id: &'a ProjectRef,
    r#ref: &'a ProjectRef,
    organization_id: &'static str,
    organization_slug: &'static str,
    name: &'a str,
    region: &'static str,
    created_at: Timestamp,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<Database>,
    url: &'a str,
    profile: &'static str,
}

#[derive(Serialize)]
struct Database {
    host: &'static str,
    version: &'static str,
    postgres_engine: &'static str,
    release_channel: &'static str,
}

#[derive(Serialize)]
struct Created<'a> {
    #[serde(flatten)]
    project: Shown<'a>,
    anon_key: &'a str,
    service_role_key: &'a str,
    jwt_secret: &'a str,
}

/// The short form in which changes are answered; its id is a number.
#[derive(Serialize)]
struct Short<'a> {
    id: u32,
    r#ref: &'a ProjectRef,
    name: &'a str,
}

impl<'a> Shown<'a> {
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
            // Where the rows lie is the operator's affair: the address may hold a password.
            database: Some(Database { host: "", version: "", postgres_engine: "", release_channel: "ga" }),
            url,
            profile: project.profile.as_str(),
        }
    }
}

impl<'a> Short<'a> {
    fn of(project: &'a Project) -> Self {
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

/// `GET /v1/projects`.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let projects = operator.management()?.list_projects().await.map_err(refused)?;
    let shown: Vec<_> = projects.iter().map(|view| Shown::of(&view.project, &view.url)).collect();
    answer(StatusCode::OK, &shown)
}

/// `POST /v1/projects`: it serves as soon as it is answered.
pub(super) async fn create(operator: Operator) -> Result<Response, Failure> {
    let request = parse(operator.object()?)?;
    let created = operator.management()?.create_project(request).await.map_err(refused)?;
    answer(StatusCode::CREATED, &shown_created(&created))
}

fn shown_created(created: &CreatedProject) -> Created<'_> {
    Created {
        project: Shown { database: None, ..Shown::of(&created.project, &created.url) },
        anon_key: created.anon_key.expose(),
        service_role_key: created.service_role_key.expose(),
        jwt_secret: created.jwt_secret.expose(),
    }
}

fn parse(mut fields: Object) -> Result<CreateProject, Failure> {
    let request = read(&mut fields).map_err(told)?;
    for name in IGNORED {
        fields.skip(name);
    }
    let unknown: Vec<&str> = fields.rest().collect();
    if unknown.is_empty() {
        Ok(request)
    } else {
        Err(message(StatusCode::BAD_REQUEST, format!("unknown members: {}", unknown.join(", "))))
    }
}

fn read(fields: &mut Object) -> Result<CreateProject, Refusal> {
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    let profile = fields.optional_text("profile")?;
    let security_profile = fields.optional_text("security_profile")?;
    Ok(CreateProject {
        project_ref: text(fields.optional_text("ref")?),
        name: text(fields.optional_text("name")?),
        profile: text(profile).or(text(security_profile)),
        config: fields.object("config")?.unwrap_or_default(),
        jwt_secret: fields.optional_secret("jwt_secret")?,
        signing_keys: fields.list("signing_keys")?.unwrap_or_default(),
        database_url: fields.optional_secret("database_url")?,
    })
}

/// `GET /v1/projects/{ref}`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let view = operator.management()?.project(&operator.project()?).await.map_err(refused)?;
    full(&view)
}

/// `PATCH /v1/projects/{ref}`: another name.
pub(super) async fn rename(operator: Operator) -> Result<Response, Failure> {
    let name = operator.object()?.text("name").map_err(told)?;
    let view = operator.management()?.rename_project(&operator.project()?, &name).await.map_err(refused)?;
    answer(StatusCode::OK, &Short::of(&view.project))
}

/// `POST /v1/projects/{ref}/pause`: its data stays, nothing is served.
pub(super) async fn pause(operator: Operator) -> Result<Response, Failure> {
    let view = operator.management()?.set_paused(&operator.project()?, true).await.map_err(refused)?;
    full(&view)
}

/// `POST /v1/projects/{ref}/restore`: serves again.
pub(super) async fn resume(operator: Operator) -> Result<Response, Failure> {
    let view = operator.management()?.set_paused(&operator.project()?, false).await.map_err(refused)?;
    full(&view)
}

/// `DELETE /v1/projects/{ref}`: with all its data.
pub(super) async fn delete(operator: Operator) -> Result<Response, Failure> {
    let view = operator.management()?.delete_project(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Short::of(&view.project))
}

fn full(view: &ProjectView) -> Result<Response, Failure> {
    answer(StatusCode::OK, &Shown::of(&view.project, &view.url))
}

#[cfg(test)]
mod tests {
    use domain::ids::{InstanceId, ProjectId};
    use domain::project::Profile;
    use domain::secret::Secret;
    use uuid::Uuid;

    use super::*;
    use crate::output::json;

    fn project() -> Project {
        Project {
            id: ProjectId(Uuid::from_u128(0x0000_0007_0000_4000_8000_0000_0000_0001)),
            project_ref: "acme".parse().unwrap(),
            instance: InstanceId(Uuid::nil()),
            name: "Acme".to_owned(),
            status: Status::Active,
            profile: Profile::Compat,
            database_url: Some(Secret::new("postgres://user:secret@db/acme".to_owned())),
            created_at: Timestamp::from_unix(1_700_000_000),
        }
    }

    fn text(value: &impl Serialize) -> String {
        String::from_utf8(json::encode(value).unwrap()).unwrap()
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
        insta::assert_snapshot!(text(&shown_created(&created)), @r#"{"id":"acme","ref":"acme","organization_id":"tenantry","organization_slug":"tenantry","name":"Acme","region":"local","created_at":"2023-11-14T22:13:20Z","status":"ACTIVE_HEALTHY","url":"http://127.0.0.1:8000/p/acme","profile":"compat","anon_key":"the-anon-key","service_role_key":"the-service-key","jwt_secret":"the-secret"}"#);
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
        let body =
            br#"{"name":"Acme","db_pass":"x","organization_slug":"o","region":null,"ref":"acme","profile":"shield",
            "jwt_secret":"s","signing_keys":[{"kty":"oct"}],"config":{"jwt_exp":60},"database_url":"postgres://x"}"#;
        let request = parse(Object::parse(body).unwrap()).unwrap();
        assert_eq!((request.project_ref.as_deref(), request.name.as_deref()), (Some("acme"), Some("Acme")));
        assert_eq!((request.profile.as_deref(), request.signing_keys.len()), (Some("shield"), 1));
        assert_eq!(request.config["jwt_exp"], 60);
        let strange = parse(Object::parse(br#"{"name":"Acme","jwt_secrets":"s"}"#).unwrap()).unwrap_err();
        let Failure::Management(StatusCode::BAD_REQUEST, message) = strange else { panic!("{strange:?}") };
        assert_eq!(message, "unknown members: jwt_secrets");
    }
}

//! What the first start leaves behind for all later ones: the operator token and one project.

use anyhow::Context;
use domain::ids::ProjectRef;
use domain::secret::Secret;
use flows::management::{CreateProject, Error, Management};

use super::banner::Shown;
use crate::cli::Failure;

/// Control-store setting with the operator token, sealed: any gateway with the same master key can open it.
const OPERATOR_TOKEN: &str = "operator_token";

/// Control-store setting with the ref of the project that the first run makes.
const FIRST_PROJECT: &str = "first_project";

/// Control-store setting that says that it was made, so that it is not made again after it was deleted.
const FIRST_PROJECT_MADE: &str = "first_project_made";

/// The operator's token that the first gateway of a database made.
pub(super) enum OperatorToken {
    /// It opens everything.
    Good(Secret<String>),
    /// It was revoked, and owners have tokens of their own.
    Revoked(Secret<String>),
}

/// The operator's token, `sbp_` and 40 hex digits as Supabase's tools ask for; made by the first gateway of a database. Where it was
/// revoked it stays so; only where no owner has a good token any more a new one takes its place, since nobody else could make one.
pub(super) async fn operator_token(management: &Management) -> Result<OperatorToken, Failure> {
    let bytes: [u8; 20] = management.entropy.bytes();
    let fresh: String =
        std::iter::once("sbp_".to_owned()).chain(bytes.iter().map(|byte| format!("{byte:02x}"))).collect();
    let sealed = management.master_key.seal(OPERATOR_TOKEN, fresh.as_bytes(), &*management.entropy);
    let (settings, now) = (management.control.settings(), management.clock.now());
    let away = |error| Failure::caused("the control store does not answer", &error);
    let stands = settings.put_if_absent(OPERATOR_TOKEN, &sealed, now).await.map_err(away)?;
    let token = opened(management, &stands)?;
    let unstored = |error: Error| Failure::caused("the operator token cannot be stored", &error);
    if management.set_operator_token(&token).await.map_err(unstored)? {
        return Ok(OperatorToken::Good(token));
    }
    if management.has_owner().await.map_err(unstored)? {
        tracing::info!("the operator token of the first run was revoked: owners use tokens of their own");
        return Ok(OperatorToken::Revoked(token));
    }
    tracing::warn!("no owner has a token that is good: a new one is made in the place of the first run's");
    // Gateways that start at the same moment agree on one.
    let stands = settings.replace(OPERATOR_TOKEN, &stands, &sealed, now).await.map_err(away)?;
    let token = opened(management, &stands)?;
    if management.set_operator_token(&token).await.map_err(unstored)? {
        Ok(OperatorToken::Good(token))
    } else {
        Ok(OperatorToken::Revoked(token))
    }
}

fn opened(management: &Management, sealed: &str) -> Result<Secret<String>, Failure> {
    let opened = management.master_key.open(OPERATOR_TOKEN, sealed).ok().and_then(|text| String::from_utf8(text).ok());
    opened.map(Secret::new).ok_or_else(|| {
        Failure::new(
            "the master key does not fit this database",
            "what another gateway sealed with its key cannot be opened",
        )
        .next("start with that gateway's key: TENANTRY_MASTER_KEY, or its `master.key` in the data directory")
    })
}

/// The project of the first run, made if it was not yet; `None` where it is gone.
pub(super) async fn first_project(management: &Management) -> anyhow::Result<Option<Shown>> {
    let now = management.clock.now();
    let wanted: String = (0..20).map(|_| char::from(b'a' + (management.entropy.below(26) as u8))).collect();
    // Gateways that start at the same moment agree on one ref, and one of them makes the project.
    let reference = management.control.settings().put_if_absent(FIRST_PROJECT, &wanted, now).await?;
    if management.control.settings().get(FIRST_PROJECT_MADE).await?.is_none() {
        let request = CreateProject { project_ref: Some(reference.clone()), ..CreateProject::default() };
        let made = management.create_project(request).await;
        management.control.settings().put_if_absent(FIRST_PROJECT_MADE, "true", now).await?;
        match made {
            Ok(made) => {
                let keys = vec![
                    ("anon_key", made.anon_key),
                    ("service_role_key", made.service_role_key),
                    ("jwt_secret", made.jwt_secret),
                ];
                return Ok(Some(Shown {
                    reference,
                    name: made.project.name,
                    url: made.url,
                    profile: made.project.profile.as_str().to_owned(),
                    status: "ACTIVE_HEALTHY",
                    keys,
                }));
            }
            Err(Error::Conflict(_)) => {}
            Err(error) => return Err(error).context("the first project cannot be made"),
        }
    }
    shown(management, &reference).await
}

/// A project that was there before, with the keys of its clients.
async fn shown(management: &Management, reference: &str) -> anyhow::Result<Option<Shown>> {
    let Ok(project_ref) = reference.parse::<ProjectRef>() else { return Ok(None) };
    let view = match management.project(&project_ref).await {
        Ok(view) => view,
        Err(Error::NotFound) => return Ok(None),
        Err(error) => return Err(error).context("the first project cannot be read"),
    };
    let keys = management.api_keys(&project_ref, false).await?;
    let named = |role: &str| keys.iter().find(|key| key.id == role).map(|key| key.key.clone());
    let keys = [("anon_key", named("anon")), ("service_role_key", named("service_role"))];
    Ok(Some(Shown {
        reference: reference.to_owned(),
        name: view.project.name,
        url: view.url,
        profile: view.project.profile.as_str().to_owned(),
        status: match view.project.status {
            domain::project::Status::Active => "ACTIVE_HEALTHY",
            domain::project::Status::Paused => "INACTIVE",
            domain::project::Status::Deleting => "GOING_DOWN",
        },
        keys: keys.into_iter().filter_map(|(name, key)| Some((name, key?))).collect(),
    }))
}

//! Tokens of operators: made, listed, revoked. Only their hashes are kept.

use std::collections::{BTreeSet, HashMap};

use crypto::api_key;
use domain::ids::{ProjectId, ProjectRef};
use domain::operator::{Reach, Role, TokenView};
use domain::secret::Secret;
use serde_json::json;
use uuid::Uuid;

use super::{Error, Management, Result};

/// The longest life that can be asked for, in seconds: ten years.
const LONGEST: u32 = 10 * 365 * 24 * 3600;

/// The most projects that one token names.
const MOST_PROJECTS: usize = 1000;

/// How many characters of a token are shown: the four of its kind and eight digits.
const PREFIX: usize = 12;

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// For people.
    pub name: String,
    /// What its bearer is.
    pub role: Role,
    /// The projects it is for; `None` = all there are and will be.
    pub projects: Option<Vec<ProjectRef>>,
    /// After how many seconds it ends by itself; `None` = never.
    pub expires_in: Option<u32>,
}

/// A token as it is listed.
#[derive(Clone, Debug)]
pub struct OperatorToken {
    /// The token.
    pub token: TokenView,
    /// The projects it is for, as far as there are any left; `None` = all.
    pub projects: Option<Vec<ProjectRef>>,
    /// The token itself: when it was just made, and never again.
    pub secret: Option<Secret<String>>,
}

impl Management {
    /// Makes a token.
    pub async fn create_token(&self, request: NewToken) -> Result<OperatorToken> {
        if request.name.trim().is_empty() || request.name.chars().count() > 100 {
            return Err(Error::Invalid("name must have 1 to 100 characters".to_owned()));
        }
        if let Some(seconds) = request.expires_in
            && !(1..=LONGEST).contains(&seconds)
        {
            return Err(Error::Invalid(format!("expires_in must be from 1 to {LONGEST} seconds")));
        }
        if request.projects.is_some() && !request.role.can_be_bound() {
            let why = "an owner's token is for all projects: leave projects out, or make it an operator's";
            return Err(Error::Invalid(why.to_owned()));
        }
        let reach = self.reach(request.projects.as_deref()).await?;
        let now = self.now();
        let secret = self.random_token();
        let view = TokenView {
            id: self.entropy.uuid(),
            name: request.name,
            prefix: prefix(&secret),
            role: request.role,
            reach,
            created_at: now,
            expires_at: request.expires_in.map(|seconds| now.plus_seconds(i64::from(seconds))),
            last_used_at: None,
            revoked_at: None,
        };
        let after = json!({
            "id": view.id, "name": view.name, "role": view.role, "projects": request.projects, "expires_at": view.expires_at,
        });
        let control = self.noting("token.created", None, None, Some(after));
        if !control.operator_tokens().insert(&view, &api_key::hash(secret.expose())).await? {
            return Err(Error::Fault("a random token is there already".into()));
        }
        self.announce_answers().await;
        Ok(OperatorToken { token: view, projects: request.projects, secret: Some(secret) })
    }

    /// All tokens, newest first, those that ended too.
    pub async fn tokens(&self) -> Result<Vec<OperatorToken>> {
        let views = self.control.operator_tokens().list().await?;
        self.with_refs(views).await
    }

    /// Ends a token. It opens nothing from now on, at every gateway; where the bus is away, others may take it for one more second.
    pub async fn revoke_token(&self, id: Uuid) -> Result<OperatorToken> {
        let tokens = self.control.operator_tokens();
        let view = tokens.get(id).await?.ok_or(Error::NotFound)?;
        if view.revoked_at.is_none() {
            if self.operator.token == Some(id) {
                return Err(Error::Invalid("a token cannot revoke itself: use another one".to_owned()));
            }
            let named = json!({ "id": view.id, "name": view.name });
            let control = self.noting("token.revoked", None, Some(named), None);
            if control.operator_tokens().revoke(id, self.now()).await? {
                self.announce_answers().await;
            }
        }
        let view = tokens.get(id).await?.ok_or(Error::NotFound)?;
        if view.revoked_at.is_none() {
            let why = "this is the last owner's token that does not end: make another one first";
            return Err(Error::Invalid(why.to_owned()));
        }
        self.with_refs(vec![view]).await?.pop().ok_or(Error::NotFound)
    }

    /// Whether anybody can make tokens now.
    pub async fn has_owner(&self) -> Result<bool> {
        let (views, now) = (self.control.operator_tokens().list().await?, self.now());
        let is_owner = |view: &TokenView| view.role == Role::Owner && view.reach == Reach::Everything;
        Ok(views.iter().any(|view| is_owner(view) && view.is_good(now)))
    }

    async fn reach(&self, projects: Option<&[ProjectRef]>) -> Result<Reach> {
        let Some(named) = projects else { return Ok(Reach::Everything) };
        if named.is_empty() || named.len() > MOST_PROJECTS {
            return Err(Error::Invalid(format!("projects must name 1 to {MOST_PROJECTS} projects")));
        }
        let mut ids = BTreeSet::new();
        for project in named {
            let found = self.control.projects().by_ref(project).await?;
            let found = found.ok_or_else(|| Error::Invalid(format!("projects: there is no project {project}")))?;
            ids.insert(found.id);
        }
        Ok(Reach::Projects(ids))
    }

    async fn with_refs(&self, views: Vec<TokenView>) -> Result<Vec<OperatorToken>> {
        let wanted: BTreeSet<ProjectId> = views.iter().flat_map(|view| named(&view.reach)).collect();
        let wanted: Vec<ProjectId> = wanted.into_iter().collect();
        let refs = if wanted.is_empty() { Vec::new() } else { self.control.projects().refs(&wanted).await? };
        let refs: HashMap<ProjectId, ProjectRef> = refs.into_iter().collect();
        let shown = |view: TokenView| OperatorToken {
            projects: match &view.reach {
                Reach::Everything => None,
                Reach::Projects(ids) => Some(ids.iter().filter_map(|id| refs.get(id).cloned()).collect()),
            },
            token: view,
            secret: None,
        };
        Ok(views.into_iter().map(shown).collect())
    }

    /// `sbp_` and 40 hex digits, as Supabase's tools ask for (`contract/management.md` §2.1).
    fn random_token(&self) -> Secret<String> {
        let bytes: [u8; 20] = self.entropy.bytes();
        Secret::new(format!("sbp_{}", crypto::digest::hex(bytes)))
    }
}

/// How a token begins.
pub(super) fn prefix(token: &Secret<String>) -> String {
    token.expose().chars().take(PREFIX).collect()
}

fn named(reach: &Reach) -> impl Iterator<Item = ProjectId> + '_ {
    let ids = match reach {
        Reach::Everything => None,
        Reach::Projects(ids) => Some(ids),
    };
    ids.into_iter().flatten().copied()
}

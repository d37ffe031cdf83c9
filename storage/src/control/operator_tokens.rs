//! Tokens of operators: hashed, listed, revoked, never removed.

use domain::ids::ProjectId;
use domain::operator::{Reach, Role, TokenView};
use domain::time::Timestamp;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::ControlStore;
use crate::backend::Inner;
use crate::error::{Result, StoreError};
use crate::sql::{each, same};
use crate::values::At;

macro_rules! columns {
    () => {
        "t.id, t.name, t.prefix, t.role, t.projects, t.created_at, t.expires_at, t.last_used_at, t.revoked_at"
    };
}

statements! {
    control INSERT = same(
        "insert into control.operator_tokens (id, name, hash, prefix, role, projects, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (hash) do nothing"
    );
    control BY_HASH = same(concat!("select ", columns!(), " from control.operator_tokens as t where t.hash = $1"));
    control GET = same(concat!("select ", columns!(), " from control.operator_tokens as t where t.id = $1"));
    control LIST = same(concat!("select ", columns!(), " from control.operator_tokens as t order by t.created_at desc, t.id"));
    // Whoever revokes an owner's token waits for who does already, so that two do not count on each other's.
    control LOCK_OWNERS = each(
        "select t.id from control.operator_tokens as t where t.role = 'owner' and t.revoked_at is null order by t.id for update",
        ""
    );
    control REVOKE = same(
        "update control.operator_tokens as t set revoked_at = $2 where t.id = $1 and t.revoked_at is null
           and (t.role <> 'owner' or t.projects is not null or t.expires_at is not null or exists (
                 select 1 from control.operator_tokens as o
                  where o.id <> t.id and o.role = 'owner' and o.projects is null and o.expires_at is null
                    and o.revoked_at is null))"
    );
    control TOUCH = same(
        "update control.operator_tokens as t set last_used_at = $2
         where t.id = $1 and (t.last_used_at is null or t.last_used_at < $2)"
    );
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    name: String,
    prefix: String,
    role: String,
    projects: Option<Json<Vec<Uuid>>>,
    created_at: At,
    expires_at: Option<At>,
    last_used_at: Option<At>,
    revoked_at: Option<At>,
}

impl TryFrom<Row> for TokenView {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            role: Role::from_stored(&row.role)
                .ok_or_else(|| StoreError::fault("an operator token has an unknown role"))?,
            reach: match row.projects {
                None => Reach::Everything,
                Some(projects) => Reach::Projects(projects.0.into_iter().map(ProjectId).collect()),
            },
            created_at: row.created_at.0,
            expires_at: row.expires_at.map(|at| at.0),
            last_used_at: row.last_used_at.map(|at| at.0),
            revoked_at: row.revoked_at.map(|at| at.0),
        })
    }
}

/// Works on operator tokens.
pub struct OperatorTokens<'s> {
    pub(super) store: &'s ControlStore,
}

impl OperatorTokens<'_> {
    /// Adds a token that was neither used nor revoked. False when there is one with this hash.
    pub async fn insert(&self, token: &TokenView, hash: &str) -> Result<bool> {
        let projects = match &token.reach {
            Reach::Everything => None,
            Reach::Projects(projects) => Some(projects.iter().map(|project| project.0).collect::<Vec<_>>()),
        };
        let mut work = self.store.begin().await?;
        let added = execute!(
            &mut work,
            INSERT,
            token.id,
            &token.name,
            hash,
            &token.prefix,
            token.role.as_str(),
            projects.as_ref().map(Json),
            At(token.created_at),
            token.expires_at.map(At),
        )?;
        if added == 0 {
            return Ok(false);
        }
        self.store.commit_plain(work).await?;
        Ok(true)
    }

    /// The token with this hash, whether or not it is good.
    pub async fn by_hash(&self, hash: &str) -> Result<Option<TokenView>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, BY_HASH, hash)?;
        row.map(TokenView::try_from).transpose()
    }

    /// One token.
    pub async fn get(&self, id: Uuid) -> Result<Option<TokenView>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, GET, id)?;
        row.map(TokenView::try_from).transpose()
    }

    /// All tokens, newest first.
    pub async fn list(&self) -> Result<Vec<TokenView>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, LIST)?;
        rows.into_iter().map(TokenView::try_from).collect()
    }

    /// Ends a token. False when it is unknown or was revoked, and of the last owner's token that does not end: of several that are
    /// revoked at once one stays.
    pub async fn revoke(&self, id: Uuid, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin().await?;
        if let Inner::Postgres(_) = &work.inner {
            fetch!(&mut work, fetch_all, (Uuid,), LOCK_OWNERS)?;
        }
        if execute!(&mut work, REVOKE, id, At(now))? == 0 {
            return Ok(false);
        }
        self.store.commit_plain(work).await?;
        Ok(true)
    }

    /// Notes that a token was used.
    pub async fn touch(&self, id: Uuid, now: Timestamp) -> Result<()> {
        execute_now!(&self.store.backend, TOUCH, id, At(now))?;
        Ok(())
    }
}

//! Whose an operator token is.

use std::sync::Arc;

use crypto::api_key;
use domain::operator::{Operator, Reach, Role, TokenView};
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::json;

use super::routes::Recent;
use super::tokens::prefix;
use super::{Management, Result};

/// Name of the token that the first run makes.
const FIRST: &str = "first run";

/// A token's last use is written down once in so many seconds.
const NOTED_EVERY: i64 = 60;

/// A token that was looked up, good or not.
type Found = Option<Arc<(TokenView, Arc<Operator>)>>;

/// Operators by the hash of their tokens, remembered for a moment. Cheap to clone.
#[derive(Clone, Default)]
pub struct Operators(Recent<String, Found>);

impl Operators {
    /// Forgets all of them.
    pub(super) fn clear(&self) {
        self.0.clear();
    }
}

impl Management {
    /// Who bears `token`; `None` when it opens nothing. While the bus is away, a token that was revoked at another gateway opens things
    /// here for at most one more second.
    pub async fn operator_of(&self, token: &Secret<String>) -> Result<Option<Arc<Operator>>> {
        let (hash, now) = (api_key::hash(token.expose()), self.now());
        let found = match self.operators.0.get(&hash, now) {
            Some(known) => known,
            None => {
                let found = self.control.operator_tokens().by_hash(&hash).await?.map(|view| Arc::new(known(view)));
                self.operators.0.put(hash, found.clone(), now);
                self.note_use(&found, now).await;
                found
            }
        };
        Ok(found.filter(|found| found.0.is_good(now)).map(|found| Arc::clone(&found.1)))
    }

    /// Makes `token` an owner's, unless the gateway has it already. Whether it opens anything now: one that was revoked stays so.
    pub async fn set_operator_token(&self, token: &Secret<String>) -> Result<bool> {
        let hash = api_key::hash(token.expose());
        let view = TokenView {
            id: self.entropy.uuid(),
            name: FIRST.to_owned(),
            prefix: prefix(token),
            role: Role::Owner,
            reach: Reach::Everything,
            created_at: self.now(),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        let tokens = self.control.operator_tokens();
        if let Some(known) = tokens.by_hash(&hash).await? {
            return Ok(known.is_good(self.now()));
        }
        let after = json!({ "id": view.id, "name": view.name, "role": view.role });
        self.noting("token.created", None, None, Some(after)).operator_tokens().insert(&view, &hash).await?;
        self.operators.clear();
        Ok(tokens.by_hash(&hash).await?.is_some_and(|known| known.is_good(self.now())))
    }

    async fn note_use(&self, found: &Found, now: Timestamp) {
        let Some(found) = found else { return };
        let view = &found.0;
        let recent = view.last_used_at.is_some_and(|at| now < at.plus_seconds(NOTED_EVERY));
        if recent || !view.is_good(now) {
            return;
        }
        // The request itself does not hang on it.
        if let Err(error) = self.control.operator_tokens().touch(view.id, now).await {
            tracing::debug!(%error, "the last use of an operator token is not noted");
        }
    }
}

fn known(view: TokenView) -> (TokenView, Arc<Operator>) {
    let operator =
        Operator { token: Some(view.id), name: view.name.clone(), role: view.role, reach: view.reach.clone() };
    (view, Arc::new(operator))
}

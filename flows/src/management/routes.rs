//! Which project a request without a project in its host or path is for: remembered for a moment, because every such
//! request asks. What is remembered only finds a project; that project checks keys and tokens itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crypto::api_key;
use domain::ids::{ProjectId, ProjectRef};
use domain::secret::Secret;
use domain::time::Timestamp;

use super::{Error, Management, Result};

/// How long an answer is remembered, in seconds. Changes are heard of at once, while the bus carries them.
const LIFE: i64 = 1;

/// Most answers remembered of a kind; what strangers send must not fill the memory.
const MOST: usize = 10_000;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Question {
    /// The only project there is.
    Only,
    /// The project of the API key with this hash.
    ApiKey(String),
    /// The project that is served at this host.
    Host(String),
}

/// Answers of the control store, for a moment. Cheap to clone.
#[derive(Clone, Default)]
pub struct Routes {
    refs: Recent<Question, Option<ProjectRef>>,
    ids: Recent<ProjectRef, ProjectId>,
}

impl Routes {
    /// Forgets all answers.
    pub(super) fn clear(&self) {
        self.refs.clear();
        self.ids.clear();
    }
}

type Known<Q, A> = HashMap<Q, (A, Timestamp)>;

/// Answers, each remembered for [`LIFE`] seconds.
pub(super) struct Recent<Q, A>(Arc<Mutex<Known<Q, A>>>);

impl<Q: Eq + Hash, A: Clone> Recent<Q, A> {
    /// The answer, if it is remembered.
    pub(super) fn get(&self, question: &Q, now: Timestamp) -> Option<A> {
        let known = self.known();
        let (answer, at) = known.get(question)?;
        (now < at.plus_seconds(LIFE)).then(|| answer.clone())
    }

    /// Remembers an answer.
    pub(super) fn put(&self, question: Q, answer: A, now: Timestamp) {
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(question, (answer, now));
    }

    /// Forgets all answers.
    pub(super) fn clear(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, Known<Q, A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q, A> Clone for Recent<Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Q, A> Default for Recent<Q, A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl Management {
    /// The project of a new-style API key.
    pub async fn project_of_api_key(&self, key: &Secret<String>) -> Result<Option<ProjectRef>> {
        if api_key::is_well_formed(key.expose()).is_none() {
            return Ok(None);
        }
        let hash = api_key::hash(key.expose());
        let question = Question::ApiKey(hash.clone());
        if let Some(known) = self.routes.refs.get(&question, self.now()) {
            return Ok(known);
        }
        let found = match self.control.api_keys().project_of(&hash).await? {
            Some(project) => self.control.projects().by_id(project).await?.map(|project| project.project_ref),
            None => None,
        };
        self.routes.refs.put(question, found.clone(), self.now());
        Ok(found)
    }

    /// The project that is served at a host of its own.
    pub async fn project_of_host(&self, host: &str) -> Result<Option<ProjectRef>> {
        let host = host.to_ascii_lowercase();
        let question = Question::Host(host.clone());
        if let Some(known) = self.routes.refs.get(&question, self.now()) {
            return Ok(known);
        }
        let found = self.control.domains().route(&host).await?;
        self.routes.refs.put(question, found.clone(), self.now());
        Ok(found)
    }

    /// The only project there is, where there is exactly one.
    pub async fn only_project(&self) -> Result<Option<ProjectRef>> {
        if let Some(known) = self.routes.refs.get(&Question::Only, self.now()) {
            return Ok(known);
        }
        let only = self.control.projects().only().await?;
        self.routes.refs.put(Question::Only, only.clone(), self.now());
        Ok(only)
    }

    /// The id of a project in any state, a deleted one too.
    pub async fn project_id(&self, project: &ProjectRef) -> Result<ProjectId> {
        if let Some(known) = self.routes.ids.get(project, self.now()) {
            return Ok(known);
        }
        let found = self.control.projects().by_ref(project).await?.ok_or(Error::NotFound)?;
        self.routes.ids.put(project.clone(), found.id, self.now());
        Ok(found.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_remembered_for_a_moment_and_until_something_changes() {
        let routes = Recent::default();
        let start = Timestamp::from_unix(1_000);
        let found: Option<ProjectRef> = "abc".parse().ok();
        assert_eq!(routes.get(&Question::Only, start), None);
        routes.put(Question::Only, found.clone(), start);
        assert_eq!(routes.get(&Question::Only, start), Some(found.clone()));
        assert_eq!(routes.get(&Question::Only, start.plus_seconds(LIFE)), None);
        routes.put(Question::ApiKey("h".to_owned()), None, start);
        assert_eq!(routes.get(&Question::ApiKey("h".to_owned()), start), Some(None));
        assert_eq!(routes.get(&Question::Host("h".to_owned()), start), None);
        routes.clone().clear();
        assert_eq!(routes.get(&Question::Only, start), None);
    }
}

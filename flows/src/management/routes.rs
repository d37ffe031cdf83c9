//! Which project a request without a project in its host or path is for: remembered for a moment, because every such
//! request asks. What is remembered only finds a project; that project checks keys and tokens itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::ProjectRef;
use domain::time::Timestamp;

/// How long an answer is remembered, in seconds. Changes made through this gateway are seen at once.
const LIFE: i64 = 5;

/// Most keys remembered; what strangers send must not fill the memory.
const MOST: usize = 10_000;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// The only project there is.
    Only,
    /// The project of the API key with this hash.
    ApiKey(String),
}

type Known = HashMap<Question, (Option<ProjectRef>, Timestamp)>;

/// Answers of the control store, for a moment.
#[derive(Clone, Default)]
pub struct Routes(Arc<Mutex<Known>>);

impl Routes {
    /// The answer, if it is remembered.
    pub(super) fn get(&self, question: &Question, now: Timestamp) -> Option<Option<ProjectRef>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, at) = known.get(question)?;
        (now < at.plus_seconds(LIFE)).then(|| answer.clone())
    }

    /// Remembers an answer.
    pub(super) fn put(&self, question: Question, answer: Option<ProjectRef>, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(question, (answer, now));
    }

    /// Forgets all answers.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_remembered_for_a_moment_and_until_something_changes() {
        let routes = Routes::default();
        let start = Timestamp::from_unix(1_000);
        let found: Option<ProjectRef> = "abc".parse().ok();
        assert_eq!(routes.get(&Question::Only, start), None);
        routes.put(Question::Only, found.clone(), start);
        assert_eq!(routes.get(&Question::Only, start.plus_seconds(4)), Some(found.clone()));
        assert_eq!(routes.get(&Question::Only, start.plus_seconds(5)), None);
        routes.put(Question::ApiKey("h".to_owned()), None, start);
        assert_eq!(routes.get(&Question::ApiKey("h".to_owned()), start), Some(None));
        routes.clear();
        assert_eq!(routes.get(&Question::Only, start), None);
    }
}

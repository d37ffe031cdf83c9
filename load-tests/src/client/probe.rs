//! An answer as somebody sees it who looks for differences between answers.

use reqwest::RequestBuilder;
use serde_json::{Map, Value};

use super::Failure;
use super::http::{refusal, transport};

/// What can be told apart: status and code, and which members the body has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) status: u16,
    /// Status and code of a refusal, status alone of a success.
    pub(crate) name: String,
    members: Vec<String>,
    /// The `id` of the body, for what has to be cleaned up.
    pub(crate) id: Option<String>,
}

impl Probe {
    /// Sends a request; any answer is one.
    pub(crate) async fn of(request: RequestBuilder) -> Result<Self, Failure> {
        let response = request.send().await.map_err(|error| transport(&error))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| transport(&error))?;
        let object: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
        let name = if status.is_success() { status.as_u16().to_string() } else { refusal(status, &body).0 };
        let id = object.get("id").and_then(Value::as_str).map(str::to_owned);
        let mut members: Vec<_> = object.into_iter().map(|(member, _)| member).collect();
        members.sort_unstable();
        Ok(Self { status: status.as_u16(), name, members, id })
    }

    /// Whether the server asked for fewer requests: that says nothing about what was asked for.
    pub(crate) fn is_limit(&self) -> bool {
        self.status == 429
    }

    /// What tells the answer for something known from that for something unknown.
    pub(crate) fn difference(&self, unknown: &Self) -> Option<Failure> {
        if self.name != unknown.name {
            return Some(Failure(format!("differs: {} if known, {} if not", self.name, unknown.name)));
        }
        let odd = |one: &Self, other: &Self| one.members.iter().find(|member| !other.members.contains(member)).cloned();
        odd(self, unknown).or_else(|| odd(unknown, self)).map(|member| Failure(format!("differs: {member}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(name: &str, members: &[&str], id: &str) -> Probe {
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        Probe { status: 200, name: name.to_owned(), members, id: Some(id.to_owned()) }
    }

    #[test]
    fn status_code_and_members_tell_answers_apart_and_values_do_not() {
        let known = probe("200", &["email", "id"], "a");
        assert_eq!(known.difference(&probe("200", &["email", "id"], "b")), None);
        assert_eq!(known.difference(&probe("200", &["id"], "b")), Some(Failure("differs: email".to_owned())));
        let refused = probe("422 user_already_exists", &["email", "id"], "b");
        assert!(
            refused.difference(&known).is_some_and(|Failure(text)| text.contains("422 user_already_exists if known"))
        );
    }
}

//! Recovery codes (`security/advisor.md` §1.9), in the shape of a factor that no list of factors holds.

use domain::recovery_codes::{Generated, Summary};
use serde::Serialize;
use uuid::Uuid;

/// A set of recovery codes.
#[derive(Serialize)]
pub(crate) struct RecoveryCodes<'a> {
    id: Uuid,
    r#type: &'static str,
    total: u32,
    remaining: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<Vec<&'a str>>,
}

impl<'a> RecoveryCodes<'a> {
    /// How many there are and were.
    pub(crate) fn counted(summary: &Summary) -> Self {
        let Summary { id, total, remaining } = *summary;
        Self { id, r#type: "recovery_code", total, remaining, codes: None }
    }

    /// The codes themselves, this once.
    pub(crate) fn shown(generated: &'a Generated) -> Self {
        let codes = generated.codes.iter().map(|code| code.expose().as_str()).collect();
        Self { codes: Some(codes), ..Self::counted(&generated.summary) }
    }
}

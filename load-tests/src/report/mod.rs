//! What a scenario came to, as numbers.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::thresholds::Verdict;

mod escape;
mod html;
mod junit;
mod outputs;
mod plot;
mod run;
pub(crate) mod table;
mod when;

pub(crate) use outputs::{Outputs, command, write};
pub(crate) use run::{Latency, Row, Run, Usage, UsagePoint};
pub(crate) use when::now;

/// The number of this form of the JSON. Fields may be added under the same number.
pub(crate) const FORMAT: u32 = 1;

/// The report of a scenario: how it was run, and what each run came to. Its JSON is what `--json` prints, what `compare` and
/// `report` read. It holds no key, token or password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) format: u32,
    /// Of this program.
    pub(crate) version: String,
    /// When it began (UTC).
    pub(crate) started: String,
    pub(crate) scenario: String,
    /// What happens in it.
    pub(crate) does: String,
    /// What it stands for.
    pub(crate) models: String,
    /// Where it went: project URLs, or the gateway's on which projects were made.
    pub(crate) target: Vec<String>,
    pub(crate) projects: u32,
    pub(crate) users: u32,
    pub(crate) clients: u32,
    /// Journeys per second that should have begun; absent in a closed loop.
    pub(crate) rate: Option<f64>,
    /// How the rate changes over time, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) curve: Option<String>,
    /// The shortest and the longest pause between two journeys of a client, in seconds, where clients think.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) think_seconds: Option<(f64, f64)>,
    /// The scenario's own options.
    pub(crate) options: BTreeMap<String, f64>,
    /// One after the other.
    pub(crate) runs: Vec<Run>,
    /// What was asked for with `--fail-on`.
    #[serde(default)]
    pub(crate) thresholds: Vec<Verdict>,
}

impl Report {
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Self::to_json`] wrote.
    pub(crate) fn from_json(text: &str) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let Form { format } = serde_json::from_str(text).context("not a report of tenantry-load")?;
        anyhow::ensure!(format == FORMAT, "a report of form {format}; this version reads form {FORMAT}");
        let report: Self = serde_json::from_str(text).context("not a whole report of tenantry-load")?;
        anyhow::ensure!(!report.runs.is_empty(), "a report without a run");
        Ok(report)
    }

    /// Whether everything held that was asked for.
    pub(crate) fn held(&self) -> bool {
        self.thresholds.iter().all(Verdict::held)
    }

    /// How the load came, in a few words.
    pub(crate) fn pace(&self) -> String {
        match (self.rate, &self.curve, self.think_seconds) {
            (None, _, None) => "closed loop".to_owned(),
            (None, _, Some((least, most))) => format!("closed loop, {least} to {most} s between journeys"),
            (Some(rate), None, _) => format!("open loop, {rate} journeys/s"),
            (Some(rate), Some(curve), _) => format!("open loop, {curve}, up to {rate} journeys/s"),
        }
    }
}

/// An address without the parts that may hold a secret.
pub(crate) fn without_secrets(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    pub(crate) use crate::report::run::tests::sample_run;

    pub(crate) fn sample() -> Report {
        Report {
            format: FORMAT,
            version: "0.0.0".to_owned(),
            started: "2026-01-02 03:04 UTC".to_owned(),
            scenario: "user-read".to_owned(),
            does: "signed-in users ask who they are".to_owned(),
            models: "what every page of an application asks first".to_owned(),
            target: vec!["http://localhost:8000/p/demo".to_owned()],
            projects: 1,
            users: 8,
            clients: 64,
            rate: Some(100.0),
            curve: None,
            think_seconds: None,
            options: BTreeMap::new(),
            runs: vec![sample_run()],
            thresholds: Vec::new(),
        }
    }

    #[test]
    fn the_pace_says_what_clients_wait_for() {
        let closed = Report { rate: None, ..sample() };
        assert_eq!(closed.pace(), "closed loop");
        assert_eq!(
            Report { think_seconds: Some((0.5, 2.0)), ..closed }.pace(),
            "closed loop, 0.5 to 2 s between journeys"
        );
        assert_eq!(sample().pace(), "open loop, 100 journeys/s");
        assert_eq!(Report { curve: Some("day".to_owned()), ..sample() }.pace(), "open loop, day, up to 100 journeys/s");
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let report = sample();
        assert_eq!(Report::from_json(&report.to_json()).unwrap(), report);
    }

    #[test]
    fn what_is_no_report_is_refused_with_a_reason() {
        let reason = |text: &str| format!("{:#}", Report::from_json(text).unwrap_err());
        assert!(reason("{}").contains("not a report of tenantry-load"));
        assert!(reason(r#"{"format":2}"#).contains("a report of form 2"));
        assert!(reason(r#"{"format":1}"#).contains("not a whole report"));
        assert!(reason(&Report { runs: Vec::new(), ..sample() }.to_json()).contains("without a run"));
    }

    #[test]
    fn addresses_lose_what_may_be_secret() {
        for (address, shown) in [
            ("http://user:pass@host:1/p/x?apikey=s#f", "http://host:1/p/x"),
            ("https://host", "https://host"),
            ("host/a@b", "host/a@b"),
        ] {
            assert_eq!(without_secrets(address), shown);
        }
    }
}

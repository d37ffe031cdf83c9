//! A report for continuous integration: every threshold is a test, and so is that anything succeeded at all.

use std::fmt::Write as _;

use super::Report;
use super::escape::Escaped;

/// JUnit's XML.
pub(super) fn text(report: &Report) -> String {
    let suite = Escaped(&report.scenario);
    let seconds: f64 = report.runs.iter().map(|run| run.seconds).sum();
    let silent = report.runs.iter().any(|run| run.requests == run.errors);
    let mut cases = vec![("requests succeed".to_owned(), silent.then(|| "no request succeeded".to_owned()))];
    for verdict in &report.thresholds {
        cases.push((verdict.threshold.clone(), (!verdict.held()).then(|| verdict.explained())));
    }
    let failures = cases.iter().filter(|(_, failure)| failure.is_some()).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<testsuite name=\"tenantry-load {suite}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" time=\"{seconds:.3}\">",
        cases.len()
    );
    for (name, failure) in cases {
        let _ = write!(out, "  <testcase classname=\"tenantry-load.{suite}\" name=\"{}\" time=\"0\"", Escaped(&name));
        let _ = match failure {
            Some(failure) => writeln!(out, "><failure message=\"{}\"/></testcase>", Escaped(&failure)),
            None => writeln!(out, "/>"),
        };
    }
    out.push_str("</testsuite>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;
    use crate::thresholds::{self, judge};

    #[test]
    fn every_threshold_is_a_test_case() {
        let mut report = sample();
        report.thresholds = judge(&[thresholds::parse("p50<2ms,errors<0.1%").unwrap()], &report.runs);
        let text = text(&report);
        for part in [
            "<testsuite name=\"tenantry-load user-read\" tests=\"3\" failures=\"1\" errors=\"0\" time=\"10.000\">",
            "name=\"requests succeed\" time=\"0\"/>",
            "name=\"p50&lt;2ms\" time=\"0\"/>",
            "name=\"errors&lt;0.1%\" time=\"0\"><failure message=\"errors was 0.91 %\"/>",
        ] {
            assert!(text.contains(part), "{part}\nis missing in\n{text}");
        }
    }

    #[test]
    fn names_of_others_cannot_break_out() {
        let mut report = sample();
        report.scenario = "\"><script>".to_owned();
        assert!(!text(&report).contains("<script>"));
    }
}

//! A comparison for people.

use std::fmt::Write as _;

use super::{Claim, Comparison, Difference};
use crate::report::table::table;

pub(super) fn text(comparison: &Comparison) -> String {
    let mut rows = table(&["measure", "base", "candidate", "change", "95 % interval", "so"]);
    for difference in &comparison.differences {
        rows.add_row([
            name(difference),
            format!("{:.3}", difference.base),
            format!("{:.3}", difference.candidate),
            difference.change_percent.map_or_else(|| "-".to_owned(), |change| format!("{change:+.1} %")),
            difference.interval.map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:+.3} to {high:+.3}")),
            so(difference.claim).to_owned(),
        ]);
    }
    let (base, candidate) = (&comparison.base, &comparison.candidate);
    let mut text = format!(
        "base: {} ({} runs)\ncandidate: {} ({} runs)\n\n{rows}\n\n{}\n",
        base.reports.join(", "),
        base.runs,
        candidate.reports.join(", "),
        candidate.runs,
        comparison.method
    );
    for warning in &comparison.warnings {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "note: {warning}");
    }
    text
}

fn name(difference: &Difference) -> String {
    match &difference.operation {
        Some(operation) => format!("{operation}: {}", difference.measure),
        None => difference.measure.to_owned(),
    }
}

fn so(claim: Claim) -> &'static str {
    match claim {
        Claim::Better => "better",
        Claim::Worse => "worse",
        Claim::NoDifferenceShown => "no difference shown",
        Claim::TooFewRuns => "no claim: needs 2 runs each",
    }
}

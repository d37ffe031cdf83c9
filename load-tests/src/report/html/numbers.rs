//! The numbers at the head of the page.

use crate::report::Run;

/// A number that is shown large.
pub(super) struct Tile {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) unit: &'static str,
    pub(super) more: String,
}

/// The names of all operations, in the order of the runs.
pub(super) fn operations(runs: &[Run]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for row in runs.iter().flat_map(|run| &run.operations) {
        if !names.contains(&row.operation.as_str()) {
            names.push(&row.operation);
        }
    }
    names
}

/// What matters first; of several runs the median.
pub(super) fn tiles(runs: &[Run]) -> Vec<Tile> {
    let requests: u64 = runs.iter().map(|run| run.requests).sum();
    let errors: u64 = runs.iter().map(|run| run.errors).sum();
    let tile = |name, unit, value: &dyn Fn(&Run) -> f64, more: &str| {
        let values: Vec<_> = runs.iter().map(value).collect();
        let (low, middle, high) = spread(values);
        let more = if runs.len() > 1 { format!("median; {} to {}", shown(low), shown(high)) } else { more.to_owned() };
        Tile { name, value: shown(middle), unit, more }
    };
    let mut tiles = vec![
        tile("Successes", "/s", &|run| run.throughput, &format!("{} in all", grouped(requests - errors))),
        tile("Median latency", "ms", &|run| run.latency_ms.p50, "half of the successes were faster"),
        tile("p99 latency", "ms", &|run| run.latency_ms.p99, "99 of 100 successes were faster"),
        tile(
            "Errors",
            "%",
            &|run| run.error_percent().unwrap_or_default(),
            &format!("{} of {} requests", grouped(errors), grouped(requests)),
        ),
    ];
    if runs.iter().any(|run| run.missed > 0) {
        let missed: u64 = runs.iter().map(|run| run.missed).sum();
        let more = format!("{} journeys found no free client", grouped(missed));
        tiles.push(tile("Missed", "%", &|run| run.missed_percent().unwrap_or_default(), &more));
    }
    if runs.iter().any(|run| run.cpu_ms_per_request().is_some()) {
        let value = |run: &Run| run.cpu_ms_per_request().unwrap_or_default();
        tiles.push(tile("Server CPU", "ms/request", &value, "all its known processes"));
    }
    if runs.iter().any(|run| !run.memory().is_empty()) {
        let value = |run: &Run| most_memory(run);
        tiles.push(tile("Server memory", "MiB", &value, "the most at once"));
    }
    tiles
}

fn most_memory(run: &Run) -> f64 {
    let before = run.server().iter().map(|usage| usage.resident_mb_before).sum();
    run.memory().into_iter().map(|(_, mb)| mb).fold(before, f64::max)
}

fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    let last = values.len().saturating_sub(1);
    (at(0), f64::midpoint(at(last / 2), at(last.div_ceil(2))), at(last))
}

/// Three digits that count.
pub(super) fn shown(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1_000.0 => grouped(value.round().max(0.0) as u64),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Thousands apart.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample_run;

    #[test]
    fn numbers_are_as_long_as_they_need_to_be() {
        for (value, text) in
            [(0.0, "0"), (0.0123, "0.012"), (1.234, "1.23"), (45.67, "45.7"), (456.7, "457"), (12_345.6, "12,346")]
        {
            assert_eq!(shown(value), text);
        }
        assert_eq!((grouped(7).as_str(), grouped(1_234_567).as_str()), ("7", "1,234,567"));
    }

    #[test]
    fn of_several_runs_the_median_is_shown_with_the_spread() {
        let run = |p99| {
            let mut run = sample_run();
            run.latency_ms.p99 = p99;
            run
        };
        let tiles = tiles(&[run(30.0), run(10.0), run(20.0)]);
        let p99 = tiles.iter().find(|tile| tile.name == "p99 latency").unwrap();
        assert_eq!((p99.value.as_str(), p99.more.as_str()), ("20.0", "median; 10.0 to 30.0"));
    }
}

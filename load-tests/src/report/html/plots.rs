//! Which plots the page has. One run shows its percentiles side by side; several are laid over each other, a colour for each.

use std::collections::BTreeMap;

use super::tables::named;
use crate::recorder::{Point, PointLatency};
use crate::report::plot::{Axis, Line, Plot, Scale};
use crate::report::{Run, UsagePoint};
use crate::watch::GAUGES;

/// Colours of the style sheet.
const COLOURS: usize = 8;
/// Kinds of errors that have a colour of their own.
const KINDS: usize = 6;
/// Seconds: shorter intervals say little about a rate or a percentile. The last one holds only what was slow.
const SHORTEST: f64 = 0.3;
/// The gauge that is a level, not work.
const SESSIONS: &str = "tenantry_session_actors";

/// A plot with what to look for.
pub(super) struct Figure {
    pub(super) plot: Plot,
    pub(super) caption: String,
}

/// Of all operations together.
pub(super) fn overall(runs: &[Run]) -> Vec<Figure> {
    let series: Vec<_> = runs.iter().map(|run| run.series.all.as_slice()).collect();
    let curves: Vec<_> = runs.iter().map(|run| run.percentiles.as_slice()).collect();
    let mut figures = vec![latency("latency", &series), percentiles("percentiles", &curves), throughput(&series)];
    if series.iter().any(|points| points.iter().any(|point| point.errors > 0)) {
        figures.push(errors(&series));
    }
    figures
}

/// Of one operation.
pub(super) fn of_operation(runs: &[Run], name: &str, number: usize) -> Vec<Figure> {
    let series = |run: &'_ Run| run.series.operations.get(name).cloned().unwrap_or_default();
    let series: Vec<_> = runs.iter().map(series).collect();
    let series: Vec<_> = series.iter().map(Vec::as_slice).collect();
    let row = |run: &'_ Run| run.operations.iter().find(|row| row.operation == name).map(|row| row.percentiles.clone());
    let curves: Vec<_> = runs.iter().map(|run| row(run).unwrap_or_default()).collect();
    let curves: Vec<_> = curves.iter().map(Vec::as_slice).collect();
    vec![latency(&format!("latency-{number}"), &series), percentiles(&format!("percentiles-{number}"), &curves)]
}

/// Of the server, as far as it is known.
pub(super) fn server(runs: &[Run]) -> Vec<Figure> {
    let mut figures = Vec::new();
    let many = runs.len() > 1;
    let mut cpu = Vec::new();
    let mut memory = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        for (place, usage) in run.server().iter().enumerate() {
            let name = if many { format!("{}, run {}", named(usage), number + 1) } else { named(usage) };
            let colour = if many { number } else { place } % COLOURS;
            let points = |value: &dyn Fn(&UsagePoint) -> f64| -> Vec<_> {
                usage.series.iter().map(|point| (point.at, Some(value(point)))).collect()
            };
            cpu.push(Line::new(&name, colour, points(&|point| point.cpu_percent)));
            memory.push(Line::new(&name, colour, points(&|point| point.resident_mb)));
        }
        if let Some(own) = run.generator.as_ref().filter(|_| !run.server().is_empty() && !many) {
            let points = own.series.iter().map(|point| (point.at, Some(point.cpu_percent))).collect();
            cpu.push(Line::new("load generator", 5, points).dotted());
        }
    }
    if !cpu.is_empty() {
        let caption = "100 % is one core. A generator that is busy all the time measures itself.";
        figures.push(over_time("cpu", "CPU of the server", "CPU, % of one core", cpu, caption));
    }
    if !memory.is_empty() {
        let caption = "Resident memory, children included.";
        figures.push(over_time("memory", "Memory of the server", "resident memory, MiB", memory, caption));
    }
    figures.extend(gauges(runs));
    figures
}

/// What a gateway tells of itself: what waits and works in one plot, what it holds in another.
fn gauges(runs: &[Run]) -> Vec<Figure> {
    let queues = gauge_lines(runs, |name| name != SESSIONS);
    let sessions = gauge_lines(runs, |name| name == SESSIONS);
    let mut figures = Vec::new();
    if !queues.is_empty() {
        let caption = "As the gateway told at /metrics: snapshots, between which much may have happened.";
        figures.push(over_time("queues", "Work under way in the gateway", "at that moment", queues, caption));
    }
    if !sessions.is_empty() {
        let caption = "As the gateway told at /metrics.";
        figures.push(over_time("sessions", "Sessions in memory", "sessions", sessions, caption));
    }
    figures
}

fn gauge_lines(runs: &[Run], wanted: impl Fn(&str) -> bool) -> Vec<Line> {
    let mut lines = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        for (place, (name, points)) in run.gauges.iter().filter(|(name, _)| wanted(name)).enumerate() {
            let shown = GAUGES.iter().find(|(known, _)| known == name).map_or(name.as_str(), |(_, shown)| shown);
            let many = runs.len() > 1;
            let shown = if many { format!("{shown}, run {}", number + 1) } else { shown.to_owned() };
            if points.iter().any(|(_, value)| *value > 0.0) {
                let points = points.iter().map(|(at, value)| (*at, Some(*value))).collect();
                lines.push(Line::new(&shown, (if many { number } else { place }) % COLOURS, points));
            }
        }
    }
    lines
}

fn latency(id: &str, runs: &[&[Point]]) -> Figure {
    let lines = match runs {
        [only] => vec![
            latency_line("p50", 0, long(only), |latency| latency.p50),
            latency_line("p99", 1, long(only), |latency| latency.p99),
            latency_line("max", 5, only.iter(), |latency| latency.max).dotted(),
        ],
        several => several
            .iter()
            .enumerate()
            .map(|(number, points)| {
                latency_line(&format!("p99, run {}", number + 1), number % COLOURS, long(points), |latency| latency.p99)
            })
            .collect(),
    };
    let caption = "Of the successes that were answered in each interval.";
    let scale = Scale::spanning(Plot::lowest(&lines), Plot::highest(&lines));
    with_scale(id, "Latency over time", "latency, ms", lines, scale, caption)
}

fn latency_line<'a>(
    name: &str,
    colour: usize,
    points: impl Iterator<Item = &'a Point>,
    value: fn(&PointLatency) -> f64,
) -> Line {
    let points = points.map(|point| (middle(point), point.latency_ms.as_ref().map(value))).collect();
    Line::new(name, colour, points)
}

fn percentiles(id: &str, runs: &[&[(f64, f64)]]) -> Figure {
    let lines: Vec<_> = runs
        .iter()
        .enumerate()
        .map(|(number, curve)| {
            let name = if runs.len() > 1 { format!("run {}", number + 1) } else { "all successes".to_owned() };
            let points = curve.iter().map(|(percent, millis)| (*percent, Some(*millis))).collect();
            Line::new(&name, number % COLOURS, points)
        })
        .collect();
    // The slowest request of all stands where the curve ends.
    let longest = runs.iter().map(|curve| curve.len()).max().unwrap_or_default();
    let nines = (longest.saturating_sub(1) as f64 / 10.0).max(1.0);
    let scale = Scale::spanning(Plot::lowest(&lines), Plot::highest(&lines));
    let y = Axis { label: axis_label("latency, ms", &scale), scale };
    let x =
        Axis { label: "share of the successes that were at least as fast".to_owned(), scale: Scale::Percentile(nines) };
    let plot = Plot { id: id.to_owned(), title: "Latency by percentile".to_owned(), x, y, lines, bars: Vec::new() };
    Figure { plot, caption: "Every step to the right leaves out nine tenths of what is left.".to_owned() }
}

fn throughput(runs: &[&[Point]]) -> Figure {
    let lines = runs
        .iter()
        .enumerate()
        .map(|(number, points)| {
            let name = if runs.len() > 1 { format!("run {}", number + 1) } else { "successes".to_owned() };
            let rate = |point: &Point| (point.requests - point.errors) as f64 / point.seconds;
            Line::new(&name, number % COLOURS, long(points).map(|point| (middle(point), Some(rate(point)))).collect())
        })
        .collect();
    over_time("throughput", "Throughput", "successes per second", lines, "All operations together.")
}

fn errors(runs: &[&[Point]]) -> Figure {
    let (lines, bars) = match runs {
        [only] => (Vec::new(), errors_by_kind(only)),
        several => {
            let line = |(number, points): (usize, &&[Point])| {
                let points = long(points).map(|point| (middle(point), Some(point.errors as f64 / point.seconds)));
                Line::new(&format!("run {}", number + 1), number % COLOURS, points.collect())
            };
            (several.iter().enumerate().map(line).collect(), Vec::new())
        }
    };
    let caption = if runs.len() > 1 { "All kinds together." } else { "By status and code." };
    let mut figure = over_time("errors", "Errors over time", "errors per second", lines, caption);
    let stacked = (0..runs.first().map_or(0, |points| points.len()))
        .map(|place| bars.iter().filter_map(|bar| bar.points.get(place).and_then(|(_, value)| *value)).sum::<f64>());
    let highest = stacked.fold(Plot::highest(&figure.plot.lines), f64::max);
    figure.plot.y.scale = Scale::linear(highest);
    figure.plot.x.scale = Scale::until(ends(&figure.plot.lines).max(ends(&bars)).max(end_of(runs)));
    figure.plot.bars = bars;
    figure
}

/// A bar for each of the most frequent kinds, and one for the others.
fn errors_by_kind(points: &[Point]) -> Vec<Line> {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, count) in points.iter().flat_map(|point| &point.errors_by_status) {
        *kinds.entry(kind).or_default() += count;
    }
    let mut most: Vec<_> = kinds.into_iter().collect();
    most.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown: Vec<_> = most.iter().take(KINDS).map(|(kind, _)| *kind).collect();
    let rate = |count: u64, point: &Point| Some(count as f64 / point.seconds.max(SHORTEST));
    let bar = |(number, kind): (usize, &&str)| {
        let count = |point: &Point| point.errors_by_status.get(*kind).copied().unwrap_or_default();
        Line::new(
            kind,
            (number + 3) % COLOURS,
            points.iter().map(|point| (middle(point), rate(count(point), point))).collect(),
        )
    };
    let mut bars: Vec<_> = shown.iter().enumerate().map(bar).collect();
    if most.len() > KINDS {
        let others = |point: &Point| {
            let all = point.errors_by_status.iter().filter(|(kind, _)| !shown.contains(&kind.as_str()));
            rate(all.map(|(_, count)| count).sum(), point)
        };
        bars.push(Line::new("others", 1, points.iter().map(|point| (middle(point), others(point))).collect()));
    }
    bars
}

fn over_time(id: &str, title: &str, label: &str, lines: Vec<Line>, caption: &str) -> Figure {
    let scale = Scale::linear(Plot::highest(&lines));
    with_scale(id, title, label, lines, scale, caption)
}

fn with_scale(id: &str, title: &str, label: &str, lines: Vec<Line>, scale: Scale, caption: &str) -> Figure {
    let x = Axis { label: "seconds since the measurement began".to_owned(), scale: Scale::until(ends(&lines)) };
    let y = Axis { label: axis_label(label, &scale), scale };
    let plot = Plot { id: id.to_owned(), title: title.to_owned(), x, y, lines, bars: Vec::new() };
    Figure { plot, caption: caption.to_owned() }
}

fn axis_label(label: &str, scale: &Scale) -> String {
    if scale.is_logarithmic() { format!("{label} (logarithmic)") } else { label.to_owned() }
}

fn ends(lines: &[Line]) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(|(at, _)| *at).fold(0.0, f64::max)
}

fn end_of(runs: &[&[Point]]) -> f64 {
    runs.iter().flat_map(|points| points.iter()).map(middle).fold(0.0, f64::max)
}

fn middle(point: &Point) -> f64 {
    point.at + point.seconds / 2.0
}

fn long(points: &[Point]) -> impl Iterator<Item = &Point> {
    points.iter().filter(|point| point.seconds > SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_after_the_last_interval_count_only_among_the_slowest() {
        let point = |at: f64, seconds: f64, millis: f64| {
            let latency_ms = PointLatency { p50: millis, p90: millis, p99: millis, max: millis };
            Point { at, seconds, requests: 1, latency_ms: Some(latency_ms), ..Point::default() }
        };
        let figure = latency("latency", &[&[point(0.0, 1.0, 2.0), point(1.0, 0.1, 500.0)]]);
        let last = |number: usize| figure.plot.lines[number].points.last().and_then(|(_, value)| *value);
        assert_eq!((last(0), last(1), last(2)), (Some(2.0), Some(2.0), Some(500.0)));
    }
}

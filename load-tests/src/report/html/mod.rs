//! The report as one page that needs nothing else: no script, no font, no image of elsewhere.

use std::fmt::{self, Write as _};

use super::escape::Escaped;
use super::{Report, Run};
use crate::thresholds::Verdict;

mod numbers;
mod plots;
mod tables;

/// The page.
pub(super) fn page(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _infallible = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    let name = Escaped(&report.scenario);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{name}: load test, {}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>",
        Escaped(&report.started),
        include_str!("style.css")
    )?;
    write_heading(out, report)?;
    write_tiles(out, &report.runs)?;
    tables::write_thresholds(out, &report.thresholds)?;
    write_notes(out, &report.runs)?;
    tables::write_operations(out, &report.runs)?;
    tables::write_errors(out, &report.runs)?;
    writeln!(out, "<h2>Over time</h2>\n<div class=\"plots\">")?;
    for figure in plots::overall(&report.runs) {
        write_figure(out, &figure)?;
    }
    writeln!(out, "</div>")?;
    write_server(out, &report.runs)?;
    write_operations(out, &report.runs)?;
    write_footer(out, report)
}

fn write_heading(out: &mut String, report: &Report) -> fmt::Result {
    let (class, verdict) = verdict(&report.thresholds);
    writeln!(
        out,
        "<header>\n<h1>{}</h1>\n<p>{}</p>\n<p class=\"dim\">{}</p>\n<p class=\"verdict {class}\">{}</p>\n<dl class=\"how\">",
        Escaped(&report.scenario),
        Escaped(&report.does),
        Escaped(&report.models),
        Escaped(&verdict)
    )?;
    let seconds: Vec<_> = report.runs.iter().map(|run| format!("{:.0} s", run.seconds)).collect();
    let measured = match report.runs.len() {
        1 => seconds.concat(),
        count => format!("{count} runs: {}", seconds.join(", ")),
    };
    let mut rows = vec![
        ("Where", shortened(&report.target)),
        ("When", report.started.clone()),
        ("Load", format!("{}, {} clients", report.pace(), report.clients)),
        ("Measured", measured),
        ("Who", format!("{} users on {} {}", report.users, report.projects, plural(report.projects.into(), "project"))),
    ];
    if !report.options.is_empty() {
        let options: Vec<_> = report.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
        rows.push(("Options", options.join(", ")));
    }
    for (name, value) in rows {
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", Escaped(&value))?;
    }
    writeln!(out, "</dl>\n</header>")
}

fn verdict(thresholds: &[Verdict]) -> (&'static str, String) {
    let broken: Vec<_> = thresholds.iter().filter(|verdict| !verdict.held()).collect();
    match (thresholds.len(), broken.as_slice()) {
        (0, _) => ("", "No thresholds were set".to_owned()),
        (1, []) => ("good", "✓ The threshold held".to_owned()),
        (count, []) => ("good", format!("✓ All {count} thresholds held")),
        (1, _) => ("bad", "✗ The threshold did not hold".to_owned()),
        (count, broken) => ("bad", format!("✗ {} of {count} thresholds did not hold", broken.len())),
    }
}

fn write_tiles(out: &mut String, runs: &[Run]) -> fmt::Result {
    writeln!(out, "<section class=\"tiles\" aria-label=\"Summary\">")?;
    for tile in numbers::tiles(runs) {
        writeln!(
            out,
            "<div class=\"card tile\"><span>{}</span><b>{} <small>{}</small></b><span>{}</span></div>",
            tile.name,
            Escaped(&tile.value),
            tile.unit,
            Escaped(&tile.more)
        )?;
    }
    writeln!(out, "</section>")
}

fn write_notes(out: &mut String, runs: &[Run]) -> fmt::Result {
    if runs.iter().all(|run| run.notes.is_empty()) {
        return Ok(());
    }
    writeln!(out, "<h2>What the scenario found</h2>\n<div class=\"card\"><ul class=\"notes\">")?;
    for (number, run) in runs.iter().enumerate() {
        for note in &run.notes {
            let of = if runs.len() > 1 { format!("Run {}: ", number + 1) } else { String::new() };
            writeln!(out, "<li>{of}{}</li>", Escaped(note))?;
        }
    }
    writeln!(out, "</ul></div>")
}

fn write_server(out: &mut String, runs: &[Run]) -> fmt::Result {
    let figures = plots::server(runs);
    let known = runs.iter().any(|run| !run.server().is_empty());
    writeln!(out, "<h2>The server</h2>")?;
    if !known {
        writeln!(
            out,
            "<p class=\"dim\">Its CPU time and memory are not known: it tells neither at /metrics, and no process of it was \
             named with --pid.</p>"
        )?;
    }
    tables::write_processes(out, runs)?;
    writeln!(out, "<div class=\"plots\" style=\"margin-top:14px\">")?;
    for figure in figures {
        write_figure(out, &figure)?;
    }
    writeln!(out, "</div>")
}

fn write_operations(out: &mut String, runs: &[Run]) -> fmt::Result {
    let names = numbers::operations(runs);
    if names.len() < 2 {
        return Ok(());
    }
    for (number, name) in names.iter().enumerate() {
        writeln!(out, "<h2>Operation: {}</h2>\n<div class=\"plots\">", Escaped(name))?;
        for figure in plots::of_operation(runs, name, number) {
            write_figure(out, &figure)?;
        }
        writeln!(out, "</div>")?;
    }
    Ok(())
}

fn write_figure(out: &mut String, figure: &plots::Figure) -> fmt::Result {
    writeln!(
        out,
        "<figure class=\"card\">\n<h3>{}</h3>\n<figcaption>{}</figcaption>\n{}</figure>",
        Escaped(&figure.plot.title),
        Escaped(&figure.caption),
        figure.plot.svg()
    )
}

fn write_footer(out: &mut String, report: &Report) -> fmt::Result {
    let counted = if report.rate.is_some() {
        "Journeys began at fixed times whether or not the server kept up (open loop). The first request of a journey counts from \
         the time at which the journey should have begun, so a stall shows in every request that it held up. Journeys that found \
         no free client before the end are missed."
    } else {
        "Every client began its next journey when the last one had ended (closed loop): a slow server gets fewer requests, so \
         compare throughput as well as latency."
    };
    writeln!(
        out,
        "<footer>\n<p>{counted} Latencies are those of successes; errors are counted apart. p99 is the latency that 99 of 100 \
         successes did not exceed. The warm-up is not counted.</p>\n\
         <p>Made by tenantry-load {}. The JSON beside this page holds all of its numbers.</p>\n</footer>\n</main>\n</body>\n</html>",
        Escaped(&report.version)
    )
}

/// A few of them by name.
fn shortened(all: &[String]) -> String {
    let shown: Vec<_> = all.iter().take(3).map(String::as_str).collect();
    let more = if all.len() > 3 { format!(" and {} more", all.len() - 3) } else { String::new() };
    shown.join(", ") + &more
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{sample, sample_run};
    use crate::thresholds::{judge, parse};

    #[test]
    fn a_stranger_finds_what_was_run_and_what_came_of_it() {
        let mut report = sample();
        report.thresholds = judge(&[parse("p99<50ms,errors<0.1%").unwrap()], &report.runs);
        let page = page(&report);
        for part in [
            "<h1>user-read</h1>",
            "✗ 1 of 2 thresholds did not hold",
            "http://localhost:8000/p/demo",
            "open loop, 100 journeys/s, 64 clients",
            "0.91 %",
            "Latency over time",
            "Latency by percentile",
            "Throughput",
            "Errors over time",
            "CPU of the server",
            "Memory of the server",
            "30.25",
        ] {
            assert!(page.contains(part), "{part:?} is missing in\n{page}");
        }
    }

    #[test]
    fn a_page_needs_nothing_of_elsewhere_and_runs_nothing() {
        let page = page(&sample());
        for part in ["<script", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(part), "{part}");
        }
    }

    #[test]
    fn text_of_others_stays_text() {
        let evil = "</title></svg><img src=x onerror=alert(1)>";
        let mut report = sample();
        let mut run = sample_run();
        run.notes.push(evil.to_owned());
        run.operations[0].operation = evil.to_owned();
        run.operations[0].errors_by_status = [(evil.to_owned(), 9)].into();
        for point in &mut run.series.all {
            point.errors_by_status = [(evil.to_owned(), 1)].into();
        }
        let mut second = run.operations[0].clone();
        second.operation = "other".to_owned();
        run.operations.push(second);
        run.processes[0].name = evil.to_owned();
        run.gauges = [(evil.to_owned(), vec![(0.0, 1.0), (1.0, 2.0)])].into();
        report.runs = vec![run.clone(), run];
        (report.scenario, report.does, report.models) = (evil.to_owned(), evil.to_owned(), evil.to_owned());
        report.target = vec![evil.to_owned()];
        report.options = [(evil.to_owned(), 1.0)].into();
        let page = page(&report);
        assert!(!page.contains("<img"), "{page}");
        assert_eq!(page.matches("</title>").count() - 1, page.matches("<svg").count());
    }

    #[test]
    fn several_runs_are_laid_over_each_other() {
        let mut report = sample();
        report.runs.push(sample_run());
        let page = page(&report);
        assert!(page.contains("2 runs") && page.contains("p99, run 1") && page.contains("p99, run 2"), "{page}");
    }
}

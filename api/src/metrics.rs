//! Counters of requests as Prometheus text. Every label has few values: route templates, known methods, statuses, and the
//! class of a project. Projects themselves are only named in what a [`MetricSource`] tells of a few of them, and that is shown to
//! operators of the whole gateway alone: whoever else scrapes gets the gateway's totals.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::project::Profile;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use crate::management;
use crate::state::ApiState;

/// Upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The label that names a project.
pub const PROJECT: &str = "project";

/// Counters of others that are shown with the edge's own.
pub trait MetricSource: Send + Sync + 'static {
    /// What they read now.
    fn read(&self) -> Vec<Reading>;
}

/// One counter of a [`MetricSource`].
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The metric's name, without the common prefix; names that begin with `process_` are Prometheus' own and have none.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// It only grows.
    pub counter: bool,
    /// What it is about, where there are several readings of the name; they follow each other. Values need no escaping. One of the
    /// label [`PROJECT`] is for operators only.
    pub labels: Vec<(&'static str, String)>,
    /// How much, in the unit that the name ends with.
    pub value: f64,
}

impl Reading {
    fn names_a_project(&self) -> bool {
        self.labels.iter().any(|(label, _)| *label == PROJECT)
    }

    fn prefix(&self) -> &'static str {
        if self.name.starts_with("process_") { "" } else { "tenantry_" }
    }
}

/// One answered request.
pub(crate) struct Sample<'a> {
    pub(crate) route: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) status: StatusCode,
    pub(crate) profile: Option<Profile>,
    pub(crate) elapsed: Duration,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    route: String,
    method: &'static str,
    class: &'static str,
}

#[derive(Default)]
struct Series {
    statuses: BTreeMap<u16, u64>,
    buckets: [u64; BUCKETS.len()],
    seconds: f64,
    count: u64,
}

/// The edge's counters.
#[derive(Default)]
pub(crate) struct Metrics {
    in_flight: AtomicU64,
    series: Mutex<BTreeMap<Labels, Series>>,
}

/// A request under way.
pub(crate) struct InFlight<'a>(&'a AtomicU64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Counts a request that begins.
    pub(crate) fn start(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }

    /// Counts an answered request.
    pub(crate) fn count(&self, sample: &Sample<'_>) {
        let labels = Labels {
            route: template(sample.route).to_owned(),
            method: method(sample.method),
            class: sample.profile.map_or("none", Profile::as_str),
        };
        let seconds = sample.elapsed.as_secs_f64();
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let series = all.entry(labels).or_default();
        *series.statuses.entry(sample.status.as_u16()).or_default() += 1;
        series.count += 1;
        series.seconds += seconds;
        for (bucket, bound) in series.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
    }

    /// All counters in the text format 0.0.4.
    pub(crate) fn text(&self, others: &[Reading]) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _infallible = self.write(&mut out, others);
        out
    }

    fn write(&self, out: &mut String, others: &[Reading]) -> std::fmt::Result {
        writeln!(out, "# HELP tenantry_http_requests_in_flight Requests being answered.")?;
        writeln!(out, "# TYPE tenantry_http_requests_in_flight gauge")?;
        writeln!(out, "tenantry_http_requests_in_flight {}", self.in_flight.load(Ordering::Relaxed))?;
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(out, "# HELP tenantry_http_requests_total Answered requests.")?;
        writeln!(out, "# TYPE tenantry_http_requests_total counter")?;
        for (Labels { route, method, class }, series) in all.iter() {
            for (status, count) in &series.statuses {
                writeln!(
                    out,
                    "tenantry_http_requests_total{{route=\"{route}\",method=\"{method}\",class=\"{class}\",status=\"{status}\"}} {count}"
                )?;
            }
        }
        writeln!(out, "# HELP tenantry_http_request_duration_seconds Time from request to answer.")?;
        writeln!(out, "# TYPE tenantry_http_request_duration_seconds histogram")?;
        for (Labels { route, method, class }, series) in all.iter() {
            let labels = format!("route=\"{route}\",method=\"{method}\",class=\"{class}\"");
            let name = "tenantry_http_request_duration_seconds";
            for (bucket, bound) in series.buckets.iter().zip(BUCKETS) {
                writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {bucket}")?;
            }
            writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", series.count)?;
            writeln!(out, "{name}_sum{{{labels}}} {}", series.seconds)?;
            writeln!(out, "{name}_count{{{labels}}} {}", series.count)?;
        }
        let mut before = "";
        for reading in others {
            let (prefix, Reading { name, help, counter, labels, value }) = (reading.prefix(), reading);
            if *name != before {
                writeln!(out, "# HELP {prefix}{name} {help}")?;
                writeln!(out, "# TYPE {prefix}{name} {}", if *counter { "counter" } else { "gauge" })?;
                before = name;
            }
            let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            writeln!(out, "{prefix}{name}{labels} {value}")?;
        }
        Ok(())
    }
}

/// The template without the ways a project is reached by, so that each route is one series.
fn template(route: &str) -> &str {
    route.strip_prefix("/p/{ref}").unwrap_or(route)
}

fn method(method: &Method) -> &'static str {
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| method.as_str() == *known)
        .unwrap_or("other")
}

/// `GET /metrics`: without the token of an operator for all projects, no project is named.
pub(crate) async fn handle(State(state): State<ApiState>, headers: HeaderMap) -> Response {
    let mut readings = state.readings();
    if !management::sees_every_project(&state, &headers).await {
        readings.retain(|reading| !reading.names_a_project());
    }
    let text = state.metrics().text(&readings);
    let mut response = text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(route: &'static str, method: &'static Method, status: u16, profile: Option<Profile>) -> Sample<'static> {
        let status = StatusCode::from_u16(status).unwrap();
        Sample { route, method, status, profile, elapsed: Duration::from_millis(4) }
    }

    #[test]
    fn both_ways_to_a_project_are_one_series() {
        let metrics = Metrics::default();
        metrics.count(&sample("/p/{ref}/auth/v1/user", &Method::GET, 200, Some(Profile::Compat)));
        metrics.count(&sample("/auth/v1/user", &Method::GET, 200, Some(Profile::Compat)));
        metrics.count(&sample("/auth/v1/user", &Method::GET, 403, Some(Profile::Shield)));
        let text = metrics.text(&[]);
        for line in [
            r#"tenantry_http_requests_total{route="/auth/v1/user",method="GET",class="compat",status="200"} 2"#,
            r#"tenantry_http_requests_total{route="/auth/v1/user",method="GET",class="shield",status="403"} 1"#,
            r#"tenantry_http_request_duration_seconds_bucket{route="/auth/v1/user",method="GET",class="compat",le="0.0025"} 0"#,
            r#"tenantry_http_request_duration_seconds_bucket{route="/auth/v1/user",method="GET",class="compat",le="0.005"} 2"#,
            r#"tenantry_http_request_duration_seconds_bucket{route="/auth/v1/user",method="GET",class="compat",le="+Inf"} 2"#,
            r#"tenantry_http_request_duration_seconds_count{route="/auth/v1/user",method="GET",class="compat"} 2"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis missing in\n{text}");
        }
    }

    #[test]
    fn strange_methods_do_not_make_series() {
        let strange = Method::from_bytes(b"BREW").unwrap();
        assert_eq!(method(&strange), "other");
        assert_eq!(method(&Method::PATCH), "PATCH");
    }

    #[test]
    fn requests_under_way_are_counted_until_they_end() {
        let metrics = Metrics::default();
        let first = metrics.start();
        let second = metrics.start();
        assert!(metrics.text(&[]).contains("tenantry_http_requests_in_flight 2\n"));
        drop((first, second));
        assert!(metrics.text(&[]).contains("tenantry_http_requests_in_flight 0\n"));
    }

    #[test]
    fn what_every_process_has_is_named_as_everywhere() {
        let (name, help) = ("process_cpu_seconds_total", "CPU time.");
        let reading = Reading { name, help, counter: true, labels: Vec::new(), value: 1.25 };
        assert!(Metrics::default().text(&[reading]).ends_with("\nprocess_cpu_seconds_total 1.25\n"));
    }

    #[test]
    fn readings_of_others_are_shown() {
        let reading = |name, labels, value| Reading { name, help: "Questions.", counter: true, labels, value };
        let of = |project: &str| vec![("project", project.to_owned()), ("quota", "users".to_owned())];
        let readings = [
            reading("asks_total", Vec::new(), 7.0),
            reading("own_total", of("a"), 1.0),
            reading("own_total", of("b"), 2.0),
        ];
        assert!(Metrics::default().text(&readings).ends_with(
            "# HELP tenantry_asks_total Questions.\n# TYPE tenantry_asks_total counter\ntenantry_asks_total 7\n\
             # HELP tenantry_own_total Questions.\n# TYPE tenantry_own_total counter\n\
             tenantry_own_total{project=\"a\",quota=\"users\"} 1\ntenantry_own_total{project=\"b\",quota=\"users\"} 2\n"
        ));
    }
}

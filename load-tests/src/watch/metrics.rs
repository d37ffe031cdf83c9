//! What a server tells of itself in the Prometheus text format.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Load, LoadSample};
use crate::client::Http;

/// The standard names of every Prometheus client.
const CPU: &str = "process_cpu_seconds_total";
const RESIDENT: &str = "process_resident_memory_bytes";

/// How long an answer may take before its sample is left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// The levels that are kept over time, where a server has them.
pub(crate) const GAUGES: [(&str, &str); 5] = [
    ("tenantry_hashing_running", "passwords being hashed"),
    ("tenantry_hashing_waiting", "passwords waiting to be hashed"),
    ("tenantry_requests_in_flight", "requests under way"),
    ("tenantry_session_actors", "sessions in memory"),
    ("tenantry_own_databases_open", "databases open"),
];

/// Where a server tells.
#[derive(Clone)]
pub(crate) struct Metrics {
    url: String,
    http: Http,
}

/// What it told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scraped {
    /// Its own CPU time and memory; without samples where it does not tell them.
    pub(crate) load: Load,
    /// By name: seconds since the beginning, and the level.
    pub(crate) gauges: BTreeMap<&'static str, Vec<(f64, f64)>>,
}

impl Metrics {
    pub(super) fn new(url: String, http: Http) -> Self {
        Self { url, http }
    }

    /// Adds what is told now; nothing where there is no answer.
    pub(super) async fn scrape(&self, into: &mut Option<Scraped>, from: Instant) {
        let at = from.elapsed();
        let Some(text) = self.read().await else { return };
        let values = parse(&text);
        if values.is_empty() {
            return;
        }
        let scraped = into.get_or_insert_with(|| Scraped {
            load: Load { name: "server (/metrics)".to_owned(), ..Load::default() },
            gauges: BTreeMap::new(),
        });
        scraped.add(at, &values);
    }

    async fn read(&self) -> Option<String> {
        let answer = self.http.get(&self.url).timeout(PATIENCE).send().await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }
}

impl Scraped {
    fn add(&mut self, at: Duration, values: &BTreeMap<&str, f64>) {
        if let (Some(cpu), Some(resident)) = (values.get(CPU), values.get(RESIDENT)) {
            let cpu = Duration::try_from_secs_f64(*cpu).unwrap_or_default();
            self.load.samples.push(LoadSample { at, cpu, resident_mb: resident / 1024.0 / 1024.0 });
        }
        for (name, _) in GAUGES {
            if let Some(value) = values.get(name) {
                self.gauges.entry(name).or_default().push((at.as_secs_f64(), *value));
            }
        }
    }
}

/// The values that are known here, summed over their labels.
fn parse(text: &str) -> BTreeMap<&str, f64> {
    let mut values = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let end = line.find(['{', ' ']).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        if name != CPU && name != RESIDENT && GAUGES.iter().all(|(known, _)| *known != name) {
            continue;
        }
        // Label values may hold anything but an unescaped quote; the last bracket ends them.
        let rest = if rest.starts_with('{') { rest.rsplit_once('}').map_or("", |(_, rest)| rest) } else { rest };
        let value = rest.split_ascii_whitespace().next().and_then(|value| value.parse::<f64>().ok());
        if let Some(value) = value.filter(|value| value.is_finite()) {
            *values.entry(name).or_default() += value;
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_are_read_and_summed_over_labels() {
        let text = "# HELP process_cpu_seconds_total CPU.\n# TYPE process_cpu_seconds_total counter\n\
                    process_cpu_seconds_total 12.5\nprocess_resident_memory_bytes 1.048576e+06 1700000000\n\
                    tenantry_hashing_running{pool=\"a }b\"} 1\ntenantry_hashing_running{pool=\"c\"} 2\n\
                    tenantry_hashing_waiting NaN\ntenantry_http_requests_total{route=\"/x\"} 7\n\ngarbage\n";
        let expected = BTreeMap::from([(CPU, 12.5), (RESIDENT, 1_048_576.0), ("tenantry_hashing_running", 3.0)]);
        assert_eq!(parse(text), expected);
        assert!(parse("<html>not found</html>").is_empty());
    }

    #[test]
    fn cpu_and_memory_are_optional() {
        let mut scraped = Scraped::default();
        scraped.add(Duration::from_secs(1), &parse("tenantry_hashing_waiting 4\n"));
        assert!(scraped.load.samples.is_empty());
        assert_eq!(scraped.gauges["tenantry_hashing_waiting"], [(1.0, 4.0)]);
        scraped.add(
            Duration::from_secs(2),
            &parse("process_cpu_seconds_total 2\nprocess_resident_memory_bytes 2097152\n"),
        );
        let sample = LoadSample { at: Duration::from_secs(2), cpu: Duration::from_secs(2), resident_mb: 2.0 };
        assert_eq!(scraped.load.samples, [sample]);
    }
}

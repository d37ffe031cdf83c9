//! One row of the table: samples of every kind of request at one number of projects.

use std::time::Duration;

use anyhow::Context as _;

use crate::fleet::gateway::Gateway;
use crate::fleet::report::{Latency, Memory, Row};
use crate::progress::Progress;
use crate::watch::Process;

/// Requests that nobody measures: connections are opened and caches of the machine filled.
const FIRST: u32 = 5;

/// Measures at `projects`, then makes up to `warm` of them resident and reads the memory of `processes`.
pub(super) async fn at(
    gateway: &Gateway,
    projects: u32,
    samples: u32,
    warm: u32,
    processes: &[Process],
    progress: &Progress,
) -> anyhow::Result<Row> {
    let bar = progress.steps("measuring", u64::from(samples) * 6);
    let numbers: Vec<u32> = spread(projects, samples).collect();
    for number in numbers.iter().take(FIRST as usize) {
        gateway.list_after(*number).await.context("the projects cannot be listed")?;
    }
    // In this order: asking for a project's settings makes it resident.
    let mut cold = Vec::new();
    let mut warmed = Vec::new();
    for number in &numbers {
        cold.push(gateway.settings(*number).await.context("a project does not answer")?);
        bar.inc(1);
    }
    for number in &numbers {
        warmed.push(gateway.settings(*number).await.context("a project does not answer")?);
        bar.inc(1);
    }
    let mut changed = Vec::new();
    for (turn, number) in numbers.iter().enumerate() {
        let life = 3_600 + u32::try_from(turn).unwrap_or(0) % 100;
        changed.push(gateway.configure(*number, life).await.context("a configuration cannot be changed")?);
        bar.inc(1);
    }
    let mut listed = Vec::new();
    let mut found = Vec::new();
    for number in &numbers {
        listed.push(gateway.list_after(*number).await.context("the projects cannot be listed")?);
        found.push(gateway.search(*number).await.context("the projects cannot be searched")?);
        bar.inc(2);
    }
    let created = create(gateway, projects, samples, progress).await?;
    bar.finish_and_clear();
    gateway.warm(0..warm.min(projects), progress).await.context("a project does not answer")?;
    let memory =
        processes.iter().map(Process::sample).map(|sample| sample.map(Memory::of)).collect::<Result<_, _>>()?;
    Ok(Row {
        projects,
        warm: warm.min(projects),
        create: Latency::of(created),
        cold: Latency::of(cold),
        warm_request: Latency::of(warmed),
        config_change: Latency::of(changed),
        list: Latency::of(listed),
        search: Latency::of(found),
        memory,
    })
}

/// `samples` numbers below `projects`, evenly spread, each once.
fn spread(projects: u32, samples: u32) -> impl Iterator<Item = u32> {
    let samples = samples.min(projects);
    let step = f64::from(projects) / f64::from(samples.max(1));
    (0..samples).map(move |turn| ((f64::from(turn) * step) as u32).min(projects.saturating_sub(1)))
}

/// Projects made beside the fleet, one after the other, and removed again.
async fn create(gateway: &Gateway, projects: u32, samples: u32, progress: &Progress) -> anyhow::Result<Vec<Duration>> {
    let extra = projects..projects + samples.min(100);
    let mut created = Vec::new();
    for number in extra.clone() {
        created.push(gateway.create_one(number).await.context("a project cannot be created")?);
    }
    gateway.remove(extra, progress).await.context("a project cannot be removed")?;
    Ok(created)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_over_all_projects() {
        assert_eq!(spread(1, 100).collect::<Vec<_>>(), [0]);
        assert_eq!(spread(10, 5).collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
        let many: Vec<u32> = spread(100_000, 100).collect();
        assert_eq!((many.len(), many.first(), many.last()), (100, Some(&0), Some(&99_000)));
    }
}

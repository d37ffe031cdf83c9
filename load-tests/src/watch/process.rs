//! CPU time and memory of the server, read from Linux's `/proc`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

/// Linux reports CPU time to programs in hundredths of a second on every architecture it runs on.
const TICK: Duration = Duration::from_millis(10);

/// A process of the server with its children, such as PostgreSQL's backends.
pub(crate) struct Process {
    pid: u32,
}

/// The state of a process at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) pid: u32,
    pub(crate) name: String,
    /// User and system time of the process, its children and their dead.
    pub(crate) cpu: Duration,
    /// Resident memory in kB; what children share is counted for each.
    pub(crate) resident: u64,
}

impl Process {
    /// The process that has this id, should there be one.
    pub(super) fn of(pid: u32) -> Self {
        Self { pid }
    }

    /// The process with this id, which must exist.
    pub(crate) fn open(pid: u32) -> anyhow::Result<Self> {
        let process = Self { pid };
        process.sample()?;
        Ok(process)
    }

    pub(crate) fn sample(&self) -> anyhow::Result<Sample> {
        let all = all_processes().context("process times are read from /proc, which only Linux has")?;
        sum(self.pid, &all).with_context(|| format!("there is no process {}", self.pid))
    }

    /// Several at once; nothing for one that is not there, which may come back.
    pub(super) async fn sample_all(processes: &[Self]) -> Vec<Option<Sample>> {
        // Reading hundreds of small files must not hold up the clients.
        let all = tokio::task::spawn_blocking(all_processes).await;
        let all = all.ok().and_then(Result::ok).unwrap_or_default();
        processes.iter().map(|process| sum(process.pid, &all)).collect()
    }
}

/// The time that the cores of this machine were busy since it began; nothing where that is not told.
pub(super) fn machine_busy() -> Option<Duration> {
    parse_busy(&fs::read_to_string("/proc/stat").ok()?)
}

/// Reads the first line of `/proc/stat` (proc(5)): user, nice, system, idle, iowait, irq, softirq and steal, of all cores.
fn parse_busy(text: &str) -> Option<Duration> {
    let fields = text.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
    let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks.as_slice() else { return None };
    Some(of_ticks(user + nice + system + irq + softirq + steal))
}

fn of_ticks(ticks: u64) -> Duration {
    TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    ticks: u64,
    /// In kB, from another file; 0 where it cannot be read.
    resident: u64,
}

fn all_processes() -> std::io::Result<HashMap<u32, Stat>> {
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let folder = entry?.path();
        let pid = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        // A process may end between being listed and being read.
        if let Some((pid, stat)) = pid.zip(read(folder)) {
            all.insert(pid, stat);
        }
    }
    Ok(all)
}

fn read(folder: PathBuf) -> Option<Stat> {
    let stat = parse_stat(&fs::read_to_string(folder.join("stat")).ok()?)?;
    let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
    Some(Stat { resident: parse_resident(&status), ..stat })
}

/// Reads `/proc/PID/stat` (proc(5)): the name stands in brackets and may itself hold brackets and spaces.
fn parse_stat(text: &str) -> Option<Stat> {
    let (before, after) = text.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = after.split_ascii_whitespace().skip(1);
    let parent = fields.next()?.parse().ok()?;
    // utime, stime, cutime and cstime are fields 14 to 17; the parent is field 4.
    let times: Option<Vec<u64>> = fields.skip(9).take(4).map(|field| field.parse().ok()).collect();
    let times = times.filter(|times| times.len() == 4)?;
    Some(Stat { name: name.to_owned(), parent, ticks: times.iter().sum(), resident: 0 })
}

fn parse_resident(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn sum(pid: u32, all: &HashMap<u32, Stat>) -> Option<Sample> {
    let root = all.get(&pid)?;
    let mut ticks = 0;
    let mut resident = 0;
    let mut family = vec![pid];
    while let Some(member) = family.pop() {
        if let Some(stat) = all.get(&member) {
            ticks += stat.ticks;
            resident += stat.resident;
        }
        family.extend(all.iter().filter(|(_, stat)| stat.parent == member).map(|(child, _)| *child));
    }
    Some(Sample { pid, name: root.name.clone(), cpu: of_ticks(ticks), resident })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(name: &str, parent: u32, ticks: u64, resident: u64) -> Stat {
        Stat { name: name.to_owned(), parent, ticks, resident }
    }

    #[test]
    fn stat_lines_are_read_past_strange_names() {
        let line = "4711 (a (b) c) S 17 4711 4711 0 -1 4194304 1 2 3 4 100 20 3 4 20 0 8 0 12345 1 2 3";
        assert_eq!(parse_stat(line), Some(stat("a (b) c", 17, 127, 0)));
        for broken in ["", "1 (x)", "1 (x) S 17 1 1 0 -1 4194304 1 2 3 4 100 20 3"] {
            assert_eq!(parse_stat(broken), None, "{broken}");
        }
    }

    #[test]
    fn resident_memory_is_read_where_there_is_any() {
        assert_eq!(parse_resident("Name:\tx\nVmRSS:\t   12345 kB\nThreads:\t1\n"), 12_345);
        assert_eq!(parse_resident("Name:\tkthreadd\n"), 0);
    }

    #[test]
    fn children_and_their_children_count() {
        let all = HashMap::from([
            (1, stat("init", 0, 1_000, 1)),
            (10, stat("postgres", 1, 5, 100)),
            (11, stat("backend", 10, 7, 20)),
            (12, stat("worker", 11, 1, 3)),
            (20, stat("other", 1, 50, 50)),
        ]);
        let sample = sum(10, &all).unwrap();
        let expected = Sample { pid: 10, name: "postgres".to_owned(), cpu: Duration::from_millis(130), resident: 123 };
        assert_eq!(sample, expected);
        assert_eq!(sum(99, &all), None);
    }

    #[test]
    fn a_machine_is_busy_when_it_is_neither_idle_nor_waits_for_a_disk() {
        let text = "cpu  100 20 3 4000 500 6 7 80 0 0\ncpu0 50 10 2 2000 250 3 3 40 0 0\n";
        assert_eq!(parse_busy(text), Some(Duration::from_millis(2_160)));
        for broken in ["", "intr 5", "cpu  100 20 3"] {
            assert_eq!(parse_busy(broken), None, "{broken}");
        }
    }

    #[test]
    fn this_process_can_be_sampled() {
        let sample = Process::open(std::process::id()).unwrap().sample().unwrap();
        assert!(sample.resident > 0);
        assert!(Process::open(u32::MAX).is_err());
    }
}

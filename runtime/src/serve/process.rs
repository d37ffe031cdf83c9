//! What this process takes of the machine, as Linux says it (proc(5)); elsewhere nothing is known.

use std::fs;

/// Linux reports CPU time to programs in hundredths of a second on every architecture it runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time in user and system mode.
pub(super) fn cpu_seconds() -> Option<f64> {
    cpu_of(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// Memory that is resident, what is shared with files included.
pub(super) fn resident_bytes() -> Option<f64> {
    resident_of(&fs::read_to_string("/proc/self/status").ok()?)
}

/// `utime` and `stime` are fields 14 and 15; the name of the program, field 2, may itself hold brackets and spaces.
fn cpu_of(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_ascii_whitespace().skip(11).map(str::parse::<f64>);
    Some((times.next()?.ok()? + times.next()?.ok()?) / TICKS_PER_SECOND)
}

fn resident_of(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_past_a_strange_name() {
        let stat = "4711 (a (b) c) S 17 4711 4711 0 -1 4194304 1 2 3 4 100 25 3 4 20 0 8 0 12345 1 2 3";
        assert_eq!(cpu_of(stat), Some(1.25));
        assert_eq!(cpu_of("4711 (x) S 17"), None);
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(resident_of("Name:\tx\nVmRSS:\t   12 kB\nThreads:\t1\n"), Some(12_288.0));
        assert_eq!(resident_of("Name:\tkthreadd\n"), None);
    }
}

//! Does the memory of a server grow? Judged by the second half of what was seen: in the first, caches fill.

/// Least seconds and samples of the second half that allow a judgement.
const SHORTEST: f64 = 60.0;
const FEWEST: usize = 20;

/// Growth over the second half that nobody calls noise: more than this share of what is resident, and more MiB than this.
const SHARE: f64 = 0.05;
const LEAST: f64 = 4.0;

/// Points that the slopes are taken between; what lies between two of them is represented by its median.
const POINTS: usize = 60;

/// What the second half says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Growth {
    /// Too short or too few samples.
    Unknown,
    Steady(Trend),
    Growing(Trend),
}

/// The median of the slopes between all points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trend {
    /// Of the second half.
    pub(super) seconds: f64,
    /// The median.
    pub(super) resident_mb: f64,
    pub(super) mb_per_hour: f64,
}

/// Judges samples of seconds and MiB, in the order of time.
pub(super) fn judge(samples: &[(f64, f64)]) -> Growth {
    let half = match (samples.first(), samples.last()) {
        (Some((first, _)), Some((last, _))) => f64::midpoint(*first, *last),
        _ => return Growth::Unknown,
    };
    let later: Vec<_> = samples.iter().copied().filter(|(second, _)| *second >= half).collect();
    let (Some((begin, _)), Some((end, _))) = (later.first(), later.last()) else { return Growth::Unknown };
    let seconds = end - begin;
    if seconds < SHORTEST || later.len() < FEWEST {
        return Growth::Unknown;
    }
    let points: Vec<_> = later.chunks(later.len().div_ceil(POINTS)).map(representative).collect();
    let pairs =
        points.iter().enumerate().flat_map(|(index, one)| points.iter().skip(index + 1).map(move |other| (one, other)));
    let slopes = pairs.filter(|(one, other)| other.0 > one.0).map(|(one, other)| (other.1 - one.1) / (other.0 - one.0));
    let slope = median(slopes.collect());
    let resident_mb = median(later.iter().map(|(_, resident)| *resident).collect());
    let trend = Trend { seconds, resident_mb, mb_per_hour: slope * 3_600.0 };
    let grown = slope * seconds;
    if grown > LEAST && grown > SHARE * resident_mb { Growth::Growing(trend) } else { Growth::Steady(trend) }
}

fn representative(chunk: &[(f64, f64)]) -> (f64, f64) {
    (
        median(chunk.iter().map(|(second, _)| *second).collect()),
        median(chunk.iter().map(|(_, resident)| *resident).collect()),
    )
}

/// The upper median; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample a second for `seconds`.
    fn series(seconds: u32, resident: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        (0..seconds).map(|second| (f64::from(second), resident(f64::from(second)))).collect()
    }

    #[test]
    fn a_leak_is_found_and_measured() {
        let Growth::Growing(trend) = judge(&series(3_600, |second| 50.0 + second / 3_600.0 * 36.0)) else {
            panic!("growing")
        };
        assert!((trend.mb_per_hour - 36.0).abs() < 0.1 && (trend.seconds - 1_800.0).abs() < 2.0, "{trend:?}");
    }

    #[test]
    fn caches_that_fill_in_the_first_half_are_no_leak() {
        assert!(matches!(judge(&series(3_600, |second| 50.0 + (second / 10.0).min(100.0))), Growth::Steady(_)));
    }

    #[test]
    fn waves_and_single_peaks_are_no_leak() {
        let waves = |second: f64| 80.0 + 10.0 * (second / 60.0).sin();
        assert!(matches!(judge(&series(3_600, waves)), Growth::Steady(_)));
        let peaks = |second: f64| if second > 3_550.0 { 400.0 } else { 80.0 };
        assert!(matches!(judge(&series(3_600, peaks)), Growth::Steady(_)));
    }

    #[test]
    fn a_leak_is_found_under_noise() {
        let noisy = |second: f64| 80.0 + second / 100.0 + 8.0 * (second * 7.3).sin();
        assert!(matches!(judge(&series(7_200, noisy)), Growth::Growing(_)));
    }

    #[test]
    fn a_short_run_is_not_judged() {
        assert_eq!(judge(&[]), Growth::Unknown);
        assert_eq!(judge(&series(60, |second| second)), Growth::Unknown);
        assert_eq!(judge(&[(0.0, 1.0), (4_000.0, 900.0)]), Growth::Unknown, "two samples are no series");
    }
}

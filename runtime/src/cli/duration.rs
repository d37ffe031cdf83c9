//! Durations on the command line: as Go writes them, with days, and as plain seconds.

use domain::go_duration;

const DAY: u64 = 86_400;

/// Whole seconds of a duration such as `90s`, `24h`, `7d` or `1d12h`, begun ones counted, or of seconds alone (`90`). Never
/// negative.
///
/// # Errors
/// What it must be.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let refused = || format!("`{text}` is no duration such as 30s, 20m, 24h or 7d");
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<u32>().map(u64::from).map_err(|_| refused());
    }
    let (days, rest) = match text.split_once('d') {
        Some((days, rest)) => (days.parse::<u32>().map_err(|_| refused())?, rest),
        None => (0, text),
    };
    if rest.is_empty() && text.ends_with('d') {
        return Ok(u64::from(days) * DAY);
    }
    let rest = go_duration::parse(rest).map_err(|_| refused())?;
    let seconds = rest.num_seconds() + i64::from(rest.subsec_nanos() > 0);
    u64::try_from(seconds).map(|seconds| u64::from(days) * DAY + seconds).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_is_seconds() {
        for (text, expected) in [("30", 30), ("0", 0), ("007", 7), ("86400", DAY)] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, expected) in [
            ("0", 0),
            ("0d", 0),
            ("30s", 30),
            ("20m", 1200),
            ("24h", DAY),
            ("7d", 7 * DAY),
            ("1d12h", DAY + DAY / 2),
            ("500ms", 1),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in ["", "d", "1d12", "-1", "99999999999", "-1s", "-1d", "1d-2h", "1w", "1.5d", "x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

//! Durations as Go writes them, which `ban_duration` takes (`contract/core.md` §17.3): a sign, then numbers with units.

use chrono::TimeDelta;

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration such as `24h`, `1h30m`, `-1.5h` or `0`.
///
/// # Errors
/// What is wrong with the text, in the words of Go's parser.
pub fn parse(text: &str) -> Result<TimeDelta, String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(TimeDelta::zero());
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut nanos: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        let (fraction, after) = after.strip_prefix('.').map_or(("", after), split_digits);
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let (name, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        if name.is_empty() {
            return Err(format!("time: missing unit in duration {}", quoted(text)));
        }
        let unit = UNITS.iter().find(|(unit, _)| *unit == name).map(|(_, nanos)| *nanos);
        let unit = unit.ok_or_else(|| format!("time: unknown unit {} in duration {}", quoted(name), quoted(text)))?;
        let part = part(whole, fraction, unit).ok_or_else(invalid)?;
        nanos = nanos.checked_add(part).filter(|sum| *sum <= 1 << 63).ok_or_else(invalid)?;
        rest = after;
    }
    // The smallest number of nanoseconds has no positive counterpart.
    let signed = if negative { 0_i64.checked_sub_unsigned(nanos) } else { i64::try_from(nanos).ok() };
    signed.map(TimeDelta::nanoseconds).ok_or_else(invalid)
}

fn is_number(letter: char) -> bool {
    letter == '.' || letter.is_ascii_digit()
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()))
}

fn part(whole: &str, fraction: &str, unit: u64) -> Option<u64> {
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let mut nanos = whole.checked_mul(unit)?;
    let mut place = unit;
    let mut below = 0_f64;
    let mut scale = 1_f64;
    for digit in fraction.bytes() {
        scale *= 10.0;
        below += f64::from(digit - b'0') / scale;
        place /= 10;
        if place == 0 {
            break;
        }
    }
    nanos = nanos.checked_add((below * unit as f64).round() as u64)?;
    Some(nanos)
}

/// As Go quotes a text in its messages.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_ascii() && !letter.is_ascii_control() => quoted.push(letter),
            letter => {
                letter.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| quoted.push_str(&format!("\\x{byte:02x}")))
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_that_go_reads() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("-0", 0),
            ("24h", 86_400_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("-1m", -60_000_000_000),
            ("+5s", 5_000_000_000),
            ("3us", 3_000),
            ("3\u{b5}s", 3_000),
            ("3\u{3bc}s", 3_000),
            ("1h1h", 7_200_000_000_000),
            ("0.000000001s", 1),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(parse(text).unwrap().num_nanoseconds(), Some(nanos), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        for (text, message) in [
            ("", r#"time: invalid duration """#),
            ("-", r#"time: invalid duration "-""#),
            ("24", r#"time: missing unit in duration "24""#),
            ("3d", r#"time: unknown unit "d" in duration "3d""#),
            ("1h 30m", r#"time: unknown unit "h " in duration "1h 30m""#),
            ("none", r#"time: invalid duration "none""#),
            (".s", r#"time: invalid duration ".s""#),
            ("--1s", r#"time: invalid duration "--1s""#),
            ("99999999999999999999h", r#"time: invalid duration "99999999999999999999h""#),
            ("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#),
            ("2562048h", r#"time: invalid duration "2562048h""#),
            ("\u{e4}", r#"time: invalid duration "\xc3\xa4""#),
        ] {
            assert_eq!(parse(text).unwrap_err(), message);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse(&text);
        }

        #[test]
        fn whole_seconds_read_back(seconds in -9_000_000_000_i64..9_000_000_000) {
            prop_assert_eq!(parse(&format!("{seconds}s")).unwrap().num_seconds(), seconds);
        }
    }
}

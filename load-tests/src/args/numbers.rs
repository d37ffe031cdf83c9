//! Numbers as people type them.

const DAY: f64 = 86_400.0;

pub(super) fn not_negative(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=DAY).contains(&number) { Ok(number) } else { Err(format!("must lie between 0 and {DAY}")) }
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    not_negative(text).and_then(|number| if number > 0.0 { Ok(number) } else { Err("must be above 0".to_owned()) })
}

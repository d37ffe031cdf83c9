//! Phone numbers: E.164 digits without `+` (`contract/core.md` §5.3).

use crate::refusal::Refusal;

/// The spelling a number is looked up by: one leading `+` and every space removed.
pub fn normalise(text: &str) -> String {
    text.strip_prefix('+').unwrap_or(text).chars().filter(|letter| *letter != ' ').collect()
}

/// Checks a number as typed and answers the spelling to store.
///
/// # Errors
/// Anything that is not 2 to 15 digits of which the first is not zero.
pub fn validate(text: &str) -> Result<String, Refusal> {
    let digits = normalise(text);
    let well_formed =
        (2..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    if well_formed { Ok(digits) } else { Err(Refusal::PhoneFormat) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_and_spaces_are_dropped() {
        for typed in ["+1 555 000 0001", "15550000001", " +15550000001"] {
            let expected =
                if typed.starts_with(' ') { Err(Refusal::PhoneFormat) } else { Ok("15550000001".to_owned()) };
            assert_eq!(validate(typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in ["", "+", "1", "0123456", "++15550", "1234567890123456", "155-500", "15550a", "١٥٥٥٠"] {
            assert_eq!(validate(bad), Err(Refusal::PhoneFormat), "{bad:?}");
        }
    }
}

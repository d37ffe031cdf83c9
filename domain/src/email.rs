//! Addresses: their form, and the one spelling under which they are stored (`contract/core.md` §5.3).

use crate::refusal::Refusal;

/// The longest accepted address in bytes.
const LONGEST: usize = 255;

/// The stored spelling: ASCII letters in lower case, everything else untouched. Unicode case folding would map other
/// letters (the Kelvin sign, the dotted capital I) onto somebody else's address.
pub fn normalise(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// Checks an address as typed and answers the spelling to store.
///
/// # Errors
/// Empty, longer than 255 bytes, or not of the contract's form.
pub fn validate(text: &str) -> Result<String, Refusal> {
    if text.is_empty() {
        return Err(Refusal::EmailRequired);
    }
    if text.len() > LONGEST {
        return Err(Refusal::EmailTooLong);
    }
    let well_formed = text.split_once('@').is_some_and(|(local, domain)| is_local(local) && is_domain(domain));
    if well_formed { Ok(normalise(text)) } else { Err(Refusal::EmailFormat) }
}

fn is_local(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b))
}

fn is_domain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_addresses_are_lower_cased() {
        for (typed, stored) in [
            ("a@b.co", "a@b.co"),
            ("First.Last+Tag@Example.COM", "first.last+tag@example.com"),
            ("root@localhost", "root@localhost"),
            ("a..b@x-1.example", "a..b@x-1.example"),
            ("o'neil!#$%&*/=?^_`{|}~-@x.y", "o'neil!#$%&*/=?^_`{|}~-@x.y"),
        ] {
            assert_eq!(validate(typed).as_deref(), Ok(stored));
        }
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for bad in [
            "a",
            "@b.co",
            "a@",
            "a@b@c.co",
            " a@b.co",
            "a@b.co ",
            "a b@c.co",
            "a@-b.co",
            "a@b-.co",
            "a@b..co",
            "a@.co",
            "a@b.co.",
            "\u{212A}@example.com",
            "a@ex\u{e4}mple.com",
            "a\0@b.co",
            "a@b.co\n",
            "<a@b.co>",
        ] {
            assert_eq!(validate(bad), Err(Refusal::EmailFormat), "{bad:?}");
        }
        assert_eq!(validate(&format!("a@{}.co", "b".repeat(64))), Err(Refusal::EmailFormat));
    }

    #[test]
    fn length_is_counted_in_bytes_before_the_form() {
        assert_eq!(validate(""), Err(Refusal::EmailRequired));
        assert_eq!(validate(&"x".repeat(256)), Err(Refusal::EmailTooLong));
        assert!(validate(&format!("{}@b.co", "x".repeat(250))).is_ok());
    }

    #[test]
    fn letters_that_only_fold_in_unicode_stay_apart() {
        assert_ne!(normalise("\u{212A}elvin@example.com"), "kelvin@example.com");
        assert_ne!(normalise("\u{130}@example.com"), "i@example.com");
        assert_eq!(normalise("KELVIN@EXAMPLE.COM"), "kelvin@example.com");
    }
}

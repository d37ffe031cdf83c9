//! What passwords must be like (`contract/core.md` §5.1).

use crate::project::Profile;
use crate::refusal::{Refusal, WeakPassword, WeakReason};

/// The longest password in bytes: bcrypt, which imported accounts still use, reads no further.
const LONGEST: usize = 72;

/// The smallest minimum length a project can have.
const SHORTEST_MINIMUM: usize = 6;

/// What the length is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthUnit {
    /// Bytes of UTF-8.
    Bytes,
    /// Unicode code points.
    Characters,
}

/// A project's password rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordRules {
    /// Shortest accepted length, at least 6.
    pub min_length: usize,
    /// What it is counted in.
    pub unit: LengthUnit,
    /// Sets of which each must have a character in the password.
    pub required_characters: Vec<String>,
}

impl PasswordRules {
    /// Rules from the fields' values: lengths below 6 are raised, sets are separated by `:` (a literal one is `\:`).
    pub fn new(min_length: i64, required_characters: &str, profile: Profile) -> Self {
        Self {
            min_length: usize::try_from(min_length).unwrap_or(0).max(SHORTEST_MINIMUM),
            unit: match profile {
                Profile::Compat => LengthUnit::Bytes,
                Profile::Shield => LengthUnit::Characters,
            },
            required_characters: sets(required_characters),
        }
    }

    fn length(&self, password: &str) -> usize {
        match self.unit {
            LengthUnit::Bytes => password.len(),
            LengthUnit::Characters => password.chars().count(),
        }
    }
}

fn sets(text: &str) -> Vec<String> {
    let mut sets = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == ':' {
            sets.push(String::new());
            continue;
        }
        let literal = if letter == '\\' { letters.next_if_eq(&':').unwrap_or(letter) } else { letter };
        if let Some(set) = sets.last_mut() {
            set.push(literal);
        }
    }
    sets.retain(|set| !set.is_empty());
    sets
}

/// Whether a password can be taken at all, however weak.
///
/// # Errors
/// More than 72 bytes, or a NUL character.
pub fn check_limits(password: &str) -> Result<(), Refusal> {
    if password.len() > LONGEST {
        return Err(Refusal::PasswordTooLong);
    }
    if password.contains('\0') {
        return Err(Refusal::UnreadableText);
    }
    Ok(())
}

/// How a password is weak, if it is; `known` says that others have used it before: it is common, or breached. Whether
/// weakness refuses it is the caller's.
///
/// # Errors
/// As `check_limits`.
pub fn assess(password: &str, rules: &PasswordRules, known: bool) -> Result<Option<WeakPassword>, Refusal> {
    check_limits(password)?;
    let mut sentences = Vec::new();
    let mut reasons = Vec::new();
    if rules.length(password) < rules.min_length {
        sentences.push(format!("Password should be at least {} characters.", rules.min_length));
        reasons.push(WeakReason::Length);
    }
    if rules.required_characters.iter().any(|set| !password.contains(|letter| set.contains(letter))) {
        let sets = rules.required_characters.join(", ");
        sentences.push(format!("Password should contain at least one character of each: {sets}."));
        reasons.push(WeakReason::Characters);
    }
    if known {
        sentences.push("Password is known to be weak and easy to guess, please choose a different one.".to_owned());
        reasons.push(WeakReason::Pwned);
    }
    Ok((!reasons.is_empty()).then(|| WeakPassword { message: sentences.join(" "), reasons }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(min: i64, sets: &str) -> PasswordRules {
        PasswordRules::new(min, sets, Profile::Compat)
    }

    /// How a password that nobody knows is weak.
    fn assess_by(password: &str, rules: &PasswordRules) -> Result<Option<WeakPassword>, Refusal> {
        assess(password, rules, false)
    }

    #[test]
    fn length_counts_bytes_in_compat_and_characters_in_shield() {
        let umlauts = "\u{e4}\u{e4}\u{e4}\u{e4}"; // 8 bytes, 4 characters
        assert_eq!(assess_by(umlauts, &rules(8, "")), Ok(None));
        let weak = assess_by(umlauts, &PasswordRules::new(8, "", Profile::Shield)).unwrap().unwrap();
        assert_eq!(weak.reasons, [WeakReason::Length]);
    }

    #[test]
    fn minimum_below_six_is_raised() {
        let weak = assess_by("12345", &rules(0, "")).unwrap().unwrap();
        assert_eq!(weak.message, "Password should be at least 6 characters.");
        assert_eq!(assess_by("123456", &rules(-4, "")), Ok(None));
    }

    #[test]
    fn both_reasons_are_told_in_order() {
        let weak = assess_by("abc", &rules(8, "abc:XYZ:019")).unwrap().unwrap();
        assert_eq!(weak.reasons, [WeakReason::Length, WeakReason::Characters]);
        assert_eq!(
            weak.message,
            "Password should be at least 8 characters. \
             Password should contain at least one character of each: abc, XYZ, 019."
        );
        assert_eq!(assess_by("aX0aX0aX0", &rules(8, "abc:XYZ:019")), Ok(None));
    }

    #[test]
    fn a_known_password_is_weak_beside_what_else_it_is() {
        let weak = assess("abc", &rules(8, ""), true).unwrap().unwrap();
        assert_eq!(weak.reasons, [WeakReason::Length, WeakReason::Pwned]);
        assert_eq!(
            weak.message,
            "Password should be at least 8 characters. \
             Password is known to be weak and easy to guess, please choose a different one."
        );
        let weak = assess("long enough", &rules(8, ""), true).unwrap().unwrap();
        assert_eq!(weak.reasons, [WeakReason::Pwned]);
        assert_eq!(assess("long enough", &rules(8, ""), false), Ok(None));
    }

    #[test]
    fn a_colon_is_escaped_and_empty_sets_are_dropped() {
        assert_eq!(sets(r"ab::\:x:"), ["ab", ":x"]);
        assert_eq!(sets(r"'\\:y"), [r"'\:y"]);
        assert_eq!(sets(""), Vec::<String>::new());
    }

    #[test]
    fn the_hard_limits_come_first() {
        assert_eq!(assess_by(&"x".repeat(73), &rules(6, "")), Err(Refusal::PasswordTooLong));
        assert_eq!(assess_by(&"x".repeat(72), &rules(6, "")), Ok(None));
        assert_eq!(assess_by("abc\0defgh", &rules(6, "")), Err(Refusal::UnreadableText));
    }

    #[test]
    fn an_empty_password_is_too_short() {
        let weak = assess_by("", &rules(6, "")).unwrap().unwrap();
        assert_eq!(weak.reasons, [WeakReason::Length]);
        assert_eq!(assess_by("secret", &rules(6, "")), Ok(None));
    }
}

//! What refusals are made of: what a client is told, and what some of them carry.

use std::borrow::Cow;

/// Why a password is weak (`contract/core.md` §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakReason {
    /// Too short.
    Length,
    /// A required set of characters is missing.
    Characters,
    /// Known from a breach or a list of common passwords.
    Pwned,
}

impl WeakReason {
    /// The wire value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Characters => "characters",
            Self::Pwned => "pwned",
        }
    }
}

/// A password that does not meet the project's rules: one sentence per reason, and the reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeakPassword {
    /// What the user reads.
    pub message: String,
    /// In the order of the sentences.
    pub reasons: Vec<WeakReason>,
}

/// An error that a function of the project's own database raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseError {
    /// SQLSTATE.
    pub code: String,
    /// The message.
    pub message: String,
    /// `detail`, empty when none.
    pub detail: String,
    /// `hint`, empty when none.
    pub hint: String,
}

impl DatabaseError {
    /// The status under which legacy clients read the database's own words: what a trigger or function raised on purpose,
    /// and violated constraints. `None` for everything else (`contract/core.md` §2.1).
    pub fn shown_with(&self) -> Option<u16> {
        const SHOWN: [&str; 8] = ["P0001", "23000", "23001", "23502", "23503", "23505", "23514", "23P01"];
        if SHOWN.contains(&self.code.as_str()) {
            return Some(500);
        }
        let digits = self.code.strip_prefix("PT").filter(|digits| digits.len() == 3)?;
        let status = digits.parse().ok().filter(|status| (100..1000).contains(status))?;
        // A status below 200 announces an answer and is none.
        Some(if status < 200 { 500 } else { status })
    }
}

/// Status, error code and message of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// HTTP status.
    pub status: u16,
    /// The contract's error code.
    pub code: &'static str,
    /// The contract's message.
    pub message: Cow<'static, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_clients_read_what_the_database_raised_on_purpose() {
        let shown = |code: &str| DatabaseError { code: code.to_owned(), ..raised() }.shown_with();
        for (code, status) in [
            ("P0001", 500),
            ("23505", 500),
            ("23P01", 500),
            ("PT403", 403),
            ("PT200", 200),
            ("PT999", 999),
            ("PT100", 500),
        ] {
            assert_eq!(shown(code), Some(status), "{code}");
        }
        for code in ["42883", "57014", "PT40", "PT4030", "PTabc", "PT099", "PT+12", ""] {
            assert_eq!(shown(code), None, "{code}");
        }
    }

    fn raised() -> DatabaseError {
        let none = String::new;
        DatabaseError { code: none(), message: none(), detail: none(), hint: none() }
    }
}

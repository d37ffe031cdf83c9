//! Why a command did not do what was asked: what happened, why, and what to do next.

use std::process::ExitCode;

/// The end of a command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    why: Option<String>,
    next: Option<String>,
    code: u8,
}

impl Failure {
    /// Refused or failed: exit code 1.
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: Some(why.into()), next: None, code: 1 }
    }

    /// Asked in a way that cannot work: exit code 2.
    pub(crate) fn usage(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { code: 2, ..Self::new(what, why) }
    }

    /// What was looked at is past a threshold that was asked for: exit code 3.
    pub(crate) fn threshold(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { code: 3, ..Self::new(what, why) }
    }

    /// `error` with its causes, from the outermost in.
    pub(crate) fn caused(what: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !why.ends_with(&text) {
                why = format!("{why}: {text}");
            }
            cause = error.source();
        }
        Self::new(what, why)
    }

    /// Adds what to do next.
    pub(crate) fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// Whether it says what to do next.
    pub(super) fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// What happened and why, in one line.
    pub(super) fn told(&self) -> String {
        match &self.why {
            Some(why) => format!("{}: {why}", self.what),
            None => self.what.clone(),
        }
    }

    /// Prints it on stderr and gives the exit code.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        if json {
            let error = serde_json::json!({ "error": { "what": self.what, "why": self.why, "next": self.next } });
            eprintln!("{error}");
        } else {
            eprintln!("error: {}", self.what);
            if let Some(why) = &self.why {
                eprintln!("  why: {why}");
            }
            if let Some(next) = &self.next {
                eprintln!("  next: {next}");
            }
        }
        ExitCode::from(self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_chain_of_causes_is_told_once() {
        let inner = toml::from_str::<toml::Table>("x").unwrap_err();
        let error = std::io::Error::other(inner.clone());
        let failure = Failure::caused("it broke", &error);
        assert_eq!(failure.why, Some(inner.to_string()));
        let outer = Failure::caused("it broke", &"x".parse::<std::net::IpAddr>().unwrap_err());
        assert_eq!(outer.why.as_deref(), Some("invalid IP address syntax"));
    }
}

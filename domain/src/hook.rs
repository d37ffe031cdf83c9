//! Hooks: places in a flow where the project is asked (`contract/platform.md` §4).

pub mod claims;

use crate::secret::Secret;

/// Where a hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// Before an account is made; may refuse it.
    BeforeUserCreated,
    /// After an account was made.
    AfterUserCreated,
    /// In place of a mail.
    SendEmail,
    /// In place of an SMS provider.
    SendSms,
    /// Before an access token is signed; may change its claims.
    CustomAccessToken,
    /// After the code of a second factor was checked.
    MfaVerificationAttempt,
    /// After a password was checked.
    PasswordVerificationAttempt,
}

impl Point {
    /// All points.
    pub const ALL: [Self; 7] = [
        Self::BeforeUserCreated,
        Self::AfterUserCreated,
        Self::SendEmail,
        Self::SendSms,
        Self::CustomAccessToken,
        Self::MfaVerificationAttempt,
        Self::PasswordVerificationAttempt,
    ];

    /// The name in the settings, as in `hook_<name>_uri`.
    pub fn setting(self) -> &'static str {
        match self {
            Self::BeforeUserCreated => "before_user_created",
            Self::AfterUserCreated => "after_user_created",
            Self::SendEmail => "send_email",
            Self::SendSms => "send_sms",
            Self::CustomAccessToken => "custom_access_token",
            Self::MfaVerificationAttempt => "mfa_verification_attempt",
            Self::PasswordVerificationAttempt => "password_verification_attempt",
        }
    }

    /// `metadata.name` of the payload.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeUserCreated => "before-user-created",
            Self::AfterUserCreated => "after-user-created",
            Self::SendEmail => "send-email",
            Self::SendSms => "send-sms",
            Self::CustomAccessToken => "customize-access-token",
            Self::MfaVerificationAttempt => "mfa-verification",
            Self::PasswordVerificationAttempt => "password-verification",
        }
    }
}

/// A hook over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpHook {
    /// An absolute URL.
    pub uri: String,
    /// `v1,whsec_<base64>` each; every one signs.
    pub secrets: Vec<Secret<String>>,
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A URL.
    Http(HttpHook),
    /// A function in the project's own PostgreSQL.
    Function {
        /// As written, for messages.
        uri: String,
        /// Its schema.
        schema: String,
        /// Its name.
        function: String,
    },
    /// Nothing that could be called: the hook is on, and fails whenever it would be asked.
    Unusable,
}

impl Target {
    /// Reads the two settings of a hook; `None` for a URI of no known scheme. Schemes are known in upper and lower case.
    pub fn parse(uri: &str, secrets: &str) -> Option<Self> {
        if let Some(rest) = function_path(uri) {
            let mut parts = rest.split('/').skip(1);
            let (schema, function) = (parts.next()?.to_owned(), parts.next()?.to_owned());
            return Some(Self::Function { uri: uri.to_owned(), schema, function });
        }
        after_scheme(uri, "https:").or_else(|| after_scheme(uri, "http:"))?;
        let secrets = secrets.split('|').filter(|secret| !secret.is_empty());
        Some(Self::Http(HttpHook {
            uri: uri.to_owned(),
            secrets: secrets.map(|secret| Secret::new(secret.to_owned())).collect(),
        }))
    }
}

/// `<database>/<schema>/<function>` of a URI that names a function.
pub(crate) fn function_path(uri: &str) -> Option<&str> {
    after_scheme(uri, "pg-functions://")
}

fn after_scheme<'u>(uri: &'u str, scheme: &str) -> Option<&'u str> {
    let (start, rest) = uri.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Whether a hook may name a schema or a function so: `^[a-zA-Z_][a-zA-Z0-9_]{0,62}$` (`contract/platform.md` §4.1).
pub fn is_sql_name(name: &str) -> bool {
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    begins && name.len() <= 63 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_by_the_path() {
        let target = Target::parse("pg-functions://postgres/public/check_user/ignored", "");
        let Some(Target::Function { schema, function, .. }) = target else { panic!("no function: {target:?}") };
        assert_eq!((schema.as_str(), function.as_str()), ("public", "check_user"));
    }

    #[test]
    fn every_secret_signs() {
        let Some(Target::Http(hook)) = Target::parse("https://h.example/x", "v1,whsec_a||v1,whsec_b") else {
            panic!("no hook")
        };
        assert_eq!(hook.secrets.len(), 2);
        assert_eq!(Target::parse("ftp://h.example/x", ""), None);
    }

    #[test]
    fn schemes_may_be_written_in_upper_case() {
        for uri in ["HTTPS://h.example/x", "Http://localhost/x"] {
            let Some(Target::Http(hook)) = Target::parse(uri, "") else { panic!("{uri}") };
            assert_eq!(hook.uri, uri);
        }
        let target = Target::parse("PG-FUNCTIONS://postgres/public/Check", "");
        assert!(matches!(target, Some(Target::Function { function, .. }) if function == "Check"));
        for bad in ["", "h", "htt\u{fc}s:", "httpsx://h.example", "pg-functions:/postgres/public/f"] {
            assert_eq!(Target::parse(bad, ""), None, "{bad}");
        }
    }

    #[test]
    fn names_are_those_of_the_contract() {
        for name in ["hook", "_", "Hook_2", &"x".repeat(63)] {
            assert!(is_sql_name(name), "{name}");
        }
        for name in ["", "2hook", "hook\"", "a b", "h\u{f6}\u{f6}k", "a.b", "a;b", "a$b", &"x".repeat(64)] {
            assert!(!is_sql_name(name), "{name}");
        }
    }
}

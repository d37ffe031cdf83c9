//! What each provider wants to be asked, what it answers, and who that is. All people are invented.

mod code;
mod identity;
mod social;
mod work;

use domain::provider::Builtin;
use serde_json::Value;

use super::idp::Takes;

/// One provider. Addresses are without `https://`; those of a project's own are below [`OWN`].
pub(crate) struct Case {
    pub(crate) provider: Builtin,
    /// The pages for browsers and codes, at home.
    pub(crate) home: [&'static str; 2],
    /// The same where the project has an address of its own; none where that is ignored.
    pub(crate) own: Option<[&'static str; 2]>,
    /// Where profiles are, at home and at an address of the project's own, and what is there.
    pub(crate) documents: Vec<(&'static str, &'static str, Value)>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) proof: bool,
    pub(crate) scope: &'static str,
    pub(crate) strict_scope: Option<&'static str>,
    pub(crate) takes: Takes,
    pub(crate) challenge: When,
    pub(crate) nonce: When,
    pub(crate) token_fields: Value,
    pub(crate) issuer: &'static str,
    pub(crate) own_issuer: Option<&'static str>,
    pub(crate) id_token: Value,
    /// An ID token that comes although nobody needs it: it must hold only where every check is wanted.
    pub(crate) id_token_beside: Value,
    pub(crate) subject: &'static str,
    /// Address, verified, primary.
    pub(crate) emails: Vec<(&'static str, bool, bool)>,
    /// The claim `iss` at home, and at an address of the project's own.
    pub(crate) iss: [&'static str; 2],
    /// All other claims of the identity.
    pub(crate) claims: Value,
}

/// Where a project's own provider is.
pub(crate) const OWN: &str = "https://own.test/x";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Never,
    Strict,
    Always,
}

impl When {
    pub(crate) fn applies(self, strict: bool) -> bool {
        self == Self::Always || (self == Self::Strict && strict)
    }
}

impl Case {
    fn of(provider: Builtin) -> Self {
        Self {
            provider,
            home: [""; 2],
            own: None,
            documents: Vec::new(),
            headers: Vec::new(),
            proof: false,
            scope: "",
            strict_scope: None,
            takes: Takes::Basic,
            challenge: When::Never,
            nonce: When::Never,
            token_fields: Value::Null,
            issuer: "",
            own_issuer: None,
            id_token: Value::Null,
            id_token_beside: Value::Null,
            subject: "",
            emails: vec![("Ada@Example.test", true, true)],
            iss: [""; 2],
            claims: Value::Null,
        }
    }
}

/// Every built-in provider.
pub(crate) fn all() -> Vec<Case> {
    [code::cases(), identity::cases(), social::cases(), work::cases()].into_iter().flatten().collect()
}

/// The case of one provider.
pub(crate) fn of(provider: Builtin) -> Case {
    all().into_iter().find(|case| case.provider == provider).unwrap()
}

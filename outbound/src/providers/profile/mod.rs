//! Who has signed in, read from what a provider answered (`contract/mfa-passkeys-oauth.md` §3.6, §4.3).

mod id_token;
mod json;
pub(super) mod quirks;
pub(super) mod typed;

use domain::provider::{Profile, ProviderEmail};
use domain::user::Metadata;
use serde_json::Value;

pub(super) use id_token::{is_microsoft, of_id_token, with_user};

use super::ProviderError;
use super::catalogue::{Base, Place};
use json::{flag, integer, present, text};

/// Which parts of an answer say what of a person. Paths are JSON pointers (RFC 6901) below the root.
pub(super) struct Person {
    /// Where the person stands.
    pub(super) root: Root,
    /// The addresses, in this order.
    pub(super) emails: &'static [Emails],
    /// Claims of the identity. Empty ones are left out.
    pub(super) claims: &'static [(&'static str, Source)],
    /// Claims of the provider's own, as it writes them; absent ones are left out.
    pub(super) custom: &'static [(&'static str, &'static str)],
    /// `provider_id` repeats the subject.
    pub(super) provider_id: bool,
    /// What no table can say.
    pub(super) quirk: Option<Quirk>,
}

/// What no table can say: looks at the facts and completes the profile.
pub(super) type Quirk = fn(&Facts<'_>, &mut Profile) -> Result<(), ProviderError>;

impl Person {
    /// A person of whom nothing is told.
    pub(super) const NOBODY: Self =
        Self { root: Root::Document(""), emails: &[], claims: &[], custom: &[], provider_id: true, quirk: None };
}

/// Where a person stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Root {
    /// Below this in the first answer.
    Document(&'static str),
    /// Below this in the answer to the code.
    TokenAnswer(&'static str),
}

/// Where a claim comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A text.
    Text(&'static str),
    /// A whole number, written as text.
    Number(&'static str),
    /// Texts with a space between.
    Joined(&'static [&'static str]),
    /// A text, behind this.
    After(&'static str, &'static str),
    /// Always this.
    Fixed(&'static str),
    /// An address below a base.
    Below(Place),
    /// The address of the first answer.
    Document,
}

/// Where addresses come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Emails {
    /// One, the primary.
    One {
        /// The address.
        at: &'static str,
        /// What proves it.
        verified: Verified,
    },
    /// A list in another answer.
    Listed {
        /// Which answer.
        document: usize,
        /// The list.
        list: &'static str,
        /// The address in an entry.
        email: &'static str,
        /// The flag of the primary one; without, none is.
        primary: Option<&'static str>,
        /// The flag of verified ones; without, none is.
        verified: Option<&'static str>,
    },
}

/// What proves an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verified {
    /// The provider tells of verified addresses only.
    Always,
    /// Nothing.
    Never,
    /// A flag.
    Flag(&'static str),
    /// Any of these flags.
    Any(&'static [&'static str]),
    /// All of these flags.
    All(&'static [&'static str]),
    /// A text that is not empty.
    Present(&'static str),
    /// A rule of its own.
    By(fn(&Value) -> Result<bool, ProviderError>),
}

/// All that a profile is read from.
pub(super) struct Facts<'a> {
    /// The person.
    pub(super) root: &'a Value,
    /// All answers.
    pub(super) documents: &'a [Value],
    /// The base for browsers.
    pub(super) auth: &'a str,
    /// The base for profiles.
    pub(super) api: &'a str,
    /// The address of the first answer.
    pub(super) document: &'a str,
    /// Apple's form field, empty when absent.
    pub(super) user: &'a str,
}

/// Reads a profile as `person` says.
///
/// # Errors
/// A part has another type than it should. What is absent is left out, the subject too.
pub(super) fn read(person: &Person, facts: &Facts<'_>) -> Result<Profile, ProviderError> {
    let mut profile = Profile::default();
    for (claim, source) in person.claims {
        put(&mut profile.claims, claim, claimed(*source, facts)?);
    }
    for source in person.emails {
        emails(*source, facts, &mut profile.emails)?;
    }
    for (claim, at) in person.custom {
        if let Some(value) = present(facts.root, at) {
            put_custom(&mut profile.claims, claim, value.clone());
        }
    }
    if let Some(Value::String(subject)) = profile.claims.get("sub") {
        profile.subject = subject.clone();
    }
    if let Some(quirk) = person.quirk {
        quirk(facts, &mut profile)?;
    }
    if person.provider_id {
        let subject = profile.subject.clone();
        put(&mut profile.claims, "provider_id", subject);
    }
    Ok(profile)
}

/// Sets a claim, unless it is empty.
pub(super) fn put(claims: &mut Metadata, claim: &str, value: String) {
    if !value.is_empty() {
        claims.insert(claim.to_owned(), Value::String(value));
    }
}

/// Sets a claim of the provider's own.
pub(super) fn put_custom(claims: &mut Metadata, claim: &str, value: Value) {
    let custom = claims.entry("custom_claims").or_insert_with(|| Value::Object(Metadata::new()));
    if let Value::Object(custom) = custom {
        custom.insert(claim.to_owned(), value);
    }
}

fn claimed(source: Source, facts: &Facts<'_>) -> Result<String, ProviderError> {
    Ok(match source {
        Source::Text(at) => text(facts.root, at)?.to_owned(),
        Source::Number(at) => integer(facts.root, at)?.map(|number| number.to_string()).unwrap_or_default(),
        Source::Joined(parts) => {
            let parts = parts.iter().map(|at| text(facts.root, at)).collect::<Result<Vec<_>, _>>()?;
            parts.join(" ").trim().to_owned()
        }
        Source::After(before, at) => match text(facts.root, at)? {
            "" => String::new(),
            text => format!("{before}{text}"),
        },
        Source::Fixed(text) => text.to_owned(),
        Source::Below(Place(Base::Auth, path)) => format!("{}{path}", facts.auth),
        Source::Below(Place(Base::Api, path)) => format!("{}{path}", facts.api),
        Source::Document => facts.document.to_owned(),
    })
}

fn emails(source: Emails, facts: &Facts<'_>, found: &mut Vec<ProviderEmail>) -> Result<(), ProviderError> {
    match source {
        Emails::One { at, verified } => {
            let verified = proven(verified, facts.root)?;
            found.extend(address(text(facts.root, at)?, verified, true));
        }
        Emails::Listed { document, list, email, primary, verified } => {
            let entries = facts.documents.get(document).and_then(|document| document.pointer(list));
            for entry in entries.and_then(Value::as_array).ok_or(ProviderError::Profile)? {
                let is = |at: Option<&str>| at.map_or(Ok(false), |at| flag(entry, at));
                found.extend(address(text(entry, email)?, is(verified)?, is(primary)?));
            }
        }
    }
    Ok(())
}

fn address(email: &str, verified: bool, primary: bool) -> Option<ProviderEmail> {
    (!email.is_empty()).then(|| ProviderEmail { email: email.to_owned(), verified, primary })
}

fn proven(verified: Verified, root: &Value) -> Result<bool, ProviderError> {
    let flags = |flags: &[&str]| flags.iter().map(|at| flag(root, at)).collect::<Result<Vec<_>, _>>();
    Ok(match verified {
        Verified::Always => true,
        Verified::Never => false,
        Verified::Flag(at) => flag(root, at)?,
        Verified::Any(any) => flags(any)?.contains(&true),
        Verified::All(all) => !flags(all)?.contains(&false),
        Verified::Present(at) => !text(root, at)?.is_empty(),
        Verified::By(rule) => rule(root)?,
    })
}

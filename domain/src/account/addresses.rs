//! What a provider tells of a person, as accounts and identities hold it (§3.6).

use serde_json::{Value, json};

use crate::email;
use crate::provider::Profile;
use crate::user::{Identity, Metadata};

/// The addresses a provider tells of, spelled as accounts spell theirs. What is no address is left out: it could belong to
/// nobody, and must match nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    told: Vec<String>,
    verified: Vec<String>,
    candidate: Option<String>,
}

impl Addresses {
    /// Those of `profile`.
    pub fn of(profile: &Profile) -> Self {
        let mut addresses = Self::default();
        let mut doubtful = Vec::new();
        for told in &profile.emails {
            let Ok(address) = email::validate(&told.email) else { continue };
            if told.primary && addresses.candidate.is_none() {
                addresses.candidate = Some(address.clone());
            }
            if told.verified {
                addresses.verified.push(address.clone());
            } else {
                doubtful.push(address.clone());
            }
            addresses.told.push(address);
        }
        // Told twice and verified once is not verified.
        addresses.verified.retain(|address| !doubtful.contains(address));
        addresses
    }

    /// The address of an account that is made for this person: the one he means.
    pub fn candidate(&self) -> Option<&str> {
        self.candidate.as_deref()
    }

    /// Those that the provider has verified.
    pub fn verified(&self) -> &[String] {
        &self.verified
    }

    /// Whether the provider has verified `address`.
    pub fn proves(&self, address: &str) -> bool {
        self.verified.iter().any(|verified| verified == address)
    }

    /// Whether the provider tells of `address` at all.
    pub fn tells_of(&self, address: &str) -> bool {
        self.told.iter().any(|told| told == address)
    }

    /// All that matter to the decision: the verified ones and the candidate.
    pub fn to_look_for(&self) -> Vec<String> {
        let mut addresses = self.verified.clone();
        addresses.extend(self.candidate.clone());
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }
}

/// The data of an identity of `profile` (§3.6). The claims that say which contact is proven are ours alone: of the addresses the
/// primary one, else the last.
pub fn identity_data(profile: &Profile) -> Metadata {
    let mut data = profile.claims.clone();
    data.insert("sub".to_owned(), json!(profile.subject));
    let shown = profile.emails.iter().find(|told| told.primary).or_else(|| profile.emails.last());
    let shown = shown.filter(|told| !told.email.is_empty());
    match shown {
        Some(told) => data.insert("email".to_owned(), json!(email::normalise(&told.email))),
        None => data.remove("email"),
    };
    data.insert("email_verified".to_owned(), json!(shown.is_some_and(|told| told.verified)));
    data.entry("phone_verified").or_insert(Value::Bool(false));
    data
}

/// Whether the provider of `identity` had verified its address.
pub fn is_verified(identity: &Identity) -> bool {
    identity.data.get("email_verified") == Some(&Value::Bool(true))
}

/// `metadata` with the claims of an identity over it, key by key; a null removes.
pub fn merged(mut metadata: Metadata, data: &Metadata) -> Metadata {
    for (key, value) in data {
        match value {
            Value::Null => metadata.remove(key),
            value => metadata.insert(key.clone(), value.clone()),
        };
    }
    metadata
}

/// `metadata` with `provider` and `providers` of an account that has identities of `providers`, oldest first; `None` where it
/// says so already.
pub fn with_providers<'a>(metadata: &Metadata, providers: impl IntoIterator<Item = &'a str>) -> Option<Metadata> {
    let mut names: Vec<&str> = Vec::new();
    for name in providers {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut now = metadata.clone();
    if let Some(first) = names.first() {
        now.insert("provider".to_owned(), json!(first));
    }
    now.insert("providers".to_owned(), json!(names));
    (&now != metadata).then_some(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::ProviderEmail;

    fn profile(emails: &[(&str, bool, bool)]) -> Profile {
        let emails = emails.iter().map(|(email, verified, primary)| ProviderEmail {
            email: (*email).to_owned(),
            verified: *verified,
            primary: *primary,
        });
        Profile { subject: "7".to_owned(), emails: emails.collect(), claims: Metadata::new() }
    }

    #[test]
    fn addresses_are_spelled_as_accounts_spell_them_and_the_primary_one_is_meant() {
        let addresses = Addresses::of(&profile(&[("Second@B.co", true, false), ("First@B.co", false, true)]));
        assert_eq!(addresses.candidate(), Some("first@b.co"));
        assert_eq!(addresses.verified(), ["second@b.co"]);
        assert_eq!(addresses.to_look_for(), ["first@b.co", "second@b.co"]);
        assert!(addresses.tells_of("first@b.co") && !addresses.proves("first@b.co"));
        let none_primary = Addresses::of(&profile(&[("a@b.co", true, false)]));
        assert_eq!(none_primary.candidate(), None);
        assert!(none_primary.proves("a@b.co"));
    }

    #[test]
    fn what_is_no_address_matches_nothing() {
        // Empty, blank, no address, and letters that Unicode folds onto ASCII ones.
        let told = ["", " ", "@", "a@", "nobody", "a@b.co ", "\u{212A}im@b.co", "\u{130}da@b.co", "a\0@b.co"];
        for email in told {
            assert_eq!(Addresses::of(&profile(&[(email, true, true)])), Addresses::default(), "{email:?}");
        }
    }

    #[test]
    fn an_address_that_is_told_as_unverified_too_is_not_verified() {
        let addresses = Addresses::of(&profile(&[("A@b.co", true, true), ("a@B.co", false, false)]));
        assert!(!addresses.proves("a@b.co"));
    }

    #[test]
    fn the_claims_about_proof_are_ours() {
        let mut told = profile(&[("other@b.co", true, false), ("Me@b.co", false, true)]);
        for (name, value) in [("email", json!("x@y.z")), ("email_verified", json!(true)), ("sub", json!("8"))] {
            told.claims.insert(name.to_owned(), value);
        }
        let data = identity_data(&told);
        let expected = json!({ "sub": "7", "email": "me@b.co", "email_verified": false, "phone_verified": false });
        assert_eq!(json!(data), expected);
        told.emails.clear();
        assert_eq!(
            json!(identity_data(&told)),
            json!({ "sub": "7", "email_verified": false, "phone_verified": false })
        );
        let last = identity_data(&profile(&[("a@b.co", false, false), ("z@b.co", true, false)]));
        assert_eq!((last.get("email"), last.get("email_verified")), (Some(&json!("z@b.co")), Some(&json!(true))));
    }

    #[test]
    fn claims_go_over_metadata_key_by_key() {
        let before = json!({ "theme": "dark", "name": "A", "gone": 1 });
        let claims = json!({ "name": "B", "gone": null });
        let (Value::Object(before), Value::Object(claims)) = (before, claims) else { unreachable!() };
        assert_eq!(json!(merged(before, &claims)), json!({ "theme": "dark", "name": "B" }));
    }

    #[test]
    fn providers_are_named_once_first_come_first() {
        let before = json!({ "plan": 1 });
        let Value::Object(before) = before else { unreachable!() };
        let now = with_providers(&before, ["email", "google", "email"]).unwrap();
        assert_eq!(json!(now), json!({ "plan": 1, "provider": "email", "providers": ["email", "google"] }));
        assert_eq!(with_providers(&now, ["email", "google"]), None);
    }
}

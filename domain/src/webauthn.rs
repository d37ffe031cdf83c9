//! Web Authentication: who the relying party is and how it names a user (`contract/mfa-passkeys-oauth.md` §1.1, §1.5,
//! §2.2).

use url::Url;

use crate::config::Policy;
use crate::ids::UserId;
use crate::project::Profile;
use crate::user::User;

/// What credentials are made for and proven to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// A domain. Credentials are bound to it.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// Origins of the pages that may ask for a credential.
    pub origins: Vec<String>,
}

impl RelyingParty {
    /// The relying party of a project. A project in compat has one when id, name and origins are all set. In shield what
    /// is not set comes from the site: its host, its origin, and the name of the project.
    pub fn of(policy: &Policy, project_name: &str) -> Option<Self> {
        let settings = &policy.webauthn;
        let mut party = Self {
            id: settings.rp_id.clone(),
            name: settings.rp_display_name.clone(),
            origins: settings.rp_origins.clone(),
        };
        if policy.profile == Profile::Shield {
            party.fill_in(&policy.site_url, project_name);
        }
        let complete = !party.id.is_empty() && !party.name.is_empty() && !party.origins.is_empty();
        complete.then_some(party)
    }

    fn fill_in(&mut self, site_url: &str, project_name: &str) {
        let site = Url::parse(site_url).ok();
        if self.id.is_empty() {
            self.id = site.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
        }
        if self.name.is_empty() {
            self.name = project_name.to_owned();
        }
        if self.origins.is_empty() {
            let origin = site.map(|site| site.origin()).filter(url::Origin::is_tuple);
            self.origins = origin.map(|origin| origin.ascii_serialization()).into_iter().collect();
        }
    }

    /// Whether a page of `origin` may ask for a credential. Scheme and host are compared without regard to case and a
    /// scheme's own port goes without saying; an origin that is no address (`android:apk-key-hash:...`) must be listed
    /// to the letter.
    pub fn allows(&self, origin: &str) -> bool {
        let origin = normalised(origin);
        self.origins.iter().any(|allowed| normalised(allowed) == origin)
    }
}

/// The form in which browsers send an origin. A text that is more than an origin, or none, stays as it is.
fn normalised(text: &str) -> String {
    let bare = |url: &Url| {
        url.origin().is_tuple()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    match Url::parse(text).ok().filter(bare) {
        Some(url) => url.origin().ascii_serialization(),
        None => text.to_owned(),
    }
}

/// A user as an authenticator is told of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEntity {
    /// Whose credential it is.
    pub id: UserId,
    /// What tells accounts apart.
    pub name: String,
    /// What the user calls themselves.
    pub display_name: String,
}

impl UserEntity {
    /// For a second factor: the address in both places, empty when there is none.
    pub fn of_factor(user: &User) -> Self {
        let name = user.email.clone().unwrap_or_default();
        Self { id: user.id, display_name: name.clone(), name }
    }

    /// For a passkey: the address, or else the number; shown as the `name` of the user's metadata where it has one.
    pub fn of_passkey(user: &User) -> Self {
        let filled = |contact: &Option<String>| contact.clone().filter(|text| !text.is_empty());
        let name = filled(&user.email).or_else(|| filled(&user.phone)).unwrap_or_default();
        let own = user.user_metadata.get("name").and_then(|value| value.as_str()).filter(|text| !text.is_empty());
        Self { id: user.id, display_name: own.unwrap_or(&name).to_owned(), name }
    }
}

/// What a credential is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A second factor, asked for by a user who is signed in.
    SecondFactor,
    /// A passkey: found by the authenticator, without a name being typed.
    Passkey,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Explicit;
    use crate::fixtures::{defaults, user};

    fn party(settings: Value) -> Option<RelyingParty> {
        let Value::Object(settings) = settings else { unreachable!("settings are an object") };
        let policy = Policy::from_explicit(&Explicit::from_map(settings), &defaults());
        RelyingParty::of(&policy, "The project")
    }

    #[test]
    fn compat_has_a_relying_party_when_all_of_it_is_set() {
        let whole = json!({
            "webauthn_rp_id": "example.com", "webauthn_rp_display_name": "Example",
            "webauthn_rp_origins": "https://example.com, https://app.example.com",
        });
        let wanted = RelyingParty {
            id: "example.com".to_owned(),
            name: "Example".to_owned(),
            origins: vec!["https://example.com".to_owned(), "https://app.example.com".to_owned()],
        };
        assert_eq!(party(whole.clone()), Some(wanted));
        for missing in ["webauthn_rp_id", "webauthn_rp_display_name", "webauthn_rp_origins"] {
            let mut settings = whole.clone();
            settings[missing] = Value::Null;
            assert_eq!(party(settings), None, "{missing}");
        }
    }

    #[test]
    fn shield_takes_what_is_missing_from_the_site() {
        let site = json!({ "security_profile": "shield", "site_url": "https://app.example.com:8443/start" });
        let of_site = party(site.clone()).unwrap();
        assert_eq!((of_site.id.as_str(), of_site.name.as_str()), ("app.example.com", "The project"));
        assert_eq!(of_site.origins, ["https://app.example.com:8443"]);
        let mut settings = site;
        settings["webauthn_rp_id"] = "example.com".into();
        let of_domain = party(settings).unwrap();
        assert_eq!((of_domain.id.as_str(), of_domain.name.as_str()), ("example.com", "The project"));
        assert_eq!(party(json!({ "security_profile": "shield", "site_url": "app://start" })), None);
    }

    fn allows(listed: &str, origin: &str) -> bool {
        RelyingParty { id: String::new(), name: String::new(), origins: vec![listed.to_owned()] }.allows(origin)
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert!(allows("https://Example.com/", "https://example.com"));
        assert!(allows("https://example.com:443", "HTTPS://EXAMPLE.COM"));
        assert!(allows("http://localhost:3000", "http://localhost:3000"));
        for other in ["http://localhost:3001", "https://localhost:3000", "http://localhost", "http://localhost:3000/x"]
        {
            assert!(!allows("http://localhost:3000", other), "{other}");
        }
        for other in ["https://a@example.com", "https://example.com?x", "https://example.com#x", "example.com", ""] {
            assert!(!allows("https://example.com", other), "{other}");
        }
    }

    #[test]
    fn an_app_s_origin_is_listed_to_the_letter() {
        let app = "android:apk-key-hash:Nq1v5cXqKz4";
        assert!(allows(app, app));
        assert!(!allows(app, "android:apk-key-hash:nq1v5cxqkz4"));
        assert!(!allows("android:apk-key-hash:other", app));
    }

    #[test]
    fn an_authenticator_is_told_the_address_or_the_number() {
        let mut user = user();
        let names = |entity: UserEntity| (entity.name, entity.display_name);
        let same = |name: &str| (name.to_owned(), name.to_owned());
        assert_eq!(names(UserEntity::of_factor(&user)), same("a@b.co"));
        assert_eq!(names(UserEntity::of_passkey(&user)), same("a@b.co"));
        user.user_metadata.insert("name".to_owned(), "Ada".into());
        assert_eq!(names(UserEntity::of_factor(&user)), same("a@b.co"));
        assert_eq!(names(UserEntity::of_passkey(&user)), ("a@b.co".to_owned(), "Ada".to_owned()));
        (user.email, user.phone) = (None, Some("4915112345678".to_owned()));
        user.user_metadata.insert("name".to_owned(), 7.into());
        assert_eq!(names(UserEntity::of_factor(&user)), same(""));
        assert_eq!(names(UserEntity::of_passkey(&user)), same("4915112345678"));
    }
}

//! What templates can say.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::Kind;

/// The facts of one mail. Fill in what the kind has (`contract/platform.md` §5.3); the rest stays empty.
///
/// Has no `Debug`: token and link are secrets.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Data {
    /// `SITE_URL` of the project.
    pub site_url: String,
    /// The link that confirms.
    pub confirmation_url: String,
    /// Address of the account; in a notice of a changed address the new one.
    pub email: String,
    /// The code as it is typed.
    pub token: String,
    /// The hash as it travels, with a possible `pkce_` in front.
    pub token_hash: String,
    /// `user_metadata`.
    pub data: Map<String, Value>,
    /// Where the link leads in the end.
    pub redirect_to: String,
    /// E-mail change: the new address.
    pub new_email: String,
    /// E-mail change: the address this mail goes to.
    pub sending_to: String,
    /// E-mail changed: the address from before.
    pub old_email: String,
    /// Phone changed: the new number.
    pub phone: String,
    /// Phone changed: the number from before.
    pub old_phone: String,
    /// Identity linked or unlinked: which provider.
    pub provider: String,
    /// Factor enrolled or unenrolled: `totp`, `phone`, `webauthn`.
    pub factor_type: String,
    /// Recovery code used: how many of the set were not.
    pub remaining: u32,
    /// New device: what it is called.
    pub device: String,
    /// New device: the address it came from.
    pub ip: String,
    /// New device: when.
    pub time: String,
}

impl Data {
    /// The variables a template of `kind` sees. `.Domain`, the host of the site URL, is there in every kind.
    pub fn variables(&self, kind: Kind) -> Map<String, Value> {
        let mut variables = Map::new();
        let mut set = |name: &str, value: &str| {
            variables.insert(name.to_owned(), Value::from(value));
        };
        set("SiteURL", &self.site_url);
        set("Domain", &self.domain());
        set("Email", &self.email);
        if kind == Kind::Reauthentication {
            set("Token", &self.token);
        }
        if kind.link_type().is_some() {
            set("Token", &self.token);
            set("TokenHash", &self.token_hash);
            set("ConfirmationURL", &self.confirmation_url);
            set("RedirectTo", &self.redirect_to);
        }
        match kind {
            Kind::EmailChange => {
                set("NewEmail", &self.new_email);
                set("SendingTo", &self.sending_to);
            }
            Kind::EmailChangedNotification => set("OldEmail", &self.old_email),
            Kind::PhoneChangedNotification => {
                set("Phone", &self.phone);
                set("OldPhone", &self.old_phone);
            }
            Kind::IdentityLinkedNotification | Kind::IdentityUnlinkedNotification => set("Provider", &self.provider),
            Kind::MfaFactorEnrolledNotification | Kind::MfaFactorUnenrolledNotification => {
                set("FactorType", &self.factor_type);
            }
            Kind::NewDeviceNotification => {
                set("Device", &self.device);
                set("IP", &self.ip);
                set("Time", &self.time);
            }
            Kind::RecoveryCodeUsedNotification => {
                variables.insert("Remaining".to_owned(), Value::from(self.remaining));
            }
            _ => {}
        }
        variables.insert("Data".to_owned(), Value::Object(self.data.clone()));
        variables
    }

    /// Host of the site URL, with the port where it names one; the site URL itself where it has no host.
    pub fn domain(&self) -> String {
        let parsed = Url::parse(&self.site_url).ok();
        let host = parsed.as_ref().and_then(|url| Some((url.host_str()?, url.port())));
        match host {
            Some((host, Some(port))) => format!("{host}:{port}"),
            Some((host, None)) => host.to_owned(),
            None => self.site_url.clone(),
        }
    }
}

//! The ways to the outside: mail servers, hooks, SMS providers, captcha judges, the breach service.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::entropy::Entropy;
use domain::time::Clock;
use outbound::breaches::{BloomFile, BreachCheck, FilteredBreaches, HttpBreaches};
use outbound::captcha::{CaptchaTransport, HttpCaptcha};
use outbound::hooks::{BoundedHooks, HookTransport, HttpHooks};
use outbound::http::HttpClient;
use outbound::providers::{Endpoints, HttpProviders, ProviderTransport};
use outbound::sms::{BoundedSms, HttpSms, SmsTransport};
use outbound::{MailTransport, Reach, SmtpTransport, reach};
use url::Url;

use super::{Addresses, targets};
use crate::cli::Failure;
use crate::settings::Settings;

/// How long a call may take where it says nothing else.
const CALL_TIME: Duration = Duration::from_secs(10);

/// Calls to one hook at a time: dozens of hooks may hang before the gateway has no place for other requests.
const CALLS_PER_HOOK: usize = 128;

/// Calls to one SMS provider at a time, for all projects together.
const CALLS_PER_PROVIDER: usize = 512;

/// As what the gateway asks the breach service, which answers nobody without a name.
const USER_AGENT: &str = concat!("Tenantry/", env!("CARGO_PKG_VERSION"));

/// Everything that connects to addresses which projects name, or to services of the internet.
pub(super) struct Outside {
    pub(super) mail: Arc<dyn MailTransport>,
    pub(super) hooks: Arc<dyn HookTransport>,
    pub(super) sms: Arc<dyn SmsTransport>,
    pub(super) captcha: Arc<dyn CaptchaTransport>,
    pub(super) breaches: Arc<dyn BreachCheck>,
    pub(super) providers: Arc<dyn ProviderTransport>,
}

impl Outside {
    /// The ways that `settings` leave open. Nothing is connected yet.
    pub(super) fn new(
        settings: &Settings,
        addresses: &Addresses,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Self, Failure> {
        let reachable = targets::allowed(settings.allow_private_targets.as_deref(), settings.listen);
        let reach: Reach = Arc::new(move |address| targets::may_reach(address, &reachable));
        let client = calling(Arc::clone(&reach))?;
        let hooks = HttpHooks::new(client.clone(), Arc::clone(clock), Arc::clone(entropy));
        let mail = SmtpTransport::new(&host(&addresses.external), reach);
        let mail = match &settings.smtp_ca_file {
            Some(file) => trusting(mail, file)?,
            None => mail,
        };
        let service: Arc<dyn BreachCheck> = Arc::new(HttpBreaches::new(client.clone(), USER_AGENT));
        let breaches = match &settings.breached_passwords_file {
            Some(file) => filtered(file, service)?,
            None => service,
        };
        // Custom providers and foreign issuers are chosen by whoever administers a project: what the operator allows himself is
        // not for them.
        let public = calling(reach::public())?;
        let (time, random) = (Arc::clone(clock), Arc::clone(entropy));
        let providers = HttpProviders::new(client.clone(), public, time, random, Endpoints::default());
        let sms = HttpSms::new(client.clone(), outbound::sms::Endpoints::default());
        Ok(Self {
            mail: Arc::new(mail),
            hooks: Arc::new(BoundedHooks::new(Arc::new(hooks), CALLS_PER_HOOK)),
            sms: Arc::new(BoundedSms::new(Arc::new(sms), CALLS_PER_PROVIDER)),
            captcha: Arc::new(HttpCaptcha::new(client, outbound::captcha::Endpoints::default())),
            breaches,
            providers: Arc::new(providers),
        })
    }
}

/// A client that connects where `reach` lets it.
fn calling(reach: Reach) -> Result<HttpClient, Failure> {
    HttpClient::new(reach, CALL_TIME).map_err(|error| Failure::caused("calls to the outside cannot be made", &error))
}

/// `mail` that also trusts the authorities of `file`.
fn trusting(mail: SmtpTransport, file: &Path) -> Result<SmtpTransport, Failure> {
    let next = "give --smtp-ca-file a file of certificates in PEM form, or leave it out";
    let unusable = |error: &(dyn std::error::Error + 'static)| {
        Failure::caused(format!("{} cannot be used", file.display()), error).next(next)
    };
    let pem = std::fs::read_to_string(file).map_err(|error| unusable(&error))?;
    mail.trusting(&pem).map_err(|error| unusable(&error))
}

/// The breached passwords of `file`, in front of `service`.
fn filtered(file: &Path, service: Arc<dyn BreachCheck>) -> Result<Arc<dyn BreachCheck>, Failure> {
    let opened = BloomFile::open(file).map_err(|error| {
        Failure::caused(format!("{} cannot be used", file.display()), &error)
            .next("make the file anew with `tenantry breached-passwords build`")
    })?;
    tracing::info!(passwords = opened.passwords(), "breached passwords are looked up in a file first");
    Ok(Arc::new(FilteredBreaches::new(opened, service)))
}

/// The host of a URL.
fn host(url: &str) -> String {
    let parsed = Url::parse(url).ok();
    parsed.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_servers_are_greeted_with_the_host_alone() {
        for (url, expected) in [
            ("https://auth.example.com", "auth.example.com"),
            ("https://auth.example.com:8443/base", "auth.example.com"),
            ("http://127.0.0.1:8000", "127.0.0.1"),
            ("http://[::1]:8000", "[::1]"),
            ("nonsense", "localhost"),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }
}

//! What users do: the bundled scenarios, each in a file of its own.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, LocalBoxFuture};

use crate::arrivals::{Arrivals, Curve};
use crate::client::Failure;
use crate::journeys::Manner;
use crate::report::Run;
use crate::stage::Stage;
use crate::steps::Steps;
use crate::thresholds::Thresholds;

mod admin_listing;
mod attack_mix;
mod cold_fleet;
mod config_and_key_rotation;
mod crowd;
mod fleet;
mod gateway_restart;
mod letters;
mod magic_link;
mod mfa_login;
mod noisy_neighbour;
mod oauth_login;
mod otp_mail;
mod refresh_storm;
mod session_list_revoke;
mod sign_in_and_refresh;
mod sign_up_wave;
mod soak;
mod turns;
mod user_read;

/// The bundled scenarios, in the order in which they are listed.
pub(crate) static ALL: &[&dyn Scenario] = &[
    &sign_up_wave::SignUpWave,
    &sign_in_and_refresh::SignInAndRefresh,
    &user_read::UserRead,
    &refresh_storm::RefreshStorm,
    &otp_mail::OtpMail,
    &magic_link::MagicLink,
    &mfa_login::MfaLogin,
    &oauth_login::OauthLogin,
    &session_list_revoke::SessionListRevoke,
    &admin_listing::AdminListing,
    &noisy_neighbour::NoisyNeighbour,
    &cold_fleet::ColdFleet,
    &fleet::Fleet,
    &config_and_key_rotation::ConfigAndKeyRotation,
    &gateway_restart::GatewayRestart,
    &soak::Soak,
    &attack_mix::AttackMix,
];

/// The scenario of that name.
pub(crate) fn find(name: &str) -> Option<&'static dyn Scenario> {
    ALL.iter().copied().find(|scenario| scenario.about().name == name)
}

/// The scenario of that name, or the one that a file ending in `.toml` describes.
pub(crate) fn chosen(name: &str) -> Result<&'static dyn Scenario, String> {
    if name.ends_with(".toml") {
        return crate::custom::open(name.as_ref());
    }
    find(name).ok_or_else(|| "no such scenario: `tenantry-load list` shows them".to_owned())
}

/// A way of loading a server.
pub(crate) trait Scenario: Send + Sync {
    /// What people read about it.
    fn about(&self) -> &About;

    /// Configuration fields of the projects that are made for it, beside those every run sets.
    fn configuration(&self, _settings: &Settings) -> serde_json::Value {
        serde_json::json!({})
    }

    /// Makes what the load needs, on the projects of the stage, and says who acts.
    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>>;

    /// How hard and for how long it is meant to be run; the command line has the last word.
    fn plan(&self) -> Plan {
        Plan::default()
    }

    /// What it says of a finished run beside the table, a line each.
    fn conclude(&self, _run: &Run) -> Vec<String> {
        Vec::new()
    }
}

/// What holds where the command line says nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) clients: Option<u32>,
    pub(crate) users: Option<u32>,
    pub(crate) projects: Option<u32>,
    pub(crate) rate: Option<f64>,
    pub(crate) curve: Option<Curve>,
    /// Seconds.
    pub(crate) duration: Option<f64>,
    /// Seconds.
    pub(crate) warm_up: Option<f64>,
    /// The pause of a closed loop before each journey.
    pub(crate) think_time: Option<RangeInclusive<Duration>>,
    pub(crate) fail_on: Vec<Thresholds>,
}

/// What a scenario is, as data: `list --long`, the report and the documentation say it.
pub(crate) struct About {
    pub(crate) name: &'static str,
    /// One line.
    pub(crate) does: &'static str,
    /// What happens in the world that this stands for.
    pub(crate) models: &'static str,
    /// Tables of the auth schema that its requests read or write.
    pub(crate) tables: &'static [&'static str],
    /// Whether it needs a gateway's Management API; else a project and its service_role key are enough.
    pub(crate) needs_gateway: bool,
    /// Its own options.
    pub(crate) settings: &'static [Setting],
}

/// An option of a scenario: `--option name=value`.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// A number.
    pub(crate) default: f64,
    /// The largest value it takes; the smallest is 0.
    pub(crate) most: f64,
    pub(crate) does: &'static str,
}

/// The number of projects, of scenarios that are about it.
const FLEET: Setting =
    Setting { name: "fleet", default: 100.0, most: 100_000.0, does: "projects in all, where --projects names fewer" };

/// The options of a scenario, with their defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings(BTreeMap<&'static str, f64>);

impl About {
    /// Reads `name=value` words; what the scenario does not have is refused.
    pub(crate) fn settings(&self, words: &[String]) -> Result<Settings, String> {
        let mut values: BTreeMap<_, _> = self.settings.iter().map(|setting| (setting.name, setting.default)).collect();
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("--option {word}: not NAME=VALUE"))?;
            let setting = self.settings.iter().find(|setting| setting.name == name);
            let setting = setting.ok_or_else(|| format!("--option {word}: {} has no such option", self.name))?;
            let value: f64 = value.parse().map_err(|_| format!("--option {word}: not a number"))?;
            if !(0.0..=setting.most).contains(&value) {
                return Err(format!("--option {word}: must lie between 0 and {}", setting.most));
            }
            values.insert(setting.name, value);
        }
        Ok(Settings(values))
    }
}

impl Settings {
    /// The value of an option that the scenario declares; 0 for one it does not.
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// All of them, for the report.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        self.0.iter().map(|(name, value)| (*name, *value))
    }
}

/// Who acts in a run: groups that go at their own pace, side by side.
#[derive(Default)]
pub(crate) struct Cast {
    pub(crate) groups: Vec<Group>,
}

/// Clients of one kind.
pub(crate) struct Group {
    pub(crate) pace: Pace,
    /// The share of the measured time (0 to 1) after which it begins; 0 is the beginning of the warm-up.
    pub(crate) begins: f64,
    pub(crate) acts: Vec<Box<dyn Act>>,
}

/// When journeys begin.
#[derive(Clone, Debug)]
pub(crate) enum Pace {
    /// When the client's last one has ended.
    Closed,
    /// When the client's last one has ended and it has thought for a while.
    Journeys(Manner),
    /// At fixed times.
    Open(Arc<Arrivals>),
}

impl Pace {
    /// So many journeys a second, from the first to the last.
    pub(crate) fn steady(rate: f64) -> Self {
        Self::Open(Arc::new(Arrivals::steady(rate)))
    }
}

impl Cast {
    /// One group at the pace of the command line.
    pub(crate) fn new<A: Act>(stage: &Stage, acts: impl IntoIterator<Item = A>) -> Self {
        Self::default().with(stage.pace(), 0.0, acts)
    }

    /// Adds a group.
    #[must_use]
    pub(crate) fn with<A: Act>(mut self, pace: Pace, begins: f64, acts: impl IntoIterator<Item = A>) -> Self {
        let acts = acts.into_iter().map(|act| Box::new(act) as Box<dyn Act>).collect();
        self.groups.push(Group { pace, begins, acts });
        self
    }
}

/// One client's part: it goes through one journey after the other.
pub(crate) trait Act: Send + 'static {
    /// One journey, of one request or several, each a step. A step that fails may end it: `steps` has counted it already.
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>>;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_scenario_has_its_own_name_and_says_what_it_is() {
        let names: BTreeSet<_> = ALL.iter().map(|scenario| scenario.about().name).collect();
        assert_eq!(names.len(), ALL.len());
        for scenario in ALL {
            let about = scenario.about();
            assert!(!about.does.is_empty() && !about.models.is_empty() && !about.tables.is_empty(), "{}", about.name);
            assert!(about.settings.iter().all(|setting| setting.default <= setting.most), "{}", about.name);
        }
    }

    #[test]
    fn options_have_defaults_and_are_checked() {
        let about = find("sign-in-and-refresh").unwrap().about();
        let settings =
            |words: &[&str]| about.settings(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(settings(&[]).unwrap().get("sign-in-share"), 0.05);
        assert_eq!(settings(&["sign-in-share=0.5"]).unwrap().get("sign-in-share"), 0.5);
        for bad in ["sign-in-share=1.1", "sign-in-share=x", "sign-in-share", "other=1", "sign-in-share=NaN"] {
            assert!(settings(&[bad]).is_err(), "{bad}");
        }
    }
}

//! Hours of a modest, mixed load: does the memory of the server grow, do latencies creep up, does anything fail at last?

mod growth;

use futures::future::LocalBoxFuture;

use self::growth::{Growth, Trend};
use super::sign_in_and_refresh::SignInAndRefresh;
use super::{About, Cast, Pace, Scenario, Setting};
use crate::report::Run;
use crate::stage::Stage;

/// `soak`.
pub(super) struct Soak;

impl Scenario for Soak {
    fn about(&self) -> &About {
        &About {
            name: "soak",
            does: "sign-in-and-refresh at a modest rate for as long as --duration says, with an eye on the server's memory",
            models: "A week in a few hours: what leaks, fills up or slows down shows when nothing else happens. Give --pid, or a \
                     gateway whose /metrics can be read.",
            tables: &["users", "identities", "sessions", "refresh_tokens", "mfa_amr_claims", "audit_log_entries"],
            needs_gateway: false,
            settings: &[
                Setting {
                    name: "journeys",
                    default: 20.0,
                    most: 10_000.0,
                    does: "journeys a second, where neither --rate nor --think-time says",
                },
                Setting { name: "sign-in-share", default: 0.05, most: 1.0, does: "as of sign-in-and-refresh" },
                Setting { name: "sign-out-share", default: 0.25, most: 1.0, does: "as of sign-in-and-refresh" },
                Setting { name: "user-read-share", default: 0.3, most: 1.0, does: "as of sign-in-and-refresh" },
            ],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let modest = stage.options().settings.get("journeys").max(0.1);
            let asked = stage.options().rate.is_some() || stage.options().manner.is_some();
            let mut cast = SignInAndRefresh.prepare(stage).await?;
            for group in cast.groups.iter_mut().filter(|_| !asked) {
                group.pace = Pace::steady(modest);
            }
            Ok(cast)
        })
    }

    fn conclude(&self, run: &Run) -> Vec<String> {
        vec![said(growth::judge(&run.memory()))]
    }
}

fn said(growth: Growth) -> String {
    let shown = |Trend { seconds, resident_mb, mb_per_hour }: Trend| {
        let minutes = seconds / 60.0;
        format!("{mb_per_hour:+.1} MB an hour over the last {minutes:.0} minutes, at {resident_mb:.0} MB")
    };
    match growth {
        Growth::Unknown => {
            "memory: not judged, for that it takes --pid or /metrics and two minutes at least".to_owned()
        }
        Growth::Steady(trend) => format!("memory: steady ({})", shown(trend)),
        Growth::Growing(trend) => format!("memory: GROWING ({})", shown(trend)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_judgement_reads_as_a_sentence() {
        let trend = Trend { seconds: 1_800.0, resident_mb: 81.3, mb_per_hour: 36.04 };
        assert_eq!(
            said(Growth::Growing(trend)),
            "memory: GROWING (+36.0 MB an hour over the last 30 minutes, at 81 MB)"
        );
        assert!(said(Growth::Steady(Trend { mb_per_hour: -0.2, ..trend })).contains("-0.2 MB an hour"));
        assert!(said(Growth::Unknown).contains("--pid"));
    }
}

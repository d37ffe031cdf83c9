//! People who think between two journeys: a closed loop with pauses, run by `goose`.
//!
//! Goose brings the users in at a rate of so many a second, lets each go through its journeys one after the other, and
//! lets it think between them. What it would measure, print and log is switched off: requests are sent by our client and
//! timed by [`Steps`], as in every other loop, so that all rows of a report mean the same.
//!
//! A closed loop without pauses, and every open loop, stay in [`crate::generator`]. The first sends as fast as answers
//! come, and what a framework does between two requests would be missing from the server's throughput; the second has
//! intended starts, which goose does not know.
//!
//! Goose ends by a switch that is one for the whole process, and looks at it twice a second. So the end is ours: no
//! journey begins after it, those under way are waited for, and only then goose is told; it may take its time, within
//! bounds, and that is not part of the measured time.

use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{Scenario, Transaction, TransactionFunction};
use goose::{GooseAttack, trigger_killswitch};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::generator::Run;
use crate::scenario::Act;
use crate::steps::Steps;

/// How long goose may take to end once it is told; it needs a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often goose is told: a start of its own takes the word back.
const AGAIN: Duration = Duration::from_millis(50);

/// How people go through their journeys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manner {
    /// The pause between two journeys.
    pub(crate) think: RangeInclusive<Duration>,
    /// Users that begin in a second; all within the first one where it is not given.
    pub(crate) hatch_rate: Option<f64>,
}

/// Reads `MIN..MAX` or one number, in seconds.
pub(crate) fn parse_think_time(text: &str) -> Result<RangeInclusive<Duration>, String> {
    let seconds = |text: &str| {
        let number: f64 = text.trim().parse().map_err(|_| "not MIN..MAX in seconds, as 0.5..2".to_owned())?;
        if (0.0..=3_600.0).contains(&number) {
            Ok(Duration::from_secs_f64(number))
        } else {
            Err("must lie between 0 and 3600 seconds".to_owned())
        }
    };
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let (least, most) = (seconds(least)?, seconds(most)?);
    if least <= most { Ok(least..=most) } else { Err("the shorter time comes first".to_owned()) }
}

/// One user: what it does, and how that is timed.
struct Actor {
    act: Box<dyn Act>,
    steps: Steps,
}

/// All users of a group.
struct Troupe {
    actors: Vec<Mutex<Actor>>,
    run: Arc<Run>,
    /// Journeys that have not ended.
    under_way: watch::Sender<usize>,
    /// Somebody learned that nothing more begins.
    over: Notify,
}

/// A journey that has not ended; dropping it ends it, however that comes about.
struct UnderWay<'a>(&'a watch::Sender<usize>);

impl<'a> UnderWay<'a> {
    fn begin(journeys: &'a watch::Sender<usize>) -> Self {
        journeys.send_modify(|count| *count += 1);
        Self(journeys)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Troupe {
    fn new(acts: Vec<Box<dyn Act>>, run: Arc<Run>) -> Self {
        let actors = acts.into_iter().map(|act| Mutex::new(Actor { act, steps: run.steps() })).collect();
        Self { actors, run, under_way: watch::Sender::new(0), over: Notify::new() }
    }

    /// One journey of user `number`; a short rest where nothing may begin any more, until goose ends this user.
    async fn journey(&self, number: usize) {
        if let Some(actor) = self.actors.get(number) {
            let _under_way = UnderWay::begin(&self.under_way);
            let Actor { act, steps } = &mut *actor.lock().await;
            if let Some(origin) = self.run.next_start().await {
                self.run.begins_at(origin, steps);
                // Its steps are counted; what ended this journey may not end the next.
                let _ = act.act(steps).await;
                return;
            }
        }
        self.over.notify_one();
        sleep(AGAIN).await;
    }

    /// Resolves with the last journey, once nothing more begins.
    async fn ended(&self) -> Instant {
        tokio::select! {
            () = self.run.is_over() => {}
            () = self.over.notified() => {}
        }
        // The sender is ours: it cannot be gone.
        let _ = self.under_way.subscribe().wait_for(|journeys| *journeys == 0).await;
        Instant::now()
    }
}

/// Lets every act go through its journeys until the run is over; says when the last of them ended.
pub(crate) async fn drive(acts: Vec<Box<dyn Act>>, run: Arc<Run>, manner: Manner) -> anyhow::Result<Instant> {
    let users = acts.len();
    if users == 0 || !run.has_begun().await {
        return Ok(Instant::now());
    }
    let troupe = Arc::new(Troupe::new(acts, run));
    let attack = attack(&troupe, users, &manner).map_err(|error| anyhow::anyhow!("{error}"));
    let mut attack = pin!(attack.context("goose cannot be set up")?.execute());
    let last = tokio::select! {
        last = troupe.ended() => last,
        early = &mut attack => match early {
            Ok(_) => bail!("goose ended before the run did"),
            Err(error) => bail!("goose failed: {error}"),
        }
    };
    let closing = async {
        loop {
            trigger_killswitch("the run is over");
            if timeout(AGAIN, &mut attack).await.is_ok() {
                break;
            }
        }
    };
    if timeout(PATIENCE, closing).await.is_err() {
        eprintln!("tenantry-load: goose did not end in time; nothing waits for it");
    }
    Ok(last)
}

/// A silent goose with one scenario, whose one transaction is a journey.
fn attack(troupe: &Arc<Troupe>, users: usize, manner: &Manner) -> Result<GooseAttack, Box<goose::GooseError>> {
    let troupe = Arc::clone(troupe);
    let journey: TransactionFunction = Arc::new(move |user| {
        let (troupe, number) = (Arc::clone(&troupe), user.weighted_users_index);
        Box::pin(async move {
            troupe.journey(number).await;
            Ok(())
        })
    });
    let hatch_rate = manner.hatch_rate.map_or_else(|| users.to_string(), |rate| rate.to_string());
    // Without an end of its own; not `no_reset_metrics`, with which it tells on stdout that all users are there.
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some("http://localhost/".to_owned());
    configuration.users = Some(users);
    configuration.increase_rate = Some(hatch_rate);
    configuration.quiet = 3;
    configuration.no_metrics = true;
    configuration.no_print_metrics = true;
    configuration.no_telnet = true;
    let scenario = Scenario::new("journeys")
        .register_transaction(Transaction::new(journey))
        .set_wait_time(*manner.think.start(), *manner.think.end())?;
    Ok(GooseAttack::initialize_with_config(configuration)?
        // One that is never used, instead of one for each user.
        .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies())?
        .register_scenario(scenario))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_think_time_is_a_range_in_seconds() {
        let seconds = Duration::from_secs_f64;
        assert_eq!(parse_think_time("0.5..2"), Ok(seconds(0.5)..=seconds(2.0)));
        assert_eq!(parse_think_time("1"), Ok(seconds(1.0)..=seconds(1.0)));
        for bad in ["", "2..1", "-1..1", "a..b", "1..", "NaN", "0..4000"] {
            assert!(parse_think_time(bad).is_err(), "{bad}");
        }
    }
}

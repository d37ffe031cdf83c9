//! Order within a session or challenge, and none elsewhere.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::{AskError, Lane, Limits};

use crate::support::{Beside, Gateway, Latch, on, ready, session, settle};

type Log = Arc<Mutex<Vec<String>>>;

/// Notes when it begins and ends, with a pause in between in which others could run.
fn noting(lane: Lane, number: usize, log: &Log) -> impl actors::Operation<Answer = ()> + use<> {
    let log = Arc::clone(log);
    on(lane, move |_| noted(number, log))
}

/// The same, beside its like.
fn noting_beside(lane: Lane, number: usize, log: &Log) -> impl actors::Operation<Answer = ()> + use<> {
    let log = Arc::clone(log);
    Beside(on(lane, move |_| noted(number, log)))
}

async fn noted(number: usize, log: Log) -> flows::Result<()> {
    log.lock().unwrap().push(format!("{number} begins"));
    tokio::time::sleep(Duration::from_millis(10)).await;
    log.lock().unwrap().push(format!("{number} ends"));
    Ok(())
}

async fn run_five(lane: Lane) -> Vec<String> {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    gateway.settings("one").await.unwrap();
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let asked: Vec<_> = (0..5).map(|number| gateway.spawn("one", noting(lane.clone(), number, &log))).collect();
    for answer in asked {
        answer.await.unwrap().unwrap();
    }
    log.lock().unwrap().clone()
}

fn one_after_the_other() -> Vec<String> {
    in_turn(0..5)
}

#[tokio::test]
async fn a_session_does_one_thing_at_a_time_in_the_order_of_arrival() {
    assert_eq!(run_five(session(1)).await, one_after_the_other());
}

#[tokio::test]
async fn a_challenge_does_one_thing_at_a_time_in_the_order_of_arrival() {
    assert_eq!(run_five(Lane::Challenge("otp".to_owned())).await, one_after_the_other());
}

#[tokio::test]
async fn tasks_run_side_by_side() {
    let noted = run_five(Lane::Task).await;
    let begun = noted.iter().take_while(|line| line.ends_with("begins")).count();
    assert_eq!(begun, 5, "{noted:?}");
}

/// The lines of one piece of work after the other.
fn in_turn(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().flat_map(|number| [format!("{number} begins"), format!("{number} ends")]).collect()
}

#[tokio::test]
async fn what_may_run_beside_its_like_does_behind_the_first_and_passes_nothing_else() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let (latch, log) = (Latch::new(), Log::default());
    let held = gateway.spawn("one", latch.hold(session(1)));
    latch.entered().await;
    let mut asked = Vec::new();
    for number in 0..8 {
        asked.push(match number {
            4 => gateway.spawn("one", noting(session(1), number, &log)),
            _ => gateway.spawn("one", noting_beside(session(1), number, &log)),
        });
        settle().await;
    }
    latch.open();
    held.await.unwrap().unwrap();
    for answer in asked {
        answer.await.unwrap().unwrap();
    }
    let together = |numbers: &[usize]| {
        let all = |what: &'static str| numbers.iter().map(move |number| format!("{number} {what}"));
        all("begins").chain(all("ends")).collect::<Vec<_>>()
    };
    let expected = [in_turn([0]), together(&[1, 2, 3]), in_turn([4, 5]), together(&[6, 7])].concat();
    assert_eq!(*log.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_held_session_holds_neither_its_neighbour_nor_a_snapshot_nor_a_task() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let held = gateway.spawn("one", latch.hold(session(1)));
    latch.entered().await;
    assert_eq!(gateway.ask("one", ready(session(2), 2)).await.unwrap(), 2);
    assert_eq!(gateway.ask("one", ready(Lane::Task, 3)).await.unwrap(), 3);
    assert_eq!(gateway.ask("one", ready(Lane::Challenge("a".to_owned()), 4)).await.unwrap(), 4);
    gateway.settings("one").await.unwrap();
    latch.open();
    held.await.unwrap().unwrap();
}

#[tokio::test]
async fn two_hundred_at_once_on_one_session_are_all_answered() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let asked: Vec<_> = (0..200).map(|number| gateway.spawn("one", ready(session(1), number))).collect();
    for (number, answer) in asked.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().unwrap(), number);
    }
    assert_eq!(gateway.handle.stats().refused, 0);
}

#[tokio::test]
async fn what_was_not_begun_by_its_deadline_never_is() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let held = gateway.spawn("one", latch.hold(session(1)));
    latch.entered().await;
    let ran = Arc::new(Mutex::new(false));
    let late = on(session(1), {
        let ran = Arc::clone(&ran);
        move |_| async move {
            *ran.lock().unwrap() = true;
            Ok(())
        }
    });
    let outcome = gateway.ask_within(Duration::from_secs(1), "one", late).await;
    assert!(matches!(outcome, Err(AskError::Timeout)), "{outcome:?}");
    latch.open();
    held.await.unwrap().unwrap();
    gateway.ask("one", ready(session(1), ())).await.unwrap();
    assert!(!*ran.lock().unwrap());
}

#[tokio::test]
async fn work_of_a_caller_who_left_is_not_begun() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let held = gateway.spawn("one", latch.hold(session(1)));
    latch.entered().await;
    let ran = Arc::new(Mutex::new(false));
    let abandoned = gateway.spawn("one", {
        let ran = Arc::clone(&ran);
        on(session(1), move |_| async move {
            *ran.lock().unwrap() = true;
            Ok(())
        })
    });
    settle().await;
    abandoned.abort();
    settle().await;
    latch.open();
    held.await.unwrap().unwrap();
    gateway.ask("one", ready(session(1), ())).await.unwrap();
    assert!(!*ran.lock().unwrap());
}

#[tokio::test]
async fn what_was_begun_is_finished_even_when_nobody_waits() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let finished = Arc::new(Mutex::new(false));
    let begun = gateway.spawn("one", {
        let (latch, finished) = (latch.clone(), Arc::clone(&finished));
        on(session(1), move |ctx| async move {
            actors::Operation::run(latch.hold(session(1)), ctx).await?;
            *finished.lock().unwrap() = true;
            Ok(())
        })
    });
    latch.entered().await;
    begun.abort();
    settle().await;
    latch.open();
    gateway.ask("one", ready(session(1), ())).await.unwrap();
    assert!(*finished.lock().unwrap());
}

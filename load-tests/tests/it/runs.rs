//! Whole runs of the binary.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use crate::fake::{ANON_KEY, Fake, SERVICE_KEY, State};

async fn tenantry_load(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tenantry-load")).args(arguments).kill_on_drop(true).output().await.unwrap()
}

async fn run(fake: &Fake, scenario: &str, rest: &[&str]) -> Output {
    let mut arguments = vec!["run", scenario, "--url", &fake.url, "--key", SERVICE_KEY, "--anon-key", ANON_KEY];
    arguments.extend(["--warm-up", "0", "--duration", "0.3", "--no-report"]);
    arguments.extend(rest);
    tenantry_load(&arguments).await
}

fn report(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    one_run(output)
}

/// The only run of a report.
fn one_run(output: &Output) -> Value {
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["runs"].as_array().unwrap().len(), 1);
    report["runs"][0].take()
}

fn operation<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["operations"].as_array().unwrap().iter().find(|row| row["operation"] == name).unwrap()
}

#[tokio::test]
async fn refreshes_form_chains_and_every_user_is_removed() {
    let fake = Fake::start(State::default()).await;
    let pid = std::process::id().to_string();
    let rest = [
        "--clients",
        "4",
        "--users",
        "2",
        "-o",
        "sign-in-share=0.2",
        "-o",
        "user-read-share=0",
        "-o",
        "sign-out-share=0",
        "--pid",
        &pid,
        "--json",
    ];
    let report = report(&run(&fake, "sign-in-and-refresh", &rest).await);

    let state = fake.state();
    assert_eq!(state.wrong, Vec::<String>::new());
    assert_eq!((state.created, state.users.len()), (2, 0));
    assert_eq!(report["errors"], 0);
    assert_eq!(operation(&report, "refresh")["requests"], state.refreshes);
    assert_eq!(operation(&report, "sign-in")["requests"], state.sign_ins - 4, "but for those before the measurement");
    let share = (state.sign_ins - 4) as f64 / report["requests"].as_f64().unwrap();
    assert!((0.1..=0.25).contains(&share), "{share}");
    assert_eq!(report["processes"][0]["pid"], std::process::id());
    assert!(report["processes"][0]["resident_mb_after"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn an_open_loop_sends_what_it_was_told_to() {
    let fake = Fake::start(State::default()).await;
    let report = report(&run(&fake, "user-read", &["--rate", "100", "--clients", "5", "--json"]).await);
    let total = report["requests"].as_u64().unwrap() + report["missed"].as_u64().unwrap();
    assert!((29..=31).contains(&total), "{report}");
    let state = fake.state();
    assert_eq!(state.reads as u64, report["requests"].as_u64().unwrap());
    assert_eq!((state.sign_ins, state.created, state.users.len()), (5, 5, 0));
}

#[tokio::test]
async fn people_get_a_table() {
    let fake = Fake::start(State::default()).await;
    let output = run(&fake, "user-read", &["--clients", "1"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("closed loop, 1 clients, 1 users") && text.contains("p99.9 ms"), "{text}");
    assert!(!text.contains(SERVICE_KEY) && !text.contains(ANON_KEY), "{text}");
}

#[tokio::test]
async fn a_crossed_threshold_exits_3_and_removes_the_users() {
    let fake = Fake::start(State::default()).await;
    let output = run(&fake, "user-read", &["--clients", "1", "--fail-on", "user-read.p99<0.001ms"]).await;
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("user-read.p99<0.001ms did not hold"));
    assert_eq!(fake.state().users.len(), 0);
}

#[tokio::test]
async fn nothing_but_errors_exits_1_and_names_them() {
    let fake = Fake::start(State { busy: true, ..State::default() }).await;
    let output = run(&fake, "user-read", &["--clients", "1", "--json"]).await;
    assert_eq!(output.status.code(), Some(1));
    let report = one_run(&output);
    assert_eq!(operation(&report, "user-read")["errors_by_status"]["503"], report["requests"]);
    assert_eq!(fake.state().users.len(), 0);
}

#[tokio::test]
async fn users_that_were_created_are_removed_when_others_cannot_be() {
    let fake = Fake::start(State { room: Some(3), ..State::default() }).await;
    let output = run(&fake, "user-read", &["--clients", "6"]).await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("the users cannot be created: 422 email_exists"), "{text}");
    let state = fake.state();
    assert_eq!((state.created, state.users.len()), (3, 0));
}

/// Interrupts a long run once it has read ten times.
async fn interrupted(fake: &Fake, rest: &[&str]) -> Value {
    let child = Command::new(env!("CARGO_BIN_EXE_tenantry-load"))
        .args(["run", "user-read", "--url", &fake.url, "--key", SERVICE_KEY, "--anon-key", ANON_KEY])
        .args(["--warm-up", "0", "--duration", "1000", "--no-report", "--json"])
        .args(rest)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    while fake.state().reads < 10 {
        tokio::task::yield_now().await;
    }
    let interrupt = Command::new("kill").args(["-INT", &child.id().unwrap().to_string()]).status().await.unwrap();
    assert!(interrupt.success());
    report(&child.wait_with_output().await.unwrap())
}

#[tokio::test]
async fn an_interrupt_ends_the_run_with_a_report_and_without_users() {
    let fake = Fake::start(State::default()).await;
    let report = interrupted(&fake, &[]).await;
    assert!(report["requests"].as_u64().unwrap() >= 10);
    assert_eq!(fake.state().users.len(), 0);
}

#[tokio::test]
async fn people_who_think_go_through_journeys_that_are_all_counted() {
    let fake = Fake::start(State::default()).await;
    let rest = ["--clients", "3", "--think-time", "0..0.01", "--hatch-rate", "1000", "--json"];
    let report = report(&run(&fake, "user-read", &rest).await);
    let state = fake.state();
    assert_eq!(state.wrong, Vec::<String>::new());
    assert!(report["requests"].as_u64().unwrap() > 3, "{report}");
    assert_eq!((state.reads as u64, &report["errors"]), (report["requests"].as_u64().unwrap(), &Value::from(0)));
    assert_eq!((state.sign_ins, state.created, state.users.len()), (3, 3, 0));
}

#[tokio::test]
async fn an_interrupt_ends_a_run_of_people_who_think() {
    let fake = Fake::start(State::default()).await;
    let report = interrupted(&fake, &["--think-time", "0..0.01", "--clients", "2"]).await;
    assert!(report["requests"].as_u64().unwrap() >= 10);
    assert_eq!(fake.state().users.len(), 0);
}

#[tokio::test]
async fn people_who_think_have_no_rate() {
    let fake = Fake::start(State::default()).await;
    let output = run(&fake, "user-read", &["--rate", "5", "--think-time", "1"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--think-time is for closed loops"));
    assert_eq!(fake.state().created, 0);
}

#[tokio::test]
async fn the_scenarios_are_listed() {
    let output = tenantry_load(&["list", "--json"]).await;
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"sign-in-and-refresh") && names.contains(&"attack-mix"), "{names:?}");
    assert!(list[0]["tables"].is_array() && list[0]["needs_gateway"].is_boolean(), "{list}");
}

#[tokio::test]
async fn a_server_that_is_not_there_exits_1() {
    let output = tenantry_load(&["run", "user-read", "--url", "http://127.0.0.1:9", "--key", "k"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no connection"));
}

#[tokio::test]
async fn a_host_of_strangers_is_refused_before_anything_is_sent() {
    let output = tenantry_load(&["run", "user-read", "--url", "http://192.0.2.1", "--key", "k"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--i-own-this-host"));
}

#[tokio::test]
async fn a_file_is_a_scenario_and_a_run_can_be_repeated() {
    let fake = Fake::start(State::default()).await;
    let mix = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/mix.toml");
    let output = run(&fake, mix, &["--repeat", "2", "--json"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["scenario"], report["runs"].as_array().unwrap().len()), (&Value::from("mix"), 2));
    let state = fake.state();
    assert_eq!(state.wrong, Vec::<String>::new());
    assert_eq!((state.created, state.users.len()), (4, 0), "two users for each run, and all are gone");
    assert!(state.reads > state.refreshes && state.refreshes > 0);
}

//! What a project in memory costs.

use actors::{Lane, Limits};

use crate::support::{Gateway, ready, session, settle};

/// Resident bytes of this process.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
#[ignore = "measures the process: run it alone"]
async fn a_warm_project_costs_little_and_a_session_in_use_not_much_more() {
    const PROJECTS: u64 = 5000;
    let gateway = Gateway::start(Limits::default()).await;
    let names: Vec<String> = (0..PROJECTS).map(|number| format!("p{number:04}")).collect();
    for name in &names {
        gateway.source.create(name);
    }
    gateway.settings("p0000").await.unwrap();
    let before = resident();
    for name in &names {
        gateway.ask(name, ready(Lane::Task, ())).await.unwrap();
    }
    settle().await;
    let warm = (resident() - before) / PROJECTS;
    for name in &names {
        gateway.ask(name, ready(session(1), ())).await.unwrap();
    }
    settle().await;
    let in_use = (resident() - before) / PROJECTS;
    println!("{warm} bytes a warm project, {in_use} with a session in use");
    assert!(warm < 24 * 1024, "{warm}");
    assert!(in_use < 56 * 1024, "{in_use}");
    assert_eq!(gateway.handle.stats().resident_tenants, PROJECTS);
}

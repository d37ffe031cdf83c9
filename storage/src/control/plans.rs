//! How the databases find what the control store is asked for: no statement may look at all projects, however many there are.

use sqlx::{AssertSqlSafe, PgPool, Row as _, SqlitePool};

use crate::backend::Access;
use crate::control::ControlStore;
use crate::database::Placement;
use crate::pools::Pools;
use crate::server_database::{ServerDatabase, pool};
use crate::sql::Listed;
use crate::sql::tests::LISTS;

/// Lists of what is never many: operators and gateways.
const FEW: &[(&str, &str)] = &[
    ("control/gateways.rs", "LIST"),
    ("control/gateways.rs", "BEHIND"),
    ("control/gateways.rs", "FORGET"),
    ("control/operator_tokens.rs", "LIST"),
    ("control/operator_tokens.rs", "LOCK_OWNERS"),
    ("control/operator_tokens.rs", "REVOKE"),
];

/// What must come in the order of an index, so that the last page costs what the first does.
const IN_ORDER: &[(&str, &str)] = &[
    ("control/list_projects.rs", "PAGE"),
    ("control/list_projects.rs", "OF_REF"),
    ("control/list_projects.rs", "OF_NAME_NEAR"),
    ("control/configs.rs", "LATEST"),
    ("control/configs.rs", "HISTORY"),
    ("control/events.rs", "AFTER"),
    ("control/leftovers.rs", "DUE"),
    ("control/life.rs", "CLAIM_PURGES"),
    ("control/moves.rs", "STALE"),
    ("control/moves.rs", "COPIES"),
    ("control/operator_log.rs", "PAGE"),
    ("control/operator_log.rs", "PAGE_OF_PROJECT"),
    ("control/operator_log.rs", "PAGE_OF_REF"),
    ("control/sweeps.rs", "CLAIM"),
];

fn statements() -> impl Iterator<Item = (&'static str, &'static Listed)> {
    LISTS
        .iter()
        .filter(|(file, _)| file.starts_with("control/"))
        .flat_map(|(file, list)| list.iter().map(move |listed| (*file, listed)))
        .filter(|(file, listed)| !FEW.contains(&(file, listed.name)))
}

/// Projects with what each has, by statements of which `$dialect` says how ids and numbers are made.
fn filling(postgres: bool) -> Vec<String> {
    let (numbers, id, at, flag) = if postgres {
        (
            "from generate_series(1, 3000) as n",
            "lpad(to_hex(n), 32, '0')::uuid",
            "timestamptz 'epoch' + n * interval '1 minute'",
            "true",
        )
    } else {
        (
            "from (with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 3000) \
             select n from numbers)",
            "unhex(printf('%032x', n))",
            "strftime('%Y-%m-%dT%H:%M:%S', n * 60, 'unixepoch') || '.000000Z'",
            "1",
        )
    };
    [
        format!(
            "insert into control.projects (id, ref, instance_id, name, search_name, status, profile, legacy_keys_enabled, created_at, \
                 updated_at, sweep_at, purge_at) \
             select {id}, 'project-' || n, {id}, 'Project', 'project ' || n, \
                 case n % 10 when 0 then 'paused' when 1 then 'deleting' else 'active' end, 'compat', {flag}, {at}, {at}, {at}, {at} {numbers}"
        ),
        format!("insert into control.config_versions (project_id, version, config, created_at) select {id}, 1, '{{}}', {at} {numbers}"),
        format!(
            "insert into control.api_keys (project_id, id, name, kind, hash, prefix, sealed, expires_at, created_at, updated_at) \
             select {id}, {id}, 'default', 'secret', 'hash' || n, 'sb', 'x', {at}, {at}, {at} {numbers}"
        ),
        format!(
            "insert into control.signing_keys (project_id, id, algorithm, status, sealed, promote_at, created_at, updated_at) \
             select {id}, {id}, 'ES256', 'standby', 'x', {at}, {at}, {at} {numbers}"
        ),
        format!("insert into control.secrets (project_id, name, sealed, updated_at) select {id}, 'jwt', 'x', {at} {numbers}"),
        format!("insert into control.key_marks (mark, project_id) select 'mark' || n, {id} {numbers}"),
        format!("insert into control.events (project_id, kind, created_at) select {id}, 'config', {at} {numbers}"),
        format!(
            "insert into control.domains (project_id, host, status, created_at, updated_at) \
             select {id}, 'host' || n, 'active', {at}, {at} {numbers}"
        ),
        format!(
            "insert into control.operator_log (at, token_name, action, project_id, project_ref) \
             select {at}, 'x', 'x', {id}, 'project-' || n {numbers}"
        ),
        format!(
            "insert into control.moves (project_id, id, placement, source, max_pause, phase, rows, started_at, updated_at) \
             select {id}, {id}, 'gateway', 'gateway', 1, 'copying', 0, {at}, {at} {numbers}"
        ),
        format!(
            "insert into control.leftovers (id, project_id, project_ref, instance_id, placement, due_at, created_at) \
             select {id}, {id}, 'project-' || n, {id}, 'gateway', {at}, {at} {numbers}"
        ),
        format!(
            "insert into control.imports (id, project_id, header, next_line, created_at, updated_at) \
             select {id}, {id}, '{{}}', 1, {at}, {at} {numbers}"
        ),
    ]
    .into()
}

/// How many parameters a statement has.
fn parameters(sql: &str) -> usize {
    (1..=20).rev().find(|number| sql.contains(&format!("${number}"))).unwrap_or(0)
}

async fn explain_postgres(pool: &PgPool, file: &str, sql: &'static str) -> String {
    let mut connection = pool.acquire().await.unwrap();
    // As the transaction of a search sets it.
    let before = if file.ends_with("list_projects.rs") { "set local enable_sort = off;" } else { "" };
    let prepare = format!("begin; {before} prepare measured as {sql}");
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
    let nothing = vec!["null"; parameters(sql)].join(", ");
    let execute = if nothing.is_empty() { "measured".to_owned() } else { format!("measured({nothing})") };
    let explain = format!("explain (costs off) execute {execute}");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *connection).await.unwrap();
    sqlx::raw_sql("rollback; deallocate measured").execute(&mut *connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

async fn explain_sqlite(pool: &SqlitePool, sql: &'static str) -> Vec<String> {
    let rows = sqlx::raw_sql(AssertSqlSafe(format!("explain query plan {sql}"))).fetch_all(pool).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(3)).collect()
}

/// Whether a column has two bounds below. SQLite begins at one of them, and reads and drops what lies before the other.
fn begins_twice(sql: &str) -> bool {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let mut bounded: Vec<&str> = words
        .windows(3)
        .filter_map(|words| match words {
            [column, ">" | ">=", bound] if bound.starts_with('$') => Some(*column),
            _ => None,
        })
        .collect();
    let all = bounded.len();
    bounded.sort_unstable();
    bounded.dedup();
    bounded.len() < all
}

/// Why a plan of PostgreSQL looks at more than it is asked for.
fn postgres_reads_all(plan: &str) -> Option<&'static str> {
    let lines: Vec<&str> = plan.lines().collect();
    if plan.contains("Seq Scan") {
        return Some("it reads the table");
    }
    let whole = lines.iter().enumerate().any(|(at, line)| {
        let indented = |line: &str| line.len() - line.trim_start().len();
        let scans = line.contains("Index Scan") || line.contains("Index Only Scan");
        let details =
            lines.iter().skip(at + 1).take_while(|below| indented(below) > indented(line) && !below.contains("->"));
        scans && !details.into_iter().any(|below| below.trim_start().starts_with("Index Cond:"))
    });
    whole.then_some("it reads an index from end to end")
}

#[tokio::test]
async fn sqlite_never_looks_at_all_projects() {
    let folder = tempfile::tempdir().unwrap();
    let control = ControlStore::connect(&Placement::Sqlite { file: folder.path().join("control.db") }).await.unwrap();
    control.migrate().await.unwrap();
    let Access::Always(Pools::Sqlite { read, write }) = &control.backend.core.access else { panic!("not on SQLite") };
    for filling in filling(false) {
        sqlx::raw_sql(AssertSqlSafe(filling)).execute(write).await.unwrap();
    }
    for (file, listed) in statements().filter(|(_, listed)| !listed.sql.sqlite.is_empty()) {
        assert!(!begins_twice(listed.sql.sqlite), "{file} {}: two bounds below", listed.name);
        let plan = explain_sqlite(read, listed.sql.sqlite).await;
        // What was found already, and what came with the question, is read from end to end.
        let harmless = ["VIRTUAL TABLE", "CONSTANT ROW", "SCAN u", "SCAN f", "SCAN a", "SCAN b"];
        let near = (file, listed.name) == ("control/list_projects.rs", "OF_NAME_NEAR");
        for step in plan.iter().filter(|step| step.starts_with("SCAN")) {
            let harmless = harmless.iter().any(|harmless| step.contains(harmless)) || near && step == "SCAN near";
            assert!(harmless, "{file} {}: {plan:#?}", listed.name);
        }
        if IN_ORDER.contains(&(file, listed.name)) {
            assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{file} {}: {plan:#?}", listed.name);
        }
    }
    control.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn postgres_never_looks_at_all_projects() {
    let server = ServerDatabase::create("control_plans").await;
    let control = ControlStore::connect(&server.placement).await.unwrap();
    control.migrate().await.unwrap();
    let pool = pool(&control.backend);
    let outcome = tokio::spawn(async move {
        for filling in filling(true) {
            sqlx::raw_sql(AssertSqlSafe(filling)).execute(&pool).await.unwrap();
        }
        sqlx::raw_sql("vacuum analyze").execute(&pool).await.unwrap();
        for (file, listed) in statements().filter(|(_, listed)| !listed.sql.postgres.is_empty()) {
            let plan = explain_postgres(&pool, file, listed.sql.postgres).await;
            println!("-- {file} {}\n{plan}\n", listed.name);
            assert_eq!(postgres_reads_all(&plan), None, "{file} {}:\n{plan}", listed.name);
            if IN_ORDER.contains(&(file, listed.name)) {
                assert!(!plan.contains("Sort"), "{file} {}:\n{plan}", listed.name);
            }
        }
    })
    .await;
    control.close().await;
    server.remove().await;
    outcome.unwrap();
}

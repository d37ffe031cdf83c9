//! How the databases find what can be large: each statement here must go through the index that was made for it.
//!
//! `TENANTRY_TEST_USERS` says how many users one project has (20,000 unless told): with 1,000,000 and `--nocapture` the tests measure.

use std::env;
use std::time::Instant;

use sqlx::{AssertSqlSafe, PgPool, Row as _, SqlitePool};

use crate::backend::Access;
use crate::database::{Database, Placement};
use crate::pools::Pools;
use crate::server_database::{ServerDatabase, pool};
use crate::sql::Listed;

const PROJECT: &str = "11111111-1111-1111-1111-111111111111";
/// A user with 10,000 sessions, half of them used again after their beginning.
const BUSY: &str = "'22222222-2222-2222-2222-222222222222'";
/// The instant at which user number 0 was made, as a Unix time; each further one half a minute later.
const BEGIN: i64 = 1_700_000_000;

fn users() -> i64 {
    env::var("TENANTRY_TEST_USERS").map_or(20_000, |users| users.parse().unwrap())
}

/// A statement, what its parameters are, and what its plan must and must not say.
struct Case {
    what: String,
    list: &'static [Listed],
    name: &'static str,
    /// Literals of PostgreSQL, after the project.
    arguments: Vec<String>,
    /// What the transaction of a search sets.
    before: &'static str,
    must: (&'static str, &'static str),
}

impl Case {
    fn new(what: &str, list: &'static [Listed], name: &'static str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { what: what.to_owned(), list, name, arguments, before: "", must: ("", "") }
    }

    fn near(self) -> Self {
        Self { before: "set local random_page_cost = 1.1", ..self }
    }

    fn by_value(self) -> Self {
        Self { before: "set local plan_cache_mode = force_custom_plan", ..self }
    }

    fn in_order(self) -> Self {
        Self { before: "set local enable_sort = off", ..self }
    }

    fn through(self, postgres: &'static str, sqlite: &'static str) -> Self {
        Self { must: (postgres, sqlite), ..self }
    }

    fn sql(&self) -> crate::sql::Sql {
        self.list.iter().find(|listed| listed.name == self.name).unwrap().sql
    }
}

fn at(number: i64) -> String {
    let at = domain::time::Timestamp::from_unix(BEGIN + 30 * number);
    at.utc().format("'%Y-%m-%dT%H:%M:%S%.6fZ'").to_string()
}

fn cases() -> Vec<Case> {
    let users = users();
    let (deep, middle) = ((users - 100).to_string(), at(users / 2));
    let aud = "'authenticated'";
    let nobody = "'00000000-0000-0000-0000-000000000000'";
    let page = "Index Only Scan using users_page_idx";
    let back = "Index Only Scan Backward using users_page_idx";
    let covering = "USING COVERING INDEX users_page_idx (instance_id=? AND aud=?)";
    let sought = "users_search_idx";
    let list = crate::list_users::STATEMENTS;
    let audit = crate::list_audit::STATEMENTS;
    let sweep = crate::sweep_project::STATEMENTS;
    let (sessions, raises) = (crate::list_sessions::STATEMENTS, crate::raise_session::STATEMENTS);
    let ends = crate::revocations::STATEMENTS;
    let (of_user, user) = ("user_id_", "(instance_id=? AND user_id=?)");
    let (numbered, number) = ("session_revocations_seq_key", "sqlite_autoindex_session_revocations_1");
    let old = at(5);
    let (identities, emails) = (crate::identities::STATEMENTS, "'[\"user17@example.com\", \"user18@example.com\"]'");
    let subjects = ("identities_provider_id_provider_unique", "(instance_id=? AND provider_id=?)");
    let batch = |more: &str| format!("'[[\"{PROJECT}\", \"{PROJECT}\", {more}]]'");
    let (pairs, turns) = (batch(&format!("\"{PROJECT}\"")), batch("1, 2, null, null, \"\""));
    vec![
        Case::new("number of users", list, "COUNT", &[aud]).near().through(page, covering),
        Case::new("first page", list, "NEWEST", &[aud, "50", "0"]).near().through(back, covering),
        Case::new("deep page", list, "NEWEST", &[aud, "50", &deep]).near().through(back, covering),
        Case::new("deep page, oldest first", list, "OLDEST", &[aud, "50", &deep]).near().through(page, covering),
        Case::new("page after a user", list, "EARLIER", &[aud, &middle, nobody, "50"])
            .through(back, "USING COVERING INDEX users_page_idx (instance_id=? AND aud=? AND"),
        Case::new("page after a user, oldest first", list, "LATER", &[aud, &middle, nobody, "50"])
            .through(page, "USING COVERING INDEX users_page_idx (instance_id=? AND aud=? AND"),
        Case::new("number, rare filter", list, "COUNT_MATCHING", &[aud, "'%r17.%'", "'*r17.*'"])
            .by_value()
            .through(sought, covering),
        Case::new("page, rare filter", list, "NEWEST_MATCHING", &[aud, "'%r17.%'", "'*r17.*'", "50", "0"])
            .by_value()
            .through(sought, covering),
        Case::new("page, nobody matches", list, "NEWEST_MATCHING", &[aud, "'%nobody%'", "'*nobody*'", "50", "0"])
            .by_value()
            .through(sought, covering),
        Case::new("number, a quarter matches", list, "COUNT_MATCHING", &[aud, "'%@q1%'", "'*@q1*'"])
            .by_value()
            .through("users_", covering),
        Case::new("page, a quarter matches", list, "NEWEST_MATCHING", &[aud, "'%@q1%'", "'*@q1*'", "50", "0"])
            .by_value()
            .through("users_page_idx", covering),
        Case::new("number, two letters", list, "COUNT_MATCHING", &[aud, "'%q1%'", "'*q1*'"])
            .by_value()
            .through("users_", covering),
        Case::new(
            "page after a user, rare filter",
            list,
            "EARLIER_MATCHING",
            &[aud, "'%r17.%'", "'*r17.*'", &middle, nobody, "50"],
        )
        .by_value()
        .through(sought, "USING COVERING INDEX users_page_idx"),
        Case::new("accounts about to change to a number", crate::users::STATEMENTS, "FIND_BY_PHONE_CHANGE", &["'49'"])
            .through("users_phone_change_idx", "users_phone_change_idx"),
        Case::new("number of audit entries", audit, "COUNT", &[])
            .near()
            .through("Index Only Scan", "USING COVERING INDEX"),
        Case::new("audit, first page", audit, "NEWEST", &["50", "0"])
            .through("audit_logs_instance_id_created_at_idx", "audit_logs_instance_id_created_at_idx"),
        Case::new("audit, matching", audit, "NEWEST_MATCHING", &["'action'", "'%login%'", "50", "0"])
            .in_order()
            .through("audit_logs_instance_id_created_at_idx", "audit_logs_instance_id_created_at_idx"),
        Case::new("audit, number of matching", audit, "COUNT_MATCHING", &["'action'", "'%rare%'"])
            .in_order()
            .through("audit_logs_instance_id", "audit_logs_instance_id"),
        Case::new("sweep of one-time tokens", sweep, "ONE_TIME_TOKENS", &[&old, "100"])
            .through("one_time_tokens_created_at_idx", "one_time_tokens_created_at_idx"),
        Case::new("sweep of factors", sweep, "FACTORS", &[&old, "100"])
            .through("mfa_factors_unverified_created_at_idx", "mfa_factors_unverified_created_at_idx"),
        Case::new("sweep of anonymous users", sweep, "ANONYMOUS_USERS", &[&old, "100"])
            .through("users_anonymous_created_at_idx", "users_anonymous_created_at_idx"),
        Case::new("sweep of sessions begun", sweep, "SESSIONS_BEGUN", &[&old, "100"])
            .through("sessions_created_at_idx", "sessions_created_at_idx"),
        Case::new("sweep of idle sessions", sweep, "SESSIONS_IDLE", &[&old, "100"])
            .through("sessions_created_at_idx", "sessions_created_at_idx"),
        Case::new("sweep of audit entries", sweep, "AUDIT", &[&old, "100"])
            .through("audit_logs_instance_id_created_at_idx", "audit_logs_instance_id_created_at_idx"),
        Case::new("crossing sweep of refresh tokens", crate::sweep::STATEMENTS, "REFRESH_TOKENS", &[&old, "100"])
            .near()
            .through(
                "Index Scan using refresh_tokens_pkey on refresh_tokens gone",
                "SEARCH gone USING INTEGER PRIMARY KEY",
            ),
        Case::new("crossing sweep of sessions", crate::sweep::STATEMENTS, "SESSIONS", &[&old, "100"])
            .near()
            .through("on sessions gone", "SEARCH gone USING INDEX sqlite_autoindex_sessions_1"),
        Case::new("oldest of everything", crate::earliest::STATEMENTS, "EARLIEST", &[])
            .through("refresh_tokens_revoked_updated_at_idx", "refresh_tokens_revoked_updated_at_idx"),
        Case::new("purge of audit entries", crate::purge::STATEMENTS, "AUDIT", &["100"])
            .near()
            .through("on audit_log_entries gone", "SEARCH gone USING INDEX sqlite_autoindex_audit"),
        Case::new("purge of users", crate::purge::STATEMENTS, "USERS", &["100"])
            .near()
            .through("on users gone", "SEARCH gone USING INDEX sqlite_autoindex_users_1"),
        Case::new("page of many sessions", sessions, "LIST", &[BUSY, &old, &old, &old, &old, &old, "50", "9000"])
            .through(of_user, user),
        Case::new(
            "sessions beyond a number",
            sessions,
            "DELETE_BEYOND",
            &[BUSY, &old, &old, &old, &old, nobody, "9000"],
        )
        .through(of_user, user),
        Case::new("user agents of many sessions", sessions, "USER_AGENTS", &[BUSY, nobody, "50"])
            .through(of_user, user),
        Case::new("sessions a factor raised", raises, "DROP_FACTOR", &[BUSY, nobody, &old, "'totp'"])
            .through(of_user, user),
        Case::new("methods of a factor", raises, "DROP_FACTOR", &[BUSY, nobody, &old, "'password'"])
            .through("((instance_id = $1) AND (session_id = ANY", user),
        Case::new("low sessions", raises, "DELETE_LOW", &[BUSY, nobody]).through(of_user, user),
        Case::new("ends after a cursor", ends, "READ", &["15000", "100"]).through(numbered, number),
        Case::new("numbers of ends", ends, "NUMBER", &["1", "10000"]).through("session_revocations_unnumbered_idx", ""),
        Case::new("sweep of ends", ends, "SWEEP", &[&old, "100"]).through(numbered, number),
        Case::new("sweep of known devices", sweep, "KNOWN_DEVICES", &[&old, "100"])
            .through("known_devices_last_seen_at_idx", "known_devices_last_seen_at_idx"),
        Case::new("identity of a subject", identities, "FIND", &["'subject17'", "'google'", "'google'"])
            .through(subjects.0, subjects.1),
        Case::new("user of a subject", crate::read_user::STATEMENTS, "READ_BY_IDENTITY", &["'google'", "'subject17'"])
            .through(subjects.0, "(instance_id=? AND provider_id=? AND provider=?)"),
        Case::new("identities of addresses", identities, "BY_EMAILS", &[emails])
            .through("identities_email_idx", "identities_email_idx"),
        Case::new("users of addresses", crate::users::STATEMENTS, "BY_EMAILS", &[emails])
            .through("users_email_partial_key", "users_email_partial_key"),
        Case::new("crossing sweep of signatures", crate::sweep::STATEMENTS, "WEB3_SIGNATURES", &[&old, "100"])
            .near()
            .through("web3_signatures_expires_at_idx", "web3_signatures_expires_at_idx"),
        Case::new("signatures that go", crate::sweep::STATEMENTS, "WEB3_SIGNATURES", &[&old, "100"])
            .near()
            .through("on web3_signatures gone", "SEARCH gone USING INTEGER PRIMARY KEY"),
        Case::new("purge of signatures", crate::purge::STATEMENTS, "WEB3_SIGNATURES", &["100"])
            .near()
            .through("web3_signatures_pkey on web3_signatures gone", "SEARCH gone USING INTEGER PRIMARY KEY"),
        Case::new("many rotations", crate::rotate_on_sqlite::STATEMENTS, "ROTATE", &[&turns])
            .through("", "SEARCH s USING INDEX sqlite_autoindex_sessions_2 (instance_id=? AND id=?)\nSEARCH u EXISTS USING INDEX sqlite_autoindex_users_2"),
        Case::new("many sessions", crate::read_session::STATEMENTS, "READ_TOGETHER", &[&pairs])
            .through("", "SEARCH s USING INDEX sqlite_autoindex_sessions_2 (instance_id=? AND id=?)\nSEARCH u USING INDEX sqlite_autoindex_users_2"),
        Case::new("many users", crate::read_user::STATEMENTS, "READ_TOGETHER", &[&pairs])
            .through("", "SEARCH u USING INDEX sqlite_autoindex_users_2 (instance_id=? AND id=?)\nSEARCH s USING INDEX sqlite_autoindex_sessions_2"),
        Case::new("sweep of dead letters", sweep, "DEAD_LETTERS", &[&old, "100"])
            .through("outbox_instance_id_idx", "outbox_instance_id_idx"),
    ]
}

/// Fills a project; the address of user n holds `rN.` and one of four domains.
fn filling(postgres: bool) -> Vec<String> {
    let users = users();
    let (project, id, numbers, moment) = if postgres {
        (
            format!("'{PROJECT}'::uuid"),
            "gen_random_uuid()",
            format!("from generate_series(1, {users}) as n(n)"),
            format!("to_timestamp({BEGIN} + 30 * n)"),
        )
    } else {
        (
            format!("x'{}'", PROJECT.replace('-', "")),
            "randomblob(16)",
            format!(
                "from (with recursive n(n) as (select 1 union all select n + 1 from n where n < {users}) select n from n) as n"
            ),
            format!("strftime('%Y-%m-%dT%H:%M:%S.000000Z', {BEGIN} + 30 * n, 'unixepoch')"),
        )
    };
    let (json, name) = if postgres {
        (
            "::jsonb",
            "case when n % 2 = 0 then jsonb_build_object('full_name', 'Name' || n || ' R' || (n % 997)) else '{}' end",
        )
    } else {
        ("", "case when n % 2 = 0 then json_object('full_name', 'Name' || n || ' R' || (n % 997)) else '{}' end")
    };
    // A tenth of the ends wait for their numbers.
    let number = if postgres { format!("case when n <= {users} * 0.9 then n end") } else { "n".to_owned() };
    let kind = if postgres { "::json" } else { "" };
    let (address, digest) = if postgres {
        ("jsonb_build_object('email', 'user' || n || '@example.com')", "sha256(n::text::bytea)")
    } else {
        ("json_object('email', 'user' || n || '@example.com')", "randomblob(32)")
    };
    let refreshed = if postgres { format!("{moment} at time zone 'UTC'") } else { moment.clone() };
    let busy = if postgres { BUSY.to_owned() } else { format!("x{}", BUSY.replace('-', "")) };
    vec![
        format!(
            "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, raw_app_meta_data, raw_user_meta_data,
                 confirmation_token, recovery_token, email_change_token_new, email_change, created_at, updated_at, is_anonymous)
             select {project}, {id}, 'authenticated', 'authenticated', 'user.r' || n || '.x@q' || (n % 4) || '.example.com',
                 '$2a$10$abcdefghijklmnopqrstuvabcdefghijklmnopqrstuvabcdefghijk', '{{\"provider\": \"email\"}}'{json}, {name},
                 '', '', '', '', {moment}, {moment}, n % 100 = 0
             {numbers}"
        ),
        format!(
            "insert into auth.audit_log_entries (instance_id, id, payload, created_at)
             select {project}, {id}, '{{\"action\": \"login\", \"log_type\": \"account\", \"actor_username\": \"a@b.c\"}}'{kind}, {moment}
             {numbers}"
        ),
        format!(
            "insert into auth.sessions (instance_id, id, user_id, created_at, updated_at, refreshed_at, aal)
             select {project}, {id}, u.id, u.created_at, u.created_at, {refreshed}, 'aal1'
             from (select u.id, u.created_at, row_number() over (order by u.created_at) as n
                   from auth.users as u where u.instance_id = {project} limit 20000) as u"
        ),
        format!(
            "insert into auth.users (instance_id, id, aud, email, created_at)
             select {project}, {busy}, 'authenticated', 'busy@example.com', {moment} {numbers} where n = 1"
        ),
        format!(
            "insert into auth.sessions (instance_id, id, user_id, created_at, updated_at, refreshed_at, aal)
             select {project}, {id}, {busy}, {moment}, {moment}, case when n % 2 = 0 then {refreshed} end, 'aal1'
             {numbers} where n <= 10000"
        ),
        format!(
            "insert into auth.mfa_amr_claims (instance_id, id, session_id, created_at, updated_at, authentication_method)
             select {project}, {id}, s.id, s.created_at, s.created_at, 'password'
             from auth.sessions as s where s.instance_id = {project}"
        ),
        format!(
            "insert into auth.identities (instance_id, id, user_id, provider, provider_id, identity_data, created_at, updated_at)
             select {project}, {id}, {busy}, 'google', 'subject' || n, {address}, {moment}, {moment} {numbers}"
        ),
        format!(
            "insert into auth.web3_signatures (instance_id, digest, expires_at) select {project}, {digest}, {moment} {numbers}"
        ),
        format!(
            "insert into auth.session_revocations (instance_id, seq, session_id, user_id, at)
             select {project}, {number}, {id}, {id}, {moment} {numbers}"
        ),
        format!(
            "insert into auth.known_devices (instance_id, user_id, device, first_seen_at, last_seen_at)
             select {project}, u.id, 'Firefox', u.created_at, u.created_at from auth.users as u where u.instance_id = {project}"
        ),
        format!(
            "insert into auth.refresh_tokens (instance_id, token, user_id, session_id, revoked, created_at, updated_at)
             select {project}, 'token' || n, 'x', s.id, n % 2 = 0, s.created_at, s.created_at
             from (select s.id, s.created_at, row_number() over (order by s.created_at) as n
                   from auth.sessions as s where s.instance_id = {project}) as s"
        ),
        format!(
            "insert into auth.one_time_tokens (instance_id, id, user_id, token_type, token_hash, relates_to, created_at, updated_at)
             select {project}, {id}, u.id, 'recovery_token', 'hash' || n, 'x', {refreshed}, {refreshed}
             from (select u.id, row_number() over (order by u.created_at) as n
                   from auth.users as u where u.instance_id = {project} limit 20000) as u"
        ),
    ]
}

async fn explain_postgres(pool: &PgPool, case: &Case) -> String {
    let mut connection = pool.acquire().await.unwrap();
    let crossing = case.sql().postgres.contains("unnest($1");
    let project = if crossing { format!("{{{PROJECT}}}") } else { PROJECT.to_owned() };
    let arguments: Vec<&str> = [project.as_str()]
        .into_iter()
        .chain(case.arguments.iter().map(|argument| argument.trim_matches('\'')))
        .collect();
    let literals: Vec<String> = arguments.iter().map(|argument| format!("'{argument}'")).collect();
    // What a statement deletes comes back.
    let prepare = format!("begin; {}; prepare measured as {}", case.before, case.sql().postgres);
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
    let explain = format!("explain (analyze, costs off) execute measured({})", literals.join(", "));
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *connection).await.unwrap();
    sqlx::raw_sql("rollback; deallocate measured").execute(&mut *connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

async fn explain_sqlite(pool: &SqlitePool, case: &Case) -> String {
    let sql = case.sql().sqlite;
    // A batch is one JSON text, and says itself whose rows are meant.
    let project = if sql.contains("json_each($1)") { None } else { Some(format!("'{PROJECT}'")) };
    let arguments = project.iter().chain(&case.arguments).enumerate();
    let sql = arguments.fold(sql.to_owned(), |sql, (place, argument)| {
        let uuid: Option<uuid::Uuid> = argument.trim_matches('\'').parse().ok();
        let literal = uuid.map_or(argument.clone(), |uuid| format!("x'{}'", uuid.simple()));
        sql.replace(&format!("${}", place + 1), &literal)
    });
    let explain = format!("explain query plan {sql}");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(pool).await.unwrap();
    let mut plan = rows.iter().map(|row| row.get::<String, _>(3)).collect::<Vec<_>>().join("\n");
    if ["select", "with"].iter().any(|read| sql.trim_start().starts_with(read)) {
        let begin = Instant::now();
        let found = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap().len();
        plan += &format!("\n{found} rows in {:?}", begin.elapsed());
    }
    plan
}

#[tokio::test]
async fn sqlite_finds_large_things_through_their_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::connect(&Placement::Sqlite { file: folder.path().join("auth.db") }).await.unwrap();
    database.migrate().await.unwrap();
    let Access::Always(Pools::Sqlite { read, write }) = &database.backend.core.access else { panic!("not on SQLite") };
    for filling in filling(false) {
        sqlx::raw_sql(AssertSqlSafe(filling)).execute(write).await.unwrap();
    }
    for case in cases().iter().filter(|case| !case.sql().sqlite.is_empty()) {
        let plan = explain_sqlite(read, case).await;
        println!("-- {}\n{plan}\n", case.what);
        assert!(plan.contains(case.must.1), "{}: {plan}", case.what);
        assert!(!plan.contains("SCAN auth") && !plan.contains("SCAN x"), "{}: {plan}", case.what);
    }
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn postgres_finds_large_things_through_their_indexes() {
    let server = ServerDatabase::create("storage_plans").await;
    let database = Database::connect(&server.placement).await.unwrap();
    database.migrate().await.unwrap();
    let pool = pool(&database.backend);
    let outcome = tokio::spawn(async move {
        let mut connection = pool.acquire().await.unwrap();
        sqlx::raw_sql("set statement_timeout = 0").execute(&mut *connection).await.unwrap();
        for filling in filling(true) {
            sqlx::raw_sql(AssertSqlSafe(filling)).execute(&mut *connection).await.unwrap();
        }
        sqlx::raw_sql("vacuum analyze").execute(&mut *connection).await.unwrap();
        drop(connection);
        for case in cases().into_iter().filter(|case| !case.sql().postgres.is_empty()) {
            let plan = explain_postgres(&pool, &case).await;
            println!("-- {}\n{plan}\n", case.what);
            assert!(plan.contains(case.must.0), "{}: {plan}", case.what);
            assert!(!plan.contains("Seq Scan"), "{}: {plan}", case.what);
        }
    })
    .await;
    database.close().await;
    server.remove().await;
    outcome.unwrap();
}

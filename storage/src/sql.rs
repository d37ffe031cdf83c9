//! Statements: the SQL text of each database, and the macros that run them.
//!
//! Every statement of the crate stands in a `statements!` list. `$1` is always the project's `instance_id` (or, in a statement marked
//! `crossing`, what says which rows of which projects are meant); a test reads the lists and fails on a statement that leaves it out.

/// The text of a statement for each database.
#[derive(Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) postgres: &'static str,
    pub(crate) sqlite: &'static str,
}

/// One text for both.
pub(crate) const fn same(text: &'static str) -> Sql {
    Sql { postgres: text, sqlite: text }
}

/// PostgreSQL's text, then SQLite's.
pub(crate) const fn each(postgres: &'static str, sqlite: &'static str) -> Sql {
    Sql { postgres, sqlite }
}

/// Whose rows a statement reaches.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of one project: `$1` is its `instance_id`.
    Project,
    /// Those of several projects: lanes and sweeps.
    Crossing,
    /// None: the control store.
    Control,
}

#[cfg(test)]
pub(crate) struct Listed {
    pub(crate) scope: Scope,
    pub(crate) name: &'static str,
    pub(crate) sql: Sql,
}

/// Declares statements as constants and lists them for the test. Each is `project`, `crossing` or `control`.
macro_rules! statements {
    ($($scope:ident $name:ident = $sql:expr;)+) => {
        $(const $name: $crate::sql::Sql = $sql;)+

        #[cfg(test)]
        pub(crate) const STATEMENTS: &[$crate::sql::Listed] = &[$(
            $crate::sql::Listed { scope: $crate::sql::scope!($scope), name: stringify!($name), sql: $name },
        )+];
    };
}

#[cfg(test)]
macro_rules! scope {
    (project) => {
        $crate::sql::Scope::Project
    };
    (crossing) => {
        $crate::sql::Scope::Crossing
    };
    (control) => {
        $crate::sql::Scope::Control
    };
}
#[cfg(test)]
pub(crate) use scope;

/// Runs an attempt again while the connection it got turns out to be cut: right for reads, for BEGIN and for guarded writes only.
macro_rules! attempted {
    ($entered:expr, $attempt:expr) => {{
        let mut spare = $entered.spare_attempts();
        loop {
            $entered.count();
            match $attempt.await {
                Err(error) if spare > 0 && $crate::error::connection_lost(&error) => spare -= 1,
                outcome => break $entered.judge(outcome),
            }
        }
    }};
}

/// The same with a connection of one of the backend's pools: `retried!(backend, postgres(pool) => attempt)`, or `reader` or `writer`.
macro_rules! retried {
    ($backend:expr, $which:ident($pool:ident) => $attempt:expr) => {{
        let entered = $backend.enter().await?;
        let $pool = entered.$which()?;
        attempted!(entered, $attempt)
    }};
}

/// Fetches rows inside a transaction: `fetch!(work, fetch_optional, Row, SQL, arguments...)`.
macro_rules! fetch {
    ($work:expr, $how:ident, $row:ty, $sql:expr $(, $argument:expr)* $(,)?) => {{
        let work: &mut $crate::backend::Work = $work;
        work.count();
        match &mut work.inner {
            $crate::backend::Inner::Postgres(transaction) => {
                sqlx::query_as::<_, $row>($sql.postgres)$(.bind($argument))*.$how(&mut **transaction).await
            }
            $crate::backend::Inner::Sqlite(transaction) => {
                sqlx::query_as::<_, $row>($sql.sqlite)$(.bind($argument))*.$how(&mut **transaction).await
            }
        }
        .map_err($crate::error::StoreError::from)
    }};
}

/// Runs a write inside a transaction and answers how many rows it touched.
macro_rules! execute {
    ($work:expr, $sql:expr $(, $argument:expr)* $(,)?) => {{
        let work: &mut $crate::backend::Work = $work;
        work.count();
        match &mut work.inner {
            $crate::backend::Inner::Postgres(transaction) => sqlx::query($sql.postgres)
                $(.bind($argument))*
                .execute(&mut **transaction)
                .await
                .map(|done| done.rows_affected()),
            $crate::backend::Inner::Sqlite(transaction) => sqlx::query($sql.sqlite)
                $(.bind($argument))*
                .execute(&mut **transaction)
                .await
                .map(|done| done.rows_affected()),
        }
        .map_err($crate::error::StoreError::from)
    }};
}

/// Fetches rows without a transaction. Arguments are evaluated anew for every attempt.
macro_rules! fetch_now {
    ($backend:expr, $how:ident, $row:ty, $sql:expr $(, $argument:expr)* $(,)?) => {{
        let backend: &$crate::backend::Backend = $backend;
        if backend.is_postgres() {
            retried!(backend, postgres(pool) => sqlx::query_as::<_, $row>($sql.postgres)$(.bind($argument))*.$how(pool))
        } else {
            retried!(backend, reader(pool) => sqlx::query_as::<_, $row>($sql.sqlite)$(.bind($argument))*.$how(pool))
        }
    }};
}

/// Fetches what one write that may be repeated returns, without a transaction.
macro_rules! change_now {
    ($backend:expr, $how:ident, $row:ty, $sql:expr $(, $argument:expr)* $(,)?) => {{
        let backend: &$crate::backend::Backend = $backend;
        if backend.is_postgres() {
            retried!(backend, postgres(pool) => sqlx::query_as::<_, $row>($sql.postgres)$(.bind($argument))*.$how(pool))
        } else {
            retried!(backend, writer(pool) => sqlx::query_as::<_, $row>($sql.sqlite)$(.bind($argument))*.$how(pool))
        }
    }};
}

/// Runs one write that may be repeated, without a transaction, and answers how many rows it touched.
macro_rules! execute_now {
    ($backend:expr, $sql:expr $(, $argument:expr)* $(,)?) => {{
        let backend: &$crate::backend::Backend = $backend;
        if backend.is_postgres() {
            retried!(backend, postgres(pool) => sqlx::query($sql.postgres)$(.bind($argument))*.execute(pool))
                .map(|done| done.rows_affected())
        } else {
            retried!(backend, writer(pool) => sqlx::query($sql.sqlite)$(.bind($argument))*.execute(pool))
                .map(|done| done.rows_affected())
        }
    }};
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::{Listed, Scope, Sql};

    pub(crate) const LISTS: &[(&str, &[Listed])] = &[
        ("archive/apart.rs", crate::archive::APART_STATEMENTS),
        ("archive/tables.rs", crate::archive::STATEMENTS),
        ("audit.rs", crate::audit::STATEMENTS),
        ("control/api_keys.rs", crate::control::api_keys::STATEMENTS),
        ("control/bundle.rs", crate::control::bundle::STATEMENTS),
        ("control/changes.rs", crate::control::changes::STATEMENTS),
        ("control/configs.rs", crate::control::configs::STATEMENTS),
        ("control/domains.rs", crate::control::domains::STATEMENTS),
        ("control/events.rs", crate::control::events::STATEMENTS),
        ("control/gateways.rs", crate::control::gateways::STATEMENTS),
        ("control/holds.rs", crate::control::holds::STATEMENTS),
        ("control/imports.rs", crate::control::imports::STATEMENTS),
        ("control/key_marks.rs", crate::control::key_marks::STATEMENTS),
        ("control/life.rs", crate::control::life::STATEMENTS),
        ("control/leftovers.rs", crate::control::leftovers::STATEMENTS),
        ("control/list_projects.rs", crate::control::list_projects::STATEMENTS),
        ("control/moves.rs", crate::control::moves::STATEMENTS),
        ("control/operator_log.rs", crate::control::operator_log::STATEMENTS),
        ("control/operator_tokens.rs", crate::control::operator_tokens::STATEMENTS),
        ("control/projects.rs", crate::control::projects::STATEMENTS),
        ("control/secrets.rs", crate::control::secrets::STATEMENTS),
        ("control/settings.rs", crate::control::settings::STATEMENTS),
        ("control/signing_keys.rs", crate::control::signing_keys::STATEMENTS),
        ("control/sweeps.rs", crate::control::sweeps::STATEMENTS),
        ("control/third_party.rs", crate::control::third_party::STATEMENTS),
        ("control/totals.rs", crate::control::totals::STATEMENTS),
        ("credentials.rs", crate::credentials::STATEMENTS),
        ("custom_providers.rs", crate::custom_providers::STATEMENTS),
        ("count_users.rs", crate::count_users::STATEMENTS),
        ("dead_letters.rs", crate::dead_letters::STATEMENTS),
        ("earliest.rs", crate::earliest::STATEMENTS),
        ("end_sessions.rs", crate::end_sessions::STATEMENTS),
        ("factors.rs", crate::factors::STATEMENTS),
        ("flow_states.rs", crate::flow_states::STATEMENTS),
        ("identities.rs", crate::identities::STATEMENTS),
        ("known_devices.rs", crate::known_devices::STATEMENTS),
        ("list_audit.rs", crate::list_audit::STATEMENTS),
        ("list_sessions.rs", crate::list_sessions::STATEMENTS),
        ("list_users.rs", crate::list_users::STATEMENTS),
        ("mfa_challenges.rs", crate::mfa_challenges::STATEMENTS),
        ("one_time_tokens.rs", crate::one_time_tokens::STATEMENTS),
        ("open_session.rs", crate::open_session::STATEMENTS),
        ("outbox.rs", crate::outbox::STATEMENTS),
        ("passkeys.rs", crate::passkeys::STATEMENTS),
        ("project_sessions.rs", crate::project_sessions::STATEMENTS),
        ("promise_message.rs", crate::promise_message::STATEMENTS),
        ("purge.rs", crate::purge::STATEMENTS),
        ("raise_session.rs", crate::raise_session::STATEMENTS),
        ("read_session.rs", crate::read_session::STATEMENTS),
        ("read_user.rs", crate::read_user::STATEMENTS),
        ("recovery_codes.rs", crate::recovery_codes::STATEMENTS),
        ("refresh_tokens.rs", crate::refresh_tokens::STATEMENTS),
        ("revocations.rs", crate::revocations::STATEMENTS),
        ("rotate_on_sqlite.rs", crate::rotate_on_sqlite::STATEMENTS),
        ("rotate_session.rs", crate::rotate_session::STATEMENTS),
        ("sessions.rs", crate::sessions::STATEMENTS),
        ("sign_up.rs", crate::sign_up::STATEMENTS),
        ("soft_delete.rs", crate::soft_delete::STATEMENTS),
        ("sweep.rs", crate::sweep::STATEMENTS),
        ("sweep_project.rs", crate::sweep_project::STATEMENTS),
        ("users.rs", crate::users::STATEMENTS),
        ("web3_signatures.rs", crate::web3_signatures::STATEMENTS),
        ("webauthn_challenges.rs", crate::webauthn_challenges::STATEMENTS),
    ];

    /// Statements that reach rows of any project by design, by name; nothing else may cross without saying whose rows it means.
    const WHOLE_DATABASE: &[(&str, &str)] = &[
        ("outbox.rs", "CLAIM"),
        ("outbox.rs", "FINISH"),
        ("outbox.rs", "RETRY"),
        ("outbox.rs", "BURY"),
        ("outbox.rs", "DEPTH"),
        ("archive/apart.rs", "PUT_ASIDE"),
        ("archive/apart.rs", "FORGET_HIGHEST"),
        ("archive/apart.rs", "NOTE_HIGHEST"),
    ];

    /// Words, parameters and punctuation of a statement.
    fn tokens(sql: &str) -> Vec<String> {
        let mut tokens: Vec<String> = Vec::new();
        let mut joined = false;
        for character in sql.to_lowercase().chars() {
            let word = character.is_alphanumeric() || matches!(character, '_' | '.' | '$');
            match tokens.last_mut() {
                Some(last) if word && joined => last.push(character),
                _ if character.is_whitespace() => {}
                _ => tokens.push(character.to_string()),
            }
            joined = word;
        }
        tokens
    }

    fn is_bound(value: &str) -> bool {
        value == "$1" || value.ends_with(".instance_id")
    }

    /// Why `sql` does not keep to the rows it is given, if it does not.
    fn leak(sql: &str, scope: Scope) -> Option<String> {
        let tokens = tokens(sql);
        let text = tokens.join(" ");
        let says_whose = match scope {
            Scope::Project => {
                text.contains("instance_id = $1") || text.contains("instance_id ,") && text.contains("$1")
            }
            Scope::Crossing => ["unnest ( $1 : : uuid [ ]", "json_each ( $1 )", "instance_id = $1"]
                .iter()
                .any(|whose| text.contains(whose)),
            Scope::Control => true,
        };
        if !says_whose {
            return Some("$1 does not say whose rows".to_owned());
        }
        for (at, token) in tokens.iter().enumerate() {
            let Some(table) = token.strip_prefix("auth.") else { continue };
            let word =
                |offset: isize| at.checked_add_signed(offset).and_then(|at| tokens.get(at)).map_or("", String::as_str);
            // A cast to an enumeration.
            if word(-1) == ":" {
                continue;
            }
            if scope == Scope::Control {
                return Some(format!("the control store has no table auth.{table}"));
            }
            if word(-1) == "into" {
                let values = tokens.iter().skip(at).position(|token| token == "values" || token == "select");
                let values = values.map_or(0, |offset| offset.cast_signed());
                let value = if word(values) == "values" { word(values + 2) } else { word(values + 1) };
                if word(1) != "(" || word(2) != "instance_id" || !is_bound(value) {
                    return Some(format!("rows are added to auth.{table} without instance_id first"));
                }
                continue;
            }
            if word(1) != "as" {
                return Some(format!("auth.{table} has no alias"));
            }
            let column = format!("{}.instance_id", word(2));
            let bound = tokens
                .windows(3)
                .any(|window| window[0] == column && window[1] == "=" && is_bound(&window[2]) && window[2] != column);
            if !bound {
                return Some(format!("auth.{table} as {} is not held to its instance_id", word(2)));
            }
        }
        None
    }

    #[test]
    fn every_statement_binds_the_instance() {
        let mut leaks = Vec::new();
        for (file, statements) in LISTS {
            for Listed { scope, name, sql: Sql { postgres, sqlite } } in *statements {
                let both_empty = postgres.is_empty() && sqlite.is_empty();
                assert!(!both_empty, "{file} {name} has no text");
                if WHOLE_DATABASE.contains(&(file, name)) {
                    continue;
                }
                for text in [postgres, sqlite].into_iter().filter(|text| !text.is_empty()) {
                    leaks.extend(leak(text, *scope).map(|why| format!("{file} {name}: {why}")));
                }
            }
        }
        assert!(leaks.is_empty(), "{leaks:#?}");
    }

    #[test]
    fn a_leaking_statement_is_found() {
        let leaks = [
            "select u.id from auth.users as u where u.id = $2",
            "select u.id from auth.users where instance_id = $1",
            "select s.id from auth.sessions as s join auth.users as u on u.id = s.user_id where s.instance_id = $1",
            "insert into auth.users (id, instance_id) values ($2, $1)",
            "insert into auth.users (instance_id, id) values ($2, $1)",
            "delete from auth.sessions as s where s.id = $1",
            "update auth.users as u set email = $2 where u.instance_id = u.instance_id and u.instance_id = $2",
            "select 1 from auth.users as u where exists (select 1 from auth.sessions as s where s.user_id = u.id) and u.instance_id = $1",
        ];
        for sql in leaks {
            assert!(leak(sql, Scope::Project).is_some(), "{sql}");
        }
        let crossing =
            "select u.id from auth.users as u join unnest($1::uuid[], $2::uuid[]) as q(instance_id, id) on u.id = q.id";
        assert!(leak(crossing, Scope::Crossing).is_some());
        assert!(leak("select u.id from auth.users as u", Scope::Control).is_some());
        assert_eq!(
            leak("select u.id from auth.users as u where u.instance_id = $1 and u.id = $2", Scope::Project),
            None
        );
    }

    /// Text outside the lists would escape the test above.
    #[test]
    fn every_statement_stands_in_a_list() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        for folder in [source.clone(), source.join("archive"), source.join("control")] {
            files.extend(
                std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()),
            );
        }
        assert!(files.len() > LISTS.len());
        for path in files {
            let name = path.strip_prefix(&source).unwrap().to_str().unwrap().replace('\\', "/");
            // One sets connections up, one calls functions of the project and names no table, one explains what stands in the lists,
            // one has the database look at its tables.
            if [
                "sql.rs",
                "pools.rs",
                "call_function.rs",
                "plans.rs",
                "server_database.rs",
                "control/plans.rs",
                "archive/schema.rs",
                "statistics.rs",
            ]
            .contains(&name.as_str())
            {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let listed = LISTS.iter().any(|(file, _)| *file == name);
            assert_eq!(text.contains("statements! {"), listed, "{name} must be in LISTS exactly when it has a list");
            for (number, line) in text.lines().enumerate() {
                for call in ["sqlx::query(", "sqlx::query_as(", "sqlx::query_scalar(", "raw_sql(", "AssertSqlSafe"] {
                    let Some((_, argument)) = line.split_once(call) else { continue };
                    let constant = argument.split(['.', ')']).next().unwrap_or_default();
                    let allowed = constant == "sql" || constant.chars().all(|c| c.is_ascii_uppercase() || c == '_');
                    let lock = argument.starts_with("\"select pg_advisory_xact_lock($1)\"");
                    assert!(allowed || lock, "{name}:{}: a statement that is in no list", number + 1);
                }
            }
        }
    }
}

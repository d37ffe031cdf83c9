use serde_json::{Value, json};
use storage::{FunctionError, StoreError};

use crate::fixture::{Fixture, on_postgres};

#[tokio::test]
async fn sqlite_has_no_functions() {
    crate::fixture::on_sqlite(|f: Fixture| async move {
        let refused = f.tenant().call_function("public", "hook", &json!({})).await;
        assert!(matches!(refused, Err(FunctionError::NotAvailable)), "{refused:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_function_takes_and_answers_either_kind_of_json() {
    on_postgres(|f: Fixture| async move {
        f.write(
            "create function public.as_json(event json) returns json language sql as $$ select event $$;
             create function public.as_jsonb(event jsonb) returns jsonb language sql
                 as $$ select event || '{\"seen\": true}' $$;
             create function public.\"As_Null\"(event jsonb) returns jsonb language sql as $$ select null::jsonb $$;
             create function public.as_text(event jsonb) returns text language sql as $$ select 'no json' $$",
        )
        .await;
        let store = f.tenant();
        let input = json!({ "user_id": "x'\\\"ü", "n": 1.5 });
        assert_eq!(store.call_function("public", "as_json", &input).await.unwrap(), Some(input.clone()));
        let mut seen = input.clone();
        seen["seen"] = Value::Bool(true);
        assert_eq!(store.call_function("public", "as_jsonb", &input).await.unwrap(), Some(seen));
        assert_eq!(store.call_function("public", "As_Null", &input).await.unwrap(), None);
        let refused = store.call_function("public", "as_text", &input).await;
        assert!(matches!(refused, Err(FunctionError::NotJson)), "{refused:?}");
        for (schema, function) in
            [("public", "as_json\"("), ("", "as_json"), ("pub lic", "as_json"), ("public", "as-json")]
        {
            let refused = store.call_function(schema, function, &input).await;
            assert!(matches!(refused, Err(FunctionError::Name)), "{schema}.{function}: {refused:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn what_a_function_raises_is_told_apart() {
    on_postgres(|f: Fixture| async move {
        f.write(
            "create table public.calls (n integer unique);
             create function public.refuse(event jsonb) returns jsonb language plpgsql as $$
             begin
                 insert into public.calls values (1);
                 raise exception 'not today' using errcode = 'PT403', detail = 'some detail', hint = 'some hint';
             end $$;
             create function public.collide(event jsonb) returns jsonb language plpgsql as $$
             begin insert into public.calls values (2), (2); return '{}'; end $$;
             create function public.keep(event jsonb) returns jsonb language plpgsql as $$
             begin insert into public.calls values (3); return '{}'; end $$",
        )
        .await;
        let store = f.tenant();
        let Err(FunctionError::Raised { sqlstate, message, detail, hint }) =
            store.call_function("public", "refuse", &json!({})).await
        else {
            panic!("it raises")
        };
        assert_eq!((sqlstate.as_str(), message.as_str()), ("PT403", "not today"));
        assert_eq!((detail.as_deref(), hint.as_deref()), (Some("some detail"), Some("some hint")));
        for (function, state) in [("collide", "23505"), ("absent", "42883")] {
            let refused = store.call_function("public", function, &json!({})).await;
            assert!(matches!(&refused, Err(FunctionError::Raised { sqlstate, .. }) if sqlstate == state), "{refused:?}");
        }
        assert_eq!(store.call_function("public", "keep", &json!({})).await.unwrap(), Some(json!({})));
        assert_eq!(f.number("select sum(n) from public.calls").await, 3, "what failed left nothing");
        f.write("drop function public.keep; create function public.keep(event json) returns json language sql as $$ select '1'::json $$")
            .await;
        assert_eq!(store.call_function("public", "keep", &json!({})).await.unwrap(), Some(json!(1)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_function_may_raise_what_a_failing_server_would() {
    on_postgres(|f: Fixture| async move {
        f.write(
            "create function public.raise(event jsonb) returns jsonb language plpgsql as $$
             begin raise exception 'x' using errcode = event->>'code'; end $$;
             create function public.leave(event jsonb) returns jsonb language plpgsql as $$
             begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); return '{}'; end $$",
        )
        .await;
        let store = f.tenant();
        for code in ["40001", "40P01", "55P03", "57P01", "57P03", "08006", "53300", "25006", "23505", "22023", "P0001"]
        {
            let refused = store.call_function("public", "raise", &json!({ "code": code })).await;
            assert!(matches!(&refused, Err(FunctionError::Raised { sqlstate, .. }) if sqlstate == code), "{refused:?}");
        }
        let lost = store.call_function("public", "leave", &json!({})).await;
        assert!(matches!(lost, Err(FunctionError::Store(StoreError::Busy(_)))), "{lost:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_set_without_rows_is_no_answer() {
    on_postgres(|f: Fixture| async move {
        f.write(
            "create function public.none(event jsonb) returns setof jsonb language sql as $$ select event where false $$;
             create function public.two(event jsonb) returns setof jsonb language sql
                 as $$ values ('1'::jsonb), ('2'::jsonb) $$",
        )
        .await;
        let store = f.tenant();
        assert_eq!(store.call_function("public", "none", &json!({})).await.unwrap(), None);
        assert_eq!(store.call_function("public", "two", &json!({})).await.unwrap(), Some(json!(1)));
        store.begin().await.unwrap().commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_function_leaves_no_trace_on_its_connection() {
    on_postgres(|f: Fixture| async move {
        f.write(
            "create table public.ledger (n integer);
             create function public.change_session() returns trigger language plpgsql as $$
             begin perform set_config('my.deferred', 'left', false); return null; end $$;
             create constraint trigger late after insert on public.ledger deferrable initially deferred
                 for each row execute function public.change_session();
             create function public.spoil(event jsonb) returns jsonb language plpgsql as $$
             begin
                 insert into public.ledger values (1);
                 create temp table left_over (n integer);
                 perform pg_advisory_lock(7);
                 perform set_config('search_path', 'nowhere', false);
                 perform set_config('lock_timeout', '1', false);
                 perform set_config('role', 'pg_monitor', false);
                 if event ? 'raise' then raise exception 'no'; end if;
                 return '{}';
             end $$;
             create function public.state(event jsonb) returns jsonb language sql as $$
                 select jsonb_build_array(current_user = session_user, current_setting('search_path'), current_setting('lock_timeout'),
                     coalesce(current_setting('my.deferred', true), ''), to_regclass('pg_temp.left_over') is null,
                     (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())) $$",
        )
        .await;
        let store = f.tenant();
        for input in [json!({}), json!({ "raise": true }), json!({})] {
            // One after the other: all use the same connection.
            assert_eq!(store.call_function("public", "spoil", &input).await.is_err(), input.get("raise").is_some());
            let state = store.call_function("public", "state", &json!({})).await.unwrap();
            assert_eq!(state, Some(json!([true, "\"$user\", public", "5s", "", true, 0])), "after {input}");
            store.begin().await.unwrap().commit().await.unwrap();
        }
        assert_eq!(f.number("select count(*) from public.ledger").await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_function_that_takes_too_long_is_stopped() {
    on_postgres(|f: Fixture| async move {
        f.write(
            "create function public.hang(event jsonb) returns jsonb language plpgsql as $$
             begin perform pg_sleep(60); return '{}'; end $$;
             create function public.limit(event jsonb) returns jsonb language sql
                 as $$ select to_jsonb(current_setting('statement_timeout')) $$",
        )
        .await;
        let store = f.tenant();
        let refused = store.call_function("public", "hang", &json!({})).await;
        assert!(matches!(refused, Err(FunctionError::Timeout)), "{refused:?}");
        assert_eq!(store.call_function("public", "limit", &json!({})).await.unwrap(), Some(json!("2s")));
        // Connections go back as they were.
        f.database.ping().await.unwrap();
        let outcome = store.begin().await.unwrap().commit().await;
        assert!(!matches!(outcome, Err(StoreError::Fault(_))));
    })
    .await;
}

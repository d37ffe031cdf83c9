//! Hooks that are functions of the project's own database.

use serde_json::{Map, Value, json};
use testkit::{TestApp, TestDatabase};

use super::{claims, password_grant};
use crate::both::on_both;

on_both!(a_shared_database_runs_no_functions, a_shared_database_runs_no_functions_on_postgres, shared);
async fn shared(app: TestApp) {
    let hook = json!({
        "hook_password_verification_attempt_enabled": true,
        "hook_password_verification_attempt_uri": "pg-functions://postgres/public/check_password",
    });
    let project = app.project("hooks", hook).await;
    project.sign_up("a@example.com").await;
    let refused = password_grant(&project, "a@example.com", "correct horse").send().await.expect(500);
    let message = "Error running hook URI: pg-functions://postgres/public/check_password";
    assert_eq!((refused.error_code().as_str(), &refused.json()["msg"]), ("unexpected_failure", &json!(message)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_project_with_its_own_database_is_asked_there() {
    let app = TestApp::postgres().await;
    let own = TestDatabase::postgres().await;
    own.execute(
        "create function public.shape_token(event jsonb) returns jsonb language sql as $$
             select jsonb_build_object('claims', event->'claims' || '{\"tenant\": \"acme\"}')
         $$;
         create function public.check_password(event json) returns json language plpgsql as $$
         begin
             if event->>'valid' = 'false' then
                 raise exception 'too many tries' using errcode = 'PT429', hint = 'wait';
             end if;
             return null;
         end
         $$;
         create function public.contended(event jsonb) returns jsonb language plpgsql as $$
         begin raise exception 'not now' using errcode = '40001'; end
         $$;
         create function public.sleepy(event jsonb) returns jsonb language sql as $$
             select '{}'::jsonb from pg_sleep(30)
         $$;",
    )
    .await;
    let hook = |point: &str, function: &str| {
        let uri = format!("pg-functions://postgres/public/{function}");
        [(format!("hook_{point}_enabled"), json!(true)), (format!("hook_{point}_uri"), json!(uri))]
    };
    let hooks = [hook("custom_access_token", "shape_token"), hook("password_verification_attempt", "check_password")];
    let project = app.project_in("hooks", hooks.into_iter().flatten().collect(), Some(&own)).await;
    let session = project.sign_up("a@example.com").await;
    assert_eq!(claims(&app, &project, &session)["tenant"], "acme");
    project.sign_in("a@example.com").await;

    // Legacy clients read the function's own words, others do not.
    let wrong = || password_grant(&project, "a@example.com", "wrong");
    let raised = wrong().send().await.expect(429);
    assert_eq!(raised.json(), json!({ "code": "PT429", "message": "too many tries", "hint": "wait" }));
    let dated = wrong().header("x-supabase-api-version", "2024-01-01").send().await.expect(500);
    let message = "Error running hook URI: pg-functions://postgres/public/check_password";
    assert_eq!(dated.json(), json!({ "code": "unexpected_failure", "message": message }));

    // A function that takes too long, one that raises what a busy server would, and one that does not exist.
    for function in ["sleepy", "contended", "no_such_function"] {
        let patch: Map<String, Value> = hook("password_verification_attempt", function).into_iter().collect();
        app.management.patch_config(&project.project_ref, &patch).await.unwrap();
        let refused = password_grant(&project, "a@example.com", "correct horse").send().await.expect(500);
        let message = format!("Error running hook URI: pg-functions://postgres/public/{function}");
        assert_eq!(refused.json()["msg"], message);
    }
}

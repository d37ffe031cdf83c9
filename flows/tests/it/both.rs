//! One test, two databases.

/// Runs `$body`, an `async fn(TestApp)`, on SQLite and, where one is configured, on PostgreSQL.
macro_rules! on_both {
    ($name:ident, $on_postgres:ident, $body:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $body(testkit::TestApp::sqlite().await).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
        async fn $on_postgres() {
            $body(testkit::TestApp::postgres().await).await;
        }
    };
}

pub(crate) use on_both;

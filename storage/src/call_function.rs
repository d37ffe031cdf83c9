//! Hooks that are functions of a project's own PostgreSQL database (`contract/platform.md` §4.3).

use domain::hook::is_sql_name;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgDatabaseError, PgSeverity, PgTypeInfo, Postgres};
use sqlx::types::Json;
use sqlx::{Encode, Executor as _, Type};

use crate::backend::Inner;
use crate::database::TenantStore;
use crate::error::StoreError;

/// Leaves the session as it was before the function: what it deferred is done, and what it would hand on to whoever gets
/// the connection next is undone. Prepared statements stay, the pool counts on them.
const CLEAN: &str = "set constraints all immediate; reset session authorization; reset role; reset all; close all;
    discard temp; unlisten *; select pg_advisory_unlock_all()";
/// The same after an error, which undoes all but locks. Still in a transaction, because whoever drops it ends one.
const CLEAN_AFTER_ERROR: &str = "rollback and chain; select pg_advisory_unlock_all()";

/// Why a function gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FunctionError {
    /// The project's rows lie in SQLite.
    #[error("functions are called on PostgreSQL only")]
    NotAvailable,
    /// Schema or function is not named as the contract allows.
    #[error("not the name of a schema and a function")]
    Name,
    /// PostgreSQL refused, or the function did, whatever the SQLSTATE. The texts are the project's own.
    #[error("function raised {sqlstate}")]
    Raised {
        /// SQLSTATE.
        sqlstate: String,
        /// MESSAGE.
        message: String,
        /// DETAIL.
        detail: Option<String>,
        /// HINT.
        hint: Option<String>,
    },
    /// The function took longer than two seconds.
    #[error("function took too long")]
    Timeout,
    /// What it answered is not JSON.
    #[error("function answered no JSON")]
    NotJson,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// JSON of whatever type the function takes: `json` or `jsonb`.
struct Untyped<'v>(&'v Value);

impl Type<Postgres> for Untyped<'_> {
    fn type_info() -> PgTypeInfo {
        // `unknown`: the server takes the type from the function.
        PgTypeInfo::with_oid(Oid(705))
    }
}

impl Encode<'_, Postgres> for Untyped<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&Json(self.0), buffer)
    }
}

impl TenantStore {
    /// Calls `schema.function(input)` in a transaction of its own and answers its JSON; `None` for NULL, and for a function that
    /// returns a set without rows. Roles and settings that the function leaves set are forgotten.
    ///
    /// The function acts with the rights of this server's database user, so it must belong to whom the database belongs to: only for
    /// projects that have a database of their own, which the caller must know.
    pub async fn call_function(
        &self,
        schema: &str,
        function: &str,
        input: &Value,
    ) -> Result<Option<Value>, FunctionError> {
        if !is_sql_name(schema) || !is_sql_name(function) {
            return Err(FunctionError::Name);
        }
        let mut work = self.backend().begin_call().await?.ok_or(FunctionError::NotAvailable)?;
        let Inner::Postgres(transaction) = &mut work.inner else { return Err(FunctionError::NotAvailable) };
        let sql = format!("select \"{schema}\".\"{function}\"($1)::text");
        // Not kept prepared: the project may replace the function by one with another parameter.
        let call = sqlx::query_scalar(AssertSqlSafe(sql)).bind(Untyped(input)).persistent(false);
        let answer: Result<Option<Option<String>>, _> = call.fetch_optional(&mut **transaction).await;
        let outcome = match answer {
            Ok(answer) => transaction.execute(CLEAN).await.map(|_| answer.flatten()),
            Err(error) => Err(error),
        };
        let answer = match outcome.map_err(refusal) {
            Ok(answer) => answer,
            Err(FunctionError::Store(error)) => return Err(error.into()),
            Err(refused) => {
                transaction.execute(CLEAN_AFTER_ERROR).await.map_err(StoreError::from)?;
                return Err(refused);
            }
        };
        work.count();
        work.count();
        work.commit().await?;
        answer.map(|text| serde_json::from_str(&text).map_err(|_| FunctionError::NotJson)).transpose()
    }
}

/// Functions may raise any SQLSTATE, also those of a server that goes away; only the server itself ends a session with it.
fn refusal(error: sqlx::Error) -> FunctionError {
    let raised = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    let Some(raised) = raised.filter(|raised| !matches!(raised.severity(), PgSeverity::Fatal | PgSeverity::Panic))
    else {
        return StoreError::from(error).into();
    };
    if raised.code() == "57014" {
        return FunctionError::Timeout;
    }
    FunctionError::Raised {
        sqlstate: raised.code().to_owned(),
        message: raised.message().to_owned(),
        detail: raised.detail().map(str::to_owned),
        hint: raised.hint().map(str::to_owned),
    }
}

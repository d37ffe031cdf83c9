//! What some tables need beside their rows being copied: numbers that a database gives, messages that somebody is delivering.

use domain::time::Timestamp;

use crate::backend::Inner;
use crate::database::{Database, TenantStore};
use crate::error::Result;
use crate::sql::{each, same};
use crate::values::At;

/// Numbers that stay free between those that were just given and a block that is put aside: whoever takes one meanwhile gets none
/// of the block.
const MARGIN: i64 = 1_000_000;

statements! {
    project TOKEN_RANGE = same(
        "select min(x.id), max(x.id) from auth.refresh_tokens as x where x.instance_id = $1"
    );
    // Not rows of any project: the numbers all of them get theirs from.
    crossing PUT_ASIDE = each(
        "with begin as materialized (select nextval('auth.refresh_tokens_id_seq') + $2 as first)
         select b.first, setval('auth.refresh_tokens_id_seq', b.first + $1) from begin as b",
        "select coalesce(max(s.seq), 0) + $2, $1 from auth.sqlite_sequence as s where s.name = 'refresh_tokens'",
    );
    crossing FORGET_HIGHEST = each("", "delete from auth.sqlite_sequence where name = 'refresh_tokens'");
    crossing NOTE_HIGHEST = each("", "insert into auth.sqlite_sequence (name, seq) values ('refresh_tokens', $1)");
    project UNNUMBERED = each(
        "select exists (select 1 from auth.session_revocations as r where r.instance_id = $1 and r.seq is null)",
        "select false from (select $1 as instance_id) as r where r.instance_id = $1",
    );
    project DROP_UNNUMBERED = each(
        "delete from auth.session_revocations as r where r.instance_id = $1 and r.seq is null",
        "delete from auth.session_revocations as r where r.instance_id = $1 and r.seq is null",
    );
    project LEASE_OUTBOX = same(
        "update auth.outbox as o set leased_until = $2
         where o.instance_id = $1 and o.state = 'pending' and (o.leased_until is null or o.leased_until <= $3)"
    );
    project LEASED_ELSEWHERE = same(
        "select count(*) from auth.outbox as o
         where o.instance_id = $1 and o.state = 'pending' and o.leased_until is not null and o.leased_until <> $2"
    );
    project RETURN_OUTBOX = same(
        "update auth.outbox as o set leased_until = null where o.instance_id = $1 and o.leased_until = $2"
    );
}

impl Database {
    /// Puts a block of so many numbers of stored refresh tokens aside and answers its first: no token that is given from now on gets one
    /// of them.
    pub async fn put_token_ids_aside(&self, count: i64) -> Result<i64> {
        /// Any number, the same in every version of this program.
        const LOCK: i64 = 0x7465_6e61_6e74_696d;
        let mut work = self.backend.begin().await?;
        if let Inner::Postgres(transaction) = &mut work.inner {
            sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut **transaction).await?;
        }
        let (first, _) = fetch!(&mut work, fetch_one, (i64, i64), PUT_ASIDE, count, MARGIN)?;
        if let Inner::Sqlite(_) = work.inner {
            execute!(&mut work, FORGET_HIGHEST)?;
            execute!(&mut work, NOTE_HIGHEST, first.saturating_add(count))?;
        }
        work.commit().await?;
        Ok(first)
    }
}

impl TenantStore {
    /// The smallest and the largest number of a stored refresh token of the project.
    pub async fn token_ids(&self) -> Result<Option<(i64, i64)>> {
        let (least, most) =
            fetch_now!(self.backend(), fetch_one, (Option<i64>, Option<i64>), TOKEN_RANGE, self.instance.0)?;
        Ok(least.zip(most))
    }

    /// Gives every end of a session its number, so that all of them can be read in their order.
    pub(super) async fn number_all_revocations(&self) -> Result<()> {
        loop {
            let (left,) = fetch_now!(self.backend(), fetch_one, (bool,), UNNUMBERED, self.instance.0)?;
            if !left {
                return Ok(());
            }
            self.number_revocations().await?;
        }
    }

    /// Removes ends of sessions that have no number: those that came about where rows were only being copied.
    pub(super) async fn drop_unnumbered_revocations(&self) -> Result<u64> {
        execute_now!(self.backend(), DROP_UNNUMBERED, self.instance.0)
    }

    /// Takes all messages of the project that nobody is delivering, so that nobody begins to before `until`. Answers how many are still
    /// being delivered.
    pub async fn lease_outbox(&self, until: Timestamp, now: Timestamp) -> Result<u64> {
        execute_now!(self.backend(), LEASE_OUTBOX, self.instance.0, At(until), At(now))?;
        let (busy,) = fetch_now!(self.backend(), fetch_one, (i64,), LEASED_ELSEWHERE, self.instance.0, At(until))?;
        Ok(busy.unsigned_abs())
    }

    /// Gives back what [`TenantStore::lease_outbox`] took.
    pub async fn return_outbox(&self, until: Timestamp) -> Result<()> {
        execute_now!(self.backend(), RETURN_OUTBOX, self.instance.0, At(until)).map(|_| ())
    }
}

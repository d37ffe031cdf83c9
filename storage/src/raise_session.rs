//! Raising sessions by a second factor and lowering them when it goes (`contract/mfa-passkeys-oauth.md` §1.6, §1.7).

use domain::ids::{FactorId, SessionId, UserId};
use domain::session::Session;
use domain::time::Timestamp;
use uuid::Uuid;

use crate::backend::Inner;
use crate::error::Result;
use crate::rows::SessionRow;
use crate::sessions::Sessions;
use crate::sql::{each, same};
use crate::values::At;

/// Of the session `$session`, where no method but `$3` proves a second factor (`AmrEntry::is_second_factor`), nothing is left to be
/// raised by.
macro_rules! level_without {
    ($session:literal) => {
        concat!(
            "case when exists (
                 select 1 from auth.mfa_amr_claims as o
                 where o.instance_id = $1 and o.session_id = ",
            $session,
            ".id and o.authentication_method <> $3
                     and o.authentication_method in ('totp', 'mfa/phone', 'mfa/webauthn', 'mfa/recovery_code')
             ) then ",
            $session,
            ".aal else 'aal1' end"
        )
    };
}

statements! {
    // A statement does not see what it writes: the methods are what was there, but for the one that was just written.
    project RAISE = each(
        concat!(
            "with raised as (
                 update auth.sessions as s
                 set aal = 'aal2', factor_id = coalesce($3, s.factor_id),
                     refresh_token_counter = s.refresh_token_counter + $4,
                     raised_from = coalesce(s.refresh_token_counter + $4, s.raised_from), updated_at = $5
                 where s.instance_id = $1 and s.id = $2
                 returning s.*
             ), method as (
                 insert into auth.mfa_amr_claims (instance_id, id, session_id, created_at, updated_at, authentication_method)
                 select r.instance_id, $6, r.id, $5, $5, $7 from raised as r
                 on conflict (instance_id, session_id, authentication_method) do update set updated_at = excluded.updated_at
                 returning id, authentication_method, updated_at
             ), methods as (
                 select o.id, o.authentication_method, o.updated_at from auth.mfa_amr_claims as o
                 where o.instance_id = $1 and o.session_id = $2 and o.authentication_method <> $7
                 union all
                 select m.id, m.authentication_method, m.updated_at from method as m
             )
             select ", bare_session!(postgres), ",
                 (select json_agg(json_build_object('method', a.authentication_method, 'at', a.updated_at)
                      order by a.updated_at desc, a.id) from methods as a) as session_amr
             from raised as s"
        ),
        "update auth.sessions as s
         set aal = 'aal2', factor_id = coalesce($3, s.factor_id),
             refresh_token_counter = s.refresh_token_counter + $4,
             raised_from = coalesce(s.refresh_token_counter + $4, s.raised_from), updated_at = $5
         where s.instance_id = $1 and s.id = $2",
    );
    project RAISED_FROM = same(
        "update auth.sessions as s set raised_from = $3
         where s.instance_id = $1 and s.id = $2 and s.refresh_token_counter is null"
    );
    project DELETE_LOW = same(
        "delete from auth.sessions as s
         where s.instance_id = $1 and s.user_id = $2 and s.id <> $3 and s.aal < 'aal2' returning id"
    );
    // Rows are locked in the order of their ids, as the rotation lane does.
    project DROP_FACTOR = each(
        "with target as (
             select x.id from auth.sessions as x
             where x.instance_id = $1 and x.user_id = $2 and x.factor_id = $3
             order by x.id
             for update
         ), lowered as (
             update auth.sessions as s set aal = 'aal1', factor_id = null, updated_at = $4
             from target as t where s.instance_id = $1 and s.id = t.id
             returning s.id
         ), forgotten as (
             delete from auth.mfa_amr_claims as a
             where a.instance_id = $1 and a.session_id = any(array(select t.id from target as t))
                 and a.authentication_method = $5
         )
         select l.id from lowered as l",
        "update auth.sessions as s set aal = 'aal1', factor_id = null, updated_at = $4
         where s.instance_id = $1 and s.user_id = $2 and s.factor_id = $3
         returning id",
    );
    project DROP_METHOD = each(
        concat!(
            "with target as (
                 select x.id from auth.sessions as x
                 where x.instance_id = $1 and x.user_id = $2 and exists (
                     select 1 from auth.mfa_amr_claims as h
                     where h.instance_id = $1 and h.session_id = x.id and h.authentication_method = $3
                 )
                 order by x.id
                 for update
             ), lowered as (
                 update auth.sessions as s set aal = ", level_without!("s"), ", updated_at = $4
                 from target as t where s.instance_id = $1 and s.id = t.id
                 returning s.id
             ), forgotten as (
                 delete from auth.mfa_amr_claims as a
                 where a.instance_id = $1 and a.session_id = any(array(select t.id from target as t))
                     and a.authentication_method = $3
             )
             select l.id from lowered as l"
        ),
        concat!(
            "update auth.sessions as s set aal = ", level_without!("s"), ", updated_at = $4
             where s.instance_id = $1 and s.user_id = $2 and exists (
                 select 1 from auth.mfa_amr_claims as h
                 where h.instance_id = $1 and h.session_id = s.id and h.authentication_method = $3
             )
             returning id"
        ),
    );
    project FORGET_METHOD = each(
        "",
        "delete from auth.mfa_amr_claims as a
         where a.instance_id = $1 and a.session_id = $2 and a.authentication_method = $3",
    );
}

impl Sessions<'_> {
    /// Raises a session to the second level: the method is stored or renewed, the counter of session-bound tokens moves on by
    /// `counter_step` and the session is raised from there on, and `factor`, where there is one, is what a later end of the factor
    /// finds it by. `None` when it is over. With stored tokens, [`Sessions::raised_from`] belongs to it.
    pub async fn raise(
        &mut self,
        session: SessionId,
        factor: Option<FactorId>,
        method: &str,
        amr_id: Uuid,
        counter_step: i64,
        now: Timestamp,
    ) -> Result<Option<Session>> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let factor = factor.map(|factor| factor.0);
        if let Inner::Postgres(transaction) = &mut work.inner {
            let row: Option<SessionRow> = sqlx::query_as(RAISE.postgres)
                .bind(instance)
                .bind(session.0)
                .bind(factor)
                .bind(counter_step)
                .bind(At(now))
                .bind(amr_id)
                .bind(method)
                .fetch_optional(&mut **transaction)
                .await?;
            work.count();
            return Ok(row.and_then(SessionRow::session));
        }
        if execute!(work, RAISE, instance, session.0, factor, counter_step, At(now))? == 0 {
            return Ok(None);
        }
        self.put_method(session, method, amr_id, now).await?;
        self.read(session).await
    }

    /// Notes the first stored token of a session that was issued with its raised level. False when the session is over, or its
    /// tokens are counted.
    ///
    /// Tokens of a session are added while its row is locked, and ids never come twice (a sequence without a cache, `autoincrement`):
    /// what has a smaller id was given out before.
    pub async fn raised_from(&mut self, session: SessionId, token: i64) -> Result<bool> {
        Ok(execute!(&mut self.tx.work, RAISED_FROM, self.tx.instance.0, session.0, token)? == 1)
    }

    /// Ends the user's other sessions of the first level; one without a level stays. All are locked first.
    pub async fn delete_low(&mut self, user: UserId, keep: SessionId) -> Result<Vec<SessionId>> {
        self.lock_all(user).await?;
        let ended = fetch!(&mut self.tx.work, fetch_all, (Uuid,), DELETE_LOW, self.tx.instance.0, user.0, keep.0)?;
        Ok(ended.into_iter().map(|(id,)| SessionId(id)).collect())
    }

    /// Lowers the sessions that this factor of the user raised last, and takes its method from them.
    pub async fn drop_factor(
        &mut self,
        user: UserId,
        factor: FactorId,
        method: &str,
        now: Timestamp,
    ) -> Result<Vec<SessionId>> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let lowered: Vec<(Uuid,)> = match &mut work.inner {
            Inner::Postgres(transaction) => {
                let rows = sqlx::query_as(DROP_FACTOR.postgres)
                    .bind(instance)
                    .bind(user.0)
                    .bind(factor.0)
                    .bind(At(now))
                    .bind(method)
                    .fetch_all(&mut **transaction)
                    .await?;
                work.count();
                rows
            }
            Inner::Sqlite(_) => {
                let rows = fetch!(work, fetch_all, (Uuid,), DROP_FACTOR, instance, user.0, factor.0, At(now))?;
                for (session,) in &rows {
                    execute!(work, FORGET_METHOD, instance, *session, method)?;
                }
                rows
            }
        };
        Ok(lowered.into_iter().map(|(id,)| SessionId(id)).collect())
    }

    /// Takes a method from all of the user's sessions that have it, and lowers those that no other second factor raised.
    pub async fn drop_method(&mut self, user: UserId, method: &str, now: Timestamp) -> Result<Vec<SessionId>> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let rows = fetch!(work, fetch_all, (Uuid,), DROP_METHOD, instance, user.0, method, At(now))?;
        if let Inner::Sqlite(_) = work.inner {
            for (session,) in &rows {
                execute!(work, FORGET_METHOD, instance, *session, method)?;
            }
        }
        Ok(rows.into_iter().map(|(id,)| SessionId(id)).collect())
    }
}

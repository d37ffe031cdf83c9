//! Moving a session to its next refresh counter: the guard that gives one winner.

use domain::ids::{InstanceId, SessionId};
use domain::time::Timestamp;

use crate::audit::{AuditColumns, AuditEntry};
use crate::backend::Backend;
use crate::database::TenantStore;
use crate::error::Result;
use crate::lane::Batch;
use crate::read_user::{ReadUser, in_order};
use crate::rows::LaneRow;
use crate::sql::{Sql, each};
use crate::values::{Address, At};

/// Rotates, provided that the session's counter is as expected and its user exists, is not soft-deleted and not banned.
#[derive(Clone, Debug)]
pub struct RotateSession {
    /// Which session.
    pub session: SessionId,
    /// The counter the decision was made on.
    pub expected_counter: i64,
    /// The counter of the token that is about to be given out.
    pub next_counter: i64,
    /// Overwrites the session's.
    pub user_agent: Option<String>,
    /// Overwrites the session's; kept only where it is an address.
    pub ip: Option<String>,
    /// Written when the guard holds.
    pub audit: Vec<AuditEntry>,
    /// The current instant.
    pub now: Timestamp,
}

/// Rows are locked in the order of their ids before they are written, so that two gateways never wait for each other. `$lock` says what
/// happens to a row that another transaction holds.
macro_rules! rotate_many {
    ($lock:literal) => {
        concat!(
            "with request as (
                 select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[])
                     with ordinality as r(instance_id, session_id, expected, next, user_agent, ip, now, ord)
             ), target as (
                 select r.*
                 from request as r
                 join auth.sessions as s on s.instance_id = r.instance_id and s.id = r.session_id
                     and s.refresh_token_counter = r.expected
                 join auth.users as u on u.instance_id = r.instance_id and u.id = s.user_id and u.deleted_at is null
                     and (u.banned_until is null or u.banned_until <= r.now)
                 order by s.id
                 for no key update of s ", $lock, "
             ), rotated as (
                 update auth.sessions as s
                 set refresh_token_counter = t.next, refreshed_at = t.now at time zone 'utc', updated_at = t.now,
                     user_agent = t.user_agent, ip = t.ip::inet
                 from target as t
                 where s.instance_id = t.instance_id and s.id = t.session_id and s.refresh_token_counter = t.expected
                 returning s.*, t.ord
             ), logged as (
                 insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
                 select r.instance_id, a.id, a.payload::json, a.created_at, a.ip_address
                 from unnest($8::bigint[], $9::uuid[], $10::text[], $11::timestamptz[], $12::text[])
                     as a(ord, id, payload, created_at, ip_address)
                 join rotated as r on r.ord = a.ord
             )
             select s.ord, ", user!(postgres), ", ", session!(postgres), "
             from rotated as s
             join auth.users as u on u.instance_id = s.instance_id and u.id = s.user_id"
        )
    };
}

statements! {
    crossing ROTATE_MANY = each(rotate_many!("skip locked"), "");
    crossing ROTATE_WAITING = each(rotate_many!(""), "");
    // Of those that were not rotated: who still matches was skipped.
    crossing STILL_MATCHING = each(
        "select q.ord
         from unnest($1::uuid[], $2::uuid[], $3::bigint[]) with ordinality as q(instance_id, session_id, expected, ord)
         join auth.sessions as s on s.instance_id = q.instance_id and s.id = q.session_id
             and s.refresh_token_counter = q.expected",
        "",
    );
}

/// The lane's statement: one on PostgreSQL, one commit of the writer on SQLite.
pub(crate) struct RotateBatch {
    pub(crate) backend: Backend,
}

pub(crate) type Member = (InstanceId, RotateSession);

impl Batch for RotateBatch {
    type Request = Member;
    type Answer = Option<ReadUser>;
    type Key = SessionId;

    fn key((_, rotate): &Member) -> SessionId {
        rotate.session
    }

    /// Those who give the newest token again leave the counter as it is: one write serves them all.
    fn may_share(first: &Member, other: &Member) -> bool {
        let change = |(instance, rotate): &Member| (*instance, rotate.expected_counter, rotate.next_counter);
        change(first) == change(other) && first.1.expected_counter == first.1.next_counter
    }

    async fn run(&self, members: &[Member]) -> Result<Vec<Option<Option<ReadUser>>>> {
        if !self.backend.is_postgres() {
            return Ok(self.in_one_commit(members).await?.into_iter().map(Some).collect());
        }
        let rotated = self.in_one_statement(ROTATE_MANY, members).await?;
        if rotated.iter().all(Option::is_some) {
            return Ok(rotated.into_iter().map(Some).collect());
        }
        let skipped = self.skipped(members, &rotated).await?;
        Ok(rotated.into_iter().zip(skipped).map(|(rotated, skipped)| (!skipped).then_some(rotated)).collect())
    }

    async fn alone(&self, member: &Member) -> Result<Option<ReadUser>> {
        let member = std::slice::from_ref(member);
        let mut rotated = if self.backend.is_postgres() {
            self.in_one_statement(ROTATE_WAITING, member).await?
        } else {
            self.in_one_commit(member).await?
        };
        Ok(rotated.pop().flatten())
    }
}

impl RotateBatch {
    async fn in_one_statement(&self, sql: Sql, members: &[Member]) -> Result<Vec<Option<ReadUser>>> {
        // Members that share a write stand together; what the last of them says of the client stays.
        let groups: Vec<&[Member]> = members.chunk_by(|one, next| one.1.session == next.1.session).collect();
        let last: Vec<&Member> = groups.iter().filter_map(|group| group.last()).collect();
        let instances: Vec<_> = last.iter().map(|(instance, _)| instance.0).collect();
        let sessions: Vec<_> = last.iter().map(|(_, rotate)| rotate.session.0).collect();
        let expected: Vec<_> = last.iter().map(|(_, rotate)| rotate.expected_counter).collect();
        let next: Vec<_> = last.iter().map(|(_, rotate)| rotate.next_counter).collect();
        let user_agents: Vec<_> = last.iter().map(|(_, rotate)| rotate.user_agent.as_deref()).collect();
        let ips: Vec<_> = last.iter().map(|(_, rotate)| Address::text(rotate.ip.as_deref())).collect();
        let nows: Vec<_> = last.iter().map(|(_, rotate)| At(rotate.now)).collect();
        let mut audit_ord: Vec<i64> = Vec::new();
        for (ord, group) in (1..).zip(&groups) {
            audit_ord.extend(group.iter().flat_map(|(_, rotate)| &rotate.audit).map(|_| ord));
        }
        let audit = AuditColumns::of(members.iter().flat_map(|(_, rotate)| &rotate.audit));
        // The guard makes a second try safe: where the first one did happen, the counter no longer matches.
        let rows: Vec<LaneRow> = retried!(self.backend, postgres(pool) => sqlx::query_as(sql.postgres)
                .bind(&instances)
                .bind(&sessions)
                .bind(&expected)
                .bind(&next)
                .bind(&user_agents)
                .bind(&ips)
                .bind(&nows)
                .bind(&audit_ord)
                .bind(&audit.ids)
                .bind(&audit.payloads)
                .bind(&audit.created_at)
                .bind(&audit.ip_addresses)
                .fetch_all(pool)
        )?;
        let answers = in_order(rows, groups.len());
        let each = groups.iter().zip(answers).flat_map(|(group, answer)| std::iter::repeat_n(answer, group.len()));
        Ok(each.collect())
    }

    /// Which members were not rotated because another transaction held their row.
    async fn skipped(&self, members: &[Member], rotated: &[Option<ReadUser>]) -> Result<Vec<bool>> {
        let instances: Vec<_> = members.iter().map(|(instance, _)| instance.0).collect();
        let sessions: Vec<_> = members.iter().map(|(_, rotate)| rotate.session.0).collect();
        let expected: Vec<_> = members.iter().map(|(_, rotate)| rotate.expected_counter).collect();
        let matching: Vec<(i64,)> = retried!(self.backend, postgres(pool) => sqlx::query_as(STILL_MATCHING.postgres).bind(&instances).bind(&sessions).bind(&expected).fetch_all(pool)
        )?;
        let still = |ord: i64| matching.iter().any(|(matching,)| *matching == ord);
        Ok((1..).zip(rotated).map(|(ord, rotated)| rotated.is_none() && still(ord)).collect())
    }
}

impl TenantStore {
    /// Rotates a session. `None` when the guard does not hold: decide anew on fresh facts.
    ///
    /// After a broken connection the rotation is tried again; where the first try did happen, the answer is `None` too.
    pub async fn rotate_session(&self, rotate: RotateSession) -> Result<Option<ReadUser>> {
        self.lanes().rotate.ask((self.instance, rotate)).await
    }
}

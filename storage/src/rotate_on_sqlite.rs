//! Rotations that travel together on SQLite: one commit, and as many statements for all as for one.
//!
//! The members of a batch go to the database as one JSON text, an array of rows that are arrays.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{InstanceId, SessionId};
use uuid::Uuid;

use crate::backend::Work;
use crate::error::Result;
use crate::read_session;
use crate::read_user::ReadUser;
use crate::rotate_session::{Member, RotateBatch};
use crate::sql::each;
use crate::values::{Address, json, sqlite_text};

statements! {
    crossing ROTATE = each(
        "",
        "update auth.sessions as s
         set refresh_token_counter = q.next, refreshed_at = q.now, updated_at = q.now, user_agent = q.user_agent, ip = q.ip
         from (
             select unhex(r.value ->> 0, '-') as instance_id, unhex(r.value ->> 1, '-') as session_id, r.value ->> 2 as expected,
                 r.value ->> 3 as next, r.value ->> 4 as user_agent, r.value ->> 5 as ip, r.value ->> 6 as now
             from json_each($1) as r
         ) as q
         where s.instance_id = q.instance_id and s.id = q.session_id and s.refresh_token_counter = q.expected
             and exists (
                 select 1 from auth.users as u
                 where u.instance_id = q.instance_id and u.id = s.user_id and u.deleted_at is null
                     and (u.banned_until is null or u.banned_until <= q.now)
             )
         returning id",
    );
    crossing LOG = each(
        "",
        "insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
         select q.instance_id, q.id, q.payload, q.created_at, q.ip_address
         from (
             select unhex(r.value ->> 0, '-') as instance_id, unhex(r.value ->> 1, '-') as id, r.value ->> 2 as payload,
                 r.value ->> 3 as created_at, r.value ->> 4 as ip_address
             from json_each($1) as r
         ) as q",
    );
}

impl RotateBatch {
    /// Rotates them in one commit.
    pub(crate) async fn in_one_commit(&self, members: &[Member]) -> Result<Vec<Option<ReadUser>>> {
        // Members that share a write stand together; what the last of them says of the client stays.
        let groups = members.chunk_by(|one, next| one.1.session == next.1.session);
        let changes = json(groups.filter_map(|group| group.last()).map(|(instance, rotate)| {
            let (expected, next) = (rotate.expected_counter, rotate.next_counter);
            let ip = Address::text(rotate.ip.as_deref());
            (instance, rotate.session, expected, next, &rotate.user_agent, ip, sqlite_text(rotate.now))
        }))?;
        let mut work = self.backend.begin().await?;
        let rotated: Vec<(Uuid,)> = fetch!(&mut work, fetch_all, (Uuid,), ROTATE, changes)?;
        let mut answers = BTreeMap::new();
        if !rotated.is_empty() {
            let rotated: BTreeSet<SessionId> = rotated.into_iter().map(|(session,)| SessionId(session)).collect();
            let happened: Vec<&Member> =
                members.iter().filter(|(_, rotate)| rotated.contains(&rotate.session)).collect();
            log(&mut work, &happened).await?;
            let wanted: BTreeMap<SessionId, InstanceId> =
                happened.iter().map(|(instance, rotate)| (rotate.session, *instance)).collect();
            let wanted: Vec<_> = wanted.into_iter().map(|(session, instance)| (instance, session)).collect();
            let read = read_session::together(&mut work, &wanted).await?;
            answers.extend(wanted.into_iter().map(|(_, session)| session).zip(read));
        }
        work.commit().await?;
        Ok(members.iter().map(|(_, rotate)| answers.get(&rotate.session).cloned().flatten()).collect())
    }
}

/// Writes the audit entries of what happened.
async fn log(work: &mut Work, happened: &[&Member]) -> Result<()> {
    let entries =
        happened.iter().flat_map(|(instance, rotate)| rotate.audit.iter().map(move |entry| (instance, entry)));
    let rows: Vec<_> = entries
        .map(|(instance, entry)| {
            let created_at = sqlite_text(entry.created_at);
            (instance, entry.id, entry.payload.to_string(), created_at, &entry.ip_address)
        })
        .collect();
    if !rows.is_empty() {
        execute!(work, LOG, json(rows.iter())?)?;
    }
    Ok(())
}

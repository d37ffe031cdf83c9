//! All sessions of a project, for its operator: a page by id, and their end, a little at a time.

use domain::ids::{SessionId, UserId};
use domain::session::Session;
use uuid::Uuid;

use crate::database::TenantStore;
use crate::error::Result;
use crate::rows::SessionRow;
use crate::sql::{each, same};

/// Sessions that end at once: few enough that nobody else's write waits long.
const BITE: i64 = 500;

macro_rules! page {
    ($database:ident) => {
        concat!(
            "select ",
            session!($database),
            " from auth.sessions as s where s.instance_id = $1 and s.id > $2 order by s.id limit $3"
        )
    };
}

statements! {
    project PAGE = each(page!(postgres), page!(sqlite));
    project COUNT = same("select count(*) from (select 1 from auth.sessions as x where x.instance_id = $1 limit $2) as counted");
    project END = same("delete from auth.sessions as s where s.instance_id = $1 and s.id = $2 returning user_id");
    // In the order in which others lock them.
    project END_SOME = each(
        "with target as materialized (
             select x.id from auth.sessions as x where x.instance_id = $1 order by x.id limit $2 for update
         )
         delete from auth.sessions as s using target as t where s.instance_id = $1 and s.id = t.id returning s.id, s.user_id",
        "delete from auth.sessions as s where s.instance_id = $1 and s.id in (
             select x.id from auth.sessions as x where x.instance_id = $1 order by x.id limit $2
         ) returning id, user_id",
    );
}

impl TenantStore {
    /// Up to `limit` sessions of the project in the order of their ids, after one of them; those that are over too, as long as they
    /// were not removed.
    pub async fn page_of_sessions(&self, after: Option<SessionId>, limit: u32) -> Result<Vec<Session>> {
        let after = after.map_or(Uuid::nil(), |session| session.0);
        let instance = self.instance.0;
        let rows = fetch_now!(self.backend(), fetch_all, SessionRow, PAGE, instance, after, i64::from(limit))?;
        Ok(rows.into_iter().filter_map(SessionRow::session).collect())
    }

    /// The number of the project's sessions, at most `most`: beyond that nobody counts.
    pub async fn count_sessions(&self, most: u32) -> Result<u32> {
        let (count,) = fetch_now!(self.backend(), fetch_one, (i64,), COUNT, self.instance.0, i64::from(most))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Ends one session, whoever's it is: its user, `None` when there is no such session.
    pub async fn end_session_of_anybody(&self, session: SessionId) -> Result<Option<UserId>> {
        let row = change_now!(self.backend(), fetch_optional, (Uuid,), END, self.instance.0, session.0)?;
        Ok(row.map(|(user,)| UserId(user)))
    }

    /// Ends some of the project's sessions, with whose they were; none when there are none left.
    pub async fn end_some_sessions(&self) -> Result<Vec<(SessionId, UserId)>> {
        let rows = change_now!(self.backend(), fetch_all, (Uuid, Uuid), END_SOME, self.instance.0, BITE)?;
        Ok(rows.into_iter().map(|(session, user)| (SessionId(session), UserId(user))).collect())
    }
}

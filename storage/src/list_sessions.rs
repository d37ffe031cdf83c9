//! Looking through the sessions of one user, of which there may be many.
//!
//! No index has the last use: every refresh would write to it. The user's rows are found by the index on the user and looked
//! through once, which their number needs anyway; only a page of them travels.

use domain::ids::{SessionId, UserId};
use domain::session::{Live, Session};
use domain::time::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use crate::database::TenantStore;
use crate::error::Result;
use crate::rows::SessionRow;
use crate::sessions::Sessions;
use crate::sql::{each, same};
use crate::values::{At, Wall};

/// When the session `x` was last used.
macro_rules! used {
    (postgres) => {
        "coalesce(x.refreshed_at, x.created_at at time zone 'utc')"
    };
    (sqlite) => {
        "coalesce(x.refreshed_at, x.created_at)"
    };
}

/// `domain::session::Live` of the session `x`, in `$3` to `$6`.
macro_rules! live {
    ($database:ident, $instant:literal, $wall:literal) => {
        concat!(
            "(x.not_after is null or x.not_after >= $3)
             and ($4",
            $instant,
            " is null or x.created_at >= $4)
             and ($5",
            $wall,
            " is null or ",
            used!($database),
            " >= $5)
             and ($6",
            $instant,
            " is null or x.aal = 'aal2' or x.created_at >= $6)"
        )
    };
    (postgres) => {
        live!(postgres, "::timestamptz", "::timestamp")
    };
    (sqlite) => {
        live!(sqlite, "", "")
    };
}

macro_rules! list {
    ($database:ident, $wall:literal) => {
        concat!(
            "with live as materialized (
                 select x.id, ",
            used!($database),
            " as used from auth.sessions as x
                 where x.instance_id = $1 and x.user_id = $2 and ",
            live!($database),
            " and ($7",
            $wall,
            " is null or ",
            used!($database),
            " > $7)
             ), page as (
                 select l.id, l.used from live as l order by l.used desc, l.id limit $8 offset $9
             )
             select n.total, ",
            session!($database),
            " from (select count(*) as total from live) as n
             left join page as p on true
             left join auth.sessions as s on s.instance_id = $1 and s.id = p.id
             order by p.used desc, p.id"
        )
    };
}

macro_rules! delete_beyond {
    ($database:ident) => {
        concat!(
            "delete from auth.sessions as s
             where s.instance_id = $1 and s.user_id = $2 and s.id <> $7 and s.id not in (
                 select x.id from auth.sessions as x
                 where x.instance_id = $1 and x.user_id = $2 and x.id <> $7 and ",
            live!($database),
            " order by ",
            used!($database),
            " desc, x.id limit $8
             )
             returning id"
        )
    };
}

statements! {
    project LIST = each(list!(postgres, "::timestamp"), list!(sqlite, ""));
    // Not `for update`: what waits for the user's row with a foreign key goes on.
    project LOCK_USER = each(
        "select u.id from auth.users as u where u.instance_id = $1 and u.id = $2 for no key update",
        "select u.id from auth.users as u where u.instance_id = $1 and u.id = $2",
    );
    project DELETE_BEYOND = each(delete_beyond!(postgres), delete_beyond!(sqlite));
    project USER_AGENTS = same(
        "select distinct s.user_agent from auth.sessions as s
         where s.instance_id = $1 and s.user_id = $2 and s.id <> $3 limit $4"
    );
}

#[derive(FromRow)]
struct Row {
    total: i64,
    #[sqlx(flatten)]
    session: SessionRow,
}

/// Which sessions of a user are listed: those that are not over, newest use first.
#[derive(Clone, Copy, Debug)]
pub struct ListSessions {
    /// Whose.
    pub user: UserId,
    /// What tells a session that is not over.
    pub live: Live,
    /// Only those that were used later than this.
    pub used_after: Option<Timestamp>,
    /// At most so many.
    pub limit: u64,
    /// So many are passed over.
    pub offset: u64,
}

impl TenantStore {
    /// A page of a user's sessions, and how many there are on all pages.
    pub async fn list_sessions(&self, list: &ListSessions) -> Result<(Vec<Session>, u64)> {
        let rows = fetch_now!(
            self.backend(),
            fetch_all,
            Row,
            LIST,
            self.instance.0,
            list.user.0,
            At(list.live.not_after_from),
            list.live.created_from.map(At),
            list.live.used_from.map(Wall),
            list.live.low_created_from.map(At),
            list.used_after.map(Wall),
            i64::try_from(list.limit).unwrap_or(i64::MAX),
            i64::try_from(list.offset).unwrap_or(i64::MAX),
        )?;
        let total = rows.first().map_or(0, |row| row.total.unsigned_abs());
        Ok((rows.into_iter().filter_map(|row| row.session.session()).collect(), total))
    }
}

impl Sessions<'_> {
    /// Ends sessions of the user until at most so many are left: those that are over, and of the others those that were used
    /// longest ago. `keep` stays whatever it is, and counts.
    ///
    /// Locks the user, so that of two sign-ins at once the later one sees the session of the earlier one.
    pub async fn delete_beyond(
        &mut self,
        user: UserId,
        keep: SessionId,
        at_most: usize,
        live: &Live,
    ) -> Result<Vec<SessionId>> {
        fetch!(&mut self.tx.work, fetch_all, (Uuid,), LOCK_USER, self.tx.instance.0, user.0)?;
        self.lock_all(user).await?;
        let ended = fetch!(
            &mut self.tx.work,
            fetch_all,
            (Uuid,),
            DELETE_BEYOND,
            self.tx.instance.0,
            user.0,
            At(live.not_after_from),
            live.created_from.map(At),
            live.used_from.map(Wall),
            live.low_created_from.map(At),
            keep.0,
            i64::try_from(at_most.saturating_sub(1)).unwrap_or(i64::MAX),
        )?;
        Ok(ended.into_iter().map(|(id,)| SessionId(id)).collect())
    }

    /// The user agents of the user's other sessions, each once.
    pub async fn user_agents(&mut self, user: UserId, except: SessionId, limit: u32) -> Result<Vec<Option<String>>> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        let limit = i64::from(limit);
        let agents = fetch!(work, fetch_all, (Option<String>,), USER_AGENTS, instance, user.0, except.0, limit)?;
        Ok(agents.into_iter().map(|(agent,)| agent).collect())
    }
}

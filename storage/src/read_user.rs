//! A user with identities, factors and a session in one read.

use domain::ids::{InstanceId, SessionId, UserId};
use domain::session::Session;
use domain::user::User;

use crate::backend::Backend;
use crate::database::TenantStore;
use crate::error::Result;
use crate::lane::Batch;
use crate::rows::{LaneRow, ReadUserRow, UserRow};
use crate::sql::each;
use crate::values::json;

/// A user, and the session that was asked for if it is the user's and lives.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadUser {
    /// The user.
    pub user: User,
    /// The session.
    pub session: Option<Session>,
}

macro_rules! by_identity {
    ($database:ident) => {
        concat!(
            "select ",
            user!($database),
            " from auth.identities as l
             join auth.users as u on u.instance_id = l.instance_id and u.id = l.user_id
             where l.instance_id = $1 and l.provider = $2 and l.provider_id = $3"
        )
    };
}

statements! {
    crossing READ_MANY = each(
        concat!(
            "select q.ord, ", user!(postgres), ", ", session!(postgres), "
             from unnest($1::uuid[], $2::uuid[], $3::uuid[]) with ordinality as q(instance_id, user_id, session_id, ord)
             join auth.users as u on u.instance_id = q.instance_id and u.id = q.user_id
             left join auth.sessions as s on s.instance_id = q.instance_id and s.id = q.session_id and s.user_id = u.id"
        ),
        "",
    );
    // The same on SQLite, where a batch is one JSON text.
    crossing READ_TOGETHER = each(
        "",
        concat!(
            "select q.ord, ", user!(sqlite), ", ", session!(sqlite), "
             from (
                 select r.key + 1 as ord, unhex(r.value ->> 0, '-') as instance_id, unhex(r.value ->> 1, '-') as user_id,
                     unhex(r.value ->> 2, '-') as session_id
                 from json_each($1) as r
             ) as q
             cross join auth.users as u on u.instance_id = q.instance_id and u.id = q.user_id
             left join auth.sessions as s on s.instance_id = q.instance_id and s.id = q.session_id and s.user_id = u.id"
        ),
    );
    project READ = each(
        concat!(
            "select ", user!(postgres), ", ", session!(postgres), "
             from auth.users as u
             left join auth.sessions as s on s.instance_id = $1 and s.id = $3 and s.user_id = u.id
             where u.instance_id = $1 and u.id = $2"
        ),
        concat!(
            "select ", user!(sqlite), ", ", session!(sqlite), "
             from auth.users as u
             left join auth.sessions as s on s.instance_id = $1 and s.id = $3 and s.user_id = u.id
             where u.instance_id = $1 and u.id = $2"
        ),
    );
    project READ_BY_IDENTITY = each(by_identity!(postgres), by_identity!(sqlite));
}

/// Whom a member of the lane asks for.
pub(crate) struct Wanted {
    instance: InstanceId,
    user: UserId,
    session: Option<SessionId>,
}

/// The lane's statement.
pub(crate) struct ReadUserBatch {
    pub(crate) backend: Backend,
}

impl Batch for ReadUserBatch {
    type Request = Wanted;
    type Answer = Option<ReadUser>;
    type Key = (InstanceId, UserId);

    fn key(wanted: &Wanted) -> Self::Key {
        (wanted.instance, wanted.user)
    }

    fn may_share(_: &Wanted, _: &Wanted) -> bool {
        true
    }

    async fn run(&self, wanted: &[Wanted]) -> Result<Vec<Option<Option<ReadUser>>>> {
        if !self.backend.is_postgres() {
            let asked = json(wanted.iter().map(|one| (one.instance, one.user, one.session)))?;
            let rows = retried!(self.backend, reader(pool) => sqlx::query_as(READ_TOGETHER.sqlite).bind(&asked).fetch_all(pool))?;
            return Ok(in_order(rows, wanted.len()).into_iter().map(Some).collect());
        }
        let instances: Vec<_> = wanted.iter().map(|one| one.instance.0).collect();
        let users: Vec<_> = wanted.iter().map(|one| one.user.0).collect();
        let sessions: Vec<_> = wanted.iter().map(|one| one.session.map(|session| session.0)).collect();
        let rows: Vec<LaneRow> = retried!(self.backend, postgres(pool) => sqlx::query_as(READ_MANY.postgres).bind(&instances).bind(&users).bind(&sessions).fetch_all(pool)
        )?;
        Ok(in_order(rows, wanted.len()).into_iter().map(Some).collect())
    }

    async fn alone(&self, wanted: &Wanted) -> Result<Option<ReadUser>> {
        Ok(self.run(std::slice::from_ref(wanted)).await?.pop().flatten().flatten())
    }
}

/// Puts the rows of a lane where the members that asked for them stand.
pub(crate) fn in_order(rows: Vec<LaneRow>, members: usize) -> Vec<Option<ReadUser>> {
    let mut answers: Vec<Option<ReadUser>> = Vec::new();
    answers.resize_with(members, || None);
    for numbered in rows {
        let place = usize::try_from(numbered.ord - 1).ok().and_then(|index| answers.get_mut(index));
        if let Some(place) = place {
            *place = Some(numbered.row.into());
        }
    }
    answers
}

impl TenantStore {
    /// The user and, where named, a session of his.
    pub async fn read_user(&self, user: UserId, session: Option<SessionId>) -> Result<Option<ReadUser>> {
        self.lanes().user.ask(Wanted { instance: self.instance, user, session }).await
    }

    /// The user with the identity of this provider and subject, both exactly as they are stored.
    pub async fn read_user_by_identity(&self, provider: &str, provider_id: &str) -> Result<Option<User>> {
        let (backend, instance) = (self.backend(), self.instance.0);
        let row = fetch_now!(backend, fetch_optional, UserRow, READ_BY_IDENTITY, instance, provider, provider_id)?;
        Ok(row.map(User::from))
    }

    /// The user alone.
    pub async fn find_user(&self, user: UserId) -> Result<Option<User>> {
        Ok(self.read_user(user, None).await?.map(|found| found.user))
    }
}

impl crate::database::Tx {
    /// The user and, where named, a session of his, as this transaction sees them.
    pub(crate) async fn read_user(&mut self, user: UserId, session: Option<SessionId>) -> Result<Option<ReadUser>> {
        let session = session.map(|session| session.0);
        let row = fetch!(&mut self.work, fetch_optional, ReadUserRow, READ, self.instance.0, user.0, session)?;
        Ok(row.map(ReadUser::from))
    }
}

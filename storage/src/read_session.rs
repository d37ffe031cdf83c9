//! A session with its user in one read: what a refresh needs when nobody remembers the session.

use domain::ids::{InstanceId, SessionId};

use crate::backend::{Backend, Work};
use crate::database::TenantStore;
use crate::error::Result;
use crate::lane::Batch;
use crate::read_user::{ReadUser, in_order};
use crate::rows::LaneRow;
use crate::sql::each;
use crate::values::json;

statements! {
    crossing READ_MANY = each(
        concat!(
            "select q.ord, ", user!(postgres), ", ", session!(postgres), "
             from unnest($1::uuid[], $2::uuid[]) with ordinality as q(instance_id, session_id, ord)
             join auth.sessions as s on s.instance_id = q.instance_id and s.id = q.session_id
             join auth.users as u on u.instance_id = q.instance_id and u.id = s.user_id"
        ),
        "",
    );
    // The same on SQLite, where a batch is one JSON text.
    crossing READ_TOGETHER = each(
        "",
        concat!(
            "select q.ord, ", user!(sqlite), ", ", session!(sqlite), "
             from (
                 select r.key + 1 as ord, unhex(r.value ->> 0, '-') as instance_id, unhex(r.value ->> 1, '-') as session_id
                 from json_each($1) as r
             ) as q
             cross join auth.sessions as s on s.instance_id = q.instance_id and s.id = q.session_id
             cross join auth.users as u on u.instance_id = q.instance_id and u.id = s.user_id"
        ),
    );
}

/// The lane's statement.
pub(crate) struct ReadSessionBatch {
    pub(crate) backend: Backend,
}

impl Batch for ReadSessionBatch {
    type Request = (InstanceId, SessionId);
    type Answer = Option<ReadUser>;
    type Key = (InstanceId, SessionId);

    fn key(wanted: &Self::Request) -> Self::Key {
        *wanted
    }

    fn may_share(_: &Self::Request, _: &Self::Request) -> bool {
        true
    }

    async fn run(&self, wanted: &[Self::Request]) -> Result<Vec<Option<Option<ReadUser>>>> {
        if !self.backend.is_postgres() {
            let asked = json(wanted.iter())?;
            let rows = retried!(self.backend, reader(pool) => sqlx::query_as(READ_TOGETHER.sqlite).bind(&asked).fetch_all(pool))?;
            return Ok(in_order(rows, wanted.len()).into_iter().map(Some).collect());
        }
        let (instances, sessions): (Vec<_>, Vec<_>) =
            wanted.iter().map(|(instance, session)| (instance.0, session.0)).unzip();
        let rows: Vec<LaneRow> = retried!(self.backend, postgres(pool) => sqlx::query_as(READ_MANY.postgres).bind(&instances).bind(&sessions).fetch_all(pool)
        )?;
        Ok(in_order(rows, wanted.len()).into_iter().map(Some).collect())
    }

    async fn alone(&self, wanted: &Self::Request) -> Result<Option<ReadUser>> {
        Ok(self.run(std::slice::from_ref(wanted)).await?.pop().flatten().flatten())
    }
}

/// Sessions with their users as a transaction on SQLite sees them.
pub(crate) async fn together(work: &mut Work, wanted: &[(InstanceId, SessionId)]) -> Result<Vec<Option<ReadUser>>> {
    let rows = fetch!(work, fetch_all, LaneRow, READ_TOGETHER, json(wanted.iter())?)?;
    Ok(in_order(rows, wanted.len()))
}

impl TenantStore {
    /// A session and its user.
    pub async fn read_session(&self, session: SessionId) -> Result<Option<ReadUser>> {
        self.lanes().session.ask((self.instance, session)).await
    }
}

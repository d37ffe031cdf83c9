//! A session with its user in one read: what a refresh needs when nobody remembers the session.

use domain::ids::{InstanceId, SessionId};

use crate::backend::Backend;
use crate::database::TenantStore;
use crate::error::Result;
use crate::lane::Batch;
use crate::read_user::{ReadUser, in_order};
use crate::rows::{LaneRow, ReadUserRow};
use crate::sql::each;

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
    project READ = each(
        "",
        concat!(
            "select ", user!(sqlite), ", ", session!(sqlite), "
             from auth.sessions as s
             join auth.users as u on u.instance_id = $1 and u.id = s.user_id
             where s.instance_id = $1 and s.id = $2"
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

impl TenantStore {
    /// A session and its user.
    pub async fn read_session(&self, session: SessionId) -> Result<Option<ReadUser>> {
        if let Some(lanes) = &self.lanes().read {
            return lanes.session.ask((self.instance, session)).await;
        }
        let row = fetch_now!(self.backend(), fetch_optional, ReadUserRow, READ, self.instance.0, session.0)?;
        Ok(row.map(ReadUser::from))
    }
}

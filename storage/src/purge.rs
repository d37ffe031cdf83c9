//! The end of a project: every row it has.

use crate::database::TenantStore;
use crate::error::Result;
use crate::sql::same;

statements! {
    project USERS = same("delete from auth.users as u where u.instance_id = $1");
    project FLOW_STATES = same("delete from auth.flow_state as f where f.instance_id = $1");
    project CLIENT_STATES = same("delete from auth.oauth_client_states as s where s.instance_id = $1");
    project OAUTH_CLIENTS = same("delete from auth.oauth_clients as c where c.instance_id = $1");
    project SSO_PROVIDERS = same("delete from auth.sso_providers as p where p.instance_id = $1");
    project CUSTOM_PROVIDERS = same("delete from auth.custom_oauth_providers as p where p.instance_id = $1");
    project PASSKEY_CHALLENGES = same("delete from auth.webauthn_challenges as c where c.instance_id = $1");
    project REFRESH_TOKENS = same("delete from auth.refresh_tokens as t where t.instance_id = $1");
    project AUDIT = same("delete from auth.audit_log_entries as a where a.instance_id = $1");
    project OUTBOX = same("delete from auth.outbox as o where o.instance_id = $1");
}

/// What hangs on users, clients and providers goes with them.
const ALL: [crate::sql::Sql; 10] = [
    USERS,
    FLOW_STATES,
    CLIENT_STATES,
    OAUTH_CLIENTS,
    SSO_PROVIDERS,
    CUSTOM_PROVIDERS,
    PASSKEY_CHALLENGES,
    REFRESH_TOKENS,
    AUDIT,
    OUTBOX,
];

impl TenantStore {
    /// Removes every row of the project, in one transaction, and answers how many were removed by themselves
    /// (what hangs on them is not counted).
    pub async fn purge(&self) -> Result<u64> {
        let mut tx = self.begin().await?;
        let mut gone = 0;
        for sql in ALL {
            gone += execute!(&mut tx.work, sql, tx.instance.0)?;
        }
        tx.commit().await?;
        Ok(gone)
    }
}

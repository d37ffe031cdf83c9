//! The oldest of everything that may expire in a project: when it does follows from that.

use domain::time::Timestamp;
use sqlx::FromRow;

use crate::database::TenantStore;
use crate::error::Result;
use crate::sql::each;
use crate::values::At;

/// The oldest row of a kind: `$column` of it, as it is read from each database, where `$which`.
macro_rules! oldest {
    ($table:literal, $column:literal, $postgres:literal, $which:literal) => {
        concat!(
            "(select ",
            $postgres,
            " from auth.",
            $table,
            " as x where x.instance_id = $1",
            $which,
            " and x.",
            $column,
            " is not null order by x.",
            $column,
            " limit 1)"
        )
    };
}

/// All kinds. `$naive` reads an instant that stands without its zone.
macro_rules! earliest {
    ($naive:literal) => {
        concat!(
            "select ",
            oldest!("refresh_tokens", "updated_at", "x.updated_at", " and x.revoked"),
            " as refresh_tokens, ",
            oldest!("flow_state", "created_at", "x.created_at", ""),
            " as flow_states, ",
            oldest!("saml_relay_states", "created_at", "x.created_at", ""),
            " as relay_states, ",
            oldest!("oauth_client_states", "created_at", "x.created_at", ""),
            " as client_states, ",
            oldest!("mfa_challenges", "created_at", "x.created_at", ""),
            " as mfa_challenges, ",
            oldest!("webauthn_challenges", "expires_at", "x.expires_at", ""),
            " as passkey_challenges, ",
            oldest!("web3_signatures", "expires_at", "x.expires_at", ""),
            " as web3_signatures, ",
            oldest!("sessions", "not_after", "x.not_after", ""),
            " as sessions_end, ",
            oldest!("one_time_tokens", "created_at", $naive, ""),
            " as one_time_tokens, ",
            oldest!("mfa_factors", "created_at", "x.created_at", " and x.status = 'unverified'"),
            " as unverified_factors, ",
            oldest!("users", "created_at", "x.created_at", " and x.is_anonymous = true"),
            " as anonymous_users, ",
            oldest!("sessions", "created_at", "x.created_at", ""),
            " as sessions_begun, ",
            oldest!("audit_log_entries", "created_at", "x.created_at", ""),
            " as audit, ",
            oldest!("outbox", "created_at", "x.created_at", " and x.state = 'dead'"),
            " as dead_letters, ",
            // The last of them stays.
            "(select case when count(*) > 1 then min(f.at) end from (
                 select x.at from auth.session_revocations as x where x.instance_id = $1 order by x.seq limit 2
             ) as f) as revocations, ",
            oldest!("known_devices", "last_seen_at", "x.last_seen_at", ""),
            " as known_devices"
        )
    };
}

statements! {
    project EARLIEST = each(earliest!("x.created_at at time zone 'UTC'"), earliest!("x.created_at"));
}

/// The oldest row of each kind; `None` = there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earliest {
    /// When a refresh token was revoked.
    pub refresh_tokens: Option<Timestamp>,
    /// When a flow began.
    pub flow_states: Option<Timestamp>,
    /// When a sign-in at an identity provider began.
    pub relay_states: Option<Timestamp>,
    /// When a sign-in at another OAuth server began.
    pub client_states: Option<Timestamp>,
    /// When a factor was challenged.
    pub mfa_challenges: Option<Timestamp>,
    /// When a challenge of a passkey is over.
    pub passkey_challenges: Option<Timestamp>,
    /// When a wallet's signature is over.
    pub web3_signatures: Option<Timestamp>,
    /// The fixed end of a session.
    pub sessions_end: Option<Timestamp>,
    /// When a one-time token was sent.
    pub one_time_tokens: Option<Timestamp>,
    /// When a factor was enrolled that is not verified.
    pub unverified_factors: Option<Timestamp>,
    /// When an anonymous account was made.
    pub anonymous_users: Option<Timestamp>,
    /// When a session began.
    pub sessions_begun: Option<Timestamp>,
    /// When an entry of the audit log was written.
    pub audit: Option<Timestamp>,
    /// When a message was promised that was given up.
    pub dead_letters: Option<Timestamp>,
    /// When a session ended, but for the last one.
    pub revocations: Option<Timestamp>,
    /// When a device was last seen.
    pub known_devices: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    refresh_tokens: Option<At>,
    flow_states: Option<At>,
    relay_states: Option<At>,
    client_states: Option<At>,
    mfa_challenges: Option<At>,
    passkey_challenges: Option<At>,
    web3_signatures: Option<At>,
    sessions_end: Option<At>,
    one_time_tokens: Option<At>,
    unverified_factors: Option<At>,
    anonymous_users: Option<At>,
    sessions_begun: Option<At>,
    audit: Option<At>,
    dead_letters: Option<At>,
    revocations: Option<At>,
    known_devices: Option<At>,
}

impl TenantStore {
    /// The oldest row of each kind that may expire. Each is the first of an index, however many there are.
    pub async fn earliest(&self) -> Result<Earliest> {
        let row = fetch_now!(self.backend(), fetch_one, Row, EARLIEST, self.instance.0)?;
        let at = |at: Option<At>| at.map(|at| at.0);
        Ok(Earliest {
            refresh_tokens: at(row.refresh_tokens),
            flow_states: at(row.flow_states),
            relay_states: at(row.relay_states),
            client_states: at(row.client_states),
            mfa_challenges: at(row.mfa_challenges),
            passkey_challenges: at(row.passkey_challenges),
            web3_signatures: at(row.web3_signatures),
            sessions_end: at(row.sessions_end),
            one_time_tokens: at(row.one_time_tokens),
            unverified_factors: at(row.unverified_factors),
            anonymous_users: at(row.anonymous_users),
            sessions_begun: at(row.sessions_begun),
            audit: at(row.audit),
            dead_letters: at(row.dead_letters),
            revocations: at(row.revocations),
            known_devices: at(row.known_devices),
        })
    }
}

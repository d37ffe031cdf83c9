//! The cool-downs that messages start (`contract/core.md` §3.3).

use domain::refusal::Refusal;
use domain::time::Timestamp;
use domain::user::User;
use storage::SentAt;

use crate::context::Context;
use crate::error::Result;

/// The cool-down of one column.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    column: SentAt,
    by_sms: bool,
    every: i64,
}

impl Pace {
    /// Of mails.
    pub(super) fn of_mail(ctx: &Context, column: SentAt) -> Self {
        Self { column, by_sms: false, every: ctx.policy().smtp_max_frequency }
    }

    /// Of SMS.
    pub(super) fn of_sms(ctx: &Context, column: SentAt) -> Self {
        Self { column, by_sms: true, every: ctx.policy().sms.max_frequency }
    }

    /// Refuses while the last message is too recent.
    pub(super) fn check(self, user: &User, now: Timestamp) -> Result<()> {
        let sent_at = self.column.of(user);
        let refusal = if self.by_sms {
            Refusal::sms_cool_down(sent_at, self.every, now)
        } else {
            Refusal::email_cool_down(sent_at, self.every, now)
        };
        refusal.map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// The latest instant at which the last message may have gone out.
    pub(super) fn latest(self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.every.saturating_neg())
    }
}

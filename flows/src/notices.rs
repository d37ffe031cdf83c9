//! Mails that tell a user what happened to his account (`contract/platform.md` §5.3). Each is a switch of the project; one
//! that cannot be sent is logged and stops nothing.

use domain::factor::FactorType;
use domain::hook::Point;
use domain::user::User;
use outbound::mails::{Data, Kind};
use storage::Tx;

use crate::context::Context;
use crate::error::Result;
use crate::hooks::{self, EmailData, NewDevice};
use crate::{limits, mail, message};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The password was set.
    PasswordChanged,
    /// The address was changed: told to the old one.
    EmailChanged {
        /// The address from before.
        old: String,
    },
    /// The number was changed.
    PhoneChanged {
        /// The number from before, empty when there was none.
        old: String,
    },
    /// A way of signing in was added.
    IdentityLinked {
        /// Its provider.
        provider: String,
    },
    /// A way of signing in was removed: told to the address from before.
    IdentityUnlinked {
        /// Its provider.
        provider: String,
    },
    /// A second factor was proven for the first time.
    FactorEnrolled(FactorType),
    /// A second factor that had been proven went.
    FactorUnenrolled(FactorType),
    /// A recovery code took the place of the second factor.
    RecoveryCodeUsed {
        /// Codes that are left.
        remaining: u32,
    },
    /// A session was opened from a device that was not seen before.
    NewDevice(NewDevice),
}

impl Notice {
    fn kind(&self) -> Kind {
        match self {
            Self::PasswordChanged => Kind::PasswordChangedNotification,
            Self::EmailChanged { .. } => Kind::EmailChangedNotification,
            Self::PhoneChanged { .. } => Kind::PhoneChangedNotification,
            Self::IdentityLinked { .. } => Kind::IdentityLinkedNotification,
            Self::IdentityUnlinked { .. } => Kind::IdentityUnlinkedNotification,
            Self::FactorEnrolled(_) => Kind::MfaFactorEnrolledNotification,
            Self::FactorUnenrolled(_) => Kind::MfaFactorUnenrolledNotification,
            Self::RecoveryCodeUsed { .. } => Kind::RecoveryCodeUsedNotification,
            Self::NewDevice(_) => Kind::NewDeviceNotification,
        }
    }

    /// Who is told; nobody where the project wants no such notice or the account has no address.
    fn recipient<'a>(&'a self, ctx: &Context, user: &'a User) -> Option<&'a str> {
        let name = self.kind().as_str().strip_suffix("_notification")?;
        if !ctx.policy().notices.contains(name) {
            return None;
        }
        match self {
            Self::EmailChanged { old } => Some(old),
            _ => user.email.as_deref(),
        }
    }
}

/// Writes the mails of `notices` into the outbox, in the transaction of what they tell; `user` is as he is now. A project
/// whose hook sends mail gets them from [`tell`] instead.
pub(crate) async fn write(ctx: &Context, tx: &mut Tx, notices: &[Notice], user: &User) -> Result<()> {
    if hooks::is_on(ctx, Point::SendEmail) {
        return Ok(());
    }
    for (notice, to) in due(ctx, notices, user).await {
        let mut data = Data {
            site_url: ctx.policy().site_url.clone(),
            email: user.email.clone().unwrap_or_default(),
            data: user.user_metadata.clone(),
            ..Data::default()
        };
        match notice {
            Notice::PasswordChanged => {}
            Notice::EmailChanged { old } => data.old_email.clone_from(old),
            Notice::PhoneChanged { old } => {
                data.old_phone.clone_from(old);
                data.phone = user.phone.clone().unwrap_or_default();
            }
            Notice::IdentityLinked { provider } | Notice::IdentityUnlinked { provider } => {
                data.provider.clone_from(provider);
            }
            Notice::FactorEnrolled(kind) | Notice::FactorUnenrolled(kind) => {
                data.factor_type = kind.as_str().to_owned()
            }
            Notice::RecoveryCodeUsed { remaining } => data.remaining = *remaining,
            Notice::NewDevice(device) => {
                data.device.clone_from(&device.name);
                data.ip.clone_from(&device.ip);
                data.time.clone_from(&device.time);
            }
        }
        tx.outbox().put(mail::compose(ctx, notice.kind(), to, &data)?).await?;
    }
    Ok(())
}

/// Sends what [`write`] wrote, or has the project's hook send it; to be called after the commit.
pub(crate) async fn tell(ctx: &Context, notices: &[Notice], user: &User) {
    if notices.is_empty() {
        return;
    }
    if !hooks::is_on(ctx, Point::SendEmail) {
        return message::sent(ctx);
    }
    for (notice, _) in due(ctx, notices, user).await {
        let mut data = EmailData {
            email_action_type: notice.kind().as_str().to_owned(),
            redirect_to: message::redirect_target(ctx),
            ..EmailData::default()
        };
        match notice {
            Notice::PasswordChanged => {}
            Notice::EmailChanged { old } => data.old_email.clone_from(old),
            Notice::PhoneChanged { old } => data.old_phone.clone_from(old),
            Notice::IdentityLinked { provider } | Notice::IdentityUnlinked { provider } => {
                data.provider.clone_from(provider);
            }
            Notice::FactorEnrolled(kind) | Notice::FactorUnenrolled(kind) => {
                data.factor_type = kind.as_str().to_owned()
            }
            Notice::RecoveryCodeUsed { remaining } => data.remaining = Some(*remaining),
            Notice::NewDevice(device) => data.device = Some(device.clone()),
        }
        if let Err(error) = hooks::send_email(ctx, user, data).await {
            tracing::warn!(%error, notice = notice.kind().as_str(), "a notice could not be sent");
        }
    }
}

/// The notices that go out, and where.
async fn due<'a>(ctx: &Context, notices: &'a [Notice], user: &'a User) -> Vec<(&'a Notice, &'a str)> {
    let mut due = Vec::new();
    for notice in notices {
        if let Some(to) = notice.recipient(ctx, user)
            && may_send(ctx, notice, to).await
        {
            due.push((notice, to));
        }
    }
    due
}

/// Notices count against the project's limit of mails, and go to the addresses it writes to.
async fn may_send(ctx: &Context, notice: &Notice, to: &str) -> bool {
    let allowed = match message::must_be_authorised(ctx, to) {
        Ok(()) => limits::email(ctx).await,
        refused => refused,
    };
    if let Err(error) = &allowed {
        tracing::warn!(%error, notice = notice.kind().as_str(), "a notice is not sent");
    }
    allowed.is_ok()
}

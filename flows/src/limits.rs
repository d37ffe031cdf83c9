//! How often things may be asked for (`contract/core.md` §3, `security/advisor.md` §1.10). Gateways share the counts; one that
//! cannot reach them serves on and counts by itself.

use std::time::Duration;

use cluster::{Cluster, Hit, Unavailable};
use domain::config::AttemptLimit;
use domain::contact::Contact;
use domain::ids::{FactorId, ProjectId, SessionId, UserId};
use domain::quota::Quota;
use domain::refusal::Refusal;
use domain::time::Timestamp;

use crate::context::Context;
use crate::error::{Error, Result};

/// Least tokens of every bucket but the anonymous one. A project that allows more than 150 in a window (five minutes, of second
/// factors one) allows a fifth of that at once.
const BURST: u32 = 30;

/// The window of the project's limits on messages.
const HOUR: Duration = Duration::from_secs(3600);

/// What mails are counted under that the project's settings limit.
const MAIL: &str = "mail";

/// What mails are counted under that the operator grants.
const MAIL_QUOTA: &str = "mail-quota";

/// What is limited per client address; each has buckets of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limited {
    /// `/token` of every grant but web3.
    Token,
    /// `/token` with a wallet's signature.
    Web3,
    /// `/verify`.
    Verify,
    /// `/signup` with a contact.
    SignUp,
    /// `/signup` without.
    Anonymous,
    /// `PUT /user`.
    UserUpdate,
    /// `/otp`.
    Otp,
    /// `/magiclink`.
    MagicLink,
    /// `/recover`.
    Recover,
    /// `/resend`.
    Resend,
    /// `/passkeys/authentication/options`.
    PasskeyOptions,
    /// `/factors/{id}/challenge`.
    FactorChallenge,
    /// Every answer to a second factor.
    FactorVerify,
}

/// Takes a token from the caller's bucket. A caller without address, behind a trusted proxy that names none, has none.
pub(crate) async fn per_address(ctx: &Context, limited: Limited) -> Result<()> {
    let Some(address) = ctx.caller.counted.as_deref() else { return Ok(()) };
    let limits = &ctx.policy().rate_limits;
    let within = |events: u32, seconds: f64| (BURST.max(events / 5), f64::from(events) / seconds);
    let five_minutes = |events: u32| within(events, 300.0);
    let (name, (capacity, per_second)) = match limited {
        Limited::Token => ("token", five_minutes(limits.token_refresh)),
        Limited::Web3 => ("web3", five_minutes(limits.web3)),
        Limited::Verify => ("verify", five_minutes(limits.verify)),
        Limited::SignUp => ("signup", five_minutes(limits.otp)),
        Limited::UserUpdate => ("user", five_minutes(limits.otp)),
        Limited::Otp => ("otp", five_minutes(limits.otp)),
        Limited::MagicLink => ("magiclink", five_minutes(limits.otp)),
        Limited::Recover => ("recover", five_minutes(limits.otp)),
        Limited::Resend => ("resend", five_minutes(limits.otp)),
        Limited::PasskeyOptions => ("passkey", five_minutes(limits.passkeys)),
        Limited::FactorChallenge => ("factor-challenge", within(limits.factors, 60.0)),
        Limited::FactorVerify => ("factor-verify", within(limits.factors, 60.0)),
        Limited::Anonymous => ("anonymous", (limits.anonymous_users, f64::from(limits.anonymous_users) / 3600.0)),
    };
    let bucket = format!("{name}:{}", network(address));
    let counters = &ctx.services.cluster.counters;
    let taken = counters.take(ctx.tenant.project.id, &bucket, capacity, per_second, ctx.now).await;
    match known(taken) {
        Some(take) if !take.granted() => Err(Refusal::OverRequestRateLimit.into()),
        _ => Ok(()),
    }
}

/// Counts a mail against what the operator grants the project, and against the project's own limit. Projects that confirm without
/// mail have none of their own (`contract/core.md` §3.2).
pub(crate) async fn email(ctx: &Context) -> Result<()> {
    if let Some(granted) = ctx.tenant.project.quotas.mails_per_hour {
        per_hour(ctx, MAIL_QUOTA, granted, Refusal::MailQuotaReached).await?;
    }
    if ctx.policy().mailer_autoconfirm {
        return Ok(());
    }
    per_hour(ctx, MAIL, ctx.policy().rate_limits.email_sent, Refusal::OverEmailSendRateLimit).await
}

/// How many mails of the project were counted in the last hour; 0 where nobody knows.
pub(crate) async fn mails_last_hour(cluster: &Cluster, project: ProjectId, now: Timestamp) -> u64 {
    let count = async |key| known(cluster.counters.count(project, key, HOUR, now).await).unwrap_or(0);
    u64::from(count(MAIL_QUOTA).await.max(count(MAIL).await))
}

/// Takes a place for one more account of those the operator grants the project. To be asked right before the account is made.
pub(crate) async fn account(ctx: &Context) -> Result<()> {
    let Some(granted) = ctx.tenant.project.quotas.users else { return Ok(()) };
    if ctx.services.books.take_account(ctx, granted).await? { Ok(()) } else { Err(full()) }
}

/// Whether there is such a place, without taking it: where nobody is to learn whether an account exists, a sign-up is refused
/// before it is looked for.
pub(crate) async fn room_for_account(ctx: &Context) -> Result<()> {
    let Some(granted) = ctx.tenant.project.quotas.users else { return Ok(()) };
    if ctx.services.books.has_room(ctx, granted).await? { Ok(()) } else { Err(full()) }
}

fn full() -> Error {
    Refusal::QuotaFull(Quota::Users).into()
}

/// Counts an SMS against the project's limit, as [`email`] does a mail.
pub(crate) async fn sms(ctx: &Context) -> Result<()> {
    if ctx.policy().sms_autoconfirm {
        return Ok(());
    }
    per_hour(ctx, "sms", ctx.policy().rate_limits.sms_sent, Refusal::OverSmsSendRateLimit).await
}

async fn per_hour(ctx: &Context, name: &str, limit: u32, refusal: Refusal) -> Result<()> {
    match wait(ctx, name, limit, HOUR).await {
        Some(_) => Err(refusal.into()),
        None => Ok(()),
    }
}

/// Counts an event of `key`, of which `limit` may lie in `window`; how long to wait where it is one too many.
pub(crate) async fn wait(ctx: &Context, key: &str, limit: u32, window: Duration) -> Option<Duration> {
    match known(ctx.services.cluster.counters.hit(ctx.tenant.project.id, key, limit, window, ctx.now).await) {
        Some(Hit::Refused { retry_after }) => Some(retry_after),
        Some(Hit::Counted { .. }) | None => None,
    }
}

/// Forgets the events of `key`.
pub(crate) async fn forget(ctx: &Context, key: &str) {
    known(ctx.services.cluster.counters.clear(ctx.tenant.project.id, key).await);
}

/// What is counted for a contact: keyed, so that the store of the counts does not tell it.
pub(crate) fn key_of(ctx: &Context, name: &str, contact: &Contact) -> String {
    format!("{name}:{}", ctx.tenant.project_key.one_time_hash(contact.as_str()))
}

/// What is limited by the number of attempts; each has counts of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attempt<'a> {
    /// A password for this contact, known or not.
    SignIn(&'a Contact),
    /// A sign-up from the caller's address.
    SignUp,
    /// `/recover`.
    Recovery(&'a Contact),
    /// `/resend`.
    Resend(&'a Contact),
    /// `/reauthenticate`.
    Reauthentication(&'a Contact),
    /// `/otp`, `/magiclink`.
    OtpRequest(&'a Contact),
    /// A code of this TOTP factor.
    Totp(FactorId),
    /// A second factor in this session.
    SessionFactor(SessionId),
    /// A second factor of this user.
    UserFactor(UserId),
    /// A recovery code of this user.
    RecoveryCode(UserId),
}

impl Attempt<'_> {
    fn limit(self, ctx: &Context) -> AttemptLimit {
        let limits = &ctx.policy().rate_limits;
        match self {
            Self::SignIn(_) => limits.sign_in,
            Self::SignUp => limits.sign_up,
            Self::Recovery(_) | Self::Resend(_) | Self::Reauthentication(_) => limits.recovery,
            Self::OtpRequest(_) => limits.otp_request,
            Self::Totp(_) => ctx.policy().mfa.totp_failures,
            Self::SessionFactor(_) => limits.mfa_session,
            Self::UserFactor(_) => limits.mfa_user,
            Self::RecoveryCode(_) => ctx.policy().mfa.recovery_failures,
        }
    }

    /// What it is counted under.
    fn key(self, ctx: &Context) -> Option<String> {
        let of = |name: &str, contact: &Contact| Some(key_of(ctx, name, contact));
        match self {
            Self::SignUp => ctx.caller.counted.as_deref().map(|address| format!("sign-up:{}", network(address))),
            Self::SignIn(contact) => of("sign-in", contact),
            Self::Recovery(contact) => of("recovery", contact),
            Self::Resend(contact) => of("resend", contact),
            Self::Reauthentication(contact) => of("reauthentication", contact),
            Self::OtpRequest(contact) => of("otp-request", contact),
            Self::Totp(factor) => Some(format!("totp:{factor}")),
            Self::SessionFactor(session) => Some(format!("session-factor:{session}")),
            Self::UserFactor(user) => Some(format!("user-factor:{user}")),
            Self::RecoveryCode(user) => Some(format!("recovery-code:{user}")),
        }
    }

    fn refusal(self, wait: Duration) -> Refusal {
        let wait = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        match self {
            Self::SignIn(_) | Self::SignUp | Self::Totp(_) | Self::SessionFactor(_) | Self::UserFactor(_) => {
                Refusal::OverAttemptLimit(wait)
            }
            Self::RecoveryCode(_) => Refusal::RecoveryCodesLocked(wait),
            Self::Recovery(contact)
            | Self::Resend(contact)
            | Self::Reauthentication(contact)
            | Self::OtpRequest(contact) => match contact {
                Contact::Email(_) => Refusal::OverEmailAttemptLimit(wait),
                Contact::Phone(_) => Refusal::OverSmsAttemptLimit(wait),
            },
        }
    }
}

/// Counts an attempt, where the project limits them, or refuses it.
pub(crate) async fn attempt(ctx: &Context, attempt: Attempt<'_>) -> Result<()> {
    let AttemptLimit { events, seconds } = attempt.limit(ctx);
    if events == 0 {
        return Ok(());
    }
    let Some(key) = attempt.key(ctx) else { return Ok(()) };
    let window = Duration::from_secs(u64::from(seconds));
    match wait(ctx, &key, events, window).await {
        Some(left) => Err(attempt.refusal(left).into()),
        None => Ok(()),
    }
}

/// Forgets attempts after one that succeeded.
pub(crate) async fn succeeded(ctx: &Context, attempt: Attempt<'_>) {
    if attempt.limit(ctx).events > 0
        && let Some(key) = attempt.key(ctx)
    {
        forget(ctx, &key).await;
    }
}

/// Counts a second factor that may be wrong, of any kind, in `session` of `user`, or refuses to look at it.
pub(crate) async fn factor_attempt(ctx: &Context, session: SessionId, user: UserId) -> Result<()> {
    attempt(ctx, Attempt::SessionFactor(session)).await?;
    attempt(ctx, Attempt::UserFactor(user)).await
}

/// Forgets what [`factor_attempt`] counted, after a second factor that was right.
pub(crate) async fn factor_succeeded(ctx: &Context, session: SessionId, user: UserId) {
    succeeded(ctx, Attempt::SessionFactor(session)).await;
    succeeded(ctx, Attempt::UserFactor(user)).await;
}

/// What the counters say. Those of a gateway always answer; without an answer nothing is limited.
fn known<T>(answer: std::result::Result<T, Unavailable>) -> Option<T> {
    answer.inspect_err(|error| tracing::debug!(%error, "no answer from the counters")).ok()
}

/// An IPv6 client owns its /64; counting single addresses would count nothing (`security/advisor.md` §1.10).
fn network(address: &str) -> String {
    match address.parse() {
        Ok(std::net::IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn addresses_of_one_ipv6_network_share_a_bucket() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }
}

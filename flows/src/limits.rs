//! Limits per client address (`contract/core.md` §3.1). A caller without address, behind a trusted proxy that names none,
//! meets none of them.

use domain::refusal::Refusal;

use crate::context::Context;
use crate::error::Result;

/// Least tokens of every bucket but the anonymous one. A project that allows more than the default 150 in five minutes
/// allows a minute's worth of that at once.
const BURST: u32 = 30;

/// What is limited; each has buckets of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limited {
    /// `/token` of every grant but web3.
    Token,
    /// `/verify`.
    Verify,
    /// `/signup` with a contact.
    SignUp,
    /// `/signup` without.
    Anonymous,
    /// `PUT /user`.
    UserUpdate,
}

/// Takes a token from the caller's bucket.
pub(crate) async fn per_address(ctx: &Context, limited: Limited) -> Result<()> {
    let Some(address) = ctx.caller.ip.as_deref() else { return Ok(()) };
    let limits = ctx.policy().rate_limits;
    let five_minutes = |events: u32| (BURST.max(events / 5), f64::from(events) / 300.0);
    let (name, (capacity, per_second)) = match limited {
        Limited::Token => ("token", five_minutes(limits.token_refresh)),
        Limited::Verify => ("verify", five_minutes(limits.verify)),
        Limited::SignUp => ("signup", five_minutes(limits.otp)),
        Limited::UserUpdate => ("user", five_minutes(limits.otp)),
        Limited::Anonymous => ("anonymous", (limits.anonymous_users, f64::from(limits.anonymous_users) / 3600.0)),
    };
    let bucket = format!("{name}:{}", network(address));
    let counters = &ctx.services.cluster.counters;
    match counters.take(ctx.tenant.project.id, &bucket, capacity, per_second, ctx.now).await {
        Ok(take) if !take.granted() => Err(Refusal::OverRequestRateLimit.into()),
        Ok(_) => Ok(()),
        // Served rather than refused: passwords and codes have guards of their own in the database.
        Err(error) => {
            tracing::debug!(%error, "shared counters are away");
            Ok(())
        }
    }
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

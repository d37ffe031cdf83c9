//! Codes by time (RFC 6238): SHA-1, six digits, steps of 30 seconds (`contract/mfa-passkeys-oauth.md` §1.4, §1.6).

use domain::entropy::Entropy;
use domain::secret::Secret;
use domain::time::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use totp_rs::{Builder, Totp};

/// Seconds of a step.
pub const PERIOD: i64 = 30;

/// What stays as it is in the label of a URI: what has no meaning of its own there, and the `@` of an address.
const LABEL: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@').remove(b':');

/// A fresh secret: 20 random bytes as base32 without padding.
pub fn new_secret(entropy: &dyn Entropy) -> Secret<String> {
    let secret: [u8; 20] = entropy.bytes();
    Secret::new(totp_rs::Secret::new_stack(secret).to_base32())
}

/// What an authenticator app reads. No part can bring in a parameter of its own.
pub fn uri(issuer: &str, account: &str, secret: &Secret<String>) -> Secret<String> {
    let encoded = |text| utf8_percent_encode(text, LABEL);
    let (issuer, account) = (encoded(issuer), encoded(account));
    Secret::new(format!(
        "otpauth://totp/{issuer}:{account}?algorithm=SHA1&digits=6&issuer={issuer}&period={PERIOD}&secret={}",
        secret.expose()
    ))
}

/// The number of the step whose code is `code`: the one at `now`, the one before or the one after. Blanks around the
/// code do not count. A code may be taken once: the caller compares the step with the last one that was accepted.
pub fn matching_step(secret: &Secret<String>, code: &str, now: Timestamp) -> Option<i64> {
    let now = u64::try_from(now.unix()).ok()?;
    let step = totp(secret)?.check(code.trim(), now)?;
    i64::try_from(step).ok()
}

fn totp(secret: &Secret<String>) -> Option<Totp> {
    let secret = totp_rs::Secret::try_from_base32(secret.expose()).ok()?;
    Some(Builder::new().with_secret(secret).build_noncompliant())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B.
    fn secret() -> Secret<String> {
        Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned())
    }

    fn matching(code: &str, seconds: i64) -> Option<i64> {
        matching_step(&secret(), code, Timestamp::from_unix(seconds))
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // The appendix has eight digits; six are their end.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(matching(code, seconds), Some(seconds / PERIOD), "{seconds}");
        }
    }

    #[test]
    fn a_code_holds_one_step_before_and_after_its_own() {
        // The step of 1_111_111_109 begins at 1_111_111_080.
        let (begin, step) = (1_111_111_080, 37_037_036);
        for (seconds, found) in [(-31, false), (-30, true), (-1, true), (0, true), (59, true), (60, false)] {
            assert_eq!(matching("081804", begin + seconds), found.then_some(step), "{seconds}");
        }
    }

    #[test]
    fn blanks_around_a_code_do_not_count_and_anything_else_does() {
        assert_eq!(matching(" 287082\t\n", 59), Some(1));
        for code in ["", "28708", "2870820", "287 082", "+87082", "28708a", "２８７０８２", "287083"] {
            assert_eq!(matching(code, 59), None, "{code}");
        }
    }

    #[test]
    fn early_times_and_broken_secrets_match_nothing() {
        assert_eq!(matching("287082", -1), None);
        assert_eq!(matching("755224", 0), Some(0));
        let now = Timestamp::from_unix(59);
        assert_eq!(matching_step(&Secret::new("not base32!".to_owned()), "287082", now), None);
    }

    #[test]
    fn no_part_of_a_uri_brings_in_another() {
        let uri = |issuer, account| uri(issuer, account, &Secret::new("SECRET".to_owned())).into_inner();
        assert_eq!(
            uri("Example App", "a@example.com"),
            "otpauth://totp/Example%20App:a@example.com?algorithm=SHA1&digits=6&issuer=Example%20App&period=30&secret=SECRET"
        );
        assert!(uri("localhost:3000", "a").starts_with("otpauth://totp/localhost:3000:a?"));
        let hostile = uri("x&secret=AAAA#/?=+%ü\"", "y?secret=BBBB&digits=8/#");
        let (label, query) = hostile.split_once('?').unwrap();
        assert!(!label.contains(['&', '=', '#']) && label.matches('/').count() == 3);
        let names: Vec<&str> = query.split('&').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
        assert_eq!(names, ["algorithm", "digits", "issuer", "period", "secret"]);
        assert!(query.ends_with("&secret=SECRET") && hostile.is_ascii());
    }
}

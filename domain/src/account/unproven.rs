//! What an account loses when it turns out whose it is (`security/reference-weaknesses.md`, "Whose account").

use crate::config::Policy;
use crate::ids::IdentityId;
use crate::project::Profile;
use crate::time::Timestamp;
use crate::user::{Identity, User};

use super::is_verified;

/// What happens within this time is one act, in microseconds: the rows of adopted databases were not written at one instant.
const ONE_ACT: i64 = 250_000;

/// What an account loses when it turns out whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unproven {
    /// Identities that nothing has proven.
    pub identities: Vec<IdentityId>,
    /// All sessions, and all that was begun to change the account.
    pub sessions: bool,
    /// The password.
    pub password: bool,
    /// Second factors, recovery codes and passkeys.
    pub credentials: bool,
    /// The number.
    pub phone: bool,
}

/// What a message proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proves {
    /// The address.
    Email,
    /// The number.
    Phone,
}

/// What came in unproven before somebody proved that the contact of `user` is his: whoever made the account need not be the
/// same person. Nothing on an account that had a proven contact, and nothing when the message was the one that a sign-in of
/// this account itself had sent, at `sent_at`; `None` where it cannot have been, as for recoveries and invitations. The
/// password goes in the shield profile only: the compat profile keeps what clients know.
pub fn unproven(user: &User, proves: Proves, sent_at: Option<Timestamp>, policy: &Policy) -> Unproven {
    let number_goes = proves == Proves::Email && number_is_foreign(user, policy);
    let address_is_proven = match proves {
        Proves::Email => is_proven(user, policy),
        Proves::Phone => user.email_confirmed_at.is_some(),
    };
    let proven = address_is_proven || (user.phone_confirmed_at.is_some() && !number_goes);
    if proven || user.is_sso_user {
        return Unproven::default();
    }
    let asked_for =
        |identity: &Identity| sent_at.is_some_and(|at| identity.last_sign_in_at.is_some_and(|last| last >= at));
    let own = user.identities.iter().any(asked_for);
    let foreign = |identity: &&Identity| match identity.provider.as_str() {
        "email" => false,
        "phone" => number_goes && !own,
        _ => !proves_address(identity, user) && !asked_for(identity),
    };
    Unproven {
        identities: user.identities.iter().filter(foreign).map(|identity| identity.id).collect(),
        sessions: !own,
        password: !own && policy.profile == Profile::Shield,
        credentials: !own,
        phone: !own && number_goes,
    }
}

/// What an account loses whose address a provider proves by the identity `by`, and nobody had proven before: everything else
/// by which somebody could come in (`contract/mfa-passkeys-oauth.md` §3.5, confirmation step).
pub fn taken_over(user: &User, by: IdentityId, policy: &Policy) -> Unproven {
    Unproven {
        identities: user.identities.iter().map(|identity| identity.id).filter(|id| *id != by).collect(),
        sessions: true,
        password: true,
        credentials: true,
        phone: number_is_foreign(user, policy),
    }
}

/// Whether anybody has ever proven the address of `user`. Confirmed it may be without: where the project confirms at once, and
/// the account was made by an identity that did not prove its address, and has not since.
pub fn is_proven(user: &User, policy: &Policy) -> bool {
    let Some(confirmed_at) = user.email_confirmed_at else { return false };
    let assumed = |identity: &Identity| {
        let of_provider = identity.provider != "email" && identity.provider != "phone";
        let apart = identity.created_at.unix_micros() - confirmed_at.unix_micros();
        // A provider's word for another address may have come later; only where all is confirmed at once is that no excuse.
        let never = !is_verified(identity) || policy.mailer_autoconfirm;
        of_provider && apart.abs() <= ONE_ACT && !proves_address(identity, user) && never
    };
    !user.identities.iter().any(assumed)
}

/// Whether the provider of `identity` has verified the very address of `user`.
fn proves_address(identity: &Identity, user: &User) -> bool {
    is_verified(identity) && identity.email() == user.email
}

/// Whether the number of an account with an unproven address may be somebody else's than the address. It is the same person's
/// where both were given to the account when it was made; not where the address came with an identity, nor where accounts can
/// be used, and get a number, before their address is proven.
fn number_is_foreign(user: &User, policy: &Policy) -> bool {
    let given = |identity: &Identity| identity.provider == "email" && identity.email() == user.email;
    user.phone.is_some() && (policy.mailer_allow_unverified_email_sign_ins || !user.identities.iter().any(given))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::fixtures::{at, identity, policy, user};

    #[test]
    fn what_came_in_before_the_owner_goes() {
        let (compat, shield) = (policy(), Policy { profile: Profile::Shield, ..policy() });
        let by_mail = |user: &User, sent_at, policy: &Policy| unproven(user, Proves::Email, sent_at, policy);
        let unconfirmed = User { email_confirmed_at: None, confirmed_at: None, ..user() };
        let planted = Identity { last_sign_in_at: Some(at(0)), ..identity("google", "g") };
        let with = |planted: &Identity| User { identities: vec![planted.clone()], ..unconfirmed.clone() };
        // A recovery, or a message that was asked for later.
        for sent_at in [None, Some(at(10))] {
            let lost = by_mail(&with(&planted), sent_at, &compat);
            let identities = vec![planted.id];
            let all = Unproven { identities, sessions: true, password: false, credentials: true, phone: false };
            assert_eq!(lost, all);
            assert!(by_mail(&with(&planted), sent_at, &shield).password);
        }
        // The message that the provider's sign-in itself had sent.
        assert_eq!(by_mail(&with(&planted), Some(at(0)), &shield), Unproven::default());
        // The sign-up's own, and a later one.
        let own = Identity { last_sign_in_at: Some(at(0)), ..identity("email", "e") };
        assert_eq!(by_mail(&with(&own), Some(at(0)), &shield), Unproven::default());
        let later = by_mail(&with(&own), Some(at(10)), &shield);
        assert_eq!((later.identities.len(), later.sessions, later.password, later.credentials), (0, true, true, true));
        // What the provider had verified, and accounts that were proven.
        let mut verified = planted.clone();
        verified.data.insert("email_verified".to_owned(), true.into());
        verified.data.insert("email".to_owned(), "a@b.co".into());
        assert_eq!(by_mail(&with(&verified), None, &compat).identities, []);
        let confirmed = User { email_confirmed_at: Some(at(1)), ..with(&planted) };
        assert_eq!(by_mail(&confirmed, None, &shield), Unproven::default());
        let by_phone = User { phone_confirmed_at: Some(at(1)), ..with(&planted) };
        assert_eq!(by_mail(&by_phone, None, &shield), Unproven::default());
    }

    #[test]
    fn confirming_at_once_proves_nothing() {
        let auto = Policy { mailer_autoconfirm: true, ..policy() };
        let with = |email: &str, verified: bool, made: i64| {
            let mut identity = Identity { created_at: at(made), ..identity("google", "g") };
            identity.data.insert("email".to_owned(), email.into());
            identity.data.insert("email_verified".to_owned(), verified.into());
            // `user()` is confirmed at 0.
            User { identities: vec![identity], ..user() }
        };
        assert!(is_proven(&user(), &auto));
        for (account, policy, proven) in [
            (with("a@b.co", true, 0), &auto, true),
            (with("a@b.co", false, 0), &auto, false),
            (with("a@b.co", false, 0), &policy(), false),
            // It says another address now.
            (with("other@b.co", true, 0), &auto, false),
            (with("other@b.co", true, 0), &policy(), true),
            // It was linked to a proven account later.
            (with("a@b.co", false, 60), &auto, true),
        ] {
            assert_eq!(is_proven(&account, policy), proven, "{:?}", account.identities);
            let lost = unproven(&account, Proves::Email, None, policy);
            assert_eq!((lost.sessions, lost.identities.len()), (!proven, usize::from(!proven)));
            assert_eq!(unproven(&account, Proves::Phone, None, policy), Unproven::default());
        }
    }

    #[test]
    fn a_number_goes_with_whoever_only_claimed_the_address() {
        let mut address = identity("email", "e");
        address.data.insert("email".to_owned(), "a@b.co".into());
        let number = identity("phone", "p");
        let number = Identity { id: IdentityId(Uuid::from_u128(7)), ..number };
        let (phone, phone_confirmed_at) = (Some("1555".to_owned()), Some(at(1)));
        let unconfirmed = User { email_confirmed_at: None, confirmed_at: None, phone, phone_confirmed_at, ..user() };
        // The address came with an identity: by the number somebody else could come in.
        let claimed = User { identities: vec![number.clone()], ..unconfirmed.clone() };
        let lost = unproven(&claimed, Proves::Email, None, &policy());
        assert!(lost.phone && lost.sessions && lost.credentials);
        assert_eq!(lost.identities, [number.id]);
        assert!(taken_over(&claimed, address.id, &policy()).phone);
        // The number itself is proven: nothing is known of the address.
        assert_eq!(unproven(&claimed, Proves::Phone, None, &policy()), Unproven::default());
        // Both were given to the account.
        let given = User { identities: vec![address.clone(), number.clone()], ..unconfirmed };
        assert_eq!(unproven(&given, Proves::Email, None, &policy()), Unproven::default());
        assert!(!taken_over(&given, address.id, &policy()).phone);
        // Accounts can be used before they are proven.
        let open = Policy { mailer_allow_unverified_email_sign_ins: true, ..policy() };
        assert!(unproven(&given, Proves::Email, None, &open).phone);
        assert!(taken_over(&given, address.id, &open).phone);
    }

    #[test]
    fn what_a_provider_proves_leaves_one_way_in() {
        let kept = identity("google", "g");
        let others = [("email", 8), ("phone", 9), ("github", 10)];
        let others =
            others.map(|(provider, id)| Identity { id: IdentityId(Uuid::from_u128(id)), ..identity(provider, "x") });
        let mut identities = others.to_vec();
        identities.push(kept.clone());
        let lost = taken_over(&User { identities, ..user() }, kept.id, &policy());
        assert_eq!(lost.identities, others.map(|other| other.id));
        assert!(lost.sessions && lost.password && lost.credentials);
    }
}

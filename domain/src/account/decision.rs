//! The decision.
//!
//! | identity known | verified addresses | held, in the same linking domain, by | verdict |
//! |---|---|---|---|
//! | yes | any | anybody | the account it belongs to |
//! | no | none | anybody | a new account; without address where the candidate is somebody's |
//! | no | some | nobody | a new account |
//! | no | some | one account | that account, if the project links by address |
//! | no | some | several accounts | refused |
//! | no | some, the candidate among them | an account, and the project does not link | refused |
//!
//! Sign-ups that are switched off refuse new accounts, and nothing else.
//!
//! An account holds an address as its own, or by an identity whose provider has verified it. One that is its own and was never
//! confirmed is only claimed: it counts where nobody holds the address better, and whoever proves it then takes the account
//! over. What no provider has verified finds nobody, in no project.

use crate::config::Policy;
use crate::ids::UserId;
use crate::refusal::{ProviderRefusal, Refusal};
use crate::time::Timestamp;
use crate::user::User;

use super::{Addresses, WEB3, is_proven};

/// The linking domain of providers that have none of their own.
const DEFAULT: &str = "default";

/// Who arrives, and what is known of the addresses he brings.
#[derive(Clone, Copy, Debug)]
pub struct Arriving<'a> {
    /// The provider.
    pub provider: &'a str,
    /// The addresses it tells of.
    pub addresses: &'a Addresses,
    /// The account that the identity belongs to.
    pub owner: Option<UserId>,
    /// How accounts hold those addresses.
    pub holdings: &'a [Holding],
    /// An address that the provider has not verified may become the claim of a new account.
    pub claims: bool,
}

/// An account has an address in some way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The account.
    pub user: UserId,
    /// It shares no addresses with others.
    pub is_sso: bool,
    /// The address.
    pub address: String,
    /// The way.
    pub by: HeldBy,
}

/// How an account holds an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// It is its own.
    Account {
        /// It was proven.
        confirmed: bool,
    },
    /// An identity has it.
    Identity {
        /// The identity's provider.
        provider: String,
        /// The provider had verified it.
        verified: bool,
    },
}

/// Whose account it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The account that has the identity.
    Known(UserId),
    /// This account gets the identity.
    Link(UserId),
    /// A new one.
    Create {
        /// Its address.
        email: Option<String>,
        /// It shares no addresses with others.
        is_sso: bool,
        /// The address that it does not get, since somebody has it.
        withheld: Option<String>,
    },
    /// Nobody's.
    Refused(Refusal),
}

/// Decides.
pub fn decide(arriving: &Arriving<'_>, policy: &Policy) -> Verdict {
    if let Some(owner) = arriving.owner {
        return Verdict::Known(owner);
    }
    let domain = policy.oauth.linking_domain(arriving.provider);
    if policy.oauth.automatic_linking {
        match holders(arriving, domain, policy).as_slice() {
            [] => {}
            [user] => return Verdict::Link(*user),
            _ => return Verdict::Refused(ProviderRefusal::MultipleAccounts(domain.to_owned()).into()),
        }
    }
    create(arriving, domain, policy)
}

/// The accounts of the linking domain that hold a verified address, those first that hold it better.
fn holders(arriving: &Arriving<'_>, domain: &str, policy: &Policy) -> Vec<UserId> {
    let is_sso = domain != DEFAULT;
    let held = |by: fn(&HeldBy) -> bool| {
        let counts = |holding: &&Holding| {
            holding.is_sso == is_sso
                && arriving.addresses.proves(&holding.address)
                && by(&holding.by)
                && match &holding.by {
                    // An account outside the default domain shares its own address with nobody.
                    HeldBy::Account { .. } => !is_sso,
                    // What these two prove stands in the account.
                    HeldBy::Identity { provider, .. } if provider == "email" || provider == "phone" => false,
                    HeldBy::Identity { provider, .. } => policy.oauth.linking_domain(provider) == domain,
                }
        };
        let mut users: Vec<UserId> = arriving.holdings.iter().filter(counts).map(|holding| holding.user).collect();
        users.sort_unstable();
        users.dedup();
        users
    };
    let proven = held(|by| matches!(by, HeldBy::Account { confirmed: true } | HeldBy::Identity { verified: true, .. }));
    if proven.is_empty() { held(|by| matches!(by, HeldBy::Account { .. })) } else { proven }
}

fn create(arriving: &Arriving<'_>, domain: &str, policy: &Policy) -> Verdict {
    let is_sso = domain != DEFAULT;
    let candidate = arriving.addresses.candidate();
    let proven = candidate.is_some_and(|candidate| arriving.addresses.proves(candidate));
    let is_taken = !is_sso
        && arriving.holdings.iter().any(|holding| {
            !holding.is_sso
                && matches!(holding.by, HeldBy::Account { .. })
                && Some(holding.address.as_str()) == candidate
        });
    if is_taken && proven {
        return Verdict::Refused(ProviderRefusal::AddressTaken.into());
    }
    if policy.disable_signup {
        return Verdict::Refused(Refusal::SignupDisabled);
    }
    let candidate = candidate.filter(|_| proven || arriving.claims).map(str::to_owned);
    let (email, withheld) = if is_taken { (None, candidate) } else { (candidate, None) };
    Verdict::Create { email, is_sso, withheld }
}

/// Whether somebody with this account may come in at all.
///
/// # Errors
/// The account is gone or banned.
pub fn may_come_in(user: &User, now: Timestamp) -> Result<(), Refusal> {
    if user.deleted_at.is_some() {
        return Err(Refusal::UserNotFound);
    }
    if user.is_banned(now) {
        return Err(Refusal::BearerUserBanned);
    }
    Ok(())
}

/// How an account stands once it is known whose it is (§3.5, confirmation step).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is left to be confirmed.
    Confirmed,
    /// The provider proves the account's address now: it is this person's.
    Proven,
    /// The address waits for a mail to be answered.
    Awaits,
    /// There is no address that a mail could go to.
    NoAddress,
}

/// How the account of `user` stands, who comes by way of `provider` with `addresses`; the identities of `user` are those
/// besides the one he comes by. Only what is said of the account's own address proves it.
pub fn standing(user: &User, provider: &str, addresses: &Addresses, email_optional: bool, policy: &Policy) -> Standing {
    let is_open = is_proven(user, policy)
        || (user.email_confirmed_at.is_some() && !user.email.as_ref().is_some_and(|email| addresses.proves(email)));
    if provider == WEB3 || is_open {
        return Standing::Confirmed;
    }
    let autoconfirm = policy.mailer_autoconfirm;
    match &user.email {
        Some(email) if addresses.proves(email) || (autoconfirm && addresses.tells_of(email)) => Standing::Proven,
        Some(_) => Standing::Awaits,
        None if email_optional || user.phone_confirmed_at.is_some() => Standing::Confirmed,
        None if addresses.candidate().is_some_and(|candidate| addresses.proves(candidate)) => Standing::Confirmed,
        None => Standing::NoAddress,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::fixtures::{at, policy, user};
    use crate::provider::{Profile, ProviderEmail};

    const EMAIL: &str = "ada@b.co";

    fn id(number: u128) -> UserId {
        UserId(Uuid::from_u128(number))
    }

    fn addresses(told: &[(&str, bool)]) -> Addresses {
        let email = |(index, (email, verified)): (usize, &(&str, bool))| ProviderEmail {
            email: (*email).to_owned(),
            verified: *verified,
            primary: index == 0,
        };
        Addresses::of(&Profile { emails: told.iter().enumerate().map(email).collect(), ..Profile::default() })
    }

    fn own(user: u128, confirmed: bool) -> Holding {
        let by = HeldBy::Account { confirmed };
        Holding { user: id(user), is_sso: false, address: EMAIL.to_owned(), by }
    }

    fn by_identity(user: u128, provider: &str, verified: bool) -> Holding {
        let by = HeldBy::Identity { provider: provider.to_owned(), verified };
        Holding { user: id(user), is_sso: false, address: EMAIL.to_owned(), by }
    }

    fn verdict(told: &[(&str, bool)], holdings: &[Holding], policy: &Policy) -> Verdict {
        let addresses = addresses(told);
        let arriving = Arriving { provider: "github", addresses: &addresses, owner: None, holdings, claims: true };
        decide(&arriving, policy)
    }

    fn made(email: Option<&str>, withheld: Option<&str>) -> Verdict {
        Verdict::Create { email: email.map(str::to_owned), is_sso: false, withheld: withheld.map(str::to_owned) }
    }

    /// Addresses told and verified, holdings, verdict.
    type Row<'a> = (&'a [(&'a str, bool)], Vec<Holding>, Verdict);

    #[test]
    fn the_table() {
        let refused = || Verdict::Refused(ProviderRefusal::MultipleAccounts("default".to_owned()).into());
        let verified: &[(&str, bool)] = &[(EMAIL, true)];
        let doubtful: &[(&str, bool)] = &[(EMAIL, false)];
        let rows: &[Row<'_>] = &[
            (&[], vec![], made(None, None)),
            (verified, vec![], made(Some(EMAIL), None)),
            (doubtful, vec![], made(Some(EMAIL), None)),
            // Its own address, proven or not.
            (verified, vec![own(1, true)], Verdict::Link(id(1))),
            (verified, vec![own(1, false)], Verdict::Link(id(1))),
            (doubtful, vec![own(1, true)], made(None, Some(EMAIL))),
            (doubtful, vec![own(1, false)], made(None, Some(EMAIL))),
            // An identity's.
            (verified, vec![by_identity(1, "google", true)], Verdict::Link(id(1))),
            (verified, vec![by_identity(1, "google", false)], made(Some(EMAIL), None)),
            (doubtful, vec![by_identity(1, "google", true)], made(Some(EMAIL), None)),
            // Several ways of one account, and several accounts.
            (verified, vec![own(1, true), by_identity(1, "google", true)], Verdict::Link(id(1))),
            (verified, vec![own(1, true), by_identity(2, "google", true)], refused()),
            (verified, vec![by_identity(1, "google", true), by_identity(2, "x", true)], refused()),
            // A claim stands back behind a proof, and a doubtful identity is none.
            (verified, vec![own(1, false), by_identity(2, "google", true)], Verdict::Link(id(2))),
            (verified, vec![own(1, false), by_identity(2, "google", false)], Verdict::Link(id(1))),
            // What stands in the account is not read off these.
            (verified, vec![by_identity(1, "email", true)], made(Some(EMAIL), None)),
            (verified, vec![by_identity(1, "phone", true)], made(Some(EMAIL), None)),
            // Another domain.
            (verified, vec![by_identity(1, "sso:7", true)], made(Some(EMAIL), None)),
            (verified, vec![Holding { is_sso: true, ..own(1, true) }], made(Some(EMAIL), None)),
        ];
        for (told, holdings, expected) in rows {
            assert_eq!(&verdict(told, holdings, &policy()), expected, "{told:?} {holdings:?}");
        }
    }

    #[test]
    fn a_verified_address_besides_the_meant_one_finds_its_account() {
        let told = [("other@b.co", false), (EMAIL, true)];
        assert_eq!(verdict(&told, &[own(1, true)], &policy()), Verdict::Link(id(1)));
    }

    #[test]
    fn confirming_without_asking_links_nobody_by_an_unverified_address() {
        let policy = Policy { mailer_autoconfirm: true, ..policy() };
        assert_eq!(verdict(&[(EMAIL, false)], &[own(1, true)], &policy), made(None, Some(EMAIL)));
        assert_eq!(verdict(&[(EMAIL, false)], &[], &policy), made(Some(EMAIL), None));
    }

    #[test]
    fn a_known_identity_needs_nothing_else() {
        let addresses = addresses(&[(EMAIL, true)]);
        let policy = Policy { disable_signup: true, ..policy() };
        let holdings = [own(2, true), by_identity(3, "google", true)];
        let arriving = Arriving {
            provider: "github",
            addresses: &addresses,
            owner: Some(id(1)),
            holdings: &holdings,
            claims: true,
        };
        assert_eq!(decide(&arriving, &policy), Verdict::Known(id(1)));
    }

    #[test]
    fn sign_ups_that_are_off_refuse_new_accounts_only() {
        let policy = Policy { disable_signup: true, ..policy() };
        assert_eq!(verdict(&[(EMAIL, true)], &[], &policy), Verdict::Refused(Refusal::SignupDisabled));
        assert_eq!(verdict(&[(EMAIL, true)], &[own(1, true)], &policy), Verdict::Link(id(1)));
    }

    #[test]
    fn a_project_that_does_not_link_makes_accounts_for_free_addresses_only() {
        let mut policy = policy();
        policy.oauth.automatic_linking = false;
        let taken = Verdict::Refused(ProviderRefusal::AddressTaken.into());
        assert_eq!(verdict(&[(EMAIL, true)], &[own(1, true)], &policy), taken);
        assert_eq!(verdict(&[(EMAIL, true)], &[own(1, false)], &policy), taken);
        assert_eq!(verdict(&[(EMAIL, true)], &[by_identity(1, "google", true)], &policy), made(Some(EMAIL), None));
        assert_eq!(verdict(&[(EMAIL, true)], &[], &policy), made(Some(EMAIL), None));
    }

    #[test]
    fn providers_with_a_domain_of_their_own_share_accounts_among_themselves() {
        let mut policy = policy();
        for provider in ["custom:a", "custom:b"] {
            policy.oauth.linking_domains.insert(provider.to_owned(), "social".to_owned());
        }
        let addresses = addresses(&[(EMAIL, true)]);
        let decided = |holdings: &[Holding]| {
            let arriving =
                Arriving { provider: "custom:a", addresses: &addresses, owner: None, holdings, claims: true };
            decide(&arriving, &policy)
        };
        let apart = Verdict::Create { email: Some(EMAIL.to_owned()), is_sso: true, withheld: None };
        assert_eq!(decided(&[]), apart);
        assert_eq!(decided(&[own(1, true), by_identity(1, "google", true)]), apart);
        let sibling = Holding { is_sso: true, ..by_identity(1, "custom:b", true) };
        assert_eq!(decided(std::slice::from_ref(&sibling)), Verdict::Link(id(1)));
        // An account that the domain did not make is not one of it.
        assert_eq!(decided(&[Holding { is_sso: false, ..sibling }]), apart);
    }

    #[test]
    fn an_unverified_address_is_no_claim_where_nobody_could_confirm_it() {
        let addresses = addresses(&[(EMAIL, false)]);
        let arriving = Arriving {
            provider: "https://issuer.example",
            addresses: &addresses,
            owner: None,
            holdings: &[],
            claims: false,
        };
        assert_eq!(decide(&arriving, &policy()), made(None, None));
    }

    #[test]
    fn nobody_comes_in_who_is_gone_or_banned() {
        let gone = User { deleted_at: Some(at(0)), ..user() };
        assert_eq!(may_come_in(&gone, at(1)), Err(Refusal::UserNotFound));
        let banned = User { banned_until: Some(at(5)), ..user() };
        assert_eq!(may_come_in(&banned, at(1)), Err(Refusal::BearerUserBanned));
        assert_eq!(may_come_in(&banned, at(6)), Ok(()));
    }

    #[test]
    fn only_what_is_said_of_the_accounts_own_address_proves_it() {
        let unconfirmed = User { email: Some(EMAIL.to_owned()), email_confirmed_at: None, ..user() };
        let auto = Policy { mailer_autoconfirm: true, ..policy() };
        let stands =
            |told: &[(&str, bool)], policy: &Policy| standing(&unconfirmed, "github", &addresses(told), false, policy);
        assert_eq!(stands(&[(EMAIL, true)], &policy()), Standing::Proven);
        assert_eq!(stands(&[(EMAIL, false)], &policy()), Standing::Awaits);
        assert_eq!(stands(&[(EMAIL, false)], &auto), Standing::Proven);
        // The provider's address has become another one meanwhile.
        assert_eq!(stands(&[("other@b.co", true)], &policy()), Standing::Awaits);
        assert_eq!(stands(&[("other@b.co", true)], &auto), Standing::Awaits);
        assert_eq!(standing(&user(), "github", &addresses(&[]), false, &policy()), Standing::Confirmed);
    }

    #[test]
    fn an_account_without_address_is_let_in_by_what_needs_none() {
        let bare = User { email: None, email_confirmed_at: None, ..user() };
        let stands = |user: &User, provider: &str, told: &[(&str, bool)], optional: bool| {
            standing(user, provider, &addresses(told), optional, &policy())
        };
        assert_eq!(stands(&bare, WEB3, &[], false), Standing::Confirmed);
        assert_eq!(stands(&bare, "github", &[], true), Standing::Confirmed);
        assert_eq!(stands(&bare, "github", &[(EMAIL, true)], false), Standing::Confirmed);
        assert_eq!(stands(&bare, "github", &[(EMAIL, false)], false), Standing::NoAddress);
        let by_phone = User { phone_confirmed_at: Some(at(0)), ..bare };
        assert_eq!(stands(&by_phone, "github", &[], false), Standing::Confirmed);
    }
}

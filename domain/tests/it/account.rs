//! Whose account a proven identity is, for any facts.

use domain::account::{Address, Standing};
use domain::account::{
    Addresses, Arriving, HeldBy, Holding, Verdict, address_of_link, decide, identity_data, standing,
};
use domain::config::Policy;
use domain::ids::{IdentityId, UserId};
use domain::provider::{Profile, ProviderEmail};
use domain::time::Timestamp;
use domain::unlink_identity::{Contacts, unlink};
use domain::user::{Identity, Metadata, User};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::support::policy as fresh_policy;

const ADDRESSES: [&str; 3] = ["ada@b.co", "bo@b.co", "cy@b.co"];
const PROVIDERS: [&str; 5] = ["github", "google", "custom:a", "custom:b", "sso:1"];

fn user() -> impl Strategy<Value = UserId> {
    (1..5_u128).prop_map(|number| UserId(Uuid::from_u128(number)))
}

fn address() -> impl Strategy<Value = String> {
    prop::sample::select(&ADDRESSES[..]).prop_map(str::to_owned)
}

fn provider() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&PROVIDERS[..])
}

fn holding() -> impl Strategy<Value = Holding> {
    let by = prop_oneof![
        any::<bool>().prop_map(|confirmed| HeldBy::Account { confirmed }),
        (provider(), any::<bool>())
            .prop_map(|(provider, verified)| HeldBy::Identity { provider: provider.to_owned(), verified }),
    ];
    (user(), any::<bool>(), address(), by).prop_map(|(user, is_sso, address, by)| Holding { user, is_sso, address, by })
}

fn holdings() -> impl Strategy<Value = Vec<Holding>> {
    prop::collection::vec(holding(), 0..6)
}

fn profile() -> impl Strategy<Value = Profile> {
    let email = (address(), any::<bool>(), any::<bool>()).prop_map(|(email, verified, primary)| ProviderEmail {
        email,
        verified,
        primary,
    });
    prop::collection::vec(email, 0..4).prop_map(|emails| Profile {
        subject: "7".to_owned(),
        emails,
        claims: Metadata::new(),
    })
}

fn settings() -> impl Strategy<Value = Policy> {
    (any::<[bool; 4]>(), any::<[bool; 2]>()).prop_map(|([linking, auto, closed, open], own_domain)| {
        let mut policy = fresh_policy(json!({}));
        policy.oauth.automatic_linking = linking;
        policy.mailer_autoconfirm = auto;
        policy.disable_signup = closed;
        policy.mailer_allow_unverified_email_sign_ins = open;
        for (own, provider) in own_domain.into_iter().zip(["custom:a", "custom:b"]) {
            if own {
                policy.oauth.linking_domains.insert(provider.to_owned(), "social".to_owned());
            }
        }
        policy
    })
}

fn decided(provider: &str, profile: &Profile, holdings: &[Holding], policy: &Policy) -> Verdict {
    let addresses = Addresses::of(profile);
    decide(&Arriving { provider, addresses: &addresses, owner: None, holdings, claims: true }, policy)
}

proptest! {
    #[test]
    fn a_link_is_by_an_address_that_the_provider_verified_and_the_account_holds(
        provider in provider(), profile in profile(), holdings in holdings(), policy in settings(),
    ) {
        let Verdict::Link(user) = decided(provider, &profile, &holdings, &policy) else { return Ok(()) };
        prop_assert!(policy.oauth.automatic_linking);
        let verified = |address: &str| {
            profile.emails.iter().any(|told| told.email == address && told.verified)
        };
        let domain = policy.oauth.linking_domain(provider);
        let held = holdings.iter().any(|holding| {
            holding.user == user
                && verified(&holding.address)
                && holding.is_sso == (domain != "default")
                && match &holding.by {
                    HeldBy::Account { .. } => domain == "default",
                    HeldBy::Identity { provider, verified } => {
                        *verified && policy.oauth.linking_domain(provider) == domain
                    }
                }
        });
        prop_assert!(held);
    }

    #[test]
    fn what_the_provider_has_not_verified_finds_nobody(
        provider in provider(), profile in profile(), holdings in holdings(), policy in settings(),
    ) {
        let mut doubtful = profile;
        for told in &mut doubtful.emails {
            told.verified = false;
        }
        let verdict = decided(provider, &doubtful, &holdings, &policy);
        prop_assert!(!matches!(verdict, Verdict::Link(_) | Verdict::Known(_)), "{verdict:?}");
    }

    #[test]
    fn unverified_identities_of_accounts_decide_nothing(
        provider in provider(), profile in profile(), holdings in holdings(), policy in settings(),
    ) {
        let counts = |holding: &Holding| !matches!(holding.by, HeldBy::Identity { verified: false, .. });
        let proven: Vec<Holding> = holdings.iter().filter(|holding| counts(holding)).cloned().collect();
        prop_assert_eq!(
            decided(provider, &profile, &holdings, &policy),
            decided(provider, &profile, &proven, &policy)
        );
    }

    #[test]
    fn accounts_of_another_domain_decide_nothing(
        profile in profile(), holdings in holdings(), policy in settings(),
    ) {
        let shared: Vec<Holding> = holdings.iter().filter(|holding| !holding.is_sso).cloned().collect();
        prop_assert_eq!(
            decided("github", &profile, &holdings, &policy),
            decided("github", &profile, &shared, &policy)
        );
        let apart: Vec<Holding> = holdings.iter().filter(|holding| holding.is_sso).cloned().collect();
        prop_assert_eq!(
            decided("sso:1", &profile, &holdings, &policy),
            decided("sso:1", &profile, &apart, &policy)
        );
    }

    #[test]
    fn the_decision_hangs_on_facts_only(
        provider in provider(), profile in profile(), holdings in holdings(), policy in settings(),
    ) {
        let verdict = decided(provider, &profile, &holdings, &policy);
        // Neither on their order,
        let backwards: Vec<Holding> = holdings.iter().rev().cloned().collect();
        prop_assert_eq!(&decided(provider, &profile, &backwards, &policy), &verdict);
        // nor on whether accounts are confirmed without asking,
        let other = Policy { mailer_autoconfirm: !policy.mailer_autoconfirm, ..policy.clone() };
        prop_assert_eq!(&decided(provider, &profile, &holdings, &other), &verdict);
        // and sign-ups that are off take new accounts away and nothing else.
        let open = Policy { disable_signup: false, ..policy.clone() };
        let closed = Policy { disable_signup: true, ..policy };
        let closed = decided(provider, &profile, &holdings, &closed);
        match decided(provider, &profile, &holdings, &open) {
            Verdict::Create { .. } => prop_assert!(matches!(closed, Verdict::Refused(_))),
            other => prop_assert_eq!(closed, other),
        }
    }

    #[test]
    fn a_new_account_gets_a_free_address_or_none(
        provider in provider(), profile in profile(), holdings in holdings(), policy in settings(),
    ) {
        let Verdict::Create { email: Some(email), is_sso, .. } = decided(provider, &profile, &holdings, &policy) else {
            return Ok(());
        };
        prop_assert!(profile.emails.iter().any(|told| told.primary && told.email == email));
        let taken = |holding: &Holding| {
            !holding.is_sso && holding.address == email && matches!(holding.by, HeldBy::Account { .. })
        };
        prop_assert!(is_sso || !holdings.iter().any(taken));
    }

    #[test]
    fn a_known_identity_is_its_accounts(
        provider in provider(), profile in profile(), holdings in holdings(), policy in settings(), owner in user(),
    ) {
        let addresses = Addresses::of(&profile);
        let arriving =
            Arriving { provider, addresses: &addresses, owner: Some(owner), holdings: &holdings, claims: true };
        prop_assert_eq!(decide(&arriving, &policy), Verdict::Known(owner));
    }

    #[test]
    fn addresses_are_what_was_told_but_for_the_case_of_ascii(told in "\\PC{0,40}", other in "[a-zA-Z\u{130}\u{131}\u{17f}\u{212a}]{1,4}@[a-zA-Z\u{212a}]{1,4}") {
        for text in [told, other] {
            let emails = vec![ProviderEmail { email: text.clone(), verified: true, primary: true }];
            let addresses = Addresses::of(&Profile { emails, ..Profile::default() });
            for address in addresses.to_look_for() {
                prop_assert!(text.is_ascii());
                prop_assert_eq!(&address, &text.to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn an_account_is_proven_by_what_is_said_of_its_own_address(
        profile in profile(), email in prop::option::of(address()), optional in any::<bool>(), policy in settings(),
    ) {
        let now = Timestamp::from_unix(0);
        let user = User { email: email.clone(), ..User::new(UserId(Uuid::from_u128(1)), "a", "a", now) };
        let stands = standing(&user, "github", &Addresses::of(&profile), optional, &policy);
        if stands == Standing::Proven {
            let said = profile.emails.iter().find(|told| Some(&told.email) == email.as_ref());
            prop_assert!(said.is_some_and(|told| told.verified || policy.mailer_autoconfirm));
        }
        prop_assert!(email.is_none() || stands != Standing::Confirmed);
    }

    #[test]
    fn claims_of_a_provider_never_say_what_is_proven(
        profile in profile(), forged in address(), verified in any::<bool>(),
    ) {
        let mut profile = profile;
        profile.claims.insert("email".to_owned(), json!(forged));
        profile.claims.insert("email_verified".to_owned(), json!(verified));
        let data = identity_data(&profile);
        let shown = profile.emails.iter().find(|told| told.primary).or(profile.emails.last());
        prop_assert_eq!(data.get("email").cloned(), shown.map(|told| json!(told.email)));
        prop_assert_eq!(data.get("email_verified"), Some(&json!(shown.is_some_and(|told| told.verified))));
    }

    #[test]
    fn linking_never_replaces_an_address_and_gives_proven_accounts_no_doubtful_one(
        profile in profile(), email in prop::option::of(address()), identities in identities(),
    ) {
        let user = with(email.as_deref(), identities);
        match address_of_link(&user, &Addresses::of(&profile)) {
            Address::Taken(address) => {
                prop_assert!(user.email.is_none());
                prop_assert!(profile.emails.iter().any(|told| told.verified && told.email == address));
            }
            Address::Claimed(_) | Address::Missing => {
                prop_assert!(user.email.is_none() && user.identities.is_empty());
            }
            Address::Stays => {}
        }
    }

    #[test]
    fn unlinking_leaves_a_way_in_and_moves_to_verified_addresses_only(
        email in prop::option::of(address()), identities in identities(), which in 0..6_usize,
    ) {
        let user = with(email.as_deref(), identities);
        let id = user.identities.get(which).map_or(IdentityId(Uuid::from_u128(99)), |identity| identity.id);
        let Ok((identity, contacts)) = unlink(&user, id) else {
            prop_assert!(user.identities.len() <= 1 || which >= user.identities.len());
            return Ok(());
        };
        prop_assert_eq!(identity.id, id);
        prop_assert!(user.identities.len() > 1);
        let Contacts::AddressBecomes(successors) = contacts else { return Ok(()) };
        for address in successors.into_iter().flatten() {
            let proven = |left: &&Identity| {
                left.id != id
                    && left.email().as_ref() == Some(&address)
                    && left.data.get("email_verified") == Some(&json!(true))
            };
            prop_assert!(user.identities.iter().any(|left| proven(&left)));
        }
    }
}

fn identities() -> impl Strategy<Value = Vec<Identity>> {
    let parts = (provider(), prop::option::of(address()), any::<bool>());
    prop::collection::vec(parts, 0..5).prop_map(|identities| {
        let identities = identities.into_iter().enumerate();
        identities.map(|(number, (provider, email, verified))| identity(number, provider, email, verified)).collect()
    })
}

fn identity(number: usize, provider: &str, email: Option<String>, verified: bool) -> Identity {
    let mut data = Metadata::new();
    data.extend(email.map(|email| ("email".to_owned(), json!(email))));
    data.insert("email_verified".to_owned(), json!(verified));
    Identity {
        id: IdentityId(Uuid::from_u128(number as u128)),
        user_id: UserId(Uuid::from_u128(1)),
        provider: provider.to_owned(),
        provider_id: number.to_string(),
        data,
        last_sign_in_at: None,
        created_at: Timestamp::from_unix(0),
        updated_at: Timestamp::from_unix(0),
    }
}

fn with(email: Option<&str>, identities: Vec<Identity>) -> User {
    let now = Timestamp::from_unix(0);
    let user = User::new(UserId(Uuid::from_u128(1)), "authenticated", "authenticated", now);
    User { email: email.map(str::to_owned), identities, ..user }
}

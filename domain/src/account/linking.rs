//! The address of an account that links an identity (§3.9, step 3).

use super::Addresses;
use crate::user::User;

/// What a linked identity does to the address of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Nothing.
    Stays,
    /// It becomes the account's, proven.
    Taken(String),
    /// It becomes the account's once a mail is answered.
    Claimed(String),
    /// The account needs one and there is none.
    Missing,
}

/// What the addresses of a linked identity do to that of `user`. Only an account without address gets one. What the provider
/// has not verified is taken, to be confirmed, by guests alone: an account that somebody has already proven never gets an
/// address that nobody has proven.
pub fn address_of_link(user: &User, addresses: &Addresses) -> Address {
    if user.email.is_some() {
        return Address::Stays;
    }
    let has_way_in = !user.identities.is_empty() || user.phone_confirmed_at.is_some();
    match addresses.candidate() {
        Some(candidate) if addresses.proves(candidate) => Address::Taken(candidate.to_owned()),
        _ if has_way_in => Address::Stays,
        Some(candidate) => Address::Claimed(candidate.to_owned()),
        None => Address::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{identity, user};
    use crate::provider::{Profile, ProviderEmail};

    fn addresses(verified: bool) -> Addresses {
        let emails = vec![ProviderEmail { email: "new@b.co".to_owned(), verified, primary: true }];
        Addresses::of(&Profile { emails, ..Profile::default() })
    }

    #[test]
    fn an_account_with_an_address_keeps_it() {
        assert_eq!(address_of_link(&user(), &addresses(true)), Address::Stays);
    }

    #[test]
    fn a_guest_gets_the_address_and_an_unverified_one_to_be_confirmed() {
        let guest = User { email: None, email_confirmed_at: None, is_anonymous: true, ..user() };
        assert_eq!(address_of_link(&guest, &addresses(true)), Address::Taken("new@b.co".to_owned()));
        assert_eq!(address_of_link(&guest, &addresses(false)), Address::Claimed("new@b.co".to_owned()));
        assert_eq!(address_of_link(&guest, &Addresses::default()), Address::Missing);
    }

    #[test]
    fn a_proven_account_takes_no_unverified_address() {
        let by_phone =
            User { email: None, email_confirmed_at: None, identities: vec![identity("phone", "1")], ..user() };
        assert_eq!(address_of_link(&by_phone, &addresses(true)), Address::Taken("new@b.co".to_owned()));
        assert_eq!(address_of_link(&by_phone, &addresses(false)), Address::Stays);
        assert_eq!(address_of_link(&by_phone, &Addresses::default()), Address::Stays);
    }
}

//! `POST /otp` (`contract/core.md` §14.1). Answers [`crate::sms::Sent`].

use crate::captcha::Proof;
use crate::config::Policy;
use crate::contact::Contact;
use crate::pkce::Challenge;
use crate::refusal::Refusal;
use crate::sms::Channel;
use crate::user::Metadata;
use crate::{email, phone};

/// A code or a link is asked for. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Address, as typed.
    pub email: String,
    /// Number, as typed.
    pub phone: String,
    /// Whether an unknown contact gets an account; `true` when absent.
    pub create_user: bool,
    /// Metadata of a new account.
    pub data: Metadata,
    /// `channel`.
    pub channel: String,
    /// PKCE challenge.
    pub code_challenge: String,
    /// PKCE method.
    pub code_challenge_method: String,
    /// For the captcha check.
    pub captcha: Proof,
}

/// Checks what does not depend on the kind of contact (§14.1 step 1). Gives the challenge.
///
/// # Errors
/// The first check that fails.
pub fn check(request: &Request) -> Result<Option<Challenge>, Refusal> {
    if !request.email.is_empty() && !request.phone.is_empty() {
        return Err(Refusal::OtpOneContact);
    }
    if !request.email.is_empty() && !request.channel.is_empty() {
        return Err(Refusal::OtpChannelWithEmail);
    }
    Challenge::parse(&request.code_challenge, &request.code_challenge_method)
}

/// The contact as accounts are looked up by, however it was typed: a malformed one is unknown.
///
/// # Errors
/// Neither contact.
pub fn named(request: &Request) -> Result<Option<Contact>, Refusal> {
    match (request.email.is_empty(), request.phone.is_empty()) {
        (true, true) => Err(Refusal::OtpContactMissing),
        (false, _) => Ok(email::validate(&request.email).ok().map(Contact::Email)),
        (true, false) => Ok(phone::validate(&request.phone).ok().map(Contact::Phone)),
    }
}

/// Checks a request for a code by SMS (§14.3): the number, and how it is reached.
///
/// # Errors
/// The first check that fails.
pub fn by_sms(request: &Request, policy: &Policy) -> Result<(String, Channel), Refusal> {
    if !policy.external_phone_enabled {
        return Err(Refusal::PhoneOtpDisabled);
    }
    let phone = phone::validate(&request.phone)?;
    Ok((phone, Channel::parse(&request.channel, policy)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::policy;

    fn request(email: &str, phone: &str, channel: &str) -> Request {
        let [email, phone, channel] = [email, phone, channel].map(str::to_owned);
        Request { email, phone, channel, ..Request::default() }
    }

    #[test]
    fn one_contact_and_a_channel_only_for_numbers() {
        for (request, answer) in [
            (request("a@b.co", "1555", "sms"), Err(Refusal::OtpOneContact)),
            (request("a@b.co", "", "sms"), Err(Refusal::OtpChannelWithEmail)),
            (request("a@b.co", "", ""), Ok(None)),
            (request("", "1555", "pigeon"), Ok(None)),
            (Request { code_challenge: "x".to_owned(), ..request("", "1555", "") }, Err(Refusal::PkceIncomplete)),
        ] {
            assert_eq!(check(&request), answer, "{request:?}");
        }
    }

    #[test]
    fn a_malformed_contact_names_nobody() {
        assert_eq!(named(&request("", "", "")), Err(Refusal::OtpContactMissing));
        assert_eq!(named(&request("A@b.co", "", "")), Ok(Some(Contact::Email("a@b.co".to_owned()))));
        assert_eq!(named(&request("", "+1 555", "")), Ok(Some(Contact::Phone("1555".to_owned()))));
        assert_eq!(named(&request("nobody", "", "")), Ok(None));
        assert_eq!(named(&request("", "0", "")), Ok(None));
    }

    #[test]
    fn a_code_by_sms_is_checked_in_order() {
        let open = Policy { external_phone_enabled: true, ..policy() };
        assert_eq!(by_sms(&request("", "x", "pigeon"), &policy()), Err(Refusal::PhoneOtpDisabled));
        assert_eq!(by_sms(&request("", "x", "pigeon"), &open), Err(Refusal::PhoneFormat));
        assert_eq!(by_sms(&request("", "1555", "pigeon"), &open), Err(Refusal::SmsChannel));
        assert_eq!(by_sms(&request("", "+1555", ""), &open), Ok(("1555".to_owned(), Channel::Sms)));
    }
}

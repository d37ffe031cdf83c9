//! What a signed message must say to open a session (`contract/mfa-passkeys-oauth.md` §7.1, steps 10 to 16).

use super::Message;
use crate::config::Policy;
use crate::redirect;
use crate::refusal::ProviderRefusal;
use crate::time::Timestamp;

/// How long before and after the moment it was made a message is good, seconds.
const VALIDITY: i64 = 600;

impl Message {
    /// Whether the message was signed for this project, and now. The caller has checked the signature.
    ///
    /// # Errors
    /// For another place, another time.
    pub fn check(&self, policy: &Policy, now: Timestamp) -> Result<(), ProviderRefusal> {
        let complaint = self.place(policy).or_else(|| self.time(now));
        complaint.map_or(Ok(()), |why| Err(ProviderRefusal::Web3Refused(why)))
    }

    /// From then on the message is refused by its age.
    pub fn spent_until(&self) -> Timestamp {
        self.issued_at.plus_seconds(VALIDITY + 1)
    }

    fn place(&self, policy: &Policy) -> Option<String> {
        let is_local = self.uri.host() == "localhost";
        let why = if self.uri.scheme() != "https" && !is_local {
            "URI which does not use HTTPS"
        } else if redirect::allowed(self.uri.as_str(), policy).is_none() {
            "URI which is not allowed on this server, message was signed for another app"
        } else if self.uri.authority() != self.domain || !(is_local || self.is_of_app(policy)) {
            "a Domain that does not match the one in URI which is not allowed on this server"
        } else {
            return None;
        };
        Some(format!("Signed {} message is using {why}", self.chain.title()))
    }

    /// Whether the domain is one of the project's. Where addresses are compared to the letter, the URI has shown that.
    fn is_of_app(&self, policy: &Policy) -> bool {
        policy.redirect_exact_match || redirect::allowed(&format!("https://{}/", self.domain), policy).is_some()
    }

    fn time(&self, now: Timestamp) -> Option<String> {
        let chain = self.chain.title();
        if self.not_before.is_some_and(|begin| now < begin) {
            Some(format!("Signed {chain} message becomes valid in the future"))
        } else if self.expires_at.is_some_and(|end| now > end) {
            Some(format!("Signed {chain} message is expired"))
        } else if now > self.issued_at.plus_seconds(VALIDITY) {
            Some(format!("{chain} message was issued too long ago"))
        } else if now < self.issued_at.plus_seconds(-VALIDITY) {
            Some(format!("{chain} message was issued too far in the future"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, policy};
    use crate::web3::Chain;

    fn project(list: &str, exact: bool) -> Policy {
        Policy {
            site_url: "https://site.example".to_owned(),
            uri_allow_list: list.split(',').map(str::to_owned).collect(),
            redirect_exact_match: exact,
            ..policy()
        }
    }

    fn message(chain: Chain, domain: &str, uri: &str, times: &str) -> Message {
        let address = match chain {
            Chain::Ethereum => "0x51b9142ec8201fbc0eb27e1dde895f327b4379b8",
            Chain::Solana => "2YiQswBzxk4QYTvtzPH7c9wqy45JQwmEbgw5uGFQAj74",
        };
        let chain_name = chain.title();
        let text = format!(
            "{domain} wants you to sign in with your {chain_name} account:\n{address}\n\nURI: {uri}\nVersion: 1\n{times}"
        );
        Message::parse(chain, &text).unwrap()
    }

    fn issued(seconds: i64) -> String {
        format!("Issued At: {}", at(seconds).to_wire())
    }

    fn refused(result: Result<(), ProviderRefusal>) -> String {
        match result {
            Err(ProviderRefusal::Web3Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_is_for_an_address_of_the_project() {
        let policy = project("https://app.example/**,http://localhost:3000/*,https://deep.example/only/*", false);
        let check = |domain: &str, uri: &str| message(Chain::Solana, domain, uri, &issued(0)).check(&policy, at(0));
        for (domain, uri) in [
            ("app.example", "https://app.example/"),
            ("app.example", "https://app.example/deep/page?x=1#y"),
            ("site.example", "https://site.example/any"),
            ("localhost:3000", "http://localhost:3000/"),
            ("localhost:3000", "http://localhost:3000/login"),
        ] {
            assert_eq!(check(domain, uri), Ok(()), "{domain} {uri}");
        }
        let prefix = "Signed Solana message is using";
        for (domain, uri, why) in [
            ("app.example", "http://app.example/", "URI which does not use HTTPS"),
            ("app.example", "/", "URI which does not use HTTPS"),
            ("app.example", "ftp://127.0.0.1/", "URI which does not use HTTPS"),
            (
                "evil.example",
                "https://evil.example/",
                "URI which is not allowed on this server, message was signed for another app",
            ),
            (
                "app.example",
                "https://app.example@evil.example/",
                "URI which is not allowed on this server, message was signed for another app",
            ),
            (
                "localhost:4000",
                "http://localhost:4000/",
                "URI which is not allowed on this server, message was signed for another app",
            ),
            (
                "evil.example",
                "https://app.example/",
                "a Domain that does not match the one in URI which is not allowed on this server",
            ),
            (
                "app.example:8443",
                "https://app.example/",
                "a Domain that does not match the one in URI which is not allowed on this server",
            ),
            (
                "App.example",
                "https://app.example/",
                "a Domain that does not match the one in URI which is not allowed on this server",
            ),
            // The page at the root of that host is none of the project's.
            (
                "deep.example",
                "https://deep.example/only/x",
                "a Domain that does not match the one in URI which is not allowed on this server",
            ),
            // What another site had signed for itself is not good here because developers work at localhost.
            (
                "evil.example",
                "http://localhost:3000/",
                "a Domain that does not match the one in URI which is not allowed on this server",
            ),
        ] {
            assert_eq!(refused(check(domain, uri)), format!("{prefix} {why}"), "{domain} {uri}");
        }
    }

    #[test]
    fn exact_addresses_vouch_for_their_domain() {
        let policy = project("https://app.example/login", true);
        let check = |uri: &str| message(Chain::Ethereum, "app.example", uri, &issued(0)).check(&policy, at(0));
        assert_eq!(check("https://app.example/login"), Ok(()));
        let elsewhere = refused(check("https://app.example/other"));
        assert!(elsewhere.contains("URI which is not allowed"), "{elsewhere}");
    }

    #[test]
    fn a_message_is_good_for_a_while() {
        let policy = project("https://app.example/**", false);
        for chain in [Chain::Ethereum, Chain::Solana] {
            let check = |times: &str, now: i64| {
                message(chain, "app.example", "https://app.example/", times).check(&policy, at(now))
            };
            let title = chain.title();
            for now in [-600, 0, 600] {
                assert_eq!(check(&issued(0), now), Ok(()), "{now}");
            }
            assert_eq!(refused(check(&issued(0), 601)), format!("{title} message was issued too long ago"));
            let early = refused(check(&issued(0), -601));
            assert_eq!(early, format!("{title} message was issued too far in the future"));
            let until = format!("{}\nExpiration Time: {}", issued(0), at(60).to_wire());
            assert_eq!(check(&until, 60), Ok(()));
            assert_eq!(refused(check(&until, 61)), format!("Signed {title} message is expired"));
            let from = format!("{}\nNot Before: {}", issued(0), at(60).to_wire());
            assert_eq!(check(&from, 60), Ok(()));
            assert_eq!(refused(check(&from, 59)), format!("Signed {title} message becomes valid in the future"));
        }
    }

    #[test]
    fn a_spent_message_is_remembered_as_long_as_it_is_good() {
        let policy = project("https://app.example/**", false);
        let message = message(Chain::Solana, "app.example", "https://app.example/", &issued(0));
        assert!(message.check(&policy, message.spent_until()).is_err());
        assert_eq!(message.check(&policy, message.spent_until().plus_seconds(-1)), Ok(()));
    }
}

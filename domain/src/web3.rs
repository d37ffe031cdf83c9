//! `POST /token?grant_type=web3`: a session for a message that a wallet has signed (`contract/mfa-passkeys-oauth.md` §7):
//! Sign-In with Ethereum (EIP-4361) and Sign-In with Solana. What is checked before the signature stands here, what the
//! message must say after it in [`terms`](Message::check), the signature itself in `crypto::web3`.

mod claims;
mod message;
mod terms;
mod uri;

use crate::captcha::Proof;
use crate::config::OauthSettings;
use crate::refusal::{ProviderRefusal, Refusal};
use crate::secret::Secret;

pub use message::Message;
pub use uri::Uri;

/// What identities of wallets have as their provider.
pub const PROVIDER: &str = "web3";

/// Least length of a message, bytes.
const SHORTEST: usize = 64;

/// Greatest length of a message, bytes.
const LONGEST: usize = 20 * 1024;

/// A signed message is shown. Answers an `IssuedSession`.
#[derive(Clone, Debug)]
pub struct Request {
    /// For the captcha check.
    pub captcha: Proof,
    /// The body, or what is wrong with it: told after the switch.
    pub body: Result<Body, Refusal>,
}

/// The fields of the body, empty when absent.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// `message`.
    pub message: String,
    /// `signature`.
    pub signature: Secret<String>,
    /// `chain`.
    pub chain: String,
}

/// Where a wallet's keys count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Ethereum and what is like it.
    Ethereum,
    /// Solana.
    Solana,
}

impl Chain {
    /// The name in requests and identities.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ethereum => "ethereum",
            Self::Solana => "solana",
        }
    }

    /// The name in messages.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ethereum => "Ethereum",
            Self::Solana => "Solana",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Ethereum, Self::Solana].into_iter().find(|chain| chain.name() == name)
    }

    fn is_on(self, settings: &OauthSettings) -> bool {
        match self {
            Self::Ethereum => settings.web3_ethereum,
            Self::Solana => settings.web3_solana,
        }
    }
}

/// The check that comes before the body is read: whether any chain is on.
///
/// # Errors
/// None is.
pub fn check_switches(settings: &OauthSettings) -> Result<(), ProviderRefusal> {
    match settings.web3_ethereum || settings.web3_solana {
        true => Ok(()),
        false => Err(ProviderRefusal::Web3Disabled),
    }
}

impl Body {
    /// The chain, where it is on and the message's length can be looked at.
    ///
    /// # Errors
    /// Unknown or switched off; too short or too long.
    pub fn chain(&self, settings: &OauthSettings) -> Result<Chain, ProviderRefusal> {
        let chain = Chain::parse(&self.chain).ok_or(ProviderRefusal::Web3Chain)?;
        if !chain.is_on(settings) {
            return Err(ProviderRefusal::Web3ChainDisabled(chain.title()));
        }
        match self.message.len() {
            ..SHORTEST => Err(malformed("message is too short")),
            SHORTEST..=LONGEST => Ok(chain),
            _ => Err(malformed("message must not exceed 20KB")),
        }
    }
}

fn malformed(why: &str) -> ProviderRefusal {
    ProviderRefusal::Web3Malformed(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(web3_ethereum: bool, web3_solana: bool) -> OauthSettings {
        OauthSettings { web3_ethereum, web3_solana, ..OauthSettings::default() }
    }

    fn body(chain: &str, length: usize) -> Body {
        Body { chain: chain.to_owned(), message: "x".repeat(length), ..Body::default() }
    }

    #[test]
    fn a_project_without_chains_looks_at_nothing() {
        assert_eq!(check_switches(&settings(false, false)), Err(ProviderRefusal::Web3Disabled));
        assert_eq!(check_switches(&settings(true, false)), Ok(()));
        assert_eq!(check_switches(&settings(false, true)), Ok(()));
    }

    #[test]
    fn the_chain_comes_first_then_its_switch_then_the_length() {
        let both = settings(true, true);
        for chain in ["", "Solana", "bitcoin"] {
            assert_eq!(body(chain, 0).chain(&both), Err(ProviderRefusal::Web3Chain), "{chain}");
        }
        let refused = body("solana", 0).chain(&settings(true, false));
        assert_eq!(refused, Err(ProviderRefusal::Web3ChainDisabled("Solana")));
        let refused = body("ethereum", 0).chain(&settings(false, true));
        assert_eq!(refused, Err(ProviderRefusal::Web3ChainDisabled("Ethereum")));
        assert_eq!(body("solana", 63).chain(&both), Err(malformed("message is too short")));
        assert_eq!(body("solana", 64).chain(&both), Ok(Chain::Solana));
        assert_eq!(body("ethereum", 20480).chain(&both), Ok(Chain::Ethereum));
        assert_eq!(body("ethereum", 20481).chain(&both), Err(malformed("message must not exceed 20KB")));
    }
}

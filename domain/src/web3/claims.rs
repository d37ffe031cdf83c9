//! The identity of a wallet (`contract/mfa-passkeys-oauth.md` §7.4).

use serde_json::{Value, json};

use super::{Chain, Message, PROVIDER};
use crate::provider::Profile;
use crate::user::Metadata;

impl Message {
    /// Who signed: the subject of new identities has Ethereum addresses in lower case, whichever way a wallet writes them.
    pub fn profile(&self) -> Profile {
        let subject = match self.chain {
            Chain::Ethereum => self.subject(&self.address.to_ascii_lowercase()),
            Chain::Solana => self.subject(&self.address),
        };
        let custom_claims = json!({
            "address": self.address, "chain": self.chain.name(), "network": self.network, "domain": self.domain,
            "statement": self.told_statement(),
        });
        let claims = Metadata::from_iter([
            ("sub".to_owned(), Value::from(subject.clone())),
            ("custom_claims".to_owned(), custom_claims),
        ]);
        Profile { subject, emails: Vec::new(), claims }
    }

    /// The spellings that identities of this wallet may have, the likeliest first: adopted ones are as some message was written.
    /// `checksummed` is the address with the checksum of EIP-55.
    pub fn subjects(&self, checksummed: &str) -> Vec<String> {
        let mut subjects = vec![self.subject(&self.address)];
        if self.chain == Chain::Ethereum {
            for subject in [self.subject(&self.address.to_ascii_lowercase()), self.subject(checksummed)] {
                if !subjects.contains(&subject) {
                    subjects.push(subject);
                }
            }
        }
        subjects
    }

    /// What the audit row of the sign-in tells besides.
    pub fn traits(&self) -> Value {
        json!({
            "provider": PROVIDER, "chain": self.chain.name(), "network": self.network, "address": self.address,
            "domain": self.domain, "uri": self.uri.parts(),
        })
    }

    fn subject(&self, address: &str) -> String {
        format!("{PROVIDER}:{}:{address}", self.chain.name())
    }

    fn told_statement(&self) -> Value {
        match self.chain {
            Chain::Ethereum if self.statement.is_empty() => Value::Null,
            _ => Value::from(self.statement.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKSUMMED: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

    fn message(chain: Chain, address: &str, statement: &str, network: &str) -> Message {
        let text = format!(
            "app.example wants you to sign in with your {} account:\n{address}\n\n{statement}URI: https://app.example/\n\
            Version: 1\n{network}\nIssued At: 2026-01-01T00:00:00Z",
            chain.title()
        );
        Message::parse(chain, &text).unwrap()
    }

    #[test]
    fn an_ethereum_wallet_is_one_subject_in_every_spelling() {
        let lower = CHECKSUMMED.to_ascii_lowercase();
        let upper = format!("0x{}", CHECKSUMMED[2..].to_ascii_uppercase());
        let subject = format!("web3:ethereum:{lower}");
        let of = |address: &str| message(Chain::Ethereum, address, "", "Chain ID: 1");
        let stored = |address: &str| format!("web3:ethereum:{address}");
        for (address, spellings) in [
            (lower.as_str(), vec![stored(&lower), stored(CHECKSUMMED)]),
            (CHECKSUMMED, vec![stored(CHECKSUMMED), stored(&lower)]),
            (&upper, vec![stored(&upper), stored(&lower), stored(CHECKSUMMED)]),
        ] {
            assert_eq!(of(address).profile().subject, subject);
            assert_eq!(of(address).subjects(CHECKSUMMED), spellings);
        }
    }

    #[test]
    fn a_solana_wallet_is_as_it_is_written() {
        let address = "2YiQswBzxk4QYTvtzPH7c9wqy45JQwmEbgw5uGFQAj74";
        let message = message(Chain::Solana, address, "", "Request ID: 1");
        assert_eq!(message.profile().subject, format!("web3:solana:{address}"));
        assert_eq!(message.subjects(address), [message.profile().subject]);
    }

    #[test]
    fn claims_tell_what_was_signed() {
        let solana = "2YiQswBzxk4QYTvtzPH7c9wqy45JQwmEbgw5uGFQAj74";
        let profile = message(Chain::Solana, solana, "Hello\n\n", "Chain ID: solana:devnet").profile();
        let claims = json!({
            "sub": format!("web3:solana:{solana}"),
            "custom_claims": {
                "address": solana, "chain": "solana", "network": "solana:devnet", "domain": "app.example",
                "statement": "Hello",
            },
        });
        assert_eq!((Value::from(profile.claims), profile.emails.len()), (claims, 0));
        for (chain, address, statement) in
            [(Chain::Solana, solana, json!("")), (Chain::Ethereum, CHECKSUMMED, Value::Null)]
        {
            let claims = message(chain, address, "", "Request ID: 1").profile().claims;
            assert_eq!(claims["custom_claims"]["statement"], statement);
            assert_eq!(
                (&claims["custom_claims"]["network"], &claims["custom_claims"]["address"]),
                (&json!(""), &json!(address))
            );
        }
    }
}

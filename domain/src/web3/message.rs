//! The grammar of both chains' messages (`contract/mfa-passkeys-oauth.md` §7.2; EIP-4361).

use chrono::{DateTime, Utc};

use super::{Chain, Uri};
use crate::refusal::ProviderRefusal;
use crate::time::Timestamp;

/// A message, taken apart. Nothing of it is proven by that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whose wallets sign such messages.
    pub chain: Chain,
    /// As it was signed.
    pub text: String,
    /// Host and perhaps port of the application that asked for the signature.
    pub domain: String,
    /// The wallet.
    pub address: String,
    /// What people were asked; empty when absent.
    pub statement: String,
    /// Where the signature is to be used.
    pub uri: Uri,
    /// The network as it is written, empty when absent.
    pub network: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// The end of its validity.
    pub expires_at: Option<Timestamp>,
    /// The beginning of its validity.
    pub not_before: Option<Timestamp>,
}

/// Fields below the statement, as far as they were read.
#[derive(Default)]
struct Fields {
    uri: Option<Uri>,
    version: String,
    network: String,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
}

impl Message {
    /// Reads a message of `chain`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(chain: Chain, text: &str) -> Result<Self, ProviderRefusal> {
        read(chain, text).map_err(|why| {
            let form = match chain {
                Chain::Ethereum => "siwe",
                Chain::Solana => "siws",
            };
            ProviderRefusal::Web3Malformed(format!("{form}: {why}"))
        })
    }
}

fn read(chain: Chain, text: &str) -> Result<Message, String> {
    let lines: Vec<&str> = text.split('\n').collect();
    let [head, address, blank, fourth, fifth, _, ..] = lines.as_slice() else {
        return Err("message needs at least 6 lines".to_owned());
    };
    let ending = format!(" wants you to sign in with your {} account:", chain.title());
    let Some(domain) = head.strip_suffix(&ending) else {
        return Err(format!("message first line does not end in \"{ending}\""));
    };
    if !is_domain(domain) {
        return Err("domain in first line of message is not valid".to_owned());
    }
    check_address(chain, address)?;
    if !blank.is_empty() {
        return Err("third line must be empty".to_owned());
    }
    let (statement, first) = match !fourth.is_empty() && fifth.is_empty() {
        true => (*fourth, 5),
        false => ("", 3),
    };
    let Fields { uri, version, network, issued_at, expires_at, not_before } = fields(chain, &lines, first)?;
    if version != "1" {
        return Err(format!("Version value is not supported, expected 1 got \"{version}\""));
    }
    let issued_at = issued_at.ok_or("Issued At is not specified")?;
    let uri = uri.ok_or("URI is not specified")?;
    if expires_at.is_some_and(|end| issued_at > end) {
        return Err("Issued At is after Expiration Time".to_owned());
    }
    if not_before.zip(expires_at).is_some_and(|(begin, end)| begin > end) {
        return Err("Not Before is after Expiration Time".to_owned());
    }
    let (text, domain, address) = (text.to_owned(), domain.to_owned(), (*address).to_owned());
    let statement = statement.to_owned();
    Ok(Message { chain, text, domain, address, statement, uri, network, issued_at, expires_at, not_before })
}

fn fields(chain: Chain, lines: &[&str], first: usize) -> Result<Fields, String> {
    let mut fields = Fields::default();
    // The number of resources so far, while they are listed.
    let mut resources = None;
    for (index, line) in lines.iter().enumerate().skip(first) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if let (Some(position), Some(resource)) = (resources, line.strip_prefix("- ")) {
            if Uri::parse(resource.trim()).is_none() {
                return Err(format!("Resource at position {position} has invalid URI"));
            }
            resources = Some(position + 1);
            continue;
        }
        resources = (line == "Resources:").then_some(0_usize);
        let Some((key, value)) = line.split_once(':') else {
            return Err(format!("encountered unparsable line at index {index}"));
        };
        fields.take(chain, key, value.trim())?;
    }
    Ok(fields)
}

impl Fields {
    /// Takes one line. Keys that nobody knows, and those that nothing depends on, are passed over.
    fn take(&mut self, chain: Chain, key: &str, value: &str) -> Result<(), String> {
        match key {
            "URI" => self.uri = Some(Uri::parse(value).ok_or("URI is not valid")?),
            "Version" => value.clone_into(&mut self.version),
            "Chain ID" => self.network = network(chain, value).ok_or("Chain ID is not valid")?,
            "Issued At" => self.issued_at = Some(instant(key, value)?),
            "Expiration Time" => self.expires_at = Some(instant(key, value)?),
            "Not Before" => self.not_before = Some(instant(key, value)?),
            _ => {}
        }
        Ok(())
    }
}

/// `localhost` or a name of several labels, perhaps with a port; no address.
fn is_domain(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_port = |port: &str| matches!(port.len(), 1..=5) && port.bytes().all(|byte| byte.is_ascii_digit());
    if !port.is_none_or(is_port) {
        return false;
    }
    let is_label = |label: &str| {
        matches!(label.len(), 1..=63)
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_top = |label: &str| label.len() >= 2 && label.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_name = |(labels, top): (&str, &str)| is_top(top) && labels.split('.').all(is_label);
    host == "localhost" || host.rsplit_once('.').is_some_and(is_name)
}

fn check_address(chain: Chain, text: &str) -> Result<(), &'static str> {
    match chain {
        Chain::Ethereum => {
            let digits = text.strip_prefix("0x").unwrap_or_default();
            let sound = digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            sound.then_some(()).ok_or("wallet address is not a valid Ethereum address")
        }
        Chain::Solana => {
            let sound = matches!(text.len(), 32..=44) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
            sound.then_some(()).ok_or("wallet address is not in base58 format")
        }
    }
}

fn network(chain: Chain, value: &str) -> Option<String> {
    let sound = match chain {
        Chain::Ethereum => {
            value.bytes().all(|byte| byte.is_ascii_digit()) && value.parse::<i64>().is_ok_and(|number| number > 0)
        }
        Chain::Solana => {
            matches!(value, "" | "solana:mainnet" | "solana:devnet" | "solana:testnet" | "solana:localnet")
        }
    };
    sound.then(|| value.to_owned())
}

/// An instant as RFC 3339 §5.6 has it, in capitals and without the liberties it allows.
fn instant(key: &str, value: &str) -> Result<Timestamp, String> {
    let strict = value.get(10..11) == Some("T") && !value.ends_with('z');
    let read = strict.then(|| DateTime::parse_from_rfc3339(value).ok()).flatten();
    read.map(|at| Timestamp::new(at.with_timezone(&Utc)))
        .ok_or_else(|| format!("{key} is not a valid ISO8601 timestamp"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WALLET: &str = "0x51b9142ec8201fbc0eb27e1dde895f327b4379b8";
    const SOLANA: &str = "2YiQswBzxk4QYTvtzPH7c9wqy45JQwmEbgw5uGFQAj74";

    fn ethereum(head: &str, rest: &str) -> String {
        format!("{head} wants you to sign in with your Ethereum account:\n{WALLET}\n{rest}")
    }

    const FIELDS: &str = "URI: https://app.example.com/\nVersion: 1\nChain ID: 1\nNonce: abcdefgh\n\
        Issued At: 2026-01-01T00:00:00Z";

    fn parsed(rest: &str) -> Message {
        Message::parse(Chain::Ethereum, &ethereum("app.example.com", rest)).unwrap()
    }

    fn complaint(chain: Chain, text: &str) -> String {
        match Message::parse(chain, text) {
            Err(ProviderRefusal::Web3Malformed(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn siwe(rest: &str) -> String {
        complaint(Chain::Ethereum, &ethereum("app.example.com", rest))
    }

    #[test]
    fn a_message_has_a_statement_or_none() {
        let with = parsed(&format!("\nSign in to the demo\n\n{FIELDS}"));
        assert_eq!((with.statement.as_str(), with.network.as_str()), ("Sign in to the demo", "1"));
        assert_eq!((with.domain.as_str(), with.address.as_str()), ("app.example.com", WALLET));
        assert_eq!(with.uri.as_str(), "https://app.example.com/");
        assert_eq!(with.issued_at, Timestamp::from_unix(1_767_225_600));
        assert_eq!((with.expires_at, with.not_before), (None, None));
        let without = parsed(&format!("\n{FIELDS}"));
        assert_eq!(without, Message { statement: String::new(), text: without.text.clone(), ..with });
        // A blank fourth line belongs to no statement, further blank lines to nothing.
        let spread = parsed(&format!("\n\n  {}\n\n", FIELDS.replace('\n', " \n\n")));
        assert_eq!(spread, Message { text: spread.text.clone(), ..without });
    }

    #[test]
    fn both_ends_resources_and_foreign_keys_are_read() {
        let message = parsed(&format!(
            "\n{FIELDS}\nExpiration Time: 2026-01-01T02:00:00.5+01:00\nNot Before: 2025-12-31T23:00:00Z\nRequest ID: 7\n\
            Resources:\n- https://app.example.com/terms\n-  ipfs://bafy/\nColour: red: dark"
        ));
        assert_eq!(message.expires_at.map(Timestamp::to_wire).as_deref(), Some("2026-01-01T01:00:00.5Z"));
        assert_eq!(message.not_before.map(Timestamp::to_wire).as_deref(), Some("2025-12-31T23:00:00Z"));
        // Resources may be none, and a line of a list counts only in one.
        parsed(&format!("\n{FIELDS}\nResources:"));
        assert_eq!(siwe(&format!("\n{FIELDS}\n- ipfs")), "siwe: encountered unparsable line at index 8");
    }

    #[test]
    fn solana_messages_differ_in_address_and_network_alone() {
        let text = |address: &str, network: &str| {
            let head = "app.example.com wants you to sign in with your Solana account:";
            format!("{head}\n{address}\n\n{}", FIELDS.replace("Chain ID: 1", network))
        };
        for network in ["solana:mainnet", "solana:devnet", "solana:testnet", "solana:localnet", ""] {
            let message = Message::parse(Chain::Solana, &text(SOLANA, &format!("Chain ID: {network}"))).unwrap();
            assert_eq!((message.network.as_str(), message.address.as_str()), (network, SOLANA));
        }
        for network in ["1", "mainnet", "solana:Mainnet", "solana:mainnet "] {
            let refused = Message::parse(Chain::Solana, &text(SOLANA, &format!("Chain ID: {network}")));
            assert_eq!(refused.is_ok(), network.ends_with(' '), "{network}");
        }
        let absent = text(SOLANA, "Request ID: 1");
        assert_eq!(Message::parse(Chain::Solana, &absent).unwrap().network, "");
        for address in ["", "too-short", &SOLANA[..31], &format!("{SOLANA}1"), &SOLANA.replace('2', "\u{e4}")] {
            let why = complaint(Chain::Solana, &text(address, "Chain ID: solana:mainnet"));
            assert_eq!(why, "siws: wallet address is not in base58 format");
        }
        let why = complaint(Chain::Solana, &ethereum("app.example.com", &format!("\n{FIELDS}")));
        assert_eq!(why, "siws: message first line does not end in \" wants you to sign in with your Solana account:\"");
    }

    #[test]
    fn heads_that_cannot_be_read() {
        let five = ethereum("app.example.com", "\nURI: https://app.example.com/\nVersion: 1");
        assert_eq!(complaint(Chain::Ethereum, &five), "siwe: message needs at least 6 lines");
        for domain in [
            "nodots",
            "10.0.0.1",
            "a_b.example",
            "-a.example",
            "a-.example",
            "a..example",
            "a.example:",
            "a.example:x",
            "a.example:123456",
            "localhost:",
            "a.e",
            "a.ex4",
            ".example",
            "",
            " a.example",
            "a.example ",
            "[::1]",
            "user@a.example",
            "https://a.example",
            "\u{e4}.example",
        ] {
            let why = complaint(Chain::Ethereum, &ethereum(domain, &format!("\n{FIELDS}")));
            assert_eq!(why, "siwe: domain in first line of message is not valid", "{domain:?}");
        }
        for domain in ["localhost", "localhost:3000", "a-b.c.example:65535", "A.Example"] {
            Message::parse(Chain::Ethereum, &ethereum(domain, &format!("\n{FIELDS}"))).unwrap();
        }
        let whole = ethereum("a.example", &format!("\n{FIELDS}"));
        for address in
            [&WALLET[2..], "0x", &format!("{WALLET}0"), &WALLET.replace('9', "g"), &WALLET.replace("0x", "0X")]
        {
            let why = complaint(Chain::Ethereum, &whole.replace(WALLET, address));
            assert_eq!(why, "siwe: wallet address is not a valid Ethereum address", "{address}");
        }
        assert_eq!(siwe(&format!("x\n{FIELDS}")), "siwe: third line must be empty");
    }

    #[test]
    fn fields_that_cannot_be_read() {
        let with = |old: &str, new: &str| siwe(&format!("\n{}", FIELDS.replace(old, new)));
        assert_eq!(with("https://app.example.com/", "not an address"), "siwe: URI is not valid");
        assert_eq!(with("URI: https://app.example.com/", "Request ID: 1"), "siwe: URI is not specified");
        for network in ["0", "one", "-1", "+1", "", "1.0", "99999999999999999999"] {
            assert_eq!(with("ID: 1", &format!("ID: {network}")), "siwe: Chain ID is not valid", "{network}");
        }
        let version = |shown: &str| format!("siwe: Version value is not supported, expected 1 got \"{shown}\"");
        assert_eq!(with("Version: 1", "Version: 1.0"), version("1.0"));
        assert_eq!(with("Version: 1", "Request ID: 1"), version(""));
        assert_eq!(with("Issued At: 2026-01-01T00:00:00Z", "Request ID: 1"), "siwe: Issued At is not specified");
        for time in [
            "yesterday",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01t00:00:00Z",
            "\u{e4}".repeat(6).as_str(),
        ] {
            let why = with("2026-01-01T00:00:00Z", time);
            assert_eq!(why, "siwe: Issued At is not a valid ISO8601 timestamp", "{time}");
        }
        let further = |line: &str| siwe(&format!("\n{FIELDS}\n{line}"));
        assert_eq!(further("Expiration Time: soon"), "siwe: Expiration Time is not a valid ISO8601 timestamp");
        assert_eq!(further("Not Before: soon"), "siwe: Not Before is not a valid ISO8601 timestamp");
        assert_eq!(further("Resources"), "siwe: encountered unparsable line at index 8");
        assert_eq!(further("Resources:\n- https://a.example/\n- x"), "siwe: Resource at position 1 has invalid URI");
        let early = further("Expiration Time: 2025-12-31T23:59:59Z");
        assert_eq!(early, "siwe: Issued At is after Expiration Time");
        let crossed = further("Expiration Time: 2026-01-02T00:00:00Z\nNot Before: 2026-01-03T00:00:00Z");
        assert_eq!(crossed, "siwe: Not Before is after Expiration Time");
        // The statement is one line.
        let two = siwe(&format!("\nfirst line\nsecond line\n\n{FIELDS}"));
        assert_eq!(two, "siwe: encountered unparsable line at index 3");
    }

    #[test]
    fn what_is_missing_is_told_in_one_order() {
        let bare = |lines: &str| siwe(&format!("\nNonce: x\nNonce: y\n{lines}"));
        assert_eq!(bare(""), "siwe: Version value is not supported, expected 1 got \"\"");
        assert_eq!(bare("Version: 1"), "siwe: Issued At is not specified");
        assert_eq!(bare("Version: 1\nIssued At: 2026-01-01T00:00:00Z"), "siwe: URI is not specified");
    }

    fn built(chain: Chain, domain: &str, address: &str, statement: &str, network: &str, seconds: i64) -> String {
        let at = Timestamp::from_unix(seconds).to_wire();
        let end = Timestamp::from_unix(seconds + 60).to_wire();
        let statement = if statement.is_empty() { String::new() } else { format!("{statement}\n\n") };
        format!(
            "{domain} wants you to sign in with your {} account:\n{address}\n\n{statement}URI: https://{domain}/x?y=1\n\
            Version: 1\nChain ID: {network}\nNonce: 12345678\nIssued At: {at}\nExpiration Time: {end}\nNot Before: {at}",
            chain.title()
        )
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fall_over(text in "\\PC*", lines in proptest::collection::vec("[ -~\u{e4}]{0,60}", 0..12)) {
            for chain in [Chain::Ethereum, Chain::Solana] {
                let _ = Message::parse(chain, &text);
                let _ = Message::parse(chain, &lines.join("\n"));
            }
        }

        #[test]
        fn no_field_makes_it_fall_over(key in "(URI|Version|Chain ID|Issued At|Not Before|Resources|- )", value in "\\PC{0,30}") {
            let _ = Message::parse(Chain::Ethereum, &ethereum("a.example", &format!("\n{FIELDS}\nResources:\n{key}: {value}")));
        }

        #[test]
        fn what_is_built_is_read_as_it_was_meant(
            domain in "[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?\\.[a-z]{2,6}(:[0-9]{1,5})?",
            digits in "[0-9a-fA-F]{40}",
            statement in "[A-Za-z][A-Za-z ,.:]{0,40}[a-z.]|",
            network in 1_i64..=i64::MAX,
            seconds in 0_i64..4_000_000_000,
        ) {
            let (address, network) = (format!("0x{digits}"), network.to_string());
            let text = built(Chain::Ethereum, &domain, &address, &statement, &network, seconds);
            let message = Message::parse(Chain::Ethereum, &text).unwrap();
            prop_assert_eq!(message.uri.authority(), domain.as_str());
            prop_assert_eq!((message.domain, message.address), (domain, address));
            prop_assert_eq!((message.statement, message.network), (statement, network));
            prop_assert_eq!(message.issued_at, Timestamp::from_unix(seconds));
            prop_assert_eq!(message.not_before, Some(Timestamp::from_unix(seconds)));
            prop_assert_eq!(message.expires_at, Some(Timestamp::from_unix(seconds + 60)));
        }

        #[test]
        fn what_is_built_for_solana_too(address in "[1-9A-HJ-NP-Za-km-z]{32,44}", seconds in 0_i64..4_000_000_000) {
            let text = built(Chain::Solana, "a.example", &address, "", "solana:devnet", seconds);
            let message = Message::parse(Chain::Solana, &text).unwrap();
            prop_assert_eq!((message.address.as_str(), message.network.as_str()), (address.as_str(), "solana:devnet"));
        }
    }
}

//! Recovery codes (`security/advisor.md` §1.9).

use domain::entropy::Entropy;
use domain::secret::Secret;

/// 32 letters, five bits each: a random byte gives one without favouring any.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A fresh code of `length` letters of `a-z2-7`.
pub fn generate(length: usize, entropy: &dyn Entropy) -> Secret<String> {
    let mut bytes = vec![0; length];
    entropy.fill(&mut bytes);
    Secret::new(bytes.into_iter().map(letter).collect())
}

fn letter(byte: u8) -> char {
    ALPHABET.get(usize::from(byte % 32)).copied().map_or('a', char::from)
}

/// The code that was typed: in lower case, without blanks and hyphens.
pub fn normalise(typed: &str) -> String {
    typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives 0, 1, 2, ... as bytes.
    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for (index, byte) in buffer.iter_mut().enumerate() {
                *byte = index as u8;
            }
        }
    }

    #[test]
    fn every_letter_is_as_likely_as_any_other() {
        let code = generate(256, &Counting).into_inner();
        for letter in ALPHABET {
            assert_eq!(code.bytes().filter(|byte| byte == letter).count(), 8);
        }
        assert_eq!(code.len(), 256);
    }

    #[test]
    fn case_blanks_and_hyphens_do_not_count() {
        assert_eq!(normalise(" ABCD-efgh\t2345 \u{a0}"), "abcdefgh2345");
        assert_eq!(normalise("--"), "");
        assert_eq!(normalise("K\u{212a}"), "k\u{212a}");
    }
}

//! Passwords that anybody would try first.
//!
//! `common.txt` holds the about 28000 most frequent passwords of six characters and more that the MIT-licensed `zxcvbn`
//! (Dropbox; its Python package 4.5.0) counted in published breaches: lower case, one a line, in the order of their bytes.
//! More than 11000 of them have eight characters or more, so that the list stays long enough under stricter rules.

use std::cmp::Ordering;

const COMMON: &str = include_str!("common.txt");

/// Words shorter than this say nothing about where a password comes from.
const MIN_WORD: usize = 3;
/// As many letters beside known words make a password of its own.
const MIN_LETTERS: usize = 3;
/// Parts of host names that stand in every other one.
const USUAL: [&str; 6] = ["www", "com", "org", "net", "app", "dev"];

/// Whether `password` is one of the most common, in upper or lower case.
pub fn is_common(password: &str) -> bool {
    contains(COMMON, &password.to_lowercase())
}

/// Whether `password` is common, or is made of the words in `context` (the project's name, the host of the site, the local
/// part of the user's address) with little beside them: digits, signs, fewer than three letters, or a common password.
pub fn is_guessable(password: &str, context: &[&str]) -> bool {
    let password = password.to_lowercase();
    if contains(COMMON, &password) {
        return true;
    }
    let mut rest = password.clone();
    for word in words(context) {
        rest = rest.replace(&word, "");
    }
    if rest.len() == password.len() {
        return false;
    }
    let letters: String = rest.chars().filter(|letter| letter.is_alphabetic()).collect();
    letters.chars().count() < MIN_LETTERS || contains(COMMON, &rest) || contains(COMMON, &letters)
}

/// The words in `context` in lower case, longest first: each whole, without its signs, and part by part.
fn words(context: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    for text in context {
        let text = text.to_lowercase();
        words.push(text.chars().filter(|letter| letter.is_alphanumeric()).collect());
        words.extend(text.split(|letter: char| !letter.is_alphanumeric()).map(str::to_owned));
        words.push(text);
    }
    words.retain(|word: &String| word.chars().count() >= MIN_WORD && !USUAL.contains(&word.as_str()));
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words
}

/// Whether `word` is a line of `lines`, whose lines stand in the order of their bytes.
fn contains(lines: &str, word: &str) -> bool {
    let (mut lines, word) = (lines.as_bytes(), word.as_bytes());
    while !lines.is_empty() {
        let (before, after) = lines.split_at(lines.len() / 2);
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = after.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| before.len() + at);
        let (Some(line), Some(left), Some(right)) = (lines.get(start..end), lines.get(..start), lines.get(end..))
        else {
            return false;
        };
        match word.cmp(line) {
            Ordering::Equal => return !word.is_empty(),
            Ordering::Less => lines = left,
            Ordering::Greater => lines = right.strip_prefix(b"\n").unwrap_or_default(),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_long_enough() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.is_sorted() && lines.iter().all(|line| line.len() >= 6 && *line == line.to_lowercase()));
        assert!(lines.iter().filter(|line| line.len() >= 8).count() >= 3000);
    }

    #[test]
    fn every_line_is_found_and_nothing_between() {
        for line in COMMON.lines() {
            assert!(is_common(line), "{line}");
            assert!(!is_common(&format!("{line}\u{1}")) && !is_common(&format!("{line}\n{line}")), "{line}");
        }
        assert!(is_common("PassWord") && !is_common("") && !is_common("\n") && !is_common("zzzzzzzzzzz"));
    }

    #[test]
    fn passwords_made_of_the_context() {
        let context = ["Acme Shop", "www.acme-shop.example", "joe.miller"];
        for bad in [
            "acme2026!",
            "AcmeShop",
            "acme-shop-1",
            "joemiller",
            "Joe.Miller99",
            "myacme77",
            "acmeacme",
            "letmein",
            "acmepassword",
            "!!millerjoe",
        ] {
            assert!(is_guessable(bad, &context), "{bad}");
        }
        for good in ["correct acme battery", "millstone7x", "tr0ub4dor&3", "www-com-dev-sea", "x9!kq2$v"] {
            assert!(!is_guessable(good, &context), "{good}");
        }
        assert!(!is_guessable("x9!kq2$v", &["", " ", "a.b"]));
    }
}

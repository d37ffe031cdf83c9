//! The glob language of the allow list (`contract/core.md` §4.3). Scheme and authority are matched on their own: a
//! wildcard of the host never reaches into the path, the query or the user name.

use crate::redirect::candidate::Candidate;

/// A text that is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// `[` without `]`, or nothing between them.
    #[error("a character class is not closed or empty")]
    Class,
    /// A backslash at the end.
    #[error("a backslash escapes nothing")]
    Escape,
}

/// An entry of the allow list.
#[derive(Clone, Debug)]
pub struct Pattern(Form);

#[derive(Clone, Debug)]
enum Form {
    /// `**`: every web address.
    AnyWeb,
    /// `scheme://authority/rest`, for web addresses.
    Web { scheme: String, authority: Glob, rest: Glob },
    /// `scheme:after`, for an app's own scheme: no browser looks for a host in it.
    App { scheme: String, after: Glob },
    /// Compiles and matches nothing.
    Never,
}

impl Pattern {
    /// Compiles an entry.
    ///
    /// # Errors
    /// A class that is not closed, a backslash at the end.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let whole = Glob::parse(text)?;
        if text == "**" {
            return Ok(Self(Form::AnyWeb));
        }
        let Some((scheme, after)) = text.split_once(':') else { return Ok(Self(Form::Never)) };
        let scheme = scheme.to_owned();
        if whole.is_unclosed {
            return Ok(Self(Form::Never));
        }
        let is_web = matches!(scheme.as_str(), "http" | "https");
        Ok(Self(match after.strip_prefix("//").filter(|_| is_web) {
            None => Form::App { scheme, after: Glob::parse(after)? },
            Some(after) => {
                let (authority, rest) =
                    after.split_at_checked(after.find('/').unwrap_or(after.len())).unwrap_or((after, ""));
                Form::Web { scheme, authority: Glob::parse(authority)?, rest: Glob::parse(rest)? }
            }
        }))
    }

    pub(super) fn matches(&self, candidate: &Candidate) -> bool {
        match (&self.0, &candidate.authority) {
            (Form::AnyWeb, _) => candidate.is_web(),
            (Form::Web { scheme, authority, rest }, Some(place)) => {
                *scheme == candidate.spelled_scheme
                    && authority.matches(place, Wild::Host)
                    && rest.matches(&candidate.rest, Wild::Text)
            }
            (Form::App { scheme, after }, _) if !candidate.is_web() => {
                *scheme == candidate.spelled_scheme && after.matches(&candidate.after_scheme, Wild::Text)
            }
            _ => false,
        }
    }
}

/// What a wildcard stands for.
#[derive(Clone, Copy)]
enum Wild {
    /// In a path, a query or an app's own scheme: anything.
    Text,
    /// In the host of a web address: letters, digits and hyphens.
    Host,
}

impl Wild {
    /// Whether a single `*` or `?` may stand for `letter`.
    fn within(self, letter: char) -> bool {
        !matches!(letter, '.' | '/') && self.across(letter)
    }

    /// Whether `**` may.
    fn across(self, letter: char) -> bool {
        match self {
            Self::Text => true,
            Self::Host => letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.'),
        }
    }
}

#[derive(Clone, Debug)]
enum Token {
    Literal(char),
    /// `?`.
    One,
    /// `*`.
    Run,
    /// `**`.
    Anything,
    /// `[a-z]`, `[!abc]`.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

#[derive(Clone, Debug)]
struct Glob {
    tokens: Vec<Token>,
    /// A `{` without `}`: entries are separated by commas, so alternatives cannot be written.
    is_unclosed: bool,
}

impl Glob {
    fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let mut tokens = Vec::new();
        let mut open = 0_usize;
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '*' if letters.next_if_eq(&'*').is_some() => {
                    while letters.next_if_eq(&'*').is_some() {}
                    tokens.push(Token::Anything);
                }
                '*' => tokens.push(Token::Run),
                '?' => tokens.push(Token::One),
                '[' => tokens.push(class(&mut letters)?),
                '{' => open += 1,
                '}' if open > 0 => open -= 1,
                '\\' => tokens.push(Token::Literal(letters.next().ok_or(InvalidPattern::Escape)?)),
                letter => tokens.push(Token::Literal(letter)),
            }
        }
        Ok(Self { tokens, is_unclosed: open > 0 })
    }

    /// Whether the whole text matches. The set of places reached in the pattern is carried along the text, so that the
    /// work grows with the product of both lengths and no more.
    fn matches(&self, text: &str, wild: Wild) -> bool {
        let mut reached = vec![false; self.tokens.len() + 1];
        if let Some(first) = reached.first_mut() {
            *first = true;
        }
        self.skip_runs(&mut reached);
        for letter in text.chars() {
            let mut next = vec![false; reached.len()];
            for (place, token) in self.tokens.iter().enumerate() {
                if !reached.get(place).copied().unwrap_or(false) {
                    continue;
                }
                let (taken, stays) = match token {
                    Token::Literal(literal) => (letter == *literal, false),
                    Token::One => (wild.within(letter), false),
                    Token::Run => (wild.within(letter), true),
                    Token::Anything => (wild.across(letter), true),
                    Token::Class { negated, ranges } => {
                        let listed = ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter));
                        (listed != *negated && wild.across(letter), false)
                    }
                };
                if let (true, Some(reached)) = (taken, next.get_mut(place + usize::from(!stays))) {
                    *reached = true;
                }
            }
            self.skip_runs(&mut next);
            reached = next;
        }
        reached.last().copied().unwrap_or(false)
    }

    /// A run may be empty: the place behind it is reached with it.
    fn skip_runs(&self, reached: &mut [bool]) {
        let mut before = false;
        for (place, reached) in reached.iter_mut().enumerate() {
            *reached |= before;
            before = *reached && matches!(self.tokens.get(place), Some(Token::Run | Token::Anything));
        }
    }
}

fn class(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, InvalidPattern> {
    let negated = letters.next_if_eq(&'!').is_some();
    let mut ranges = Vec::new();
    loop {
        let mut low = letters.next().ok_or(InvalidPattern::Class)?;
        match low {
            ']' if ranges.is_empty() => return Err(InvalidPattern::Class),
            ']' => return Ok(Token::Class { negated, ranges }),
            '\\' => low = letters.next().ok_or(InvalidPattern::Class)?,
            _ => {}
        }
        if letters.next_if_eq(&'-').is_none() {
            ranges.push((low, low));
            continue;
        }
        match letters.next().ok_or(InvalidPattern::Class)? {
            ']' => {
                ranges.extend([(low, low), ('-', '-')]);
                return Ok(Token::Class { negated, ranges });
            }
            high => ranges.push((low, high)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str, text: &str) -> bool {
        Glob::parse(pattern).unwrap().matches(text, Wild::Text)
    }

    #[test]
    fn wildcards_of_a_path() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "abc", true),
            ("*", "a.b", false),
            ("*", "a/b", false),
            ("**", "a/b.c", true),
            ("***", "a/b.c", true),
            ("/a/**/b", "/a//b", true),
            ("/a/**/b", "/a/x/y/b", true),
            ("/a/**/b", "/a/b", false),
            ("a?c", "abc", true),
            ("a?c", "a.c", false),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[!a-c]x", "bx", false),
            ("[abc-]", "-", true),
            ("[\\]]", "]", true),
            ("{a}b", "ab", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("abc", "ABC", false),
            ("*a*b*c", "xxaxxbxxc", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_does_not_compile() {
        for bad in ["[", "[]", "[!]", "[a", "[a-", "https://x/[", "[a\\"] {
            assert_eq!(Pattern::parse(bad).unwrap_err(), InvalidPattern::Class, "{bad}");
        }
        assert_eq!(Pattern::parse("https://x/\\").unwrap_err(), InvalidPattern::Escape);
        assert!(Pattern::parse("https://x/{a").is_ok());
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(60) + "b";
        assert!(!glob(&pattern, &"a".repeat(2000)));
    }
}

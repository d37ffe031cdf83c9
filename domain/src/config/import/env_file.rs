//! Environment files as dotenv tools write them: `NAME=value` lines, quotes, comments, and references to other names.

use std::collections::BTreeMap;
use std::fmt;

/// The names and values of a file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    /// Values by name; of a name that stands there twice, the last. They may be secrets.
    pub values: BTreeMap<String, String>,
    /// Names whose values refer to what is set nowhere, and to what. The reference stays in the value as it is.
    pub unresolved: Vec<(String, String)>,
}

/// Values may be secrets: only the names are shown.
impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// A line that is no assignment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {complaint}")]
pub struct Unreadable {
    /// Counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub complaint: &'static str,
}

/// Reads a file. `$NAME` and `${NAME}` stand for what the file has set above, else for what `outside` knows; in single quotes they
/// stand for themselves.
///
/// # Errors
/// The first line that cannot be read.
pub fn parse(text: &str, outside: &dyn Fn(&str) -> Option<String>) -> Result<EnvFile, Unreadable> {
    let mut file = EnvFile::default();
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut line = 1;
    while !rest.is_empty() {
        let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let statement = first.trim();
        if statement.is_empty() || statement.starts_with('#') {
            (rest, line) = (after, line + 1);
            continue;
        }
        let (name, value) =
            name_of(first).ok_or(Unreadable { line, complaint: "is no assignment such as NAME=value" })?;
        // A quoted value may go on over lines: look at the whole rest, not at this line alone.
        let from = rest.get(first.trim_end_matches('\r').len() - value.len()..).unwrap_or_default();
        let (value, used) = match from.chars().next() {
            Some('\'') => {
                let end = from.get(1..).and_then(|text| text.find('\''));
                let end = end.ok_or(Unreadable { line, complaint: "opens a quote that nothing closes" })?;
                (from.get(1..=end).unwrap_or_default().to_owned(), end + 2)
            }
            Some('"') => {
                let end = closing(from).ok_or(Unreadable { line, complaint: "opens a quote that nothing closes" })?;
                let raw = from.get(1..end).unwrap_or_default();
                (expand(&mut file, name, raw, true, outside), end + 1)
            }
            _ => {
                let raw = value.find(" #").and_then(|end| value.get(..end)).unwrap_or(value).trim_end();
                let raw = if raw.starts_with('#') { "" } else { raw };
                (expand(&mut file, name, raw, false, outside), value.len())
            }
        };
        let end = from.get(used..).unwrap_or_default();
        let (tail, after) = end.split_once('\n').unwrap_or((end, ""));
        if !tail.trim().is_empty() && !tail.trim_start().starts_with('#') {
            return Err(Unreadable { line, complaint: "goes on after the closing quote" });
        }
        line += rest.len().checked_sub(after.len()).map_or(1, |taken| newlines(rest.get(..taken).unwrap_or_default()));
        rest = after;
        file.values.insert(name.to_owned(), value);
    }
    Ok(file)
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

/// The name of a line, and the text after its equals sign without leading blanks.
fn name_of(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let name = name.strip_prefix("export ").map_or(name, str::trim);
    let fits = !name.is_empty()
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.'));
    fits.then(|| (name, value.trim_start_matches([' ', '\t']).trim_end_matches('\r')))
}

/// Where the double quote closes that `text` begins with.
fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !escaped => return Some(place),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

/// `raw` with its references, and in double quotes its escapes, replaced.
fn expand(
    file: &mut EnvFile,
    name: &str,
    raw: &str,
    escapes: bool,
    outside: &dyn Fn(&str) -> Option<String>,
) -> String {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(letter) = rest.chars().next() {
        let after = rest.get(letter.len_utf8()..).unwrap_or_default();
        match letter {
            '\\' if after.starts_with('$') => {
                value.push('$');
                rest = after.get(1..).unwrap_or_default();
            }
            '\\' if escapes => {
                let escaped = after.chars().next();
                match escaped {
                    Some('n') => value.push('\n'),
                    Some('r') => value.push('\r'),
                    Some('t') => value.push('\t'),
                    Some(other @ ('"' | '\\')) => value.push(other),
                    Some(other) => value.extend(['\\', other]),
                    None => value.push('\\'),
                }
                rest = escaped.and_then(|letter| after.get(letter.len_utf8()..)).unwrap_or_default();
            }
            '$' => match reference(after) {
                Some((other, length)) => {
                    match file.values.get(other).cloned().or_else(|| outside(other)) {
                        Some(text) => value.push_str(&text),
                        None => {
                            file.unresolved.push((name.to_owned(), other.to_owned()));
                            value.push('$');
                            value.push_str(after.get(..length).unwrap_or_default());
                        }
                    }
                    rest = after.get(length..).unwrap_or_default();
                }
                None => {
                    value.push('$');
                    rest = after;
                }
            },
            other => {
                value.push(other);
                rest = after;
            }
        }
    }
    value
}

/// The name that stands after a `$`, and how much of the text it takes.
fn reference(text: &str) -> Option<(&str, usize)> {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|letter: char| letter.is_ascii_digit())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    if let Some(inner) = text.strip_prefix('{') {
        let end = inner.find('}')?;
        let name = inner.get(..end)?;
        return is_name(name).then_some((name, end + 2));
    }
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    let name = text.get(..end)?;
    is_name(name).then_some((name, end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> EnvFile {
        parse(text, &|name| (name == "HOME").then(|| "/home/ada".to_owned())).unwrap()
    }

    fn pairs(text: &str) -> Vec<(String, String)> {
        read(text).values.into_iter().collect()
    }

    #[test]
    fn lines_as_dotenv_tools_write_them() {
        for (text, expected) in [
            ("A=1", "1"),
            ("  A = 1  ", "1"),
            ("export A=1\r\n", "1"),
            ("A=", ""),
            ("A=a b # note", "a b"),
            ("A=a#b", "a#b"),
            ("A=#b", ""),
            ("A='a # $B \\n'", "a # $B \\n"),
            ("A=\"a # b\" # note", "a # b"),
            ("A=\"a\\n\\\"b\\\\\"", "a\n\"b\\"),
            ("A=\"a\nb\"", "a\nb"),
            ("\u{feff}A=1", "1"),
            ("# note\n\nA=1\nA=2", "2"),
            ("A=https://a.co/?b=c", "https://a.co/?b=c"),
            ("A=${HOME}/x", "/home/ada/x"),
            ("A=\\$HOME", "$HOME"),
            ("A=100$", "100$"),
        ] {
            assert_eq!(pairs(text), [("A".to_owned(), expected.to_owned())], "{text:?}");
        }
    }

    #[test]
    fn a_name_stands_for_what_was_set_above_it() {
        let file = read("A=1\nB=$A-${A}\nC=$D\nD=4");
        assert_eq!(file.values["B"], "1-1");
        assert_eq!((file.values["C"].as_str(), file.unresolved), ("$D", vec![("C".to_owned(), "D".to_owned())]));
    }

    #[test]
    fn a_line_that_is_no_assignment_is_named() {
        for (text, line) in
            [("A=1\nnonsense", 2), ("A=\"a\nb\"\n1A=2", 3), ("A='x", 1), ("A=\"x\\\"", 1), ("A='x' y", 1), ("\n=1", 2)]
        {
            assert_eq!(parse(text, &|_| None).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn values_are_not_printed() {
        assert_eq!(format!("{:?}", read("SECRET=hunter2")), "{\"SECRET\"}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s).*") {
            let _ = parse(&text, &|_| None);
        }

        #[test]
        fn single_quotes_keep_everything(text in "[^']*") {
            prop_assert_eq!(parse(&format!("A='{text}'"), &|_| None).unwrap().values["A"].clone(), text);
        }
    }
}

//! Whether a `Content-Type` says JSON, judged and worded as Go's `mime` package does (`contract/platform.md` §4.2).

/// Refuses what is not `application/json` (parameters allowed), in the contract's words.
pub(super) fn demand_json(content_type: &str) -> Result<(), String> {
    if content_type.is_empty() {
        return Err("Invalid Content-Type: Missing Content-Type header".to_owned());
    }
    let (base, parameters) = content_type.split_at(content_type.find(';').unwrap_or(content_type.len()));
    let media_type = base.trim().to_lowercase();
    type_and_subtype(&media_type)
        .and_then(|()| check_parameters(parameters))
        .map_err(|problem| format!("Invalid Content-Type header: mime: {problem}"))?;
    if media_type == "application/json" {
        Ok(())
    } else {
        Err(format!("Invalid JSON response. Received content-type: {content_type}"))
    }
}

fn type_and_subtype(text: &str) -> Result<(), &'static str> {
    let (first, rest) = token(text);
    if first.is_empty() {
        return Err("no media type");
    }
    if rest.is_empty() {
        return Ok(());
    }
    let Some(rest) = rest.strip_prefix('/') else { return Err("expected slash after first token") };
    match token(rest) {
        ("", _) => Err("expected token after slash"),
        (_, "") => Ok(()),
        _ => Err("unexpected content after media subtype"),
    }
}

fn check_parameters(text: &str) -> Result<(), &'static str> {
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((name, value, after)) = parameter(rest) else {
            return if rest.trim() == ";" { Ok(()) } else { Err("invalid media parameter") };
        };
        if seen.iter().any(|(other, earlier)| *other == name && *earlier != value) {
            return Err("duplicate parameter name");
        }
        seen.push((name, value));
        rest = after.trim_start();
    }
    Ok(())
}

/// `;name=value` at the start of `text`, and what follows it.
fn parameter(text: &str) -> Option<(String, String, &str)> {
    let (name, rest) = token(text.strip_prefix(';')?.trim_start());
    if name.is_empty() {
        return None;
    }
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => match token(rest) {
            ("", _) => return None,
            (value, rest) => (value.to_owned(), rest),
        },
    };
    Some((name.to_lowercase(), value, rest))
}

/// What stands before the closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return text.get(at + 1..).map(|rest| (value, rest)),
            '\r' | '\n' => return None,
            '\\' => match letters.next_if(|(_, next)| is_special(*next)) {
                Some((_, escaped)) => value.push(escaped),
                None => value.push(letter),
            },
            _ => value.push(letter),
        }
    }
    None
}

/// The token at the start of `text`, and what follows it (RFC 2045).
fn token(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_graphic() || is_special(c)).unwrap_or(text.len()))
}

fn is_special(letter: char) -> bool {
    r#"()<>@,;:\"/[]?="#.contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_with_and_without_parameters() {
        for good in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON;charset=utf-8;",
            " application/json ; a=\"b;c\"",
            "application/json; a=1; a=1",
            "application/json; a=\"\"",
            "application/json; a=\"x\\\"y\"; b=2",
            "application/json; a*=utf-8''x",
        ] {
            assert_eq!(demand_json(good), Ok(()), "{good}");
        }
    }

    /// Go 1.26 says the same of each.
    #[test]
    fn headers_that_go_cannot_read() {
        for (bad, problem) in [
            ("application/json; charset", "invalid media parameter"),
            ("application/json;;", "invalid media parameter"),
            ("/json", "no media type"),
            (";", "no media type"),
            ("application/", "expected token after slash"),
            ("application json", "expected slash after first token"),
            ("appl@/json", "expected slash after first token"),
            ("application/json x", "unexpected content after media subtype"),
            ("application/json, text/html", "unexpected content after media subtype"),
            ("application/json; a=1; a=2", "duplicate parameter name"),
            ("application/json; a=\"x", "invalid media parameter"),
            ("application/json; a=", "invalid media parameter"),
            ("application/json; a=b c", "invalid media parameter"),
            ("application/json; charset=utf-8, text/html", "invalid media parameter"),
        ] {
            assert_eq!(demand_json(bad), Err(format!("Invalid Content-Type header: mime: {problem}")), "{bad}");
        }
    }

    #[test]
    fn other_types_and_none() {
        let other = |text: &str| Err(format!("Invalid JSON response. Received content-type: {text}"));
        assert_eq!(demand_json("text/html"), other("text/html"));
        assert_eq!(demand_json("application"), other("application"));
        assert_eq!(demand_json(""), Err("Invalid Content-Type: Missing Content-Type header".to_owned()));
    }
}

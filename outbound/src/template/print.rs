//! Values as text, the way Go's `fmt` prints them.

use serde_json::{Number, Value};

use super::functions::Val;

/// Deeper lists and maps are printed as `...`.
const MAX_LEVELS: usize = 100;
/// The largest width and precision of a verb.
const MAX_WIDTH: usize = 1000;

/// One value as `{{ value }}` prints it; a missing one as nothing.
pub(super) fn display(value: &Value) -> String {
    let mut text = String::new();
    if !value.is_null() {
        write_value(&mut text, value, MAX_LEVELS);
    }
    text
}

/// `fmt.Sprint`: a blank between neighbours of which neither is a string. What is missing leaves no trace.
pub(super) fn sprint(values: &[Val<'_>]) -> String {
    let mut text = String::new();
    let mut after_string = true;
    for value in values.iter().filter(|value| !value.is_null()) {
        let is_string = value.is_string();
        if !after_string && !is_string {
            text.push(' ');
        }
        write_value(&mut text, value, MAX_LEVELS);
        after_string = is_string;
    }
    text
}

/// `fmt.Sprintln`: blanks between all, a line break at the end.
pub(super) fn sprintln(values: &[Val<'_>]) -> String {
    let words: Vec<String> = values.iter().map(|value| display(value)).collect();
    words.join(" ") + "\n"
}

fn write_value(text: &mut String, value: &Value, levels: usize) {
    if levels == 0 {
        text.push_str("...");
        return;
    }
    match value {
        Value::Null => text.push_str("<nil>"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&decimal(number)),
        Value::String(value) => text.push_str(value),
        Value::Array(list) => {
            text.push('[');
            for (n, element) in list.iter().enumerate() {
                if n > 0 {
                    text.push(' ');
                }
                write_value(text, element, levels - 1);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push_str("map[");
            let mut members: Vec<(&String, &Value)> = map.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            for (n, (name, member)) in members.into_iter().enumerate() {
                if n > 0 {
                    text.push(' ');
                }
                text.push_str(name);
                text.push(':');
                write_value(text, member, levels - 1);
            }
            text.push(']');
        }
    }
}

/// A number as short as it can be told from others, with an exponent only where it is very large or small.
fn decimal(number: &Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let float = number.as_f64().unwrap_or_default();
    let magnitude = float.abs();
    if magnitude != 0.0 && !(1e-4..1e21).contains(&magnitude) {
        return go_exponent(&format!("{float:e}"));
    }
    format!("{float}")
}

/// `1.5e6` as Go writes it: `1.5e+06`.
fn go_exponent(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text.to_owned();
    };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// One `%` of a format.
#[derive(Default)]
struct Verb {
    left: bool,
    plus: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// `fmt.Sprintf`, without argument indexes and `*`. Stops soon after `limit` bytes.
pub(super) fn sprintf(format: &str, arguments: &[Val<'_>], limit: usize) -> String {
    let mut text = String::new();
    let mut arguments = arguments.iter();
    let mut rest = format.chars().peekable();
    while let Some(c) = rest.next() {
        if text.len() > limit {
            return text;
        }
        if c != '%' {
            text.push(c);
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = rest.next_if(|c| matches!(c, '-' | '+' | '0' | '#' | ' ')) {
            verb.left |= flag == '-';
            verb.plus |= flag == '+';
            verb.zero |= flag == '0';
        }
        verb.width = digits(&mut rest);
        if rest.next_if_eq(&'.').is_some() {
            verb.precision = Some(digits(&mut rest));
        }
        match rest.next() {
            None => text.push_str("%!(NOVERB)"),
            Some('%') => text.push('%'),
            Some(letter) => match arguments.next() {
                Some(value) => text.push_str(&verb.pad(verb.format(letter, value))),
                None => text.push_str(&format!("%!{letter}(MISSING)")),
            },
        }
    }
    text
}

fn digits(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> usize {
    let mut number = 0_usize;
    while let Some(digit) = rest.next_if(char::is_ascii_digit).and_then(|c| c.to_digit(10)) {
        number = (number * 10 + digit as usize).min(MAX_WIDTH);
    }
    number
}

impl Verb {
    fn format(&self, letter: char, value: &Value) -> String {
        let signed = |text: String| if self.plus && !text.starts_with('-') { format!("+{text}") } else { text };
        let integer = value.as_i64().or_else(|| whole(value.as_f64()?));
        match (letter, integer, value.as_f64()) {
            ('v', _, Some(_)) => signed(display(value)),
            ('v', ..) => display(value),
            ('s', ..) => match self.precision {
                Some(precision) => display(value).chars().take(precision).collect(),
                None => display(value),
            },
            ('q', ..) => format!("{:?}", display(value)),
            ('t', ..) if value.is_boolean() => display(value),
            ('d', Some(integer), _) => signed(integer.to_string()),
            ('x', Some(integer), _) => signed_hex(integer),
            ('x', None, None) => display(value).bytes().fold(String::new(), |text, byte| text + &format!("{byte:02x}")),
            ('c', Some(integer), _) => {
                let c = u32::try_from(integer).ok().and_then(char::from_u32);
                c.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
            }
            ('f' | 'F', _, Some(float)) => signed(format!("{float:.*}", self.precision.unwrap_or(6))),
            ('e', _, Some(float)) => signed(go_exponent(&format!("{float:.*e}", self.precision.unwrap_or(6)))),
            ('g', _, Some(_)) => signed(display(value)),
            _ => format!("%!{letter}({})", display(value)),
        }
    }

    fn pad(&self, text: String) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if missing == 0 {
            return text;
        }
        if self.left {
            return text + &" ".repeat(missing);
        }
        if !self.zero {
            return " ".repeat(missing) + &text;
        }
        let (sign, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => (text.get(..1).unwrap_or_default(), digits),
            None => ("", text.as_str()),
        };
        format!("{sign}{}{digits}", "0".repeat(missing))
    }
}

fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
}

fn signed_hex(integer: i64) -> String {
    let sign = if integer < 0 { "-" } else { "" };
    format!("{sign}{:x}", integer.unsigned_abs())
}

//! The functions of Go's templates.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{escape, print};

/// A value that belongs to the data where it can.
pub(super) type Val<'a> = Cow<'a, Value>;

/// The value of whatever is missing.
pub(super) const NIL: Val<'static> = Cow::Owned(Value::Null);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    And,
    Or,
    Not,
    Len,
    Index,
    Slice,
    Print,
    Printf,
    Println,
    Html,
    Js,
    UrlQuery,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Function {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "and" => Self::And,
            "or" => Self::Or,
            "not" => Self::Not,
            "len" => Self::Len,
            "index" => Self::Index,
            "slice" => Self::Slice,
            "print" => Self::Print,
            "printf" => Self::Printf,
            "println" => Self::Println,
            "html" => Self::Html,
            "js" => Self::Js,
            "urlquery" => Self::UrlQuery,
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "lt" => Self::Lt,
            "le" => Self::Le,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            _ => return None,
        })
    }

    /// Whether it can be called with so many arguments.
    pub(super) fn takes(self, arguments: usize) -> bool {
        match self {
            Self::Not | Self::Len => arguments == 1,
            Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge => arguments == 2,
            Self::Eq => arguments >= 2,
            Self::And | Self::Or | Self::Index | Self::Printf => arguments >= 1,
            Self::Slice => (1..=4).contains(&arguments),
            Self::Print | Self::Println | Self::Html | Self::Js | Self::UrlQuery => true,
        }
    }

    /// About how many bytes a call looks at or copies.
    pub(super) fn work(self, arguments: &[Val<'_>]) -> usize {
        let all = arguments.iter();
        match self {
            Self::And | Self::Or | Self::Not | Self::Len => 0,
            Self::Index | Self::Slice => {
                all.filter(|value| matches!(value, Cow::Owned(_))).map(|value| size(value)).sum()
            }
            Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge => {
                all.map(|value| value.as_str().map_or(0, str::len)).sum()
            }
            Self::Print | Self::Printf | Self::Println | Self::Html | Self::Js | Self::UrlQuery => {
                all.map(|value| size(value)).sum()
            }
        }
    }

    /// The value for these arguments. `and` and `or` are decided by the evaluator, which stops early.
    pub(super) fn call<'a>(self, arguments: &[Val<'a>], limit: usize) -> Val<'a> {
        let (first, rest) = match arguments.split_first() {
            Some((first, rest)) => (first, rest),
            None => (&NIL, [].as_slice()),
        };
        match self {
            Self::And | Self::Or => arguments.last().cloned().unwrap_or(NIL),
            Self::Not => boolean(!is_true(first)),
            Self::Len => Cow::Owned(Value::from(length(first))),
            Self::Index => rest.iter().fold(first.clone(), |value, key| index(value, key)),
            Self::Slice => slice(first, rest),
            Self::Print => text(print::sprint(arguments)),
            Self::Println => text(print::sprintln(arguments)),
            Self::Printf => text(print::sprintf(&print::display(first), rest, limit)),
            Self::Html => text(escape::html(&print::sprint(arguments), false)),
            Self::Js => text(escape::js_string(&print::sprint(arguments), false)),
            Self::UrlQuery => text(escape::query_escape(&print::sprint(arguments))),
            Self::Eq => boolean(rest.iter().any(|other| equal(first, other))),
            Self::Ne => boolean(!rest.iter().any(|other| equal(first, other))),
            Self::Lt => boolean(ordered(first, rest).is_some_and(Ordering::is_lt)),
            Self::Le => boolean(ordered(first, rest).is_some_and(Ordering::is_le)),
            Self::Gt => boolean(ordered(first, rest).is_some_and(Ordering::is_gt)),
            Self::Ge => boolean(ordered(first, rest).is_some_and(Ordering::is_ge)),
        }
    }
}

fn boolean<'a>(value: bool) -> Val<'a> {
    Cow::Owned(Value::Bool(value))
}

fn text<'a>(value: String) -> Val<'a> {
    Cow::Owned(Value::String(value))
}

/// What Go's `if` makes of a value: nothing, zero and empty are false.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// The member `name` of a map; of anything else nothing.
pub(super) fn field<'a>(value: Val<'a>, name: &str) -> Val<'a> {
    match value {
        Cow::Borrowed(Value::Object(map)) => map.get(name).map_or(NIL, Cow::Borrowed),
        Cow::Owned(Value::Object(mut map)) => map.remove(name).map_or(NIL, Cow::Owned),
        _ => NIL,
    }
}

fn index<'a>(value: Val<'a>, key: &Value) -> Val<'a> {
    if let Some(name) = key.as_str() {
        return field(value, name);
    }
    let Some(at) = key.as_u64().and_then(|at| usize::try_from(at).ok()) else {
        return NIL;
    };
    match value {
        Cow::Borrowed(Value::Array(list)) => list.get(at).map_or(NIL, Cow::Borrowed),
        Cow::Owned(Value::Array(list)) => list.into_iter().nth(at).map_or(NIL, Cow::Owned),
        Cow::Borrowed(Value::String(text)) => text.as_bytes().get(at).map_or(NIL, |b| Cow::Owned(Value::from(*b))),
        Cow::Owned(Value::String(text)) => text.as_bytes().get(at).map_or(NIL, |b| Cow::Owned(Value::from(*b))),
        _ => NIL,
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    }
}

/// The part between two bounds, each kept inside the value; of a text it never splits a character.
fn slice<'a>(value: &Val<'a>, bounds: &[Val<'a>]) -> Val<'a> {
    let length = length(value);
    let bound = |n: usize, otherwise: usize| {
        let given = bounds.get(n).and_then(|bound| bound.as_u64());
        given.map_or(otherwise, |bound| usize::try_from(bound).unwrap_or(length).min(length))
    };
    let (from, to) = (bound(0, 0), bound(1, length));
    match value.as_ref() {
        Value::String(whole) => {
            let inside = |at: usize| (0..=at).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
            text(whole.get(inside(from)..inside(to)).unwrap_or_default().to_owned())
        }
        Value::Array(list) => Cow::Owned(Value::from(list.get(from..to).unwrap_or_default())),
        _ => NIL,
    }
}

/// About how many bytes of text a value is.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size).fold(list.len(), usize::saturating_add),
        Value::Object(map) => map.iter().map(|(name, member)| name.len() + size(member)).fold(0, usize::saturating_add),
        _ => 8,
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b) == Some(Ordering::Equal),
        (Value::Array(_) | Value::Object(_), _) => false,
        (a, b) => a == b,
    }
}

fn ordered(a: &Value, rest: &[Val<'_>]) -> Option<Ordering> {
    match (a, rest.first()?.as_ref()) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn compare_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

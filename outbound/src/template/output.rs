//! The text as it grows: HTML that escapes what actions print, or plain text that does not.

use serde_json::Value;

use super::ast::Escaper;
use super::{html, print};

/// What a template is rendered into.
pub(super) enum Output {
    /// As Go's `html/template`.
    Html(html::Writer),
    /// As Go's `text/template`.
    Text(String),
}

impl Output {
    pub(super) fn html() -> Self {
        Self::Html(html::Writer::new())
    }

    pub(super) fn text() -> Self {
        Self::Text(String::new())
    }

    /// Text of the template.
    pub(super) fn literal(&mut self, text: &str) {
        match self {
            Self::Html(writer) => writer.literal(text),
            Self::Text(out) => out.push_str(text),
        }
    }

    /// The value of an action.
    pub(super) fn value(&mut self, value: &Value, escaper: Option<Escaper>) {
        match self {
            Self::Html(writer) => writer.value(value, escaper),
            Self::Text(out) => out.push_str(&print::display(value)),
        }
    }

    /// Whether a function that escapes, at the end of a printed pipeline, is the writer's work.
    pub(super) fn escapes(&self) -> bool {
        matches!(self, Self::Html(_))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Html(writer) => writer.len(),
            Self::Text(out) => out.len(),
        }
    }

    pub(super) fn finish(self) -> String {
        match self {
            Self::Html(writer) => writer.finish(),
            Self::Text(out) => out,
        }
    }
}

//! Templates in the syntax of Go's `html/template`, as people paste them from Supabase (`contract/platform.md` §5.3), and
//! of its `text/template` where no HTML is made (§6).
//!
//! Lexer, parser and evaluator follow Go's language: fields, variables, pipelines, `if`, `range`, `with`, `define`,
//! `template`, `block`, `break`, `continue`, trimming, comments and Go's functions but `call`. What an action prints is
//! escaped for the place in the HTML where it stands, which [`html::Writer`] follows while the output grows.
//!
//! Differences from Go, all towards sending the mail: data never makes rendering fail. A missing field, also a field
//! of a missing field, prints nothing; an index out of range is missing; values of different types are unequal and in no
//! order. Whole numbers print in full (Go: `1e+06` for a million of the metadata). Only a syntax error or a limit
//! refuses a template.

mod ast;
mod css;
mod escape;
mod eval;
mod functions;
mod html;
mod js;
mod lexer;
mod output;
mod parser;
mod print;

pub(crate) use escape::query_escape;

use serde_json::{Map, Value};

/// The largest template, as in the reference's own default (`contract/platform.md` §5.4).
pub const MAX_TEMPLATE_BYTES: usize = 1_000_000;
/// The largest rendered text.
pub const MAX_OUTPUT_BYTES: usize = 2_000_000;
/// How deep blocks and parentheses nest in a template.
const MAX_NESTING: usize = 40;
/// How many variables are in sight at one place of a template.
const MAX_VARIABLES: usize = 1000;
/// How deep blocks and called templates nest while rendering.
const MAX_DEPTH: usize = 80;
/// Nodes and operands evaluated, and blocks of 64 bytes handled, while rendering.
const MAX_STEPS: usize = 200_000;

/// Why a template was not rendered.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    /// The text is not a template.
    #[error("line {line}: {message}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The template, or what it makes, is larger or deeper than allowed.
    #[error("{0}")]
    Limit(&'static str),
}

/// Renders `text` with `data` as its dot. Never panics, and its work is bounded whatever text and data are.
pub fn render(text: &str, data: &Map<String, Value>) -> Result<String, TemplateError> {
    eval::run(&parse(text)?, data, output::Output::html())
}

/// [`render`] as Go's `text/template` does it: nothing is escaped. For texts that are no HTML, such as an SMS.
pub fn render_text(text: &str, data: &Map<String, Value>) -> Result<String, TemplateError> {
    eval::run(&parse(text)?, data, output::Output::text())
}

/// Whether `text` is a template, for validation when configuration is written.
pub fn check(text: &str) -> Result<(), TemplateError> {
    parse(text).map(drop)
}

fn parse(text: &str) -> Result<ast::Template<'_>, TemplateError> {
    if text.len() > MAX_TEMPLATE_BYTES {
        return Err(TemplateError::Limit("the template is larger than 1000000 bytes"));
    }
    parser::parse(&lexer::tokens(text)?)
}

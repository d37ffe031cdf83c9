//! What a template means.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::functions::Function;

/// A whole template and those it defines.
pub(super) struct Template<'t> {
    pub(super) body: Vec<Node<'t>>,
    pub(super) defined: HashMap<String, Vec<Node<'t>>>,
}

pub(super) enum Node<'t> {
    /// Literal text.
    Text(&'t str),
    /// Prints a value.
    Print {
        pipe: Pipe<'t>,
        escaper: Option<Escaper>,
    },
    /// Declares a variable in the next slot.
    Declare(Pipe<'t>),
    /// Gives the variable in a slot a new value.
    Assign(usize, Pipe<'t>),
    /// `if`, `else if`, ..., `else`.
    If {
        arms: Vec<Arm<'t>>,
        otherwise: Vec<Node<'t>>,
    },
    /// `with`, `else with`, ..., `else`.
    With {
        arms: Vec<Arm<'t>>,
        otherwise: Vec<Node<'t>>,
    },
    Range(Range<'t>),
    Break,
    Continue,
    /// `template "name" pipeline`
    Call {
        name: String,
        dot: Option<Pipe<'t>>,
    },
}

/// A condition and what follows from it.
pub(super) struct Arm<'t> {
    /// The condition's value also becomes a variable.
    pub(super) declares: bool,
    pub(super) condition: Pipe<'t>,
    pub(super) body: Vec<Node<'t>>,
}

pub(super) struct Range<'t> {
    pub(super) variables: RangeVariables,
    pub(super) over: Pipe<'t>,
    pub(super) body: Vec<Node<'t>>,
    pub(super) otherwise: Vec<Node<'t>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RangeVariables {
    None,
    Element,
    IndexAndElement,
}

/// Go lets `html` and `urlquery` at the end of a printed pipeline take the place of the contextual escaper.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escaper {
    Html,
    UrlQuery,
}

/// Stages from left to right; each gets the value of the one before as its last argument.
pub(super) struct Pipe<'t> {
    pub(super) stages: Vec<Stage<'t>>,
}

pub(super) enum Stage<'t> {
    Value(Operand<'t>),
    Call(Function, Vec<Operand<'t>>),
}

pub(super) enum Operand<'t> {
    Literal(Value),
    /// The dot, and fields of it.
    Dot(Vec<Cow<'t, str>>),
    /// The variable in a slot (slot 0 is `$`), and fields of it.
    Variable(usize, Vec<Cow<'t, str>>),
    /// A pipeline in parentheses, and fields of its value.
    Nested(Pipe<'t>, Vec<Cow<'t, str>>),
}

//! Tokens to a template.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Number, Value};

use super::ast::{Arm, Escaper, Node, Operand, Pipe, Range, RangeVariables, Stage, Template};
use super::functions::Function;
use super::lexer::{Located, Token};
use super::{MAX_NESTING, MAX_VARIABLES, TemplateError};

type Result<T> = std::result::Result<T, TemplateError>;

/// The whole template, checked as far as can be without data: blocks closed, names defined, argument counts right.
pub(super) fn parse<'t>(tokens: &[Located<'t>]) -> Result<Template<'t>> {
    let mut parser = Parser {
        tokens,
        at: 0,
        line: 1,
        nesting: 0,
        scope: vec![""],
        loops: 0,
        defined: HashMap::new(),
        called: Vec::new(),
    };
    let (body, end) = parser.nodes()?;
    if end != Closer::Text {
        return Err(parser.error(format!("unexpected {}", end.name())));
    }
    for (name, line) in parser.called {
        if !parser.defined.contains_key(&name) {
            return Err(TemplateError::Syntax { line, message: format!("template {name:?} is not defined") });
        }
    }
    Ok(Template { body, defined: parser.defined })
}

struct Parser<'a, 't> {
    tokens: &'a [Located<'t>],
    at: usize,
    /// Line of the last token.
    line: usize,
    nesting: usize,
    /// Names of the variables in sight; the position is the slot. Slot 0 is `$`.
    scope: Vec<&'t str>,
    /// How many `range` surround this place.
    loops: usize,
    defined: HashMap<String, Vec<Node<'t>>>,
    called: Vec<(String, usize)>,
}

/// What ended a list of nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closer {
    Text,
    Else,
    ElseIf,
    ElseWith,
    End,
}

impl Closer {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "end of the template",
            Self::Else | Self::ElseIf | Self::ElseWith => "{{else}}",
            Self::End => "{{end}}",
        }
    }
}

/// What a pipeline declares or assigns.
enum Target<'t> {
    None,
    Declare(&'t str),
    Assign(usize),
    DeclareTwo(&'t str, &'t str),
}

impl<'t> Parser<'_, 't> {
    fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.at).map(|located| &located.token)
    }

    fn peek_after(&self, tokens: usize) -> Option<&Token<'t>> {
        self.tokens.get(self.at + tokens).map(|located| &located.token)
    }

    fn next(&mut self) -> Option<Token<'t>> {
        let located = self.tokens.get(self.at)?;
        self.at += 1;
        self.line = located.line;
        Some(located.token.clone())
    }

    /// Consumes the next token if it is `token`.
    fn eat(&mut self, token: &Token<'_>) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, token: &Token<'_>, what: &str) -> Result<()> {
        if self.eat(token) {
            return Ok(());
        }
        self.next();
        Err(self.error(format!("expected {what}")))
    }

    fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError::Syntax { line: self.line, message: message.into() }
    }

    /// Goes one level deeper, if that is allowed.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.nesting >= MAX_NESTING {
            return Err(TemplateError::Limit("the template nests too deep"));
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    /// Nodes up to an `else`, an `end`, or the end of the text. Variables declared among them stay in scope.
    fn nodes(&mut self) -> Result<(Vec<Node<'t>>, Closer)> {
        let mut nodes = Vec::new();
        loop {
            match self.next() {
                None => return Ok((nodes, Closer::Text)),
                Some(Token::Text(text)) => nodes.push(Node::Text(text)),
                Some(_) => {
                    if let Some(end) = self.end()? {
                        return Ok((nodes, end));
                    }
                    nodes.extend(self.action()?);
                }
            }
        }
    }

    /// The `else` or `end` of an action that has just been opened.
    fn end(&mut self) -> Result<Option<Closer>> {
        if self.eat(&Token::Word("end")) {
            self.expect(&Token::Close, "}} after end")?;
            return Ok(Some(Closer::End));
        }
        if !self.eat(&Token::Word("else")) {
            return Ok(None);
        }
        if self.eat(&Token::Word("if")) {
            return Ok(Some(Closer::ElseIf));
        }
        if self.eat(&Token::Word("with")) {
            return Ok(Some(Closer::ElseWith));
        }
        self.expect(&Token::Close, "}} after else")?;
        Ok(Some(Closer::Else))
    }

    /// An action that has just been opened; `define` leaves no node.
    fn action(&mut self) -> Result<Option<Node<'t>>> {
        let Some(Token::Word(word)) = self.peek().cloned() else {
            return self.print().map(Some);
        };
        match word {
            "if" | "with" | "range" | "define" | "template" | "block" | "break" | "continue" => {
                self.next();
            }
            _ => return self.print().map(Some),
        }
        match word {
            "if" => self.deeper(|parser| parser.branch(Closer::ElseIf)).map(Some),
            "with" => self.deeper(|parser| parser.branch(Closer::ElseWith)).map(Some),
            "range" => self.deeper(Self::range).map(Some),
            "define" => self.define().map(|()| None),
            "block" => self.block().map(Some),
            "template" => self.call().map(Some),
            _ => {
                self.expect(&Token::Close, "}}")?;
                if self.loops == 0 {
                    return Err(self.error(format!("{{{{{word}}}}} outside {{{{range}}}}")));
                }
                Ok(Some(if word == "break" { Node::Break } else { Node::Continue }))
            }
        }
    }

    fn print(&mut self) -> Result<Node<'t>> {
        let target = self.target()?;
        let pipe = self.pipe()?;
        self.expect(&Token::Close, "}}")?;
        match target {
            Target::None => {
                let escaper = match pipe.stages.last() {
                    Some(Stage::Call(Function::Html, _)) => Some(Escaper::Html),
                    Some(Stage::Call(Function::UrlQuery, _)) => Some(Escaper::UrlQuery),
                    _ => None,
                };
                Ok(Node::Print { pipe, escaper })
            }
            Target::Declare(name) => {
                self.declare(name)?;
                Ok(Node::Declare(pipe))
            }
            Target::Assign(slot) => Ok(Node::Assign(slot, pipe)),
            Target::DeclareTwo(..) => Err(self.error("too many variables")),
        }
    }

    /// `$x :=`, `$x =` or `$x, $y :=` at the start of a pipeline.
    fn target(&mut self) -> Result<Target<'t>> {
        let Some(Token::Variable(name)) = self.peek().cloned() else {
            return Ok(Target::None);
        };
        match (self.peek_after(1), self.peek_after(2), self.peek_after(3)) {
            (Some(Token::Declare), ..) => {
                self.at += 2;
                Ok(Target::Declare(name))
            }
            (Some(Token::Assign), ..) => {
                let slot = self.slot(name)?;
                self.at += 2;
                Ok(Target::Assign(slot))
            }
            (Some(Token::Comma), Some(Token::Variable(second)), Some(Token::Declare)) => {
                let second = *second;
                self.at += 4;
                Ok(Target::DeclareTwo(name, second))
            }
            _ => Ok(Target::None),
        }
    }

    fn declare(&mut self, name: &'t str) -> Result<()> {
        if self.scope.len() >= MAX_VARIABLES {
            return Err(TemplateError::Limit("the template has too many variables"));
        }
        self.scope.push(name);
        Ok(())
    }

    fn slot(&self, name: &str) -> Result<usize> {
        match self.scope.iter().rposition(|known| *known == name) {
            Some(slot) => Ok(slot),
            None => Err(self.error(format!("undefined variable ${name}"))),
        }
    }

    /// The condition of an `if` or `with` and the body after it.
    fn arm(&mut self) -> Result<(Arm<'t>, Closer)> {
        let target = self.target()?;
        let condition = self.pipe()?;
        self.expect(&Token::Close, "}}")?;
        let declares = match target {
            Target::None => false,
            Target::Declare(name) => {
                self.declare(name)?;
                true
            }
            Target::Assign(_) | Target::DeclareTwo(..) => {
                return Err(self.error("a condition can only declare one variable"));
            }
        };
        let (body, end) = self.scoped(Self::nodes)?;
        Ok((Arm { declares, condition, body }, end))
    }

    fn scoped<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let mark = self.scope.len();
        let parsed = parse(self);
        self.scope.truncate(mark);
        parsed
    }

    /// An `if` or a `with`; `again` is what goes on with another arm.
    fn branch(&mut self, again: Closer) -> Result<Node<'t>> {
        let (arms, otherwise) = self.scoped(|parser| {
            let mut arms = Vec::new();
            loop {
                let (arm, end) = parser.arm()?;
                arms.push(arm);
                if end == Closer::End {
                    return Ok((arms, Vec::new()));
                }
                if end == Closer::Else {
                    let otherwise = parser.last_body()?;
                    return Ok((arms, otherwise));
                }
                if end != again {
                    return Err(parser.error(format!("unexpected {}", end.name())));
                }
            }
        })?;
        Ok(match again {
            Closer::ElseIf => Node::If { arms, otherwise },
            _ => Node::With { arms, otherwise },
        })
    }

    /// The body after the last `else`, or of a definition.
    fn last_body(&mut self) -> Result<Vec<Node<'t>>> {
        let (body, end) = self.scoped(Self::nodes)?;
        if end == Closer::End { Ok(body) } else { Err(self.error(format!("unexpected {}", end.name()))) }
    }

    fn range(&mut self) -> Result<Node<'t>> {
        let target = self.target()?;
        let over = self.pipe()?;
        self.expect(&Token::Close, "}}")?;
        let variables = match target {
            Target::None => RangeVariables::None,
            Target::Declare(_) => RangeVariables::Element,
            Target::DeclareTwo(..) => RangeVariables::IndexAndElement,
            Target::Assign(_) => return Err(self.error("range can only declare variables")),
        };
        self.loops += 1;
        let (body, end) = self.scoped(|parser| {
            match target {
                Target::Declare(element) => parser.declare(element)?,
                Target::DeclareTwo(index, element) => {
                    parser.declare(index)?;
                    parser.declare(element)?;
                }
                Target::None | Target::Assign(_) => {}
            }
            parser.nodes()
        })?;
        self.loops -= 1;
        let otherwise = match end {
            Closer::End => Vec::new(),
            Closer::Else => self.last_body()?,
            _ => return Err(self.error(format!("unexpected {}", end.name()))),
        };
        Ok(Node::Range(Range { variables, over, body, otherwise }))
    }

    fn template_name(&mut self) -> Result<String> {
        match self.next() {
            Some(Token::Quoted(name)) => Ok(name),
            _ => Err(self.error("expected the template's name in quotes")),
        }
    }

    /// A definition sees none of the variables around it.
    fn definition(&mut self, name: String) -> Result<()> {
        let scope = std::mem::replace(&mut self.scope, vec![""]);
        let loops = std::mem::take(&mut self.loops);
        let body = self.deeper(Self::last_body)?;
        self.scope = scope;
        self.loops = loops;
        self.defined.insert(name, body);
        Ok(())
    }

    fn define(&mut self) -> Result<()> {
        if self.nesting > 0 {
            return Err(self.error("unexpected {{define}}"));
        }
        let name = self.template_name()?;
        self.expect(&Token::Close, "}}")?;
        self.definition(name)
    }

    fn block(&mut self) -> Result<Node<'t>> {
        let name = self.template_name()?;
        let dot = self.pipe()?;
        self.expect(&Token::Close, "}}")?;
        self.definition(name.clone())?;
        Ok(Node::Call { name, dot: Some(dot) })
    }

    fn call(&mut self) -> Result<Node<'t>> {
        let name = self.template_name()?;
        self.called.push((name.clone(), self.line));
        let dot = if self.peek() == Some(&Token::Close) { None } else { Some(self.pipe()?) };
        self.expect(&Token::Close, "}}")?;
        Ok(Node::Call { name, dot })
    }

    fn pipe(&mut self) -> Result<Pipe<'t>> {
        let mut stages = vec![self.stage(false)?];
        while self.eat(&Token::Pipe) {
            stages.push(self.stage(true)?);
        }
        Ok(Pipe { stages })
    }

    /// A function with arguments, or a value; `fed` by the stage before it or not.
    fn stage(&mut self, fed: bool) -> Result<Stage<'t>> {
        let function = self.function()?;
        let mut operands = Vec::new();
        while !matches!(self.peek(), None | Some(Token::Close | Token::Pipe | Token::Right)) {
            let first = function.is_none() && operands.is_empty();
            if !first && self.tokens.get(self.at).is_some_and(|located| !located.spaced) {
                return Err(self.error("expected a blank between operands"));
            }
            operands.push(self.operand()?);
        }
        let count = operands.len() + usize::from(fed);
        match function {
            Some(function) if function.takes(count) => Ok(Stage::Call(function, operands)),
            Some(_) => Err(self.error("wrong number of arguments of a function")),
            None if fed => Err(self.error("only a function can follow |")),
            None => match (operands.pop(), operands.is_empty()) {
                (Some(value), true) => Ok(Stage::Value(value)),
                (Some(_), false) => Err(self.error("only a function takes arguments")),
                (None, _) => Err(self.error("missing value")),
            },
        }
    }

    /// The function a stage starts with, if it does.
    fn function(&mut self) -> Result<Option<Function>> {
        let Some(Token::Word(name)) = self.peek().cloned() else {
            return Ok(None);
        };
        if matches!(name, "true" | "false" | "nil") {
            return Ok(None);
        }
        self.next();
        match Function::from_name(name) {
            Some(function) => Ok(Some(function)),
            None => Err(self.error(format!("function {name:?} is not defined"))),
        }
    }

    fn operand(&mut self) -> Result<Operand<'t>> {
        match self.next() {
            Some(Token::Quoted(text)) => Ok(Operand::Literal(Value::String(text))),
            Some(Token::Integer(integer)) => Ok(Operand::Literal(Value::from(integer))),
            Some(Token::Float(float)) => {
                Ok(Operand::Literal(Number::from_f64(float).map_or(Value::Null, Value::Number)))
            }
            Some(Token::Word("true")) => Ok(Operand::Literal(Value::Bool(true))),
            Some(Token::Word("false")) => Ok(Operand::Literal(Value::Bool(false))),
            Some(Token::Word("nil")) => Ok(Operand::Literal(Value::Null)),
            Some(Token::Word(name)) => {
                let function = Function::from_name(name).filter(|function| function.takes(0));
                let pipe = function.map(|function| Pipe { stages: vec![Stage::Call(function, Vec::new())] });
                let pipe = pipe.ok_or_else(|| self.error(format!("unexpected {name:?}")))?;
                Ok(Operand::Nested(pipe, Vec::new()))
            }
            Some(Token::Dot) => Ok(Operand::Dot(Vec::new())),
            Some(Token::Field(name)) => {
                let mut fields = vec![Cow::Borrowed(name)];
                fields.extend(self.fields());
                Ok(Operand::Dot(fields))
            }
            Some(Token::Variable(name)) => Ok(Operand::Variable(self.slot(name)?, self.fields())),
            Some(Token::Left) => {
                let pipe = self.deeper(Self::pipe)?;
                self.expect(&Token::Right, "a closing parenthesis")?;
                Ok(Operand::Nested(pipe, self.fields()))
            }
            _ => Err(self.error("unexpected token in an action")),
        }
    }

    /// Fields that follow an operand without a blank.
    fn fields(&mut self) -> Vec<Cow<'t, str>> {
        let mut fields = Vec::new();
        while let Some(Located { token: Token::Field(name), spaced: false, .. }) = self.tokens.get(self.at) {
            fields.push(Cow::Borrowed(*name));
            self.next();
        }
        fields
    }
}

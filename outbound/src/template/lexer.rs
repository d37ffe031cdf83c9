//! Splits a template into text and the tokens of its actions.

use super::TemplateError;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
/// What trimming trims and what may stand beside a trim marker.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    /// Literal text, trimmed.
    Text(&'t str),
    /// An action starts.
    Open,
    /// An action ends.
    Close,
    /// A keyword, a function's name, `true`, `false`, `nil`.
    Word(&'t str),
    /// `.name`
    Field(&'t str),
    Dot,
    /// `$` or `$name`, without the dollar sign.
    Variable(&'t str),
    Integer(i64),
    Float(f64),
    Quoted(String),
    Pipe,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    Comma,
    Left,
    Right,
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Located<'t> {
    pub(super) token: Token<'t>,
    pub(super) line: usize,
    /// Blanks stand before it, so that it starts a new operand.
    pub(super) spaced: bool,
}

struct Lexer<'t> {
    text: &'t str,
    /// Always at a character boundary.
    at: usize,
    line: usize,
    tokens: Vec<Located<'t>>,
}

pub(super) fn tokens(text: &str) -> Result<Vec<Located<'_>>, TemplateError> {
    let mut lexer = Lexer { text, at: 0, line: 1, tokens: Vec::new() };
    let mut trim = false;
    while let Some(before) = lexer.rest().find(OPEN) {
        let literal = lexer.take(before);
        lexer.take(OPEN.len());
        let trims_left = lexer.rest().strip_prefix('-').is_some_and(|rest| rest.starts_with(BLANKS));
        if trims_left {
            lexer.take(2);
        }
        lexer.literal(literal, trim, trims_left);
        trim = match lexer.comment()? {
            Some(trims_right) => trims_right,
            None => lexer.action()?,
        };
    }
    let literal = lexer.rest();
    lexer.literal(literal, trim, false);
    Ok(lexer.tokens)
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Consumes `bytes` bytes.
    fn take(&mut self, bytes: usize) -> &'t str {
        let taken = self.rest().get(..bytes).unwrap_or_default();
        self.line += taken.bytes().filter(|b| *b == b'\n').count();
        self.at += taken.len();
        taken
    }

    fn push(&mut self, token: Token<'t>, spaced: bool) {
        self.tokens.push(Located { token, line: self.line, spaced });
    }

    fn literal(&mut self, mut text: &'t str, trim_start: bool, trim_end: bool) {
        if trim_start {
            text = text.trim_start_matches(BLANKS);
        }
        if trim_end {
            text = text.trim_end_matches(BLANKS);
        }
        if !text.is_empty() {
            self.push(Token::Text(text), false);
        }
    }

    /// The whole comment if one starts here, and whether it trims what follows.
    fn comment(&mut self) -> Result<Option<bool>, TemplateError> {
        let Some(inside) = self.rest().strip_prefix("/*") else {
            return Ok(None);
        };
        let Some(length) = inside.find("*/") else {
            return Err(self.error("unclosed comment"));
        };
        self.take(length + 4);
        match self.end_of_action() {
            Some((length, trims)) => {
                self.take(length);
                Ok(Some(trims))
            }
            None => Err(self.error("comment ends before closing delimiter")),
        }
    }

    /// Length of the action's end if it stands here, and whether it trims what follows.
    fn end_of_action(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        if rest.starts_with(CLOSE) {
            return Some((CLOSE.len(), false));
        }
        let marked = rest.strip_prefix(BLANKS).and_then(|rest| rest.strip_prefix('-'));
        marked.filter(|rest| rest.starts_with(CLOSE)).map(|_| (CLOSE.len() + 2, true))
    }

    /// The tokens up to the action's end, and whether it trims what follows.
    fn action(&mut self) -> Result<bool, TemplateError> {
        self.push(Token::Open, false);
        let mut spaced = false;
        loop {
            if let Some((length, trims)) = self.end_of_action() {
                self.push(Token::Close, spaced);
                self.take(length);
                return Ok(trims);
            }
            let Some(first) = self.rest().chars().next() else {
                return Err(self.error("unclosed action"));
            };
            if BLANKS.contains(&first) {
                self.take(1);
                spaced = true;
                continue;
            }
            let token = self.token(first)?;
            self.push(token, spaced);
            spaced = false;
        }
    }

    fn token(&mut self, first: char) -> Result<Token<'t>, TemplateError> {
        let second = self.rest().chars().nth(1);
        let digit_next = second.is_some_and(|c| c.is_ascii_digit());
        match first {
            '|' => Ok(self.simple(1, Token::Pipe)),
            ',' => Ok(self.simple(1, Token::Comma)),
            '(' => Ok(self.simple(1, Token::Left)),
            ')' => Ok(self.simple(1, Token::Right)),
            '=' => Ok(self.simple(1, Token::Assign)),
            ':' if second == Some('=') => Ok(self.simple(2, Token::Declare)),
            '"' => self.quoted(),
            '`' => self.raw(),
            '\'' => self.character(),
            '0'..='9' => self.number(),
            '+' | '-' | '.' if digit_next => self.number(),
            '+' | '-' if second == Some('.') => self.number(),
            '.' if second.is_some_and(is_name_char) => {
                self.take(1);
                self.name().map(Token::Field)
            }
            '.' => Ok(self.simple(1, Token::Dot)),
            '$' => {
                self.take(1);
                self.name().map(Token::Variable)
            }
            c if is_name_char(c) => self.name().map(Token::Word),
            c => Err(self.error(&format!("unexpected {c:?} in an action"))),
        }
    }

    fn simple(&mut self, bytes: usize, token: Token<'t>) -> Token<'t> {
        self.take(bytes);
        token
    }

    /// Letters, digits and underscores up to a character that may follow a name.
    fn name(&mut self) -> Result<&'t str, TemplateError> {
        let rest = self.rest();
        let name = self.take(rest.find(|c| !is_name_char(c)).unwrap_or(rest.len()));
        match self.rest().chars().next() {
            Some(c) if !BLANKS.contains(&c) && !".,|:()=}".contains(c) => {
                Err(self.error(&format!("unexpected {c:?} after {name:?}")))
            }
            _ => Ok(name),
        }
    }

    fn number(&mut self) -> Result<Token<'t>, TemplateError> {
        let rest = self.rest();
        let mut previous = ' ';
        let length = rest.find(|c: char| {
            let sign = (c == '+' || c == '-') && matches!(previous, ' ' | 'e' | 'E' | 'p' | 'P');
            let inside = c.is_ascii_alphanumeric() || matches!(c, '_' | '.') || sign;
            previous = c;
            !inside
        });
        let text = self.take(length.unwrap_or(rest.len()));
        number(text).ok_or_else(|| self.error(&format!("bad number {text:?}")))
    }

    fn raw(&mut self) -> Result<Token<'t>, TemplateError> {
        self.take(1);
        match self.rest().find('`') {
            Some(length) => {
                let inside = self.take(length).replace('\r', "");
                self.take(1);
                Ok(Token::Quoted(inside))
            }
            None => Err(self.error("unterminated raw string")),
        }
    }

    fn quoted(&mut self) -> Result<Token<'t>, TemplateError> {
        self.take(1);
        let mut value = String::new();
        loop {
            match self.unquoted('"')? {
                Some(c) => value.push(c),
                None => return Ok(Token::Quoted(value)),
            }
        }
    }

    fn character(&mut self) -> Result<Token<'t>, TemplateError> {
        self.take(1);
        let value = self.unquoted('\'')?;
        match (value, self.unquoted('\'')?) {
            (Some(c), None) => Ok(Token::Integer(i64::from(u32::from(c)))),
            _ => Err(self.error("malformed character constant")),
        }
    }

    /// The next character of a quoted constant, or `None` at its end.
    fn unquoted(&mut self, quote: char) -> Result<Option<char>, TemplateError> {
        let c = self.rest().chars().next();
        match c {
            None | Some('\n') => return Err(self.error("unterminated quoted string")),
            Some(c) => drop(self.take(c.len_utf8())),
        }
        if c == Some(quote) {
            return Ok(None);
        }
        if c != Some('\\') {
            return Ok(c);
        }
        let kind = self.rest().chars().next().unwrap_or(' ');
        self.take(kind.len_utf8());
        let escaped = match kind {
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            '\\' | '"' | '\'' => Some(kind),
            'x' => self.code_point(2, 16),
            'u' => self.code_point(4, 16),
            'U' => self.code_point(8, 16),
            '0'..='7' => {
                self.at -= 1;
                self.code_point(3, 8)
            }
            _ => None,
        };
        match escaped {
            Some(c) => Ok(Some(c)),
            None => Err(self.error("bad escape in a quoted string")),
        }
    }

    fn code_point(&mut self, digits: usize, radix: u32) -> Option<char> {
        let text = self.rest().get(..digits)?;
        self.take(digits);
        let all_digits = text.chars().all(|c| c.is_digit(radix));
        if all_digits { char::from_u32(u32::from_str_radix(text, radix).ok()?) } else { None }
    }

    fn error(&self, message: &str) -> TemplateError {
        TemplateError::Syntax { line: self.line, message: message.to_owned() }
    }
}

fn is_name_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Go's number syntax: decimal, `0x`, `0o`, `0b`, a leading zero for octal, underscores between digits, floats.
fn number<'t>(text: &str) -> Option<Token<'t>> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let lower = digits.to_ascii_lowercase().replace('_', "");
    let (radix, plain) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, lower.get(2..)?),
        [b'0', b'o', ..] => (8, lower.get(2..)?),
        [b'0', b'b', ..] => (2, lower.get(2..)?),
        [b'0', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit) => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    if plain.starts_with(['+', '-']) {
        return None;
    }
    if let Ok(integer) = i64::from_str_radix(plain, radix) {
        return Some(Token::Integer(if negative { -integer } else { integer }));
    }
    let decimal = radix == 10 && plain.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let float: f64 = if decimal { plain.parse().ok()? } else { return None };
    float.is_finite().then_some(Token::Float(if negative { -float } else { float }))
}

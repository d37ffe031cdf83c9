//! The output as it grows, and where in the HTML it stands.
//!
//! Go decides beforehand how each action of a template is escaped; here it is decided when the action prints, from the
//! output before it. For every template that Go accepts the result is the same, and branches that leave off in
//! different places, which Go refuses, are simply followed.

use html_escape::decode_html_entities;
use serde_json::Value;

use super::ast::Escaper;
use super::css::Css;
use super::js::Js;
use super::{escape, print};

const BLANKS: [char; 5] = ['\t', '\n', '\u{c}', '\r', ' '];

/// The text so far.
pub(super) struct Writer {
    out: String,
    place: Place,
    /// The element whose tag is being written, or whose content is.
    element: Element,
    /// The attribute being written.
    attribute: Attribute,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Text,
    Comment,
    /// In a tag, between attributes.
    Tag,
    /// In an attribute's name.
    Name,
    /// After an attribute's name, before a possible `=`.
    AfterName,
    /// After `=`.
    BeforeValue,
    /// In an attribute's value.
    Value(Quote, Inner),
    /// In the content of a script, a style sheet, a title, a text area.
    Content(Inner),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    Double,
    Single,
    Absent,
}

/// The language inside a value or content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inner {
    Plain,
    /// HTML of its own (`srcdoc`).
    Document,
    Url(UrlPart),
    Srcset,
    /// `content` of `meta`; whether an address is being given.
    Meta(bool),
    Css(Css),
    Js(Js),
}

/// How much of a URL has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UrlPart {
    /// Nothing: a value may bring the scheme.
    Start,
    /// Something before the query.
    Path,
    /// The query or fragment.
    Query,
}

impl UrlPart {
    pub(super) fn after(self, text: &str) -> Self {
        if text.contains(['#', '?']) {
            Self::Query
        } else if self == Self::Start && !text.trim_matches(BLANKS).is_empty() {
            Self::Path
        } else {
            self
        }
    }
}

/// Elements that are not read like others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Ordinary,
    Script,
    Style,
    Textarea,
    Title,
    Meta,
}

impl Element {
    fn of(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "script" => Self::Script,
            "style" => Self::Style,
            "textarea" => Self::Textarea,
            "title" => Self::Title,
            "meta" => Self::Meta,
            _ => Self::Ordinary,
        }
    }

    /// Its name, if only its end tag ends its content.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Script => Some("script"),
            Self::Style => Some("style"),
            Self::Textarea => Some("textarea"),
            Self::Title => Some("title"),
            Self::Ordinary | Self::Meta => None,
        }
    }

    fn content(self) -> Place {
        match self {
            Self::Ordinary | Self::Meta => Place::Text,
            Self::Script => Place::Content(Inner::Js(Js::Code)),
            Self::Style => Place::Content(Inner::Css(Css::Code)),
            Self::Textarea | Self::Title => Place::Content(Inner::Plain),
        }
    }
}

/// What an attribute's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Plain,
    /// Plain, but changes what others mean: its name must stand in the template.
    Control,
    Document,
    Url,
    Srcset,
    Style,
    Script,
    MetaContent,
}

impl Attribute {
    /// By its name in lower case.
    pub(super) fn of(name: &str) -> Self {
        let bare = name.strip_prefix("data-").unwrap_or(name);
        let bare = match bare.split_once(':') {
            Some(("xmlns", _)) => return Self::Url,
            Some((_, local)) => local,
            None => bare,
        };
        match bare {
            "action" | "archive" | "background" | "cite" | "classid" | "codebase" | "data" | "formaction" | "href"
            | "icon" | "longdesc" | "manifest" | "poster" | "profile" | "usemap" | "xmlns" => Self::Url,
            "srcset" => Self::Srcset,
            "srcdoc" => Self::Document,
            "style" => Self::Style,
            "accept-charset" | "async" | "charset" | "content" | "crossorigin" | "defer" | "enctype" | "form"
            | "formenctype" | "formmethod" | "formnovalidate" | "http-equiv" | "language" | "method" | "novalidate"
            | "pattern" | "rel" | "sandbox" | "type" | "value" => Self::Control,
            event if event.starts_with("on") => Self::Script,
            address if ["src", "uri", "url"].iter().any(|part| address.contains(part)) => Self::Url,
            _ => Self::Plain,
        }
    }

    fn value(self) -> Inner {
        match self {
            Self::Plain | Self::Control => Inner::Plain,
            Self::Document => Inner::Document,
            Self::Url => Inner::Url(UrlPart::Start),
            Self::Srcset => Inner::Srcset,
            Self::Style => Inner::Css(Css::Code),
            Self::Script => Inner::Js(Js::Code),
            Self::MetaContent => Inner::Meta(false),
        }
    }
}

impl Inner {
    /// The place after `text` of an attribute's value.
    fn after(self, text: &str) -> Self {
        let text = decode_html_entities(text);
        let mut unused = String::new();
        match self {
            Self::Plain | Self::Document | Self::Srcset => self,
            Self::Url(part) => Self::Url(part.after(&text)),
            Self::Meta(address) => Self::Meta(meta_address(address, &text)),
            Self::Css(css) => Self::Css(css.advance(&text, &mut unused)),
            Self::Js(js) => Self::Js(js.advance(&text, &mut unused)),
        }
    }

    fn escape(self, value: &Value, text: String, as_query: bool) -> String {
        match self {
            Self::Plain | Self::Meta(false) => text,
            Self::Document => escape::html(&text, true),
            Self::Url(UrlPart::Start) if as_query => escape::query_escape(&escape::url_filter(&text)),
            Self::Url(_) if as_query => escape::query_escape(&text),
            Self::Url(UrlPart::Start) => escape::url_normalize(&escape::url_filter(&text)),
            Self::Url(UrlPart::Path) => escape::url_normalize(&text),
            Self::Url(UrlPart::Query) => escape::url_escape(&text),
            Self::Srcset => escape::srcset(&text),
            Self::Meta(true) => escape::url_filter(&text),
            Self::Css(css) => css.escape(&text),
            Self::Js(js) => js.escape(value, &text),
        }
    }
}

/// Whether `content` of `meta` names an address after `text`: `0; url=...`.
fn meta_address(mut address: bool, text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut rest = lower.as_str();
    loop {
        let found = if address {
            rest.split_once(';')
        } else {
            let after = rest.split_once("url").map(|(_, after)| after.trim_start_matches(BLANKS));
            after.map(|after| ("", after))
        };
        let Some((_, after)) = found else {
            return address;
        };
        (address, rest) = match (address, after.strip_prefix('=')) {
            (false, Some(after)) => (true, after),
            _ => (false, after),
        };
    }
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { out: String::new(), place: Place::Text, element: Element::Ordinary, attribute: Attribute::Plain }
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    /// Text of the template.
    pub(super) fn literal(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Text => self.text(rest),
                Place::Comment => self.comment(rest),
                Place::Tag => self.tag(rest),
                Place::Name => self.name(rest),
                Place::AfterName => self.after_name(rest),
                Place::BeforeValue => self.before_value(rest),
                Place::Value(quote, inner) => self.attribute_value(rest, quote, inner),
                Place::Content(inner) => self.content(rest, inner),
            };
        }
    }

    /// Appends the first `length` bytes of `text` and returns the others.
    fn put<'t>(&mut self, text: &'t str, length: usize) -> &'t str {
        let (seen, rest) = text.split_at_checked(length).unwrap_or((text, ""));
        self.out.push_str(seen);
        rest
    }

    /// Up to a tag or comment. A `<` that starts neither becomes an entity.
    fn text<'t>(&mut self, text: &'t str) -> &'t str {
        let Some(at) = text.find('<') else {
            return self.put(text, text.len());
        };
        let rest = self.put(text, at);
        if let Some(comment) = rest.strip_prefix("<!--") {
            self.place = Place::Comment;
            return comment;
        }
        let (closing, name) = match rest.strip_prefix("</") {
            Some(name) => (true, tag_name(name)),
            None => (false, tag_name(rest.strip_prefix('<').unwrap_or_default())),
        };
        if !name.is_empty() {
            self.place = Place::Tag;
            self.element = if closing { Element::Ordinary } else { Element::of(name) };
            return self.put(rest, name.len() + if closing { 2 } else { 1 });
        }
        if rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype")) {
            return self.put(rest, 1);
        }
        self.out.push_str("&lt;");
        rest.strip_prefix('<').unwrap_or_default()
    }

    /// Comments are left out.
    fn comment<'t>(&mut self, text: &'t str) -> &'t str {
        match text.split_once("-->") {
            Some((_, rest)) => {
                self.place = Place::Text;
                rest
            }
            None => "",
        }
    }

    fn tag<'t>(&mut self, text: &'t str) -> &'t str {
        let between = |c: char| BLANKS.contains(&c) || c == '/';
        let start = text.find(|c| !between(c)).unwrap_or(text.len());
        let rest = self.put(text, start);
        if rest.is_empty() {
            return rest;
        }
        if rest.starts_with('>') {
            self.place = self.element.content();
            return self.put(rest, 1);
        }
        let name = attribute_name(rest);
        let lower = name.to_ascii_lowercase();
        self.attribute = match Attribute::of(&lower) {
            Attribute::Control if self.element == Element::Meta && lower == "content" => Attribute::MetaContent,
            attribute => attribute,
        };
        self.place = if name.len() == rest.len() { Place::Name } else { Place::AfterName };
        self.put(rest, name.len())
    }

    fn name<'t>(&mut self, text: &'t str) -> &'t str {
        let length = text.find(ends_name).unwrap_or(text.len());
        if length < text.len() {
            self.place = Place::AfterName;
        }
        self.put(text, length)
    }

    fn after_name<'t>(&mut self, text: &'t str) -> &'t str {
        let start = text.find(|c| !BLANKS.contains(&c)).unwrap_or(text.len());
        let rest = self.put(text, start);
        match rest.chars().next() {
            None => rest,
            Some('=') => {
                self.place = Place::BeforeValue;
                self.put(rest, 1)
            }
            Some(_) => {
                self.place = Place::Tag;
                rest
            }
        }
    }

    fn before_value<'t>(&mut self, text: &'t str) -> &'t str {
        let start = text.find(|c| !BLANKS.contains(&c)).unwrap_or(text.len());
        let rest = self.put(text, start);
        let quote = match rest.chars().next() {
            None => return rest,
            Some('"') => Quote::Double,
            Some('\'') => Quote::Single,
            Some('>') => {
                self.place = Place::Tag;
                return rest;
            }
            Some(_) => Quote::Absent,
        };
        self.place = Place::Value(quote, self.attribute.value());
        self.put(rest, usize::from(quote != Quote::Absent))
    }

    fn attribute_value<'t>(&mut self, text: &'t str, quote: Quote, inner: Inner) -> &'t str {
        let end = match quote {
            Quote::Double => text.find('"'),
            Quote::Single => text.find('\''),
            Quote::Absent => text.find(|c| BLANKS.contains(&c) || c == '>'),
        };
        let Some(end) = end else {
            self.place = Place::Value(quote, inner.after(text));
            return self.put(text, text.len());
        };
        self.place = Place::Tag;
        self.attribute = Attribute::Plain;
        self.put(text, end + usize::from(quote != Quote::Absent))
    }

    fn content<'t>(&mut self, text: &'t str, inner: Inner) -> &'t str {
        let end = self.element.name().and_then(|name| end_tag(text, name));
        let (inside, rest) = text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""));
        let inner = match inner {
            Inner::Css(css) => Inner::Css(css.advance(inside, &mut self.out)),
            Inner::Js(js) => Inner::Js(js.advance(inside, &mut self.out)),
            other => {
                self.out.push_str(&inside.replace('<', "&lt;"));
                other
            }
        };
        self.place = Place::Content(inner);
        if end.is_some() {
            self.place = Place::Text;
            self.element = Element::Ordinary;
        }
        rest
    }

    /// The value of an action, escaped for where it stands.
    pub(super) fn value(&mut self, value: &Value, escaper: Option<Escaper>) {
        let plus = escaper != Some(Escaper::Html);
        let as_query = escaper == Some(Escaper::UrlQuery);
        match self.place {
            Place::BeforeValue => self.place = Place::Value(Quote::Absent, self.attribute.value()),
            Place::Tag | Place::AfterName => {
                self.place = Place::Name;
                self.attribute = Attribute::Plain;
            }
            _ => {}
        }
        let in_url = matches!(self.place, Place::Value(_, Inner::Url(_)));
        let mut text = print::display(value);
        if as_query && !in_url {
            text = escape::query_escape(&text);
        }
        let escaped = match self.place {
            Place::Comment => return,
            Place::Text | Place::Content(Inner::Plain) => escape::html(&text, plus),
            Place::Content(inner) => inner.escape(value, text, false),
            Place::Value(Quote::Absent, inner) => escape::html_unquoted(&inner.escape(value, text, as_query)),
            Place::Value(_, inner) => escape::html(&inner.escape(value, text, as_query), plus),
            _ => escape::attribute_name(&text).to_owned(),
        };
        self.out.push_str(&escaped);
    }
}

/// The tag's name at the start of `text`, if one is there: a letter, then letters, digits, single `-` and `:` inside.
fn tag_name(text: &str) -> &str {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return "";
    }
    let length = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != ':').unwrap_or(text.len());
    text.get(..length).unwrap_or_default().trim_end_matches(['-', ':'])
}

/// The attribute's name at the start of `text`; never empty if `text` is not.
fn attribute_name(text: &str) -> &str {
    let first = text.chars().next().map_or(0, char::len_utf8);
    let length = text.get(first..).and_then(|rest| rest.find(ends_name)).map_or(text.len(), |at| at + first);
    text.get(..length).unwrap_or_default()
}

fn ends_name(c: char) -> bool {
    BLANKS.contains(&c) || matches!(c, '=' | '>' | '/')
}

/// Where the end tag of `name` starts, in any case.
fn end_tag(text: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find("</")?;
        let after = text.get(at + 2..)?;
        let named = after.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let next = after.get(name.len()..).and_then(|rest| rest.chars().next());
        if named && next.is_some_and(|c| BLANKS.contains(&c) || matches!(c, '>' | '/')) {
            return Some(at);
        }
        from = at + 2;
    }
}

//! The text part of a mail, made from its HTML.

use html_escape::decode_html_entities;

/// Elements that start a paragraph.
const PARAGRAPHS: [&str; 14] =
    ["blockquote", "center", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table", "ul"];
/// Elements that start a line.
const LINES: [&str; 9] = ["br", "dd", "div", "dt", "footer", "header", "li", "section", "tr"];
/// Elements whose content nobody reads.
const UNREAD: [&str; 3] = ["script", "style", "title"];

/// `html` as a person would read it: tags gone, entities resolved, paragraphs apart, and the address of every link
/// after its words as `<address>`, unless they are the address. Takes time in proportion to the text.
pub fn from_html(html: &str) -> String {
    read(html, true)
}

/// What `html` shows on a screen: [`from_html`] without the addresses of links.
pub fn visible(html: &str) -> String {
    read(html, false)
}

/// A link and the words it stands behind; those of a picture are its description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) words: String,
    pub(crate) address: String,
}

/// The links of `html`, in order.
pub(crate) fn links(html: &str) -> Vec<Link> {
    write(html, true).links
}

fn read(html: &str, addresses: bool) -> String {
    write(html, addresses).out
}

fn write(html: &str, addresses: bool) -> Writer {
    let mut writer = Writer { addresses, ..Writer::default() };
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        writer.text(before);
        let (markup, tail) = split_markup(after);
        match markup {
            Some(tag) => rest = writer.tag(tag, tail),
            None => {
                writer.text("<");
                rest = tail;
            }
        }
    }
    writer.text(rest);
    writer.end_link();
    writer
}

/// Splits what starts with `<` into the inside of a tag, empty for a comment, and what follows; `None` if it is no tag.
fn split_markup(text: &str) -> (Option<&str>, &str) {
    if let Some(comment) = text.strip_prefix("<!--") {
        return (Some(""), comment.split_once("-->").map_or("", |(_, rest)| rest));
    }
    let inside = text.strip_prefix('<').unwrap_or_default();
    if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
        return (None, inside);
    }
    let mut quote = None;
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            (None, '>') => return (inside.get(..at), inside.get(at + 1..).unwrap_or_default()),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    (Some(inside), "")
}

#[derive(Default)]
struct Writer {
    out: String,
    /// Whether links show their addresses.
    addresses: bool,
    /// Line breaks due before the next word.
    breaks: usize,
    /// A blank is due before the next word.
    blank: bool,
    open: Option<Open>,
    links: Vec<Link>,
}

/// A link that has begun.
struct Open {
    address: String,
    /// Where its words start.
    start: usize,
}

impl Writer {
    fn text(&mut self, html: &str) {
        let text = decode_html_entities(html);
        if text.starts_with(char::is_whitespace) {
            self.blank = true;
        }
        let mut words = text.split_whitespace().peekable();
        while let Some(word) = words.next() {
            self.word(word);
            self.blank = words.peek().is_some() || text.ends_with(char::is_whitespace);
        }
    }

    fn word(&mut self, word: &str) {
        if self.out.is_empty() {
            // Nothing stands before the first word.
        } else if self.breaks > 0 {
            self.out.push_str(if self.breaks == 1 { "\n" } else { "\n\n" });
        } else if self.blank {
            self.out.push(' ');
        }
        self.breaks = 0;
        self.blank = false;
        if let Some(link) = &mut self.open {
            link.start = link.start.min(self.out.len());
        }
        self.out.push_str(word);
    }

    fn tag<'h>(&mut self, tag: &str, rest: &'h str) -> &'h str {
        let (closing, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let length = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let (name, attributes) = tag.split_at_checked(length).unwrap_or((tag, ""));
        let name = name.to_ascii_lowercase();
        let name = name.as_str();
        if PARAGRAPHS.contains(&name) {
            self.breaks = 2;
        } else if LINES.contains(&name) {
            self.breaks = self.breaks.max(1);
        }
        match name {
            "a" => {
                self.end_link();
                let address =
                    attribute(attributes, "href").filter(|address| self.addresses && !closing && !address.is_empty());
                self.open = address.map(|address| Open { address, start: usize::MAX });
            }
            "li" if !closing => {
                self.word("-");
                self.blank = true;
            }
            "td" | "th" => self.blank = true,
            "img" => self.text(&attribute(attributes, "alt").unwrap_or_default()),
            unread if !closing && UNREAD.contains(&unread) => return after_end_tag(rest, unread),
            _ => {}
        }
        rest
    }

    fn end_link(&mut self) {
        let Some(link) = self.open.take() else {
            return;
        };
        let address: String = link.address.split_whitespace().collect();
        let words = self.out.get(link.start..).unwrap_or_default();
        self.links.push(Link { words: words.to_owned(), address: address.clone() });
        if words != address {
            let after = !words.is_empty();
            self.blank |= after;
            self.word(&if after { format!("<{address}>") } else { address });
        }
    }
}

/// What follows the end tag of `name`; its tag itself is left, and read as any other.
fn after_end_tag<'h>(html: &'h str, name: &str) -> &'h str {
    let mut from = 0;
    while let Some(at) = html.get(from..).and_then(|rest| rest.find("</")).map(|at| from + at) {
        let after = html.get(at + 2..).unwrap_or_default();
        if after.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return html.get(at..).unwrap_or_default();
        }
        from = at + 2;
    }
    ""
}

/// An attribute's value, entities resolved.
fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let mut rest = attributes.trim_start();
    while !rest.is_empty() {
        let length = rest.find(|c: char| c == '=' || c == '/' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(length)?;
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else {
            rest = after.trim_start_matches('/').trim_start();
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value.get(1..)?.split_once(quote).unwrap_or((value.get(1..)?, "")),
            _ => value.split_at_checked(value.find(char::is_whitespace).unwrap_or(value.len()))?,
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(decode_html_entities(value).into_owned());
        }
        rest = after.trim_start();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_reads_like_a_letter() {
        let html = "<h2>Your sign-in link</h2>\n\n<p>Follow this link\n  to sign in:</p>\n\
                    <p><a href=\"https://x.test/v?a=1&amp;b=2\">Sign in</a></p><p>From <strong>x.test</strong>.</p>\n";
        let text = "Your sign-in link\n\nFollow this link to sign in:\n\n\
                    Sign in <https://x.test/v?a=1&b=2>\n\nFrom x.test.";
        assert_eq!(from_html(html), text);
    }

    #[test]
    fn what_nobody_reads_is_left_out() {
        let html = "<!DOCTYPE html><title>t</title><STYLE>p > a { color: red }</Style><!-- c > -->a<script>x</script>b";
        assert_eq!(from_html(html), "ab");
    }

    #[test]
    fn lists_lines_and_cells_are_kept_apart() {
        assert_eq!(from_html("<ul><li>one<li>two</ul>three<br>four<br/>five"), "- one\n- two\n\nthree\nfour\nfive");
        assert_eq!(from_html("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>"), "a b\nc");
    }

    #[test]
    fn a_link_says_its_address_once() {
        assert_eq!(from_html("<a href='https://x.test'>https://x.test</a>"), "https://x.test");
        assert_eq!(from_html("<a href=https://x.test><img alt=Logo></a>!"), "Logo <https://x.test>!");
        assert_eq!(from_html("see <a href='https://x.test'></a> now"), "see https://x.test now");
        assert_eq!(from_html("<a name=here>here</a>"), "here");
    }

    #[test]
    fn links_are_told_with_their_words() {
        let html = "<a href='https://x.test/?a=1&amp;b=2'><b>Sign</b>\n in</a> <A HREF=https://y.test><img alt=Logo></a>\
                    <a name=here>here</a><a href='https://z.test'>";
        let link = |words: &str, address: &str| Link { words: words.to_owned(), address: address.to_owned() };
        let expected =
            [link("Sign in", "https://x.test/?a=1&b=2"), link("Logo", "https://y.test"), link("", "https://z.test")];
        assert_eq!(links(html), expected);
    }

    #[test]
    fn visible_text_has_no_addresses() {
        assert_eq!(visible("<p><a href='https://x.test/a'>Sign in</a> to y.test</p>"), "Sign in to y.test");
    }

    #[test]
    fn entities_and_stray_signs_are_text() {
        assert_eq!(from_html("1 &lt; 2 &amp;&#43;&nbsp;3 < 4 <"), "1 < 2 &+ 3 < 4 <");
        assert_eq!(from_html("a<b title='x > y'>b"), "ab");
        assert_eq!(from_html("a <never closed"), "a");
    }
}

//! Text of others inside markup.

use std::fmt;

/// Shows text so that it is only text, in HTML, XML and SVG, between tags and in quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\t' | '\n' | '\r' => f.write_str(" ")?,
                // XML has no way to write them.
                control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => {
                    f.write_str("\u{fffd}")?
                }
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        let shown = Escaped("<b a=\"1\" c='2'>&\u{0}\n</b>").to_string();
        assert_eq!(shown, "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;\u{fffd} &lt;/b&gt;");
    }
}

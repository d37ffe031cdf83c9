//! The links of a mail, so that they can be followed without showing the mail's own page.

/// Every `http` and `https` address that an attribute `href` of `html` names, each once, in order.
pub(super) fn of(html: &str) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find("href=") {
        rest = rest.get(at + "href=".len()..).unwrap_or_default();
        let Some(quote) = rest.chars().next().filter(|quote| matches!(quote, '"' | '\'')) else { continue };
        let Some((value, tail)) = rest.get(1..).and_then(|rest| rest.split_once(quote)) else { break };
        let link = html_escape::decode_html_entities(value).trim().to_owned();
        let web = link.starts_with("http://") || link.starts_with("https://");
        if web && !links.contains(&link) {
            links.push(link);
        }
        rest = tail;
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_unescaped_and_named_once() {
        let html = r#"<a href="http://h/verify?token=a&amp;type=signup">x</a> <a class=y href='https://b.co'>y</a>
            <a href="http://h/verify?token=a&amp;type=signup">again</a>"#;
        assert_eq!(of(html), ["http://h/verify?token=a&type=signup", "https://b.co"]);
    }

    #[test]
    fn other_schemes_and_broken_markup_give_no_link() {
        for html in
            ["<a href=\"javascript:alert(1)\">x</a>", "<a href=http://a.co>", "<a href=\"http://open", "href=", ""]
        {
            assert_eq!(of(html), Vec::<String>::new(), "{html}");
        }
    }
}

//! What a template shows its reader, found out by rendering it.

use super::{Data, Kind, compose};
use crate::plain;
use crate::template::TemplateError;

const CODE: &str = "60485173";
const LINK: &str = "https://link.invalid/verify?token=";
const HASH: &str = "5c2f7d0e9b";

/// What stands in a mail made from a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shows {
    /// The site's host, where the reader sees it.
    pub domain: bool,
    /// The code as it is typed, where the reader sees it.
    pub code: bool,
    /// A link that confirms: the ready-made one, or one with the token's hash.
    pub link: bool,
}

/// Renders `body` (absent or empty: the built-in template) for a project with this site URL, with nothing in the
/// user's metadata, and looks at the result.
pub fn shows(kind: Kind, body: Option<&str>, site_url: &str) -> Result<Shows, TemplateError> {
    let data = Data {
        site_url: site_url.to_owned(),
        confirmation_url: format!("{LINK}{HASH}"),
        email: "reader@mail.invalid".to_owned(),
        token: CODE.to_owned(),
        token_hash: HASH.to_owned(),
        ..Data::default()
    };
    let html = compose(kind, None, body, &data)?.html;
    let seen = plain::visible(&html).to_lowercase();
    let domain = data.domain().to_lowercase();
    Ok(Shows {
        domain: !domain.is_empty() && seen.contains(&domain),
        code: seen.contains(CODE),
        link: html.contains(HASH),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "https://App.test/start";

    fn of(body: &str) -> Shows {
        shows(Kind::MagicLink, Some(body), SITE).unwrap()
    }

    #[test]
    fn every_built_in_template_shows_the_domain() {
        for kind in Kind::ALL {
            let shown = shows(kind, None, SITE).unwrap();
            assert!(shown.domain, "{kind:?}");
            assert_eq!(shown.link, kind.link_type().is_some(), "{kind:?}");
            assert_eq!(shown.code, !kind.is_notification(), "{kind:?}");
        }
    }

    #[test]
    fn a_domain_counts_where_the_reader_sees_it() {
        for body in ["for app.test", "<p>{{ .SiteURL }}</p>", "<b>{{ .Domain }}</b>"] {
            assert!(of(body).domain, "{body}");
        }
        for body in ["<a href='{{ .SiteURL }}'>x</a>", "<!-- app.test -->", "<title>app.test</title>", "{{ .Email }}"] {
            assert!(!of(body).domain, "{body}");
        }
    }

    #[test]
    fn codes_and_links_are_found() {
        assert!(of("{{ .Token }}").code && !of("{{ .Token }}").link);
        assert!(of("<a href='{{ .ConfirmationURL }}'>x</a>").link);
        assert!(of("<a href='{{ .SiteURL }}/c?token_hash={{ .TokenHash }}'>x</a>").link);
        assert!(!of("<a href='{{ .SiteURL }}'>x</a>").link);
    }
}

//! The page between a mailed link and what it does, so that programs that look at links use nothing up
//! (`security/advisor.md` §1.3, §1.4, §1.8). It has no script, and works without its style.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use domain::redirect::{host, policy_source};
use domain::verify::{Ask, Link};
use html_escape::{encode_double_quoted_attribute as attribute, encode_text as text};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};

use crate::failure::Failure;

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const STYLE: &str = "\
:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: Canvas; color: CanvasText; }
main { box-sizing: border-box; width: 100%; max-width: 28rem; padding: 2rem 1.25rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 1.5rem 0 .5rem; }
.project { margin: 0; font-weight: 600; }
.site { margin: 0; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input, button { box-sizing: border-box; font: inherit; width: 100%; min-height: 3rem; padding: .5rem 1rem;
  border-radius: .5rem; }
input { border: 1px solid GrayText; background: Field; color: FieldText; }
button { font-weight: 600; margin: 1rem 0; border: 0; background: #1b4f9c; color: #fff; cursor: pointer; }
button:hover { background: #163f7d; }
input:focus-visible, button:focus-visible { outline: 3px solid #e08a00; outline-offset: 3px; }
.note { font-size: .9375rem; }
";

/// The style, which may be kept: it is the same for every project.
pub(crate) async fn style() -> Response {
    let mut response = STYLE.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}

/// What the page shows. Every text of it may come from a stranger.
pub(crate) struct ConfirmPage<'a> {
    /// The project's name, where it is known.
    pub(crate) project: Option<String>,
    /// The host of the project's site.
    pub(crate) site: &'a str,
    /// The path of the request that is answered: what the page needs lies beside it.
    pub(crate) path: &'a str,
    /// The link that was followed.
    pub(crate) link: &'a Link,
    /// What the page asks for.
    pub(crate) ask: &'a Ask,
    /// Where the browser goes afterwards.
    pub(crate) target: &'a str,
}

/// The words for one type of link.
struct Words {
    heading: &'static str,
    button: &'static str,
}

impl Words {
    fn of(kind: &str) -> Self {
        let (heading, button) = match kind {
            "signup" | "email" => ("Confirm your email address", "Confirm email address"),
            "invite" => ("You are invited", "Accept the invitation"),
            "magiclink" => ("Sign in", "Sign in"),
            "recovery" => ("Reset your password", "Reset password"),
            "email_change" => ("Confirm the change of your email address", "Confirm the change"),
            _ => ("Confirm", "Confirm"),
        };
        Self { heading, button }
    }
}

impl ConfirmPage<'_> {
    /// The page as an answer.
    ///
    /// # Errors
    /// Never for targets that can stand in a redirect.
    pub(crate) fn answer(&self) -> Result<Response, Failure> {
        let mut response = Response::new(Body::from(self.html()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::try_from(self.policy()).map_err(Failure::fault)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        Ok(response)
    }

    /// Browsers hold the redirect that follows the form to its `form-action` too.
    fn policy(&self) -> String {
        let mut policy = "default-src 'none'; style-src 'self'; img-src 'self'; object-src 'none'; base-uri 'none'; \
                          frame-ancestors 'none'; form-action 'self'"
            .to_owned();
        if let Some(source) = policy_source(self.target) {
            policy.push(' ');
            policy.push_str(&source);
        }
        policy
    }

    /// `name` below `/verify`, relative to the page: what stands in front of the gateway may give it another prefix.
    fn beside(&self, name: &str) -> String {
        if self.path.ends_with("/verify") { format!("verify/{name}") } else { name.to_owned() }
    }

    fn html(&self) -> String {
        let heading = Words::of(&self.link.kind).heading;
        let site = text(self.site);
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>{heading} - {site}</title>\n\
             <link rel=\"stylesheet\" href=\"{style}\">\n</head>\n<body>\n<main>\n\
             <p class=\"project\">{project}</p>\n<p class=\"site\">{site}</p>\n<h1>{heading}</h1>\n\
             {content}</main>\n</body>\n</html>\n",
            style = self.beside("confirm.css"),
            project = text(self.project.as_deref().unwrap_or(self.site)),
            content = match self.ask {
                Ask::Button => self.form(""),
                Ask::NewPassword(wrong) => self.form(&password_field(wrong.as_deref())),
                Ask::Code =>
                    "<p>Go back to where you began to sign in, and type the code of the mail there. This link does \
                              nothing more.</p>\n"
                        .to_owned(),
            },
        )
    }

    fn form(&self, fields: &str) -> String {
        format!(
            "<form method=\"post\" action=\"{action}\">\n\
             <input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
             <input type=\"hidden\" name=\"type\" value=\"{kind}\">\n\
             <input type=\"hidden\" name=\"redirect_to\" value=\"{target}\">\n\
             {fields}<button type=\"submit\">{button}</button>\n</form>\n\
             <p class=\"note\">You go on to <strong>{destination}</strong>. If you did not ask for this, close this \
             page: nothing has happened.</p>\n",
            action = self.beside("confirm"),
            token = attribute(self.link.token.expose()),
            kind = attribute(&self.link.kind),
            target = attribute(self.target),
            button = Words::of(&self.link.kind).button,
            destination = text(&host(self.target)),
        )
    }
}

/// `wrong` is what was wrong with the password before.
fn password_field(wrong: Option<&str>) -> String {
    let (described, told) = match wrong {
        Some(wrong) => (
            " aria-invalid=\"true\" aria-describedby=\"wrong\"",
            format!("<p id=\"wrong\" role=\"alert\">{}</p>\n", text(wrong)),
        ),
        None => ("", String::new()),
    };
    format!(
        "<label for=\"password\">New password</label>\n<input id=\"password\" name=\"password\" type=\"password\" \
         autocomplete=\"new-password\" required autofocus{described}>\n{told}"
    )
}

#[cfg(test)]
mod tests {
    use domain::secret::Secret;

    use super::*;

    fn page(path: &str, kind: &str, target: &str) -> Response {
        asking(&Ask::Button, path, kind, target)
    }

    fn asking(ask: &Ask, path: &str, kind: &str, target: &str) -> Response {
        let token = Secret::new("\"><b>".to_owned());
        let link = Link { token, kind: kind.to_owned(), confirmed: false, password: None };
        let project = Some("<Shop>".to_owned());
        ConfirmPage { project, site: "shop.example.com", path, link: &link, ask, target }.answer().unwrap()
    }

    async fn html(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn nothing_of_a_stranger_becomes_markup() {
        let text = html(page("/auth/v1/verify", "\"><script>", "com.app://\"onload=")).await;
        assert!(text.contains("&lt;Shop&gt;") && text.contains("value=\"&quot;&gt;&lt;b&gt;\""), "{text}");
        assert!(text.contains("value=\"com.app://&quot;onload=\""), "{text}");
        assert!(!text.contains("<script") && !text.contains("<b>"), "{text}");
    }

    #[tokio::test]
    async fn a_new_password_is_asked_for_with_what_was_wrong() {
        let first = html(asking(&Ask::NewPassword(None), "/verify", "recovery", "https://a.co")).await;
        assert!(
            first.contains("<label for=\"password\">") && first.contains("autocomplete=\"new-password\""),
            "{first}"
        );
        assert!(!first.contains("role=\"alert\""), "{first}");
        let wrong = Ask::NewPassword(Some("Too <short>.".to_owned()));
        let again = html(asking(&wrong, "/verify/confirm", "recovery", "https://a.co")).await;
        assert!(again.contains("<p id=\"wrong\" role=\"alert\">Too &lt;short&gt;.</p>"), "{again}");
    }

    #[tokio::test]
    async fn a_page_for_a_code_has_no_form() {
        let page = html(asking(&Ask::Code, "/verify", "magiclink", "https://a.co")).await;
        assert!(!page.contains("<form") && page.contains("type the code"), "{page}");
    }

    #[tokio::test]
    async fn the_form_lies_beside_the_page() {
        for (path, action) in [
            ("/p/acme/auth/v1/verify", "action=\"verify/confirm\""),
            ("/p/acme/auth/v1/verify/", "action=\"confirm\""),
            ("/p/acme/auth/v1/verify/confirm", "action=\"confirm\""),
        ] {
            assert!(html(page(path, "signup", "https://a.co")).await.contains(action), "{path}");
        }
    }

    #[test]
    fn the_form_may_end_at_its_target_and_nowhere_else() {
        for (target, sources) in [
            ("https://app.example.com/cb?x=1", "form-action 'self' https://app.example.com"),
            ("com.example.app://cb", "form-action 'self' com.example.app:"),
            ("no url", "form-action 'self'"),
        ] {
            let response = page("/verify", "signup", target);
            let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.ends_with(sources), "{policy}");
        }
    }
}

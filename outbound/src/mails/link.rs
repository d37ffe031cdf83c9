//! The link in a mail (`contract/core.md` §4.5).

use crate::template::query_escape;

/// The link that confirms: `base` (the project's verify URL) with its query replaced by token, type and redirect in
/// this order. The redirect is escaped only if it has a `&`, `=` or `#`; a plain URL stays readable.
pub fn confirmation_link(base: &str, token_hash: &str, link_type: &str, redirect_to: &str) -> String {
    let base = base.split(['?', '#']).next().unwrap_or_default();
    let token = query_escape(token_hash);
    let link_type = query_escape(link_type);
    let redirect =
        if redirect_to.contains(['&', '=', '#']) { query_escape(redirect_to) } else { redirect_to.to_owned() };
    format!("{base}?token={token}&type={link_type}&redirect_to={redirect}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://x.test/auth/v1/verify";

    #[test]
    fn a_plain_redirect_stays_readable() {
        assert_eq!(
            confirmation_link(BASE, "pkce_ab12", "signup", "https://app.test/cb"),
            "https://x.test/auth/v1/verify?token=pkce_ab12&type=signup&redirect_to=https://app.test/cb"
        );
    }

    #[test]
    fn a_redirect_with_query_or_fragment_is_escaped_whole() {
        for (redirect, escaped) in [
            ("https://app.test/cb?a=1", "https%3A%2F%2Fapp.test%2Fcb%3Fa%3D1"),
            ("https://app.test/#x y", "https%3A%2F%2Fapp.test%2F%23x+y"),
            ("https://app.test/cb?a&b~c*", "https%3A%2F%2Fapp.test%2Fcb%3Fa%26b~c%2A"),
        ] {
            let link = confirmation_link(BASE, "t", "recovery", redirect);
            assert_eq!(link, format!("{BASE}?token=t&type=recovery&redirect_to={escaped}"));
        }
    }

    #[test]
    fn a_query_of_the_base_is_replaced_and_the_token_cannot_add_one() {
        assert_eq!(
            confirmation_link("https://x.test/v?old=1#f", "a&type=x", "invite", ""),
            "https://x.test/v?token=a%26type%3Dx&type=invite&redirect_to="
        );
    }
}

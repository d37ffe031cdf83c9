//! Where the servers of providers really are.

/// Where addresses are called. Only stand-ins call providers anywhere but at home; what providers say of themselves
/// (their issuer, above all) stays what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    moved: Vec<(String, String)>,
}

impl Endpoints {
    /// Addresses that begin with `from` are called at `to` instead.
    #[must_use]
    pub fn moved(mut self, from: &str, to: &str) -> Self {
        self.moved.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Where `address` is called.
    pub(super) fn at(&self, address: &str) -> String {
        self.moved
            .iter()
            .find_map(|(from, to)| address.strip_prefix(from.as_str()).map(|rest| format!("{to}{rest}")))
            .unwrap_or_else(|| address.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_moved_is_called_elsewhere() {
        let endpoints = Endpoints::default().moved("https://a.test", "http://127.0.0.1:1/a");
        assert_eq!(endpoints.at("https://a.test/x?y"), "http://127.0.0.1:1/a/x?y");
        assert_eq!(endpoints.at("https://b.test/x"), "https://b.test/x");
    }
}

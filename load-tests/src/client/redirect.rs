//! Answers that send a browser elsewhere, with what the server put into the address.

use reqwest::RequestBuilder;
use reqwest::header::LOCATION;
use url::Url;

use super::Failure;
use super::http::{refusal, transport};

/// Where a browser is sent.
#[derive(Debug)]
pub(crate) struct Redirect(Url);

impl Redirect {
    /// The target named by a `Location` header; one that carries an error is a failure of that name.
    pub(crate) fn parse(location: &str) -> Result<Self, Failure> {
        let redirect = Self(Url::parse(location).map_err(|_| Failure::unexpected())?);
        match redirect.value("error_code").or_else(|| redirect.value("error")) {
            Some(error) => Err(Failure(format!("sent back with {error}"))),
            None => Ok(redirect),
        }
    }

    /// A value behind `?`, or one behind `#`.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let fragment = url::form_urlencoded::parse(self.0.fragment().unwrap_or_default().as_bytes());
        let mut pairs = self.0.query_pairs().chain(fragment);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// As [`Self::value`], where there has to be one.
    pub(crate) fn required(&self, name: &str) -> Result<String, Failure> {
        self.value(name).filter(|value| !value.is_empty()).ok_or_else(Failure::unexpected)
    }
}

/// Sends a request that has to be answered by a redirect, and does not follow it.
pub(crate) async fn redirected(request: RequestBuilder) -> Result<Redirect, Failure> {
    let response = request.send().await.map_err(|error| transport(&error))?;
    let status = response.status();
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok()).map(str::to_owned);
    // Also the body of a redirect is read, so that the connection can be used again.
    let body = response.bytes().await.map_err(|error| transport(&error))?;
    match location {
        Some(location) if status.is_redirection() => Redirect::parse(&location),
        _ if status.is_success() => Err(Failure::unexpected()),
        _ => Err(refusal(status, &body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_stand_in_the_fragment_and_codes_in_the_query() {
        let link = Redirect::parse("http://app/?tab=2#access_token=a%20b&sb=&type=magiclink").unwrap();
        assert_eq!(link.required("access_token").unwrap(), "a b");
        assert_eq!(link.value("tab").as_deref(), Some("2"));
        assert!(link.required("sb").is_err() && link.required("code").is_err());
        assert_eq!(Redirect::parse("http://app/?code=c").unwrap().required("code").unwrap(), "c");
    }

    #[test]
    fn an_error_in_the_address_is_a_failure() {
        let failure = |location| Redirect::parse(location).unwrap_err().0;
        assert_eq!(
            failure("http://app/#error=access_denied&error_code=otp_expired&error_description=x&sb="),
            "sent back with otp_expired"
        );
        assert_eq!(failure("http://app/?error=server_error&error_description="), "sent back with server_error");
        assert_eq!(failure("/nowhere"), Failure::unexpected().0);
    }
}

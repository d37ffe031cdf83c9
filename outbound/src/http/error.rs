//! What goes wrong with a call over HTTP.

use std::error::Error;

/// Why a call brought no answer. Nothing of it names the URL, which may hold credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Not an `http` or `https` URL, or a header that cannot be sent.
    #[error("the URL cannot be called")]
    Url,
    /// The address, or every address of the name, is one that may not be reached.
    #[error("the address is not allowed")]
    Forbidden,
    /// The deadline of the call has passed.
    #[error("no answer in time")]
    Timeout,
    /// The body is longer than this many bytes.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// The network, TLS, a redirect, or something that is not HTTP.
    #[error("{detail}")]
    Network {
        /// The network gave up waiting, before the deadline of the call.
        timed_out: bool,
        /// What happened.
        detail: String,
    },
    /// The client could not be made.
    #[error("HTTP could not be set up: {0}")]
    Setup(String),
}

/// What the client's own checks say; travels inside an error of the HTTP library.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("the address is not allowed")]
    Address,
    #[error("too many redirects")]
    TooManyRedirects,
    #[error("redirect from https to http")]
    Downgrade,
}

impl HttpError {
    pub(super) fn from_client(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(current) = cause {
            if let Some(Refused::Address) = current.downcast_ref() {
                return Self::Forbidden;
            }
            cause = current.source();
        }
        if error.is_builder() {
            return Self::Url;
        }
        Self::Network { timed_out: error.is_timeout(), detail: chain(&error) }
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        text.push_str(": ");
        text.push_str(&current.to_string());
        cause = current.source();
    }
    text
}

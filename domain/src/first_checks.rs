//! What a request is checked for before its body is decoded (`contract/core.md` §3.1, §13, §14.2, §18.4): asked where the
//! body cannot be decoded, since a body that can be goes through the same checks in the flow of its endpoint.

use crate::captcha::Proof;

/// A body could not be decoded. Refused where another check comes first; answers nothing where the body itself is to be
/// refused now.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where it was sent.
    pub endpoint: Endpoint,
    /// What there is for the captcha check; `None` where the body is no JSON object at all.
    pub captcha: Option<Proof>,
}

/// Endpoints that check something before they decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /otp`.
    Otp,
    /// `POST /magiclink`.
    MagicLink,
    /// `POST /recover`.
    Recover,
    /// `POST /resend`.
    Resend,
    /// `POST /verify`.
    Verify,
    /// `PUT /user`, behind its bearer.
    UserUpdate,
    /// `POST /token` with a password.
    Password,
    /// `POST /token` with a refresh token or an authorization code.
    Exchange,
    /// `POST /token` with a grant that does not exist: refused as such wherever the captcha lets it pass.
    UnknownGrant,
}

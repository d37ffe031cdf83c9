//! `POST /admin/generate_link` (`contract/core.md` §17.8).

use crate::request::Bearer;
use crate::secret::Secret;
use crate::user::{Metadata, User};

/// A link is made for an administrator to deliver. Empty texts count as absent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The admin's token.
    pub bearer: Bearer,
    /// `type`: `signup`, `invite`, `magiclink`, `recovery`, `email_change_current` or `email_change_new`.
    pub kind: String,
    /// Address, as typed.
    pub email: String,
    /// The new address of a change.
    pub new_email: String,
    /// The password of a new account.
    pub password: Secret<String>,
    /// Metadata.
    pub data: Option<Metadata>,
    /// Where the link leads in the end; counts before the request's own candidates.
    pub redirect_to: String,
}

/// The link, beside the user it is for.
#[derive(Clone, Debug)]
pub struct Link {
    /// The user as he is now.
    pub user: User,
    /// What a mail would have linked to.
    pub action_link: Secret<String>,
    /// What can be typed instead.
    pub email_otp: Secret<String>,
    /// What stands in the link.
    pub hashed_token: Secret<String>,
    /// `type` for a verification with code or hash.
    pub verification_type: String,
    /// Where the link leads in the end.
    pub redirect_to: String,
}

//! A project's configuration: the table of fields, what a PATCH may change, and the typed view the flows use.
//! Names and types are the Management API's (`config/auth`); fields that Tenantry adds are marked `ours`.

pub mod explicit;
mod factors;
pub mod field;
pub mod fields;
pub mod format;
pub mod import;
mod limits;
pub mod mail;
pub mod policy;
mod providers;
mod services;
pub mod validate;

pub use explicit::{Defaults, Explicit, effective};
pub use factors::{MAX_VERIFIED, MfaSettings, Offer, UserVerification, WebauthnSettings};
pub use field::{Field, Kind, Literal, Lock};
pub use fields::{FIELDS, field};
pub use format::is_site_url;
pub use limits::{AttemptLimit, RateLimits};
pub use mail::MailTemplates;
pub use policy::{CorsOrigins, PkceRequired, Policy, SmsSettings, SmtpSettings};
pub use providers::OauthSettings;
pub use services::{CaptchaProvider, CaptchaSettings, SmsProvider};
pub use validate::{Problem, describe, unknown_keys, validate_new, validate_patch, validate_rollback};

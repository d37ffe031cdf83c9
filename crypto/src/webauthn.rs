//! Web Authentication, the relying party's side (W3C Web Authentication Level 3 §7; `contract/mfa-passkeys-oauth.md`
//! §1.5, §1.6, §2): options, what is kept of them, and the check of what the authenticator answers.

mod assertion;
mod attestation;
mod authenticator_data;
mod authenticators;
mod cbor;
mod client_data;
mod cose;
mod credential;
mod error;
mod options;
mod registration;
mod response;
mod session;

pub use assertion::Assertion;
pub use authenticators::authenticator_name;
pub use credential::{Credential, Flags, NewCredential, Used};
pub use error::{CeremonyError, Malformed};
pub use options::{Descriptor, Started, start_authentication, start_registration, user_handle, user_of_handle};
pub use registration::Registration;
pub use session::{Bytes, CredentialParameter, SessionData};

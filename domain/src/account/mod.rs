//! Whose account a proven identity is (`contract/mfa-passkeys-oauth.md` §3.5): one decision for the callback, ID tokens and
//! wallets. Facts in, verdict out; nothing here reads or writes.

mod addresses;
mod decision;
mod linking;
mod unproven;
mod vouching;

pub use addresses::{Addresses, identity_data, is_verified, merged, with_providers};
pub use decision::{Arriving, HeldBy, Holding, Standing, Verdict, decide, may_come_in, standing};
pub use linking::{Address, address_of_link};
pub use unproven::{Proves, Unproven, is_proven, taken_over, unproven};
pub use vouching::believed;

/// The provider of identities that wallets prove: they have no address, and need none.
pub const WEB3: &str = "web3";

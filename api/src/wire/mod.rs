//! The JSON objects of the contract (`contract/core.md` §7), borrowed from the domain's values, keys in the contract's order.

pub(crate) mod cursor;
pub(crate) mod custom_provider;
pub(crate) mod factor;
pub(crate) mod passkey;
pub(crate) mod recovery_codes;
pub(crate) mod revocation;
pub(crate) mod sent;
pub(crate) mod session;
pub(crate) mod token;

#[cfg(test)]
pub(crate) mod examples;

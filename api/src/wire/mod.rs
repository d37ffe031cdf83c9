//! The JSON objects of the contract (`contract/core.md` §7), borrowed from the domain's values, keys in the contract's order.

pub(crate) mod cursor;
pub(crate) mod device;
pub(crate) mod sent;
pub(crate) mod session;
pub(crate) mod token;

#[cfg(test)]
pub(crate) mod examples;

//! What comes in: paths, bodies, JSON objects and query strings, read the way the contract reads them.

pub(crate) mod body;
pub(crate) mod ids;
pub(crate) mod object;
pub(crate) mod prefetch;
pub(crate) mod query;

//! What goes out: JSON as the contract writes it, redirects, and the headers of lists.

pub(crate) mod json;
pub(crate) mod pages;
pub(crate) mod redirect;

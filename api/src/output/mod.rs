//! What goes out: JSON as the contract writes it, redirects, pages, and the headers of lists.

pub(crate) mod confirm_page;
pub(crate) mod json;
pub(crate) mod landing;
pub(crate) mod pages;
pub(crate) mod redirect;

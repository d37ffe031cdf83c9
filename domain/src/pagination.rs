//! Pages of a list (`contract/core.md` §17.2).

use crate::refusal::Refusal;

/// A page by number, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1; 0 counts as 1.
    pub number: u64,
    /// Items a page, at least 1, at most 1000.
    pub size: u64,
}

impl Page {
    /// Reads `page` and `per_page`; empty or absent texts mean 1 and 50. Sizes are clamped to 1..=1000.
    ///
    /// # Errors
    /// Text that is no unsigned integer is refused.
    pub fn parse(page: Option<&str>, per_page: Option<&str>) -> Result<Self, Refusal> {
        let number = parse_unsigned(page, 1)?;
        let size = parse_unsigned(per_page, 50)?;
        Ok(Self { number: number.clamp(1, i64::MAX as u64 / 1000), size: size.clamp(1, 1000) })
    }

    /// How many items come before this page.
    pub fn offset(self) -> u64 {
        (self.number - 1).saturating_mul(self.size)
    }
}

fn parse_unsigned(text: Option<&str>, default: u64) -> Result<u64, Refusal> {
    match text {
        None | Some("") => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| Refusal::BadPagination(format!("strconv.ParseUint: parsing {text:?}: invalid syntax"))),
    }
}

/// One page of items and how many there are in all.
#[derive(Clone, Debug)]
pub struct Paged<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// Items on all pages.
    pub total: u64,
    /// Which page this is.
    pub page: Page,
}

impl<T> Paged<T> {
    /// The number of the last page; 0 when there are no items.
    pub fn last_page(&self) -> u64 {
        self.total.div_ceil(self.page.size)
    }
}

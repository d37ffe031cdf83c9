//! Pages of a list, and stretches of it that begin behind an item (`contract/core.md` §17.2).

use chrono::Datelike;
use serde::{Deserialize, Serialize};

use crate::ids::UserId;
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// The most items that are given at once.
const MOST: u64 = 1000;

/// The items that are given at once where nothing is said.
const USUAL: u64 = 50;

/// A page by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// As it was asked for: 0 is the first page as 1 is, yet the next one is then 1.
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
        let size = parse_unsigned(per_page, USUAL)?;
        Ok(Self { number: number.min(i64::MAX as u64 / MOST), size: size.clamp(1, MOST) })
    }

    /// How many items come before this page.
    pub fn offset(self) -> u64 {
        self.number.saturating_sub(1).saturating_mul(self.size)
    }
}

fn parse_unsigned(text: Option<&str>, default: u64) -> Result<u64, Refusal> {
    match text {
        None | Some("") => Ok(default),
        Some(text) => digits(text)
            .map_err(|problem| Refusal::BadPagination(format!("strconv.ParseUint: parsing {text:?}: {problem}"))),
    }
}

/// Decimal digits and nothing else, not even a sign.
fn digits(text: &str) -> Result<u64, &'static str> {
    text.chars().try_fold(0_u64, |number, character| {
        let digit = character.to_digit(10).ok_or("invalid syntax")?;
        number.checked_mul(10).and_then(|number| number.checked_add(digit.into())).ok_or("value out of range")
    })
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

/// Where a stretch of the list of users begins: behind this user. Its text form is a client's to keep and to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// When the user was made.
    pub created_at: Timestamp,
    /// The user, since several may be made at once.
    pub id: UserId,
}

impl Cursor {
    /// Reads the JSON of a cursor.
    ///
    /// # Errors
    /// Text that is none, or a time outside of the calendar.
    pub fn from_json(json: &[u8]) -> Result<Self, Refusal> {
        let cursor: Option<Self> = serde_json::from_slice(json).ok();
        let cursor = cursor.filter(|cursor| (1..=9999).contains(&cursor.created_at.utc().year()));
        cursor.ok_or_else(Self::invalid)
    }

    /// The refusal of text that is no cursor.
    pub fn invalid() -> Refusal {
        Refusal::BadPagination("invalid cursor".to_owned())
    }
}

/// A stretch of a list that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// What it begins behind; `None` = at the start.
    pub after: Option<Cursor>,
    /// Items at most, 1 to 1000.
    pub limit: u64,
}

impl Stretch {
    /// Reads `limit` beside a cursor; empty or absent means 50, more than 1000 means 1000.
    ///
    /// # Errors
    /// Text that is no unsigned integer, and 0.
    pub fn parse(after: Option<Cursor>, limit: Option<&str>) -> Result<Self, Refusal> {
        match parse_unsigned(limit, USUAL)? {
            0 => Err(Refusal::BadPagination("limit must be greater than 0".to_owned())),
            limit => Ok(Self { after, limit: limit.min(MOST) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_clamped_and_what_is_no_number_is_refused() {
        let page = |number: &str, size: &str| Page::parse(Some(number), Some(size));
        assert_eq!(page("", ""), Ok(Page { number: 1, size: 50 }));
        assert_eq!(Page::parse(None, None), page("1", "50"));
        assert_eq!(page("0", "0"), Ok(Page { number: 0, size: 1 }));
        assert_eq!(page("0", "").unwrap().offset(), 0);
        assert_eq!(page("2", "1000000").map(|page| (page.size, page.offset())), Ok((1000, 1000)));
        let far = page("18446744073709551615", "1000").unwrap();
        assert!(i64::try_from(far.offset()).is_ok(), "{far:?}");
        for bad in ["-1", "+1", "x", "1.5", "18446744073709551616", " 1"] {
            assert!(matches!(page(bad, ""), Err(Refusal::BadPagination(_))), "{bad}");
            assert!(matches!(page("", bad), Err(Refusal::BadPagination(_))), "{bad}");
        }
    }

    #[test]
    fn a_refused_number_is_told_as_recorded() {
        let told = |text: &str| Page::parse(Some(text), None).unwrap_err().wire().message.into_owned();
        let words = "Bad Pagination Parameters: strconv.ParseUint: parsing";
        assert_eq!(told("+1"), format!("{words} \"+1\": invalid syntax"));
        assert_eq!(told("99999999999999999999"), format!("{words} \"99999999999999999999\": value out of range"));
    }

    #[test]
    fn a_stretch_has_a_limit_of_its_own() {
        let limit = |text: &str| Stretch::parse(None, Some(text)).map(|stretch| stretch.limit);
        assert_eq!((limit(""), limit("1"), limit("5000")), (Ok(50), Ok(1), Ok(1000)));
        assert_eq!(limit("0"), Err(Refusal::BadPagination("limit must be greater than 0".to_owned())));
        assert!(matches!(limit("-1"), Err(Refusal::BadPagination(_))));
    }

    #[test]
    fn a_cursor_has_both_parts_and_a_date_of_the_calendar() {
        let id = "11111111-2222-4333-8444-555555555555";
        let with = |time: &str| Cursor::from_json(format!(r#"{{"created_at":"{time}","id":"{id}"}}"#).as_bytes());
        let cursor = with("2023-11-14T22:13:20.000001Z").unwrap();
        assert_eq!(Cursor::from_json(&serde_json::to_vec(&cursor).unwrap()), Ok(cursor));
        assert_eq!(with("+12345-01-01T00:00:00Z"), Err(Cursor::invalid()));
        for bad in ["", "{}", "[]", "{\"id\":\"11111111-2222-4333-8444-555555555555\"}", "{\"created_at\":1}"] {
            assert_eq!(Cursor::from_json(bad.as_bytes()), Err(Cursor::invalid()), "{bad}");
        }
    }
}

//! `/admin/users/{id}/factors` (`contract/mfa-passkeys-oauth.md` §1.9). A list answers factors, the others the factor.

use crate::factor::{FactorType, check_length};
use crate::phone;
use crate::refusal::Refusal;
use crate::request::Bearer;

/// `GET /admin/users/{id}/factors`.
#[derive(Clone, Debug)]
pub struct List {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's user id.
    pub user: String,
}

/// `PUT /admin/users/{id}/factors/{factor}`.
#[derive(Clone, Debug)]
pub struct Update {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's user id.
    pub user: String,
    /// The path's factor id.
    pub factor: String,
    /// The body; what is wrong with it is told after the factor was found.
    pub body: Result<Body, Refusal>,
}

/// The body of [`Update`]. Empty texts change nothing.
#[derive(Clone, Debug)]
pub struct Body {
    /// New name.
    pub friendly_name: String,
    /// New number; not looked at for other kinds than phones.
    pub phone: String,
}

/// `DELETE /admin/users/{id}/factors/{factor}`.
#[derive(Clone, Debug)]
pub struct Delete {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's user id.
    pub user: String,
    /// The path's factor id.
    pub factor: String,
}

/// What changes of a factor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New name.
    pub friendly_name: Option<String>,
    /// New number as it is stored.
    pub phone: Option<String>,
}

impl Changes {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.friendly_name.is_none() && self.phone.is_none()
    }
}

impl Body {
    /// What changes of a factor of `kind`.
    ///
    /// # Errors
    /// A name that is too long, or no number.
    pub fn changes(&self, kind: FactorType) -> Result<Changes, Refusal> {
        check_length("friendly_name", &self.friendly_name)?;
        let phone = match kind {
            FactorType::Phone if !self.phone.is_empty() => Some(phone::validate(&self.phone)?),
            _ => None,
        };
        let friendly_name = (!self.friendly_name.is_empty()).then(|| self.friendly_name.clone());
        Ok(Changes { friendly_name, phone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(name: &str, phone: &str) -> Body {
        Body { friendly_name: name.to_owned(), phone: phone.to_owned() }
    }

    #[test]
    fn only_phones_have_a_number() {
        let changes = body("new", "+1 5550000001").changes(FactorType::Phone);
        let (friendly_name, phone) = (Some("new".to_owned()), Some("15550000001".to_owned()));
        assert_eq!(changes, Ok(Changes { friendly_name: friendly_name.clone(), phone }));
        assert_eq!(body("new", "nonsense").changes(FactorType::Totp), Ok(Changes { friendly_name, phone: None }));
        assert_eq!(body("", "nonsense").changes(FactorType::Phone), Err(Refusal::PhoneFormat));
        assert_eq!(body("", "").changes(FactorType::Phone), Ok(Changes::default()));
    }
}

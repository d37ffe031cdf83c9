//! `/admin/users` (`contract/core.md` §17.2 to §17.6).

use uuid::Uuid;

use crate::ids::UserId;
use crate::pagination::{Cursor, Paged, Stretch};
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::user::{Metadata, User};
use crate::{email, go_duration, password, phone};

/// The most characters of an audience and of a role.
const LONGEST_NAME: usize = 255;

/// `GET /admin/users`.
#[derive(Clone, Debug)]
pub struct List {
    /// The admin's token.
    pub bearer: Bearer,
    /// `page` and `per_page` as given.
    pub page: Option<String>,
    /// See `page`.
    pub per_page: Option<String>,
    /// The stretch that is asked for instead of a page.
    pub stretch: Option<Stretch>,
    /// Every `sort` parameter as given.
    pub sort: Vec<String>,
    /// The `filter` parameter, empty when absent.
    pub filter: String,
}

/// Some of the users of one audience.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The request's audience.
    pub aud: String,
    /// The users; identities and factors are not loaded.
    pub users: Users,
}

/// What was asked for of the list.
#[derive(Clone, Debug)]
pub enum Users {
    /// A page by number.
    Page(Paged<User>),
    /// A stretch.
    Stretch {
        /// Its users.
        items: Vec<User>,
        /// What the next stretch begins behind; `None` at the end.
        next: Option<Cursor>,
    },
}

impl Users {
    /// The first `limit` of `items`, which were looked up with one more to see whether there is a next stretch.
    pub fn stretch(mut items: Vec<User>, limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| Cursor { created_at: last.created_at, id: last.id });
        Self::Stretch { items, next }
    }
}

/// `GET /admin/users/{id}`. Answers a `User`.
#[derive(Clone, Debug)]
pub struct Get {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's id.
    pub user: String,
}

/// The body of create and update. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Audience, create only.
    pub aud: String,
    /// PostgreSQL role.
    pub role: String,
    /// Address.
    pub email: String,
    /// Number.
    pub phone: String,
    /// Password.
    pub password: Option<Secret<String>>,
    /// A hash to be imported, create only.
    pub password_hash: Secret<String>,
    /// Confirms the address.
    pub email_confirm: bool,
    /// Confirms the number.
    pub phone_confirm: bool,
    /// Merged on update.
    pub user_metadata: Option<Metadata>,
    /// Merged.
    pub app_metadata: Option<Metadata>,
    /// `none` or a Go duration, empty = untouched.
    pub ban_duration: String,
    /// The wanted id, create only, empty = any.
    pub id: String,
}

/// `POST /admin/users`. Answers a `User`.
#[derive(Clone, Debug)]
pub struct Create {
    /// The admin's token.
    pub bearer: Bearer,
    /// The body.
    pub attributes: Attributes,
}

/// `PUT /admin/users/{id}`. Answers a `User`.
#[derive(Clone, Debug)]
pub struct Update {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's id.
    pub user: String,
    /// The body.
    pub attributes: Attributes,
}

/// `DELETE /admin/users/{id}`. Answers nothing.
#[derive(Clone, Debug)]
pub struct Delete {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's id.
    pub user: String,
    /// Keep an unusable row.
    pub soft: bool,
}

impl Attributes {
    /// Whether a user who is made of these shows no metadata at all, not even an empty object: an imported hash without
    /// metadata and nothing that is noted there (§17.3).
    pub fn leaves_metadata_null(&self) -> bool {
        !self.password_hash.expose().is_empty() && self.user_metadata.is_none() && !self.email_confirm
    }
}

/// What is left to know of a user that is to be made, once its attributes are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatePlan {
    /// The wanted id.
    pub id: Option<UserId>,
    /// The end of a ban.
    pub banned_until: Option<Timestamp>,
}

/// Checks the password of a new user (§17.3 step 4). Its strength is the admin's business, its length is not.
///
/// # Errors
/// A hash beside it; more than can be hashed.
pub fn check_password(attributes: &Attributes) -> Result<(), Refusal> {
    let Some(password) = &attributes.password else { return Ok(()) };
    if !attributes.password_hash.expose().is_empty() {
        return Err(Refusal::AdminPasswordOrHash);
    }
    password::check_limits(password.expose())
}

/// Checks what is left of a new user's attributes (§17.3 steps 7 and 8).
///
/// # Errors
/// The first check that fails.
pub fn check_create(attributes: &Attributes, now: Timestamp) -> Result<CreatePlan, Refusal> {
    let id = wanted_id(&attributes.id)?;
    let banned_until = ban(&attributes.ban_duration, now)?.flatten();
    check_names(attributes)?;
    Ok(CreatePlan { id, banned_until })
}

/// The names that the schema bounds.
fn check_names(attributes: &Attributes) -> Result<(), Refusal> {
    let long = |text: &str| text.chars().count() > LONGEST_NAME;
    match [("aud", &attributes.aud), ("role", &attributes.role)].into_iter().find(|(_, text)| long(text)) {
        Some((name, _)) => Err(Refusal::TextTooLong(name)),
        None => Ok(()),
    }
}

fn wanted_id(text: &str) -> Result<Option<UserId>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let id = Uuid::parse_str(text).map_err(|_| Refusal::AdminIdMalformed)?;
    if id.is_nil() { Err(Refusal::AdminIdNil) } else { Ok(Some(UserId(id))) }
}

/// The end of the ban a duration asks for: the outer `None` = untouched, the inner = lifted.
fn ban(duration: &str, now: Timestamp) -> Result<Option<Option<Timestamp>>, Refusal> {
    match duration {
        "" => Ok(None),
        "none" => Ok(Some(None)),
        duration => {
            let duration = go_duration::parse(duration).map_err(Refusal::BanDuration)?;
            Ok(Some((!duration.is_zero()).then(|| now.plus(duration))))
        }
    }
}

/// A change of a user whose attributes are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatePlan {
    /// The new address in its stored spelling.
    pub email: Option<String>,
    /// The new number in its stored spelling.
    pub phone: Option<String>,
    /// The outer `None` = untouched, the inner = lifted.
    pub banned_until: Option<Option<Timestamp>>,
}

/// Checks the attributes of a change (§17.5) but for the password, whose strength takes asking others. An empty password
/// is too short, not absent.
///
/// # Errors
/// The first check that fails.
pub fn check_update(attributes: &Attributes, now: Timestamp) -> Result<UpdatePlan, Refusal> {
    let given = |text: &str, validate: fn(&str) -> Result<String, Refusal>| {
        if text.is_empty() { Ok(None) } else { validate(text).map(Some) }
    };
    let email = given(&attributes.email, email::validate)?;
    let phone = given(&attributes.phone, phone::validate)?;
    let banned_until = ban(&attributes.ban_duration, now)?;
    check_names(attributes)?;
    Ok(UpdatePlan { email, phone, banned_until })
}

/// Whether the oldest users come first: `created_at`, then a blank and a direction; newest first when nothing is said.
/// The first of several decides, all are checked.
///
/// # Errors
/// Another field, another direction.
pub fn sort_ascending(sort: &[String]) -> Result<bool, Refusal> {
    let mut first = None;
    for part in sort.iter().filter(|part| !part.is_empty()) {
        let (field, direction) = part.split_once(' ').unwrap_or((part, "desc"));
        if field != "created_at" {
            return Err(Refusal::BadSortField(field.to_owned()));
        }
        let ascending = match direction.to_ascii_lowercase().as_str() {
            "asc" => true,
            "desc" => false,
            _ => return Err(Refusal::BadSortDirection(direction.to_owned())),
        };
        first.get_or_insert(ascending);
    }
    Ok(first.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, user};

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn create_takes_a_weak_password_but_not_one_that_cannot_be_hashed_whole() {
        let with = |password: &str| Attributes { password: Some(secret(password)), ..Attributes::default() };
        assert!(check_password(&with("x")).is_ok());
        assert_eq!(check_password(&with(&"x".repeat(73))), Err(Refusal::PasswordTooLong));
        assert_eq!(check_password(&with("a\0")), Err(Refusal::UnreadableText));
    }

    #[test]
    fn password_and_hash_exclude_each_other() {
        let attributes =
            Attributes { password: Some(secret("")), password_hash: secret("$2a$10$x"), ..Attributes::default() };
        assert_eq!(check_password(&attributes), Err(Refusal::AdminPasswordOrHash));
        assert_eq!(check_password(&Attributes { password: None, ..attributes }), Ok(()));
    }

    #[test]
    fn an_import_without_metadata_shows_none() {
        let import = Attributes { password_hash: secret("$2a$10$x"), ..Attributes::default() };
        assert!(import.leaves_metadata_null());
        assert!(!Attributes { email_confirm: true, ..import.clone() }.leaves_metadata_null());
        assert!(!Attributes { user_metadata: Some(Metadata::new()), ..import.clone() }.leaves_metadata_null());
        assert!(!Attributes { password_hash: Secret::default(), ..import }.leaves_metadata_null());
    }

    #[test]
    fn names_have_the_length_of_the_schema() {
        let role = |length: usize| Attributes { role: "r".repeat(length), ..Attributes::default() };
        assert!(check_create(&role(255), at(0)).is_ok() && check_update(&role(255), at(0)).is_ok());
        assert_eq!(check_create(&role(256), at(0)), Err(Refusal::TextTooLong("role")));
        assert_eq!(check_update(&role(256), at(0)), Err(Refusal::TextTooLong("role")));
        let aud = Attributes { aud: "a".repeat(256), ..Attributes::default() };
        assert_eq!(check_create(&aud, at(0)), Err(Refusal::TextTooLong("aud")));
    }

    #[test]
    fn ids_are_uuids_but_not_nil() {
        let id = |text: &str| check_create(&Attributes { id: text.to_owned(), ..Attributes::default() }, at(0));
        assert_eq!(id("").unwrap().id, None);
        assert_eq!(id("00000000-0000-0000-0000-000000000000"), Err(Refusal::AdminIdNil));
        assert_eq!(id("0"), Err(Refusal::AdminIdMalformed));
        assert!(id("11111111-2222-4333-8444-555555555555").unwrap().id.is_some());
    }

    #[test]
    fn bans_start_now_and_end_by_none_or_zero() {
        assert_eq!(ban("", at(0)), Ok(None));
        assert_eq!(ban("none", at(0)), Ok(Some(None)));
        assert_eq!(ban("0s", at(0)), Ok(Some(None)));
        assert_eq!(ban("1h30m", at(0)), Ok(Some(Some(at(5400)))));
        let words = r#"time: missing unit in duration "24""#;
        assert_eq!(ban("24", at(0)), Err(Refusal::BanDuration(words.to_owned())));
    }

    #[test]
    fn updates_check_contacts_then_ban() {
        let mut attributes = Attributes {
            email: "nope".to_owned(),
            phone: "+0".to_owned(),
            ban_duration: "3d".to_owned(),
            ..Attributes::default()
        };
        let judged = |attributes: &Attributes| check_update(attributes, at(0)).unwrap_err();
        assert_eq!(judged(&attributes), Refusal::EmailFormat);
        attributes.email = "A@B.co".to_owned();
        assert_eq!(judged(&attributes), Refusal::PhoneFormat);
        attributes.phone = String::new();
        assert!(matches!(judged(&attributes), Refusal::BanDuration(_)));
        attributes.ban_duration = String::new();
        let plan = check_update(&attributes, at(0)).unwrap();
        assert_eq!(plan, UpdatePlan { email: Some("a@b.co".to_owned()), phone: None, banned_until: None });
    }

    #[test]
    fn a_stretch_tells_where_the_next_one_begins() {
        let users: Vec<User> = (0..3).map(|second| User { created_at: at(second), ..user() }).collect();
        let stretch = |limit| match Users::stretch(users.clone(), limit) {
            Users::Stretch { items, next } => (items.len(), next.map(|next| next.created_at)),
            Users::Page(_) => panic!("a page"),
        };
        assert_eq!(stretch(2), (2, Some(at(1))));
        assert_eq!(stretch(3), (3, None));
    }

    #[test]
    fn sort_knows_one_field_and_two_directions() {
        let sort = |parts: &[&str]| sort_ascending(&parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>());
        assert_eq!(sort(&[]), Ok(false));
        assert_eq!(sort(&["created_at"]), Ok(false));
        assert_eq!(sort(&["created_at ASC", "created_at desc"]), Ok(true));
        assert_eq!(sort(&["email asc"]), Err(Refusal::BadSortField("email".to_owned())));
        assert_eq!(sort(&["created_at up"]), Err(Refusal::BadSortDirection("up".to_owned())));
    }
}

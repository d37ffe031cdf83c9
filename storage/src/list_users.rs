//! Pages of a project's users (`contract/core.md` §17.2).
//!
//! A page is found in an index alone, then its users are read: a deep page costs little more than the first. Reading on after a
//! user costs the same wherever it happens.

use domain::ids::UserId;
use domain::time::Timestamp;
use domain::user::User;
use uuid::Uuid;

use crate::backend::{Search, Work};
use crate::database::TenantStore;
use crate::error::Result;
use crate::rows::BareUserRow;
use crate::sql::{Sql, each};
use crate::values::At;

/// All users, or those that match `$3`. The address is compared with regard to case, the name without; `$4` is the pattern of the
/// address in SQLite's other notation.
macro_rules! chosen {
    ($database:ident, all) => {
        "from auth.users as x where x.instance_id = $1 and x.aud = $2"
    };
    (postgres, matching) => {
        "from auth.users as x where x.instance_id = $1 and x.aud = $2
             and (x.email like $3 or x.raw_user_meta_data ->> 'full_name' ilike $3) and $4::text is not null"
    };
    (sqlite, matching) => {
        "from auth.users as x where x.instance_id = $1 and x.aud = $2
             and (x.email glob $4 or x.raw_user_meta_data ->> '$.full_name' like $3 escape '\\')"
    };
}

/// The users whose ids `$part` finds. The limit keeps PostgreSQL from reading the table for what it takes for a large part.
macro_rules! read {
    (postgres, $part:expr, $direction:literal) => {
        concat!(
            "select u.* from (select x.id ",
            $part,
            ") as p
             cross join lateral (
                 select ",
            bare_user!(),
            " from auth.users as u where u.instance_id = $1 and u.id = p.id limit 1
             ) as u
             order by u.created_at ",
            $direction,
            ", u.id ",
            $direction
        )
    };
    (sqlite, $part:expr, $direction:literal) => {
        concat!(
            "select ",
            bare_user!(),
            " from (select x.id ",
            $part,
            ") as p
             cross join auth.users as u
             where u.instance_id = $1 and u.id = p.id
             order by u.created_at ",
            $direction,
            ", u.id ",
            $direction
        )
    };
}

macro_rules! page {
    ($direction:literal, $which:ident, $limit:literal, $offset:literal) => {
        each(page!(postgres, $direction, $which, $limit, $offset), page!(sqlite, $direction, $which, $limit, $offset))
    };
    ($database:ident, $direction:literal, $which:ident, $limit:literal, $offset:literal) => {
        read!(
            $database,
            concat!(
                chosen!($database, $which),
                " order by x.created_at ",
                $direction,
                ", x.id ",
                $direction,
                " limit ",
                $limit,
                " offset ",
                $offset
            ),
            $direction
        )
    };
}

macro_rules! after {
    ($direction:literal, $than:literal, $which:ident, $at:literal, $id:literal, $limit:literal) => {
        each(
            after!(postgres, $direction, $than, $which, $at, $id, $limit),
            after!(sqlite, $direction, $than, $which, $at, $id, $limit),
        )
    };
    ($database:ident, $direction:literal, $than:literal, $which:ident, $at:literal, $id:literal, $limit:literal) => {
        read!(
            $database,
            concat!(
                chosen!($database, $which),
                " and (x.created_at, x.id) ",
                $than,
                " (",
                $at,
                ", ",
                $id,
                ")
                 order by x.created_at ",
                $direction,
                ", x.id ",
                $direction,
                " limit ",
                $limit
            ),
            $direction
        )
    };
}

macro_rules! count {
    ($which:ident) => {
        each(
            concat!("select count(*) ", chosen!(postgres, $which)),
            concat!("select count(*) ", chosen!(sqlite, $which)),
        )
    };
}

statements! {
    project COUNT = count!(all);
    project COUNT_MATCHING = count!(matching);
    project OLDEST = page!("asc", all, "$3", "$4");
    project NEWEST = page!("desc", all, "$3", "$4");
    project OLDEST_MATCHING = page!("asc", matching, "$5", "$6");
    project NEWEST_MATCHING = page!("desc", matching, "$5", "$6");
    project LATER = after!("asc", ">", all, "$3", "$4", "$5");
    project EARLIER = after!("desc", "<", all, "$3", "$4", "$5");
    project LATER_MATCHING = after!("asc", ">", matching, "$5", "$6", "$7");
    project EARLIER_MATCHING = after!("desc", "<", matching, "$5", "$6", "$7");
}

/// Which users, and which part of them.
#[derive(Clone, Debug)]
pub struct ListUsers {
    /// Their audience.
    pub aud: String,
    /// Part of the address or of the full name, `%` and `_` are wildcards; empty = all.
    pub filter: String,
    /// Oldest first.
    pub ascending: bool,
    /// At most so many.
    pub limit: u64,
    /// Skip so many.
    pub offset: u64,
}

/// Which users, and after which one.
#[derive(Clone, Debug)]
pub struct ListUsersAfter {
    /// Their audience.
    pub aud: String,
    /// Part of the address or of the full name, `%` and `_` are wildcards; empty = all.
    pub filter: String,
    /// Oldest first.
    pub ascending: bool,
    /// At most so many.
    pub limit: u64,
    /// The last user of the page before, with the instant he was made; `None` = from the beginning.
    pub after: Option<(Timestamp, UserId)>,
}

impl TenantStore {
    /// The users of a page, without identities and factors, and how many there are in all.
    pub async fn list_users(&self, list: ListUsers) -> Result<(Vec<User>, u64)> {
        let (instance, aud) = (self.instance.0, &list.aud);
        let (limit, offset) = (number(list.limit), number(list.offset));
        let (rows, (total,)) = if list.filter.is_empty() {
            let page = if list.ascending { OLDEST } else { NEWEST };
            let mut work = self.backend().begin_search(Search::Count).await?;
            let total = fetch!(&mut work, fetch_one, (i64,), COUNT, instance, aud)?;
            let rows = fetch!(&mut work, fetch_all, BareUserRow, page, instance, aud, limit, offset)?;
            work.commit().await?;
            (rows, total)
        } else {
            let (like, glob) = patterns(&list.filter);
            let page = if list.ascending { OLDEST_MATCHING } else { NEWEST_MATCHING };
            let mut work = self.backend().begin_search(Search::ByValue).await?;
            let total = fetch!(&mut work, fetch_one, (i64,), COUNT_MATCHING, instance, aud, &like, &glob)?;
            let rows = fetch!(&mut work, fetch_all, BareUserRow, page, instance, aud, &like, &glob, limit, offset)?;
            work.commit().await?;
            (rows, total)
        };
        Ok((rows.into_iter().map(User::from).collect(), total.unsigned_abs()))
    }

    /// The users that follow one, without identities and factors. Nobody is counted.
    pub async fn list_users_after(&self, list: ListUsersAfter) -> Result<Vec<User>> {
        let (instance, aud, limit) = (self.instance.0, &list.aud, number(list.limit));
        let (at, id) = list.after.map_or_else(|| before_all(list.ascending), |(at, user)| (at, user.0));
        let rows = if list.filter.is_empty() {
            let page = if list.ascending { LATER } else { EARLIER };
            fetch_now!(self.backend(), fetch_all, BareUserRow, page, instance, aud, At(at), id, limit)?
        } else {
            let (like, glob) = patterns(&list.filter);
            let page = if list.ascending { LATER_MATCHING } else { EARLIER_MATCHING };
            let mut work = self.backend().begin_search(Search::ByValue).await?;
            let rows = self.matching_after(&mut work, page, aud, [&like, &glob], (at, id), limit).await?;
            work.commit().await?;
            rows
        };
        Ok(rows.into_iter().map(User::from).collect())
    }

    async fn matching_after(
        &self,
        work: &mut Work,
        page: Sql,
        aud: &str,
        [like, glob]: [&str; 2],
        (at, id): (Timestamp, Uuid),
        limit: i64,
    ) -> Result<Vec<BareUserRow>> {
        fetch!(work, fetch_all, BareUserRow, page, self.instance.0, aud, like, glob, At(at), id, limit)
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What stands before every user in that direction: the years that both databases write with four digits.
fn before_all(ascending: bool) -> (Timestamp, Uuid) {
    if ascending {
        (Timestamp::from_unix(-62_135_596_800), Uuid::nil())
    } else {
        (Timestamp::from_unix(253_402_300_799), Uuid::max())
    }
}

/// What contains `filter`, for LIKE and for GLOB.
fn patterns(filter: &str) -> (String, String) {
    let like = format!("%{filter}%");
    let glob = glob(&like);
    (like, glob)
}

/// A LIKE pattern in GLOB's notation, which SQLite compares with regard to case.
fn glob(like: &str) -> String {
    let mut glob = String::with_capacity(like.len());
    let mut characters = like.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => glob.push('*'),
            '_' => glob.push('?'),
            '\\' => push_literal(&mut glob, characters.next().unwrap_or('%')),
            other => push_literal(&mut glob, other),
        }
    }
    glob
}

fn push_literal(glob: &mut String, character: char) {
    if matches!(character, '*' | '?' | '[') {
        glob.extend(['[', character, ']']);
    } else {
        glob.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_like_pattern_keeps_its_meaning() {
        assert_eq!(glob("a%b_c"), "a*b?c");
        assert_eq!(glob("*?["), "[*][?][[]");
        assert_eq!(glob("50\\%"), "50%");
    }
}

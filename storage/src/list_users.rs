//! A page of a project's users (`contract/core.md` §17.2).

use domain::user::User;

use crate::database::TenantStore;
use crate::error::Result;
use crate::rows::BareUserRow;
use crate::sql::each;

/// The address is compared with regard to case, the name without; `$4` is the same pattern in SQLite's other notation.
macro_rules! matching {
    (postgres) => {
        "from auth.users as u where u.instance_id = $1 and u.aud = $2
             and ($3 = '' or u.email like '%' || $3 || '%' or u.raw_user_meta_data ->> 'full_name' ilike '%' || $3 || '%')
             and $4 is not null"
    };
    (sqlite) => {
        "from auth.users as u where u.instance_id = $1 and u.aud = $2
             and ($3 = '' or u.email glob '*' || $4 || '*'
                  or u.raw_user_meta_data ->> '$.full_name' like '%' || $3 || '%' escape '\\')"
    };
}

macro_rules! page {
    ($database:ident, $direction:literal) => {
        concat!(
            "select ",
            bare_user!(),
            " ",
            matching!($database),
            " order by u.created_at ",
            $direction,
            ", u.id ",
            $direction,
            " limit $5 offset $6"
        )
    };
}

statements! {
    project COUNT = each(concat!("select count(*) ", matching!(postgres)), concat!("select count(*) ", matching!(sqlite)));
    project OLDEST_FIRST = each(page!(postgres, "asc"), page!(sqlite, "asc"));
    project NEWEST_FIRST = each(page!(postgres, "desc"), page!(sqlite, "desc"));
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

impl TenantStore {
    /// The users of a page, without identities and factors, and how many there are in all.
    pub async fn list_users(&self, list: ListUsers) -> Result<(Vec<User>, u64)> {
        let (instance, glob) = (self.instance.0, glob(&list.filter));
        let (filter, aud) = (&list.filter, &list.aud);
        let (total,): (i64,) = fetch_now!(self.backend(), fetch_one, (i64,), COUNT, instance, aud, filter, &glob)?;
        let page = if list.ascending { OLDEST_FIRST } else { NEWEST_FIRST };
        let limit = i64::try_from(list.limit).unwrap_or(i64::MAX);
        let offset = i64::try_from(list.offset).unwrap_or(i64::MAX);
        let rows =
            fetch_now!(self.backend(), fetch_all, BareUserRow, page, instance, aud, filter, &glob, limit, offset)?;
        Ok((rows.into_iter().map(User::from).collect(), total.unsigned_abs()))
    }
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

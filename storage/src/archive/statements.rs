//! The texts of the statements that read, write, remove and count the rows of any table, made from its columns.
//!
//! Every value travels as text, a row as an array or an object of texts: one parameter takes any number of rows, and both databases
//! give and take the same forms. `cells.rs` says which.

/// A column of `x` as text, for PostgreSQL.
macro_rules! read_postgres {
    ($column:literal (time)) => {
        concat!(
            "to_char((case when x.",
            $column,
            " > '9999-12-31 23:59:59.999999+00' then '9999-12-31 23:59:59.999999+00' when x.",
            $column,
            " < '0001-01-01 00:00:00+00' then '0001-01-01 00:00:00+00' else x.",
            $column,
            " end)::timestamptz at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        )
    };
    ($column:literal (wall)) => {
        concat!(
            "to_char((case when x.",
            $column,
            " > '9999-12-31 23:59:59.999999' then '9999-12-31 23:59:59.999999' when x.",
            $column,
            " < '0001-01-01 00:00:00' then '0001-01-01 00:00:00' else x.",
            $column,
            " end)::timestamp, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        )
    };
    ($column:literal (bytes)) => {
        concat!("encode(x.", $column, ", 'hex')")
    };
    ($column:literal (texts)) => {
        concat!("array_to_json(x.", $column, ")::text")
    };
    ($column:literal (address)) => {
        concat!("host(x.", $column, ")")
    };
    ($column:literal $kind:tt) => {
        concat!("x.", $column, "::text")
    };
}

/// A column of `x` as text, for SQLite.
macro_rules! read_sqlite {
    ($column:literal (uuid)) => {
        concat!("case when x.", $column, " is not null then lower(hex(x.", $column, ")) end")
    };
    ($column:literal (bytes)) => {
        concat!("case when x.", $column, " is not null then lower(hex(x.", $column, ")) end")
    };
    ($column:literal (bool)) => {
        concat!("case x.", $column, " when 1 then 'true' when 0 then 'false' end")
    };
    ($column:literal (int)) => {
        concat!("cast(x.", $column, " as text)")
    };
    ($column:literal (token)) => {
        concat!("cast(x.", $column, " as text)")
    };
    ($column:literal (raised)) => {
        concat!("cast(x.", $column, " as text)")
    };
    ($column:literal $kind:tt) => {
        concat!("x.", $column)
    };
}

/// A text as a value of a column, for PostgreSQL.
macro_rules! value_postgres {
    ($text:expr, (uuid)) => {
        concat!("(", $text, ")::uuid")
    };
    ($text:expr, (text)) => {
        concat!("(", $text, ")")
    };
    ($text:expr, (word $type:literal)) => {
        concat!("(", $text, ")::", $type)
    };
    ($text:expr, (time)) => {
        concat!("(", $text, ")::timestamptz")
    };
    ($text:expr, (wall)) => {
        concat!("((", $text, ")::timestamptz at time zone 'UTC')")
    };
    ($text:expr, (json)) => {
        concat!("(", $text, ")::jsonb")
    };
    ($text:expr, (json as json)) => {
        concat!("(", $text, ")::json")
    };
    ($text:expr, (bool)) => {
        concat!("(", $text, ")::boolean")
    };
    ($text:expr, (bytes)) => {
        concat!("decode(", $text, ", 'hex')")
    };
    ($text:expr, (texts)) => {
        concat!(
            "case when ",
            $text,
            " is not null then array(select jsonb_array_elements_text((",
            $text,
            ")::jsonb)) end"
        )
    };
    ($text:expr, (address)) => {
        concat!("(", $text, ")::inet")
    };
    // Whole numbers, whatever they count.
    ($text:expr, $kind:tt) => {
        concat!("(", $text, ")::bigint")
    };
}

/// A text as a value of a column, for SQLite.
macro_rules! value_sqlite {
    ($text:expr, (uuid)) => {
        concat!("unhex(", $text, ", '-')")
    };
    ($text:expr, (bytes)) => {
        concat!("unhex(", $text, ")")
    };
    ($text:expr, (bool)) => {
        concat!("(", $text, ") = 'true'")
    };
    ($text:expr, (int)) => {
        concat!("cast(", $text, " as integer)")
    };
    ($text:expr, (token)) => {
        concat!("cast(", $text, " as integer)")
    };
    ($text:expr, (raised)) => {
        concat!("cast(", $text, " as integer)")
    };
    ($text:expr, $kind:tt) => {
        $text
    };
}

/// Texts are ordered by their bytes in both databases.
macro_rules! ordered {
    ($column:literal (text)) => {
        concat!("x.", $column, " collate \"C\"")
    };
    ($column:literal $kind:tt) => {
        concat!("x.", $column)
    };
}

/// The first rows: `$2` says how many.
macro_rules! first_rows {
    ($name:literal, $head:literal $head_kind:tt, [$($column:literal $kind:tt,)*], $filter:literal,
     [$key:literal $key_kind:tt $(, $more:literal $more_kind:tt)*]) => {
        $crate::sql::each(
            concat!(
                "select json_build_array(", read_postgres!($head $head_kind), $(", ", read_postgres!($column $kind),)*
                ")::text as cells from auth.", $name, " as x where x.instance_id = $1", $filter,
                " order by ", ordered!($key $key_kind), $(", ", ordered!($more $more_kind),)* " limit $2"
            ),
            concat!(
                "select json_array(", read_sqlite!($head $head_kind), $(", ", read_sqlite!($column $kind),)*
                ") as cells from auth.", $name, " as x where x.instance_id = $1", $filter,
                " order by x.", $key, $(", x.", $more,)* " limit $2"
            ),
        )
    };
}

/// The rows after the key `$2`, an array of texts: `$3` says how many.
macro_rules! rows_after {
    ($name:literal, $head:literal $head_kind:tt, [$($column:literal $kind:tt,)*], $filter:literal,
     [$key:literal $key_kind:tt]) => {
        $crate::sql::each(
            concat!(
                "select json_build_array(", read_postgres!($head $head_kind), $(", ", read_postgres!($column $kind),)*
                ")::text as cells from auth.", $name, " as x where x.instance_id = $1", $filter,
                " and ", ordered!($key $key_kind), " > ", value_postgres!("$2::jsonb ->> 0", $key_kind),
                " order by ", ordered!($key $key_kind), " limit $3"
            ),
            concat!(
                "select json_array(", read_sqlite!($head $head_kind), $(", ", read_sqlite!($column $kind),)*
                ") as cells from auth.", $name, " as x where x.instance_id = $1", $filter,
                " and x.", $key, " > ", value_sqlite!("$2 ->> 0", $key_kind), " order by x.", $key, " limit $3"
            ),
        )
    };
    ($name:literal, $head:literal $head_kind:tt, [$($column:literal $kind:tt,)*], $filter:literal,
     [$key:literal $key_kind:tt, $more:literal $more_kind:tt]) => {
        $crate::sql::each(
            concat!(
                "select json_build_array(", read_postgres!($head $head_kind), $(", ", read_postgres!($column $kind),)*
                ")::text as cells from auth.", $name, " as x where x.instance_id = $1", $filter,
                " and (", ordered!($key $key_kind), ", ", ordered!($more $more_kind), ") > (",
                value_postgres!("$2::jsonb ->> 0", $key_kind), ", ", value_postgres!("$2::jsonb ->> 1", $more_kind),
                ") order by ", ordered!($key $key_kind), ", ", ordered!($more $more_kind), " limit $3"
            ),
            concat!(
                "select json_array(", read_sqlite!($head $head_kind), $(", ", read_sqlite!($column $kind),)*
                ") as cells from auth.", $name, " as x where x.instance_id = $1", $filter,
                " and (x.", $key, ", x.", $more, ") > (", value_sqlite!("$2 ->> 0", $key_kind), ", ",
                value_sqlite!("$2 ->> 1", $more_kind), ") order by x.", $key, ", x.", $more, " limit $3"
            ),
        )
    };
}

/// What becomes of a row that is there already: those that others hang on are changed in place, the rest are removed first.
macro_rules! on_conflict {
    (parent, $head:literal, [$($column:literal $kind:tt,)*]) => {
        concat!(
            " on conflict (instance_id, id) do update set ", $head, " = excluded.", $head,
            $(", ", $column, " = excluded.", $column,)*
        )
    };
    (leaf, $head:literal, [$($column:literal $kind:tt,)*]) => {
        ""
    };
}

/// Adds the rows `$2`, an array of objects of texts, but for those that hang on a row that is not there.
macro_rules! insert_rows {
    ($name:literal, $life:ident, $head:literal $head_kind:tt, [$($column:literal $kind:tt,)*],
     [$($parent_column:literal => $parent:literal),*]) => {
        $crate::sql::each(
            concat!(
                "insert into auth.", $name, " (instance_id, ", $head, $(", ", $column,)* ") select $1, ",
                value_postgres!(concat!("r.v ->> '", $head, "'"), $head_kind),
                $(", ", value_postgres!(concat!("r.v ->> '", $column, "'"), $kind),)*
                " from jsonb_array_elements($2::jsonb) as r(v) where true",
                $(
                    " and ((r.v ->> '", $parent_column, "') is null or exists (select 1 from auth.", $parent,
                    " as p where p.instance_id = $1 and p.id = (r.v ->> '", $parent_column, "')::uuid))",
                )*
                on_conflict!($life, $head, [$($column $kind,)*])
            ),
            concat!(
                "insert into auth.", $name, " (instance_id, ", $head, $(", ", $column,)* ") select $1, ",
                value_sqlite!(concat!("r.value ->> '", $head, "'"), $head_kind),
                $(", ", value_sqlite!(concat!("r.value ->> '", $column, "'"), $kind),)*
                " from json_each($2) as r where true",
                $(
                    " and ((r.value ->> '", $parent_column, "') is null or exists (select 1 from auth.", $parent,
                    " as p where p.instance_id = $1 and p.id = unhex(r.value ->> '", $parent_column, "', '-')))",
                )*
                on_conflict!($life, $head, [$($column $kind,)*])
            ),
        )
    };
}

/// Removes the rows whose keys `$2` holds, an array of objects of texts. Keys that are unique in the whole database are found by
/// themselves: the array keeps PostgreSQL from going through all rows of the project, the plus sign SQLite.
macro_rules! delete_rows {
    ($name:literal, global, [$key:literal $kind:tt]) => {
        $crate::sql::each(
            concat!(
                "delete from auth.", $name, " as x where x.instance_id = $1 and x.", $key, " = any(array(select ",
                value_postgres!(concat!("r.v ->> '", $key, "'"), $kind),
                " from jsonb_array_elements($2::jsonb) as r(v)))"
            ),
            concat!(
                "delete from auth.", $name, " as x where +x.instance_id = $1 and x.", $key, " in (select ",
                value_sqlite!(concat!("r.value ->> '", $key, "'"), $kind), " from json_each($2) as r)"
            ),
        )
    };
    ($name:literal, local, [$key:literal $kind:tt $(, $more:literal $more_kind:tt)*]) => {
        $crate::sql::each(
            concat!(
                "delete from auth.", $name, " as x where x.instance_id = $1 and (x.", $key, $(", x.", $more,)*
                ") in (select ", value_postgres!(concat!("r.v ->> '", $key, "'"), $kind),
                $(", ", value_postgres!(concat!("r.v ->> '", $more, "'"), $more_kind),)*
                " from jsonb_array_elements($2::jsonb) as r(v))"
            ),
            concat!(
                "delete from auth.", $name, " as x where x.instance_id = $1 and (x.", $key, $(", x.", $more,)*
                ") in (select ", value_sqlite!(concat!("r.value ->> '", $key, "'"), $kind),
                $(", ", value_sqlite!(concat!("r.value ->> '", $more, "'"), $more_kind),)* " from json_each($2) as r)"
            ),
        )
    };
}

/// How many rows the project has.
macro_rules! count_rows {
    ($name:literal) => {
        $crate::sql::same(concat!("select count(*) from auth.", $name, " as x where x.instance_id = $1"))
    };
}

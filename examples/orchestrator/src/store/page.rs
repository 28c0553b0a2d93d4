//! Pages of a list, bounded in number and in bytes.

use super::{Listed, Result};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

/// Selects one page of a table: at most `$limit` rows, and the first one, or as many as have
/// `$bytes` of `$size` together. `page_found` counts one more row if there are more.
macro_rules! page {
    (
        $table:literal, $filter:literal, $order:literal,
        $size:literal, $limit:literal, $bytes:literal
    ) => {
        concat!(
            "WITH page AS (SELECT *, ",
            $size,
            " AS page_size FROM ",
            $table,
            " WHERE ",
            $filter,
            " ORDER BY ",
            $order,
            " LIMIT ",
            $limit,
            " + 1), \
             sized AS (SELECT *, sum(page_size) OVER (ORDER BY ",
            $order,
            ") AS page_until, \
                 row_number() OVER (ORDER BY ",
            $order,
            ") AS page_place, \
                 count(*) OVER () AS page_found FROM page) \
             SELECT * FROM sized WHERE page_place <= ",
            $limit,
            " AND (page_place = 1 OR page_until <= ",
            $bytes,
            ") ORDER BY page_place"
        )
    };
}
pub(super) use page;

/// Converts the rows of a page. `key` is the column of the cursor.
pub(super) fn listed<T, R>(rows: &[R], key: &str) -> Result<Listed<T>>
where
    R: Row,
    T: for<'r> FromRow<'r, R>,
    for<'k> &'k str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let entries = rows.iter().map(T::from_row).collect::<Result<_, _>>()?;
    let mut next = None;
    if let Some(last) = rows.last() {
        let found: i64 = last.try_get("page_found")?;
        if usize::try_from(found).is_ok_and(|found| found > rows.len()) {
            next = Some(last.try_get(key)?);
        }
    }
    Ok(Listed { entries, next })
}

//! A statement taken apart and put together again: sqlx hands out its text only for good.

use sqlx::Database;
use sqlx::Execute;
use sqlx::SqlSafeStr;
use sqlx::SqlStr;
use sqlx::error::BoxDynError;

/// What `Execute` knows, with the text in reach.
pub(super) struct Statement<DB: Database> {
    sql: SqlStr,
    prepared: Option<DB::Statement>,
    arguments: Option<Result<Option<DB::Arguments>, BoxDynError>>,
    persistent: bool,
}

/// A statement's text: not copied where it is the program's own.
pub(super) struct Text(SqlStr);

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.0.as_str()
    }
}

impl<DB: Database> Statement<DB> {
    pub(super) fn new<'q>(mut query: impl Execute<'q, DB>) -> Self {
        let arguments = Some(query.take_arguments());
        let persistent = query.persistent();
        let prepared = query.statement().cloned();
        Self { sql: query.sql(), prepared, arguments, persistent }
    }

    pub(super) fn text(&self) -> Text {
        Text(self.sql.clone())
    }
}

impl<DB: Database> Execute<'_, DB> for Statement<DB> {
    fn sql(self) -> SqlStr {
        self.sql.into_sql_str()
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.prepared.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        self.arguments.take().unwrap_or(Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

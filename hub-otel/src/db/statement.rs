//! A statement whose text can be read before it is executed.

use sqlx::Database;
use sqlx::Execute;
use sqlx::SqlSafeStr;
use sqlx::SqlStr;
use sqlx::error::BoxDynError;

/// The parts of an `Execute`, reassembled: `Execute::sql` consumes the statement, and the text is
/// needed before.
pub(super) struct Statement<DB: Database> {
    sql: SqlStr,
    prepared: Option<DB::Statement>,
    arguments: Option<Result<Option<DB::Arguments>, BoxDynError>>,
    persistent: bool,
}

/// The text of a statement, shared with the statement.
pub(super) struct StatementText(SqlStr);

impl AsRef<str> for StatementText {
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

    pub(super) fn text(&self) -> StatementText {
        StatementText(self.sql.clone())
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

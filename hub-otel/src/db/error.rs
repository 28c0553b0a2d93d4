//! Classifies database errors, so that an alert on a lost database is not raised by a unique
//! violation.

use crate::semconv::error_type::{TIMEOUT, db as kind};
use sqlx::error::DatabaseError;
use sqlx::error::ErrorKind;
use std::io;

/// Returns the `error.type` of an error.
pub(super) fn error_type(error: &sqlx::Error) -> &'static str {
    use sqlx::Error as E;
    match error {
        E::Database(error) => by_code(error.as_ref()),
        E::Io(error) => by_io(error),
        E::Tls(_) => kind::TLS,
        E::PoolTimedOut => kind::POOL_TIMEOUT,
        E::PoolClosed => kind::POOL_CLOSED,
        E::WorkerCrashed => kind::CONNECTION,
        E::Protocol(_) | E::BeginFailed | E::InvalidSavePointStatement => kind::PROTOCOL,
        E::RowNotFound => kind::ROW_NOT_FOUND,
        E::Configuration(_) | E::InvalidArgument(_) => kind::CONFIGURATION,
        E::TypeNotFound { .. } => kind::STATEMENT,
        E::ColumnIndexOutOfBounds { .. } | E::ColumnNotFound(_) | E::ColumnDecode { .. } => {
            kind::CODEC
        }
        E::Encode(_) | E::Decode(_) | E::AnyDriverError(_) => kind::CODEC,
        _ => kind::DATABASE,
    }
}

/// Returns `db.response.status_code`: SQLSTATE, or SQLite's extended result code.
pub(super) fn status_code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// `sqlx::Error::Io` is an error in the communication with the server, except for errors of local
/// files and of the protocol. A failed lookup of the host's name has no `io::ErrorKind` of its own.
fn by_io(error: &io::Error) -> &'static str {
    use io::ErrorKind as K;
    match error.kind() {
        K::PermissionDenied
        | K::AlreadyExists
        | K::StorageFull
        | K::QuotaExceeded
        | K::FileTooLarge
        | K::ReadOnlyFilesystem
        | K::IsADirectory
        | K::NotADirectory
        | K::InvalidData
        | K::InvalidInput
        | K::Unsupported
        | K::OutOfMemory
        | K::Other => kind::IO,
        _ => kind::CONNECTION,
    }
}

fn by_code(error: &dyn DatabaseError) -> &'static str {
    if !matches!(error.kind(), ErrorKind::Other) {
        return kind::CONSTRAINT;
    }
    match error.code().as_deref() {
        Some(code) if code.len() == 5 => by_sqlstate(code),
        Some(code) => code.parse().map_or(kind::DATABASE, by_sqlite),
        None => kind::DATABASE,
    }
}

/// PostgreSQL manual, appendix A ("PostgreSQL Error Codes"): the first two characters are the class.
fn by_sqlstate(code: &str) -> &'static str {
    match code {
        "57014" | "25P03" | "25P04" => return TIMEOUT,
        "55P03" | "55006" => return kind::BUSY,
        "25006" => return kind::READ_ONLY,
        "42501" => return kind::AUTHORIZATION,
        _ => {}
    }
    match code.get(..2) {
        Some("08" | "57") => kind::CONNECTION,
        Some("28") => kind::AUTHORIZATION,
        Some("23") => kind::CONSTRAINT,
        Some("40") => kind::CONFLICT,
        Some("53" | "54") => kind::RESOURCES,
        Some("42" | "26" | "3D" | "3F") => kind::STATEMENT,
        Some("22") => kind::DATA,
        Some("58") => kind::IO,
        Some("XX") => kind::CORRUPT,
        _ => kind::DATABASE,
    }
}

/// SQLite manual, "Result and Error Codes": the low byte of an extended code is the primary code.
fn by_sqlite(code: u32) -> &'static str {
    match code & 0xff {
        1 => kind::STATEMENT,
        3 | 23 => kind::AUTHORIZATION,
        5 | 6 => kind::BUSY,
        7 | 13 => kind::RESOURCES,
        8 => kind::READ_ONLY,
        9 => TIMEOUT,
        10 => kind::IO,
        11 | 26 => kind::CORRUPT,
        14 => kind::CONNECTION,
        19 => kind::CONSTRAINT,
        18 | 20 => kind::DATA,
        _ => kind::DATABASE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_database_is_distinguished_from_a_wrong_statement() {
        for (code, expected) in [
            ("08006", kind::CONNECTION),
            ("57P01", kind::CONNECTION),
            ("57014", TIMEOUT),
            ("40001", kind::CONFLICT),
            ("40P01", kind::CONFLICT),
            ("42P01", kind::STATEMENT),
            ("42501", kind::AUTHORIZATION),
            ("23505", kind::CONSTRAINT),
            ("53300", kind::RESOURCES),
            ("P0001", kind::DATABASE),
        ] {
            assert_eq!(by_sqlstate(code), expected, "{code}");
        }
        for (code, expected) in [
            (5, kind::BUSY),
            (517, kind::BUSY),
            (10, kind::IO),
            (522, kind::IO),
            (14, kind::CONNECTION),
            (2067, kind::CONSTRAINT),
            (1, kind::STATEMENT),
            (13, kind::RESOURCES),
        ] {
            assert_eq!(by_sqlite(code), expected, "{code}");
        }
        assert_eq!(error_type(&sqlx::Error::PoolTimedOut), kind::POOL_TIMEOUT);
        assert_eq!(
            error_type(&sqlx::Error::Io(io::ErrorKind::ConnectionRefused.into())),
            kind::CONNECTION
        );
        assert_eq!(error_type(&sqlx::Error::Io(io::ErrorKind::StorageFull.into())), kind::IO);
    }
}

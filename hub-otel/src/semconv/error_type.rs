//! Values of `error.type` and of the label `error_type` that the library sets.
//!
//! The semantic conventions require a low-cardinality identifier ("Recording errors",
//! `error.type`), so the values form a closed set. For an HTTP error response the value is the
//! status code. An error of the user has the value that its [`ErrorType`](trait@crate::ErrorType)
//! returns.

/// The instrumented code panicked.
pub const PANIC: &str = "panic";
/// A timeout was exceeded.
pub const TIMEOUT: &str = "timeout";
/// A limit of the run's budget was reached: the call was not started.
pub const BUDGET_EXCEEDED: &str = "budget_exceeded";
/// Fallback for an error without a more specific value (semantic conventions, `error.type`). Also
/// the value of an unknown HTTP method.
pub const OTHER: &str = "_OTHER";
/// The peer or the caller disconnected before completion.
pub const CANCELLED: &str = "cancelled";
/// A returned `None` that counts as a failure (`none = error`).
pub const NONE: &str = "none";
/// An error of type `&str`. Its content is not from a fixed set.
pub const STR: &str = "str";
/// An error of type `String`. Its content is not from a fixed set.
pub const STRING: &str = "String";
/// The body could not be produced, sent or read.
pub const BODY: &str = "body";

/// Values for HTTP clients.
pub mod client {
    /// The connection failed: refused, unreachable or TLS error.
    pub const CONNECT: &str = "connect";
    /// The host name could not be resolved.
    pub const DNS: &str = "dns";
    /// The client rejected a redirect.
    pub const REDIRECT: &str = "redirect";
    /// The response could not be decoded.
    pub const DECODE: &str = "decode";
    /// The request could not be built.
    pub const BUILDER: &str = "builder";
    /// The connection failed while the request was in flight.
    pub const REQUEST: &str = "request";
}

/// Values for database calls. An alert on an unavailable database selects
/// [`CONNECTION`](db::CONNECTION), [`POOL_TIMEOUT`](db::POOL_TIMEOUT) and [`IO`](db::IO), not
/// errors of a statement such as a unique violation.
pub mod db {
    /// The database is unreachable or closed the connection.
    pub const CONNECTION: &str = "connection";
    /// No connection of the pool became available in time.
    pub const POOL_TIMEOUT: &str = "pool_timeout";
    /// The pool was closed.
    pub const POOL_CLOSED: &str = "pool_closed";
    /// Disk or socket error.
    pub const IO: &str = "io";
    /// TLS error on the connection to the database.
    pub const TLS: &str = "tls";
    /// Wrong credentials or missing permission.
    pub const AUTHORIZATION: &str = "authorization";
    /// Constraint violation: unique, foreign key, not null, check or exclusion.
    pub const CONSTRAINT: &str = "constraint";
    /// Locked by another connection: SQLITE_BUSY, lock_not_available.
    pub const BUSY: &str = "busy";
    /// Serialization failure or deadlock. The transaction can be retried.
    pub const CONFLICT: &str = "conflict";
    /// The database is out of memory, disk space or connections.
    pub const RESOURCES: &str = "resources";
    /// Invalid statement: syntax error, unknown table or column.
    pub const STATEMENT: &str = "statement";
    /// Invalid data: overflow, invalid text.
    pub const DATA: &str = "data";
    /// Write to a read-only database.
    pub const READ_ONLY: &str = "read_only";
    /// The file is corrupt or is not a database.
    pub const CORRUPT: &str = "corrupt";
    /// A value could not be encoded or decoded.
    pub const CODEC: &str = "codec";
    /// Protocol error between driver and database.
    pub const PROTOCOL: &str = "protocol";
    /// The query returned no row where one is required.
    pub const ROW_NOT_FOUND: &str = "row_not_found";
    /// Invalid connection settings.
    pub const CONFIGURATION: &str = "configuration";
    /// The database returned an error that no other value covers.
    pub const DATABASE: &str = "database";
}

/// Values for [`std::io::Error`], by its kind.
pub mod io {
    /// `ErrorKind::NotFound`.
    pub const NOT_FOUND: &str = "io_not_found";
    /// `ErrorKind::PermissionDenied`.
    pub const PERMISSION_DENIED: &str = "io_permission_denied";
    /// `ErrorKind::ConnectionRefused`.
    pub const CONNECTION_REFUSED: &str = "io_connection_refused";
    /// `ErrorKind::ConnectionReset`.
    pub const CONNECTION_RESET: &str = "io_connection_reset";
    /// `ErrorKind::ConnectionAborted`.
    pub const CONNECTION_ABORTED: &str = "io_connection_aborted";
    /// `ErrorKind::NotConnected`.
    pub const NOT_CONNECTED: &str = "io_not_connected";
    /// `ErrorKind::AddrInUse`.
    pub const ADDRESS_IN_USE: &str = "io_address_in_use";
    /// `ErrorKind::AddrNotAvailable`.
    pub const ADDRESS_NOT_AVAILABLE: &str = "io_address_not_available";
    /// `ErrorKind::BrokenPipe`.
    pub const BROKEN_PIPE: &str = "io_broken_pipe";
    /// `ErrorKind::AlreadyExists`.
    pub const ALREADY_EXISTS: &str = "io_already_exists";
    /// `ErrorKind::InvalidInput`.
    pub const INVALID_INPUT: &str = "io_invalid_input";
    /// `ErrorKind::InvalidData`.
    pub const INVALID_DATA: &str = "io_invalid_data";
    /// `ErrorKind::TimedOut`.
    pub const TIMED_OUT: &str = "io_timed_out";
    /// `ErrorKind::WriteZero`.
    pub const WRITE_ZERO: &str = "io_write_zero";
    /// `ErrorKind::Interrupted`.
    pub const INTERRUPTED: &str = "io_interrupted";
    /// `ErrorKind::UnexpectedEof`.
    pub const UNEXPECTED_EOF: &str = "io_unexpected_eof";
    /// `ErrorKind::OutOfMemory`.
    pub const OUT_OF_MEMORY: &str = "io_out_of_memory";
    /// `ErrorKind::StorageFull`.
    pub const STORAGE_FULL: &str = "io_storage_full";
    /// Any other kind.
    pub const OTHER: &str = "io_other";
}

//! `error.type` at the boundaries: what may go wrong with an HTTP request or a database call, as a closed set of kinds.
//!
//! The conventions ask for a low-cardinality identifier ("Recording errors", `error.type`). Where an HTTP response says
//! what went wrong, the kind is its status code.

/// The other side, or the caller, went away before the end.
pub const CANCELLED: &str = "cancelled";
/// A deadline passed.
pub const TIMEOUT: &str = crate::semconv::status::ERROR_TYPE_TIMEOUT;
/// The code panicked.
pub const PANIC: &str = crate::semconv::status::ERROR_TYPE_PANIC;
/// Nothing better is known.
pub const OTHER: &str = crate::semconv::status::ERROR_TYPE_OTHER;
/// The body could not be produced, sent or read.
pub const BODY: &str = "body";

/// Of HTTP clients.
pub mod client {
    /// No connection: refused, unreachable, TLS.
    pub const CONNECT: &str = "connect";
    /// The host's name has no address.
    pub const DNS: &str = "dns";
    /// A redirect that the client refuses to follow.
    pub const REDIRECT: &str = "redirect";
    /// What came back could not be decoded.
    pub const DECODE: &str = "decode";
    /// The request could not be built.
    pub const BUILDER: &str = "builder";
    /// The connection broke while the request was under way.
    pub const REQUEST: &str = "request";
}

/// Of database calls: alerts on a lost database look at [`CONNECTION`](db::CONNECTION), [`POOL_TIMEOUT`](db::POOL_TIMEOUT)
/// and [`IO`](db::IO), never at a unique violation.
pub mod db {
    /// The database is not there, or hung up.
    pub const CONNECTION: &str = "connection";
    /// No connection became free in time.
    pub const POOL_TIMEOUT: &str = "pool_timeout";
    /// The pool was closed.
    pub const POOL_CLOSED: &str = "pool_closed";
    /// The disk, or the socket.
    pub const IO: &str = "io";
    /// TLS to the database.
    pub const TLS: &str = "tls";
    /// Wrong credentials, or no permission.
    pub const AUTHORIZATION: &str = "authorization";
    /// Unique, foreign key, not null, check, exclusion.
    pub const CONSTRAINT: &str = "constraint";
    /// Locked by someone else: SQLITE_BUSY, lock_not_available.
    pub const BUSY: &str = "busy";
    /// Serialization failure or deadlock: worth trying again.
    pub const CONFLICT: &str = "conflict";
    /// Out of memory, disk or connections on the database's side.
    pub const RESOURCES: &str = "resources";
    /// The statement is wrong: syntax, unknown table or column.
    pub const STATEMENT: &str = "statement";
    /// The data does not fit: overflow, invalid text.
    pub const DATA: &str = "data";
    /// A write to a read-only database.
    pub const READ_ONLY: &str = "read_only";
    /// The database file is damaged, or none.
    pub const CORRUPT: &str = "corrupt";
    /// A value could not be encoded or decoded.
    pub const CODEC: &str = "codec";
    /// Driver and database do not understand each other.
    pub const PROTOCOL: &str = "protocol";
    /// No row where one was asked for.
    pub const ROW_NOT_FOUND: &str = "row_not_found";
    /// The settings of the connection are wrong.
    pub const CONFIGURATION: &str = "configuration";
    /// The database said no, for a reason that none of the others names.
    pub const DATABASE: &str = "database";
}

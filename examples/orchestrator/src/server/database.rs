//! The database of the server: a file, or a PostgreSQL database.

use super::args::ServeArgs;
use crate::security::{Secret, Secrets};
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};
use crate::terminal::Problem;
use secrecy::ExposeSecret as _;
use sqlx::migrate::MigrateError;
use std::sync::Arc;
use url::Url;

const DEFAULT_FILE: &str = "orchestrator.db";
const EXPECTED: &str = "postgres://USER:PASSWORD@HOST:PORT/DATABASE";

/// The chosen database.
#[derive(Debug)]
pub(super) enum Database {
    /// A file, or `:memory:`.
    File(String),
    /// A PostgreSQL database.
    Postgres {
        /// The whole URL.
        url: Secret,
        /// The URL without password and parameters, which can be secrets too.
        name: String,
    },
}

impl Database {
    /// Checks the arguments, before anything is opened.
    pub(super) fn new(args: &ServeArgs, secrets: &Secrets) -> Result<Self, Problem> {
        let url = args.database_url.as_ref().filter(|url| !url.expose_secret().is_empty());
        match (&args.db, url.or(secrets.database_url.as_ref())) {
            (Some(_), Some(_)) => Err(Problem::usage_text(
                "--db and --database-url are both set; keep one of them".to_owned(),
            )),
            (None, Some(url)) => postgres(url),
            (file, None) => self::file(file.as_deref().unwrap_or(DEFAULT_FILE)),
        }
    }

    /// The database in messages.
    pub(super) fn name(&self) -> &str {
        let (Self::File(name) | Self::Postgres { name, .. }) = self;
        name
    }

    /// Opens the database.
    pub(super) async fn open(&self) -> Result<Arc<dyn Store>, Problem> {
        let store: Result<Arc<dyn Store>, StoreError> = match self {
            Self::File(file) => SqliteStore::open(file).await.map(|store| Arc::new(store) as _),
            Self::Postgres { url, .. } => {
                PostgresStore::open(url.expose_secret()).await.map(|store| Arc::new(store) as _)
            }
        };
        store.map_err(|error| self.unusable(&error))
    }

    /// A problem of the database, with its remedy.
    pub(super) fn unusable(&self, error: &StoreError) -> Problem {
        let (flag, default) = match self {
            Self::File(_) => ("--db", "is it a writable file?"),
            Self::Postgres { .. } => {
                ("--database-url", "is it a PostgreSQL server, and does its log have an error?")
            }
        };
        let remedy = remedy(error).unwrap_or(default);
        Problem::failure(format!("{flag} {}: {error}; {remedy}", self.name()))
    }
}

fn file(file: &str) -> Result<Database, Problem> {
    match file.split_once("://") {
        Some((scheme, _)) => Err(Problem::usage_text(format!(
            "--db {scheme}://… is not supported; expected a file or `:memory:`; \
             a PostgreSQL database is named by --database-url"
        ))),
        None => Ok(Database::File(file.to_owned())),
    }
}

fn postgres(url: &Secret) -> Result<Database, Problem> {
    // The value is not printed: it can contain a password.
    let mut parsed: Url = url.expose_secret().parse().map_err(|error| {
        Problem::usage_text(format!(
            "--database-url is not a URL ({error}); expected {EXPECTED}, with special characters \
             of the password percent-encoded"
        ))
    })?;
    // Fails for a URL without a host, which has no password.
    let _ = parsed.set_password(None);
    parsed.set_query(None);
    parsed.set_fragment(None);
    let name = parsed.to_string();
    if ["postgres", "postgresql"].contains(&parsed.scheme()) {
        return Ok(Database::Postgres { url: url.clone(), name });
    }
    Err(Problem::usage_text(format!("--database-url {name} is not supported; expected {EXPECTED}")))
}

fn remedy(error: &StoreError) -> Option<&'static str> {
    let StoreError::Database(error) = error else { return None };
    match error {
        sqlx::Error::Migrate(error) => match **error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
                Some("a newer version of the server has changed the tables: install that version")
            }
            _ => None,
        },
        sqlx::Error::Tls(_) => Some("are sslmode and sslrootcert correct?"),
        sqlx::Error::PoolTimedOut => Some(UNREACHABLE),
        sqlx::Error::Io(error) => by_io(error),
        error => by_code(error.as_database_error()?.code()?.as_ref()),
    }
}

const UNREACHABLE: &str = "is the server running, and are host and port correct?";

/// Errors of files have another remedy.
fn by_io(error: &std::io::Error) -> Option<&'static str> {
    use std::io::ErrorKind as K;
    let is_file = matches!(
        error.kind(),
        K::PermissionDenied
            | K::StorageFull
            | K::ReadOnlyFilesystem
            | K::NotFound
            | K::NotADirectory
            | K::IsADirectory
    );
    (!is_file).then_some(UNREACHABLE)
}

/// PostgreSQL manual, appendix A.
fn by_code(code: &str) -> Option<&'static str> {
    match code {
        "3D000" => Some("create the database, for example with `createdb`"),
        "28P01" | "28000" => Some("are user, password and pg_hba.conf correct?"),
        "42501" | "3F000" => {
            Some("the user needs the right to create tables: GRANT CREATE ON SCHEMA")
        }
        _ => None,
    }
}

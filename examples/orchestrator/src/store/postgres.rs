//! Store in a PostgreSQL database (13 or later), for several processes.
//!
//! Each writing method is one transaction in READ COMMITTED, whose time is the database's: the
//! clocks of the processes may differ. What a process measures itself, such as the start of a node,
//! is converted by the difference of the clocks in its last transaction.
//!
//! Locks are taken in one order: the incident, the run, its approvals, then the owner whose number
//! of runs changes. Only `take_over` locks owners first, and it waits for no run.
//!
//! No operation waits without limit for a database that does not respond, except for one whose
//! commit was sent: its result is unknown until the database responds again.

mod approvals;
mod incidents;
mod leases;
mod retention;
mod runs;
mod statements;
mod transaction;
mod workflows;

use super::{Result, Store};
use crate::clock::Timestamp;
use async_trait::async_trait;
use hub_otel::db::Db;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres};
use std::borrow::Cow;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// The first version that returns the result of a transaction by its id.
const MINIMUM_VERSION: u32 = 13_00_00;
/// Maximum number of connections for statements. Health checks have one of their own.
const CONNECTIONS: u32 = 10;
/// Maximum time for a connection, and for the response of one that is returned to the pool.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum time for the statements of one operation.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time for the migration, which waits for that of another process.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(60);

/// Limits that the server applies, below those of the client: the error of a statement names the
/// cause, and a transaction of a lost client does not keep its locks.
const SERVER_LIMITS: [(&str, &str); 3] = [
    ("statement_timeout", "4s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "5s"),
];

/// Store in a PostgreSQL database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    db: Db<Postgres>,
    probe: Arc<Probe>,
    /// Milliseconds that the clock of the database was ahead of this process in the last
    /// transaction.
    ahead: Arc<AtomicI64>,
}

impl PostgresStore {
    /// Connects to a database and creates or updates its tables. `url` is
    /// `postgres://user:password@host:port/database`.
    ///
    /// # Errors
    /// The URL is invalid, or the database cannot be reached, migrated or written.
    pub async fn open(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)?.application_name("orchestrator");
        migrate(&options).await?;
        let options = options.options(SERVER_LIMITS);
        let pool = lazy_pool(options.clone(), CONNECTIONS);
        let store = Self {
            db: Db::new(pool).pool_name("statements"),
            probe: Arc::new(Probe { options, connection: Mutex::default() }),
            ahead: Arc::default(),
        };
        store.check().await?;
        Ok(store)
    }

    /// The pool of the statements, for tests.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        self.db.untraced()
    }

    /// Limits the time of a statement that only reads.
    async fn read<T>(&self, query: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        Ok(within(OPERATION_TIMEOUT, query).await?)
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn now(&self) -> Timestamp {
        Timestamp(Timestamp::now().0 + self.ahead.load(Ordering::Relaxed))
    }

    async fn check(&self) -> Result<()> {
        let update = sqlx::query("UPDATE writable SET checked_at = $1").bind(self.now());
        self.probe.execute(update).await
    }

    async fn close(&self) {
        let close = async { tokio::join!(self.db.close(), self.probe.close()) };
        if tokio::time::timeout(CONNECT_TIMEOUT, close).await.is_err() {
            tracing::warn!("the database does not respond, its connections are abandoned");
        }
    }
}

/// Creates a pool whose operations have a limit, with [`SERVER_LIMITS`].
#[cfg(feature = "dbos")]
pub(crate) fn limited_pool(url: &str, connections: u32) -> sqlx::Result<PgPool> {
    let options = PgConnectOptions::from_str(url)?.application_name("orchestrator");
    Ok(lazy_pool(options.options(SERVER_LIMITS), connections))
}

fn lazy_pool(options: PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        // sqlx waits without limit for a connection that a cancelled operation returns.
        .after_release(|connection, _| {
            Box::pin(async { within(CONNECT_TIMEOUT, connection.ping()).await.map(|()| true) })
        })
        .connect_lazy_with(options)
}

/// The connection of health checks, which do not wait for the statements.
///
/// Not a pool of one connection: sqlx tests a connection without limit when it returns to a pool,
/// so that one lost response would fail all later checks.
#[derive(Debug)]
struct Probe {
    options: PgConnectOptions,
    /// Absent before the first check, and after a check that failed or was cancelled.
    connection: Mutex<Option<PgConnection>>,
}

impl Probe {
    async fn execute(&self, statement: Query<'_, Postgres, PgArguments>) -> Result<()> {
        let mut idle = self.connection.lock().await;
        let checked = async {
            let mut connection = match idle.take() {
                Some(connection) => connection,
                None => PgConnection::connect_with(&self.options).await?,
            };
            statement.execute(&mut connection).await?;
            Ok::<_, sqlx::Error>(connection)
        };
        *idle = Some(within(OPERATION_TIMEOUT, checked).await?);
        Ok(())
    }

    async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            // The server may have closed it.
            let _closed = connection.close().await;
        }
    }
}

async fn migrate(options: &PgConnectOptions) -> Result<()> {
    let migration = async {
        let mut connection =
            within(CONNECT_TIMEOUT, sqlx::PgConnection::connect_with(options)).await?;
        if let Some(version) = connection.server_version_num()
            && version < MINIMUM_VERSION
        {
            let text = format!("PostgreSQL {} is too old; expected 13 or later", version / 10_000);
            return Err(sqlx::Error::Configuration(text.into()));
        }
        sqlx::migrate!("migrations/postgres").run(&mut connection).await.map_err(|error| {
            match error {
                MigrateError::Execute(error) => error,
                error => sqlx::Error::Migrate(Box::new(error)),
            }
        })?;
        connection.close().await
    };
    Ok(within(MIGRATION_TIMEOUT, migration).await?)
}

/// Limits the time of a call.
async fn within<T, E: From<sqlx::Error>>(
    limit: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
        let text = format!("the database did not respond within {limit:?}");
        let error = std::io::Error::new(std::io::ErrorKind::TimedOut, text);
        Err(sqlx::Error::Io(error).into())
    })
}

/// Replaces NUL characters, which PostgreSQL cannot store in a text.
fn text(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

/// The text of a JSON value. A parameter of sqlx's would be `jsonb`, which rejects "\u0000".
fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()).into())
}

//! Liveness of processes: a process holds an advisory lock of PostgreSQL on its id in a session of
//! its own. The server releases it as soon as the connection of a killed process is closed. The
//! lease is the second criterion: that of a frozen process expires, although its session is alive.

use super::{OpenError, RETRY, TIMEOUT, open_error};
use crate::engine::{Engine, Inner};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use std::collections::HashSet;
use std::str::FromStr as _;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Time between two checks of the other processes.
const INTERVAL: Duration = Duration::from_millis(250);
/// Time after the connection in which no process is regarded as ended: after a restart of the
/// server, all processes connect again.
const GRACE: Duration = Duration::from_secs(2);

const LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
/// The processes without a lock. The locks of this statement end with it.
const WITHOUT_LOCK: &str = "SELECT id FROM unnest($1::text[]) AS id \
    WHERE pg_try_advisory_xact_lock(hashtextextended(id, 0))";

/// Takes the lock of this process, and keeps it in a task that takes over the runs of processes
/// without one.
pub(super) async fn hold(url: &str, engine: &Engine) -> Result<JoinHandle<()>, OpenError> {
    // The server closes the session of a machine that is gone after 11 s, not after two hours.
    let options = PgConnectOptions::from_str(url).map_err(open_error)?.options([
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
    ]);
    let options = options.application_name("orchestrator liveness").disable_statement_logging();
    let owner = engine.inner.owner.id.clone();
    let session = connect(&options, &owner).await.map_err(open_error)?;
    Ok(tokio::spawn(keep(options, session, owner, Arc::downgrade(&engine.inner))))
}

async fn connect(options: &PgConnectOptions, owner: &str) -> Result<PgConnection, String> {
    let connect = async {
        let mut session = options.connect().await?;
        let locked: bool = sqlx::query_scalar(LOCK).bind(owner).fetch_one(&mut session).await?;
        Ok::<_, sqlx::Error>((session, locked))
    };
    match tokio::time::timeout(TIMEOUT, connect).await {
        Ok(Ok((session, true))) => Ok(session),
        // The server has not closed the previous session yet: it still holds the lock.
        Ok(Ok((_, false))) => Err("the lock of this process is held by another session".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    }
}

async fn keep(
    options: PgConnectOptions,
    mut session: PgConnection,
    owner: String,
    engine: Weak<Inner>,
) {
    loop {
        let Err(error) = watch(session, &owner, &engine).await else { return };
        tracing::warn!(error, "the session with the lock of this process is lost");
        session = loop {
            match connect(&options, &owner).await {
                Ok(session) => break session,
                Err(error) => {
                    tracing::warn!(error, "cannot take the lock of this process, retrying");
                    tokio::time::sleep(RETRY).await;
                }
            }
        };
    }
}

/// Takes over the runs of processes without a lock, until the session fails or the engine is gone.
async fn watch(mut session: PgConnection, owner: &str, engine: &Weak<Inner>) -> Result<(), String> {
    let since = Instant::now();
    let mut suspects = HashSet::new();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(engine) = engine.upgrade().map(|inner| Engine { inner }) else { return Ok(()) };
        let leases = match engine.inner.store.leases().await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::warn!(%error, "cannot read the leases");
                continue;
            }
        };
        let others = leases.into_iter().map(|lease| lease.owner).filter(|other| other != owner);
        let others: Vec<String> = others.collect();
        let probe = sqlx::query_scalar(WITHOUT_LOCK).bind(&others).fetch_all(&mut session);
        let unlocked: Vec<String> = match tokio::time::timeout(TIMEOUT, probe).await {
            Ok(unlocked) => unlocked.map_err(|error| error.to_string())?,
            Err(_) => return Err(format!("no answer within {} s", TIMEOUT.as_secs())),
        };
        // Twice in a row: a process whose session was closed connects again at once.
        let ended: Vec<_> = unlocked.iter().filter(|id| suspects.contains(*id)).cloned().collect();
        suspects = unlocked.into_iter().collect();
        if ended.is_empty() || since.elapsed() < GRACE || engine.is_draining() {
            continue;
        }
        tracing::warn!(processes = ended.len(), "taking over the runs of processes that ended");
        let recovered = match engine.inner.store.expire_leases(&ended).await {
            Ok(()) => engine.recover().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = recovered {
            tracing::warn!(error, "cannot take over the runs of a process that ended");
        }
    }
}

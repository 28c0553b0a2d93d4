//! The server process: start, serving, shutdown.
//!
//! Settings, ports and the database are checked before any run is executed: a second server whose
//! port is in use must not recover the runs of the first.

pub mod args;
mod banner;
mod database;
mod durability;
mod live;

use crate::agents::Registry;
use crate::agents::builtin::builtin_agents;
use crate::api::{self, AppState};
use crate::domain::Workflow;
use crate::engine::{Durability, Engine, Options};
use crate::security::{AllowedHosts, Secrets, check_bind};
use crate::seed::{self, SeedError};
use crate::store::{Page, Store};
use crate::terminal::{Exit, Problem, print_line};
use args::ServeArgs;
use axum::Router;
use database::Database;
use hub_otel::{Exporter, Signal, Telemetry, TelemetryBuilder};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

/// Time in which a repeated signal is the same one.
const SIGNAL_DEBOUNCE: Duration = Duration::from_millis(300);
/// Maximum time for the head of a request, and for an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time without progress in which a client must read its response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time for responses after the last run.
const RESPONSE_GRACE: Duration = Duration::from_secs(2);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// The server could not start, or not shut down cleanly.
pub fn main(args: &ServeArgs) -> Result<Exit, Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(args));
    // Does not wait for scans in blocking threads: their runs were handed back.
    runtime.shutdown_background();
    result.map(|()| Exit::Success)
}

async fn serve(args: &ServeArgs) -> Result<(), Problem> {
    let secrets = Secrets::from_environment().map_err(Problem::usage)?;
    check_bind(args.bind, args.webhook_bind, &secrets).map_err(Problem::usage)?;
    let agents = builtin_agents(&args.agent_settings(), &secrets).map_err(Problem::usage)?;
    let database = Database::new(args, &secrets)?;
    let durability = durability::choose(args, &database)?;
    // Reports wrong settings before the ports and the database are opened.
    let telemetry = telemetry_builder(args, &secrets);
    let config = telemetry.config().map_err(Problem::usage)?;
    if args.print_config {
        config.to_string().lines().for_each(print_line);
        return Ok(());
    }
    // The first poll installs the handlers, so that a signal during the start is a clean shutdown.
    let mut signal = pin!(hub_otel::shutdown_signal());
    tokio::select! {
        biased;
        () = signal.as_mut() => return Ok(()),
        () = std::future::ready(()) => {}
    }
    let ready = prepare(args, database, agents).await?;
    let telemetry = telemetry.install().map_err(|error| {
        if error.kind() == hub_otel::InitErrorKind::InvalidSettings {
            Problem::usage(error)
        } else {
            error.into()
        }
    })?;
    let result = run(args, secrets, ready, durability, &telemetry, signal).await;
    // Last, so that the telemetry of the shutdown is exported.
    let report = telemetry.shutdown().await;
    if report.lost() > 0 {
        tracing::debug!(lost = report.lost(), "telemetry was lost");
    }
    result
}

fn telemetry_builder(args: &ServeArgs, secrets: &Secrets) -> TelemetryBuilder {
    let builder = hub_otel::Telemetry::builder()
        .default_service_name("orchestration-service")
        .default_service_version(env!("CARGO_PKG_VERSION"))
        .default_service_namespace("commandcenter-hub")
        // `localhost` is permitted anyway: the list applies on every address.
        .metrics_hosts(args.allowed_host.iter().map(String::as_str).chain(["localhost"]));
    let builder = durability::filter_spans(live::configure(builder, args, secrets), args);
    if args.console {
        return builder.exporters(Signal::Traces, [Exporter::Otlp, Exporter::Console]);
    }
    builder
}

/// Parts that are opened before telemetry is installed: the start is not traced.
struct Ready {
    listener: TcpListener,
    webhook: Option<TcpListener>,
    database: Database,
    store: Arc<dyn Store>,
    agents: Registry,
    workflows: Vec<Workflow>,
}

async fn prepare(args: &ServeArgs, database: Database, agents: Registry) -> Result<Ready, Problem> {
    let listener = bind(args.bind, "--bind").await?;
    let webhook = match args.webhook_bind {
        Some(address) => Some(bind(address, "--webhook-bind").await?),
        None => None,
    };
    let store = database.open().await?;
    let seeded = seed::insert_seeds(store.as_ref(), &agents).await;
    seeded.map_err(|error| match error {
        SeedError::Store(error) => database.unusable(&error),
        error => Problem::failure(error.to_string()),
    })?;
    let workflows = all_workflows(store.as_ref()).await;
    let workflows = workflows.map_err(|error| database.unusable(&error))?;
    Ok(Ready { listener, webhook, database, store, agents, workflows })
}

async fn all_workflows(store: &dyn Store) -> crate::store::Result<Vec<Workflow>> {
    let (mut workflows, mut after) = (Vec::new(), None);
    loop {
        let page = store.workflows(Page { limit: 1000, after }).await?;
        workflows.extend(page.entries);
        after = page.next;
        if after.is_none() {
            return Ok(workflows);
        }
    }
}

async fn run(
    args: &ServeArgs,
    secrets: Secrets,
    ready: Ready,
    durability: Durability,
    telemetry: &Telemetry,
    signal: Pin<&mut impl Future<Output = ()>>,
) -> Result<(), Problem> {
    let Ready { listener, webhook, database, store, agents, workflows } = ready;
    let address = listener.local_addr()?;
    let options = Options {
        approval_timeout: args.approval_timeout,
        max_runs: args.max_runs,
        lease: args.lease,
        durability,
        ..Options::default()
    };
    let engine = Engine::new(Arc::clone(&store), agents, options);
    engine.open().await?;
    engine.declare_telemetry(telemetry, &workflows);
    let state = AppState {
        engine: engine.clone(),
        secrets: Arc::new(secrets),
        hosts: AllowedHosts::new(&args.allowed_host),
        signature_time: args.signature_time(),
        service: telemetry.config().service_name().into(),
        started: Instant::now(),
    };
    let (stop, stopped) = watch::channel(false);
    let serve = |listener, router| {
        tokio::spawn(listen(listener, router, args.max_connections, stopped.clone()))
    };
    live::register(telemetry, &engine, address);
    let router =
        api::router(state.clone(), address).merge(live::router(telemetry, stopped.clone()));
    let mut servers = vec![serve(listener, router)];
    let webhook_address = webhook.as_ref().and_then(|listener| listener.local_addr().ok());
    if let (Some(listener), Some(address)) = (webhook, webhook_address) {
        servers.push(serve(listener, api::webhook_router(&state, address)));
    }
    let (resumed, crashed) = engine.recover().await?;
    let timers = [
        tokio::spawn(engine.clone().watch_expiry()),
        tokio::spawn(engine.clone().keep_lease()),
        tokio::spawn(engine.clone().keep_retention(args.retention)),
    ];
    let addresses = (address, webhook_address);
    banner::print(addresses, database.name(), telemetry, (resumed, crashed)).await;

    signal.await;
    tracing::info!(runs = engine.in_flight(), "shutting down, a second signal stops immediately");
    let shutdown = async {
        engine.drain(args.drain_timeout).await;
        timers.iter().for_each(tokio::task::JoinHandle::abort);
        // The API serves until here, so that clients receive 503.
        stop.send_replace(true);
        drop(tokio::time::timeout(RESPONSE_GRACE, futures_util::future::join_all(servers)).await);
        store.close().await;
    };
    tokio::select! {
        () = shutdown => Ok(()),
        () = second_signal() => Err(Problem::failure("stopped by a second signal".to_owned())),
    }
}

/// Waits for a second signal. Some parent processes send one signal twice (`timeout` does).
async fn second_signal() {
    tokio::time::sleep(SIGNAL_DEBOUNCE).await;
    hub_otel::shutdown_signal().await;
}

async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, Problem> {
    TcpListener::bind(address).await.map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "; the port is in use: stop the other server or choose another port"
            }
            _ => "",
        };
        Problem::failure(format!("{flag} {address}: {error}{remedy}"))
    })
}

/// Serves until `stopped`, then until the last response. `axum::serve` sets no timer in hyper and
/// no limit: a missing request head, or a client that does not read, would hold its connection and
/// the response forever.
async fn listen(
    mut listener: TcpListener,
    router: Router,
    max_connections: usize,
    mut stopped: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(max_connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let connections = GracefulShutdown::new();
    loop {
        let accept = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            // axum's accept waits and retries if no file descriptors are left.
            (axum::serve::Listener::accept(&mut listener).await.0, slot)
        };
        let (stream, slot) = tokio::select! {
            accepted = accept => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        let stream = TokioIo::new(Box::pin(stream));
        let service = TowerToHyperService::new(router.clone());
        let connection = connections.watch(http.serve_connection(stream, service));
        tokio::spawn(async move {
            // Errors of a connection are the client's.
            drop(connection.await);
            drop(slot);
        });
    }
    drop(listener);
    connections.shutdown().await;
}

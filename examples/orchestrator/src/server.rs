//! A process that serves: from the configuration to the last span, in the order in which things may fail.
//!
//! Nothing is executed before everything that can be wrong is known to be right: a second server on a port that is
//! taken must not take up the runs of the first.

mod banner;

use crate::agents::{Registry, standard};
use crate::api::{self, AppState};
use crate::cli::serve::Serve;
use crate::cli::{Exit, Problem, out};
use crate::domain::Workflow;
use crate::engine::{Engine, Options};
use crate::security::{Secrets, check_bind};
use crate::seed;
use crate::store::sqlite::SqliteStore;
use crate::store::{Page, Store, WorkflowStore as _};
use axum::Router;
use hub_otel::{Exporter, Signal, Telemetry, TelemetryBuilder};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A signal that follows another this soon is the same one.
const ECHO: Duration = Duration::from_millis(300);
/// How long a request's head may take to arrive, and a connection may be silent.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// Answers that are under way may take so much longer than the last run.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Serves until a signal says stop.
///
/// # Errors
/// Why it did not start, or not end in order.
pub fn main(settings: &Serve) -> Result<Exit, Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(serve(settings));
    // A scan in its own thread need not be waited for: its run was handed back.
    runtime.shutdown_background();
    ended.map(|()| Exit::Success)
}

async fn serve(settings: &Serve) -> Result<(), Problem> {
    let secrets = Secrets::from_environment().map_err(Problem::usage)?;
    check_bind(settings.bind, settings.webhook_bind, &secrets).map_err(Problem::usage)?;
    let agents = standard(&settings.agent_settings(), &secrets).map_err(Problem::usage)?;
    if settings.db.contains("://") {
        let (kind, _) = settings.db.split_once("://").unwrap_or_default();
        return Err(Problem::usage_text(format!(
            "--db {kind}://… is not supported yet; give a file, or `:memory:`"
        )));
    }
    // A wrong setting is to be known before anything is touched.
    let telemetry = telemetry(settings);
    let config = telemetry.config().map_err(Problem::usage)?;
    if settings.print_config {
        out::line(config.to_string().trim_end());
        return Ok(());
    }
    // The handlers stand from the first poll on: a signal during the start is an orderly end, too.
    let mut signal = pin!(hub_otel::shutdown_signal());
    tokio::select! {
        biased;
        () = signal.as_mut() => return Ok(()),
        () = std::future::ready(()) => {}
    }
    let ready = prepare(settings, agents).await?;
    let telemetry = telemetry.install().map_err(|error| {
        if error.kind() == hub_otel::InitErrorKind::InvalidSettings {
            Problem::usage(error)
        } else {
            error.into()
        }
    })?;
    let result = run(settings, secrets, ready, &telemetry, signal).await;
    // Flushed last: everything before this may still say something.
    let report = telemetry.shutdown().await;
    if report.lost() > 0 {
        tracing::debug!(lost = report.lost(), "telemetry that was not delivered");
    }
    result
}

fn telemetry(settings: &Serve) -> TelemetryBuilder {
    let builder = hub_otel::Telemetry::builder()
        .default_service_name("orchestration-service")
        .default_service_version(env!("CARGO_PKG_VERSION"))
        .default_service_namespace("commandcenter-hub");
    if settings.console {
        return builder.exporters(Signal::Traces, [Exporter::Otlp, Exporter::Console]);
    }
    builder
}

/// What is ready before the first span: start-up itself is nobody's request.
struct Ready {
    listener: TcpListener,
    webhook: Option<TcpListener>,
    store: Arc<dyn Store>,
    agents: Registry,
    workflows: Vec<Workflow>,
}

async fn prepare(settings: &Serve, agents: Registry) -> Result<Ready, Problem> {
    let listener = bind(settings.bind, "--bind").await?;
    let webhook = match settings.webhook_bind {
        Some(address) => Some(bind(address, "--webhook-bind").await?),
        None => None,
    };
    let unusable = |error: &dyn Error| {
        Problem::failure(format!("--db {}: {error}; is it a writable file?", settings.db))
    };
    let store = SqliteStore::open(&settings.db).await.map_err(|error| unusable(&error))?;
    seed::plant(&store, &agents).await.map_err(|error| unusable(&error))?;
    let all = Page { limit: 1000, offset: 0 };
    let workflows = store.workflows(all).await.map_err(|error| unusable(&error))?;
    Ok(Ready { listener, webhook, store: Arc::new(store), agents, workflows })
}

async fn run(
    settings: &Serve,
    secrets: Secrets,
    ready: Ready,
    telemetry: &Telemetry,
    signal: Pin<&mut impl Future<Output = ()>>,
) -> Result<(), Problem> {
    let Ready { listener, webhook, store, agents, workflows } = ready;
    let address = listener.local_addr()?;
    let options = Options {
        approval_timeout: settings.approval_timeout,
        max_runs: settings.max_runs,
        ..Options::default()
    };
    let engine = Engine::new(Arc::clone(&store), agents, options);
    engine.announce(telemetry, &workflows);
    let state = AppState {
        engine: engine.clone(),
        secrets: Arc::new(secrets),
        service: telemetry.config().service_name().into(),
        started: Instant::now(),
    };
    let (stop, stopped) = watch::channel(false);
    let mut servers =
        vec![tokio::spawn(listen(listener, api::router(state.clone(), address), stopped.clone()))];
    let webhook_address = webhook.as_ref().and_then(|listener| listener.local_addr().ok());
    if let (Some(listener), Some(address)) = (webhook, webhook_address) {
        servers.push(tokio::spawn(listen(listener, api::webhook_router(&state, address), stopped)));
    }
    let (resumed, crashed) = engine.recover().await?;
    let clock = tokio::spawn(engine.clone().watch_expiry());
    banner::print(settings, address, webhook_address, telemetry, (resumed, crashed)).await;

    signal.await;
    tracing::info!(runs = engine.in_flight(), "shutting down; a second signal stops at once");
    let orderly = async {
        engine.drain(settings.drain_timeout).await;
        clock.abort();
        // The API answered until here, so that whoever asks hears 503 and not nothing.
        stop.send_replace(true);
        drop(tokio::time::timeout(LAST_ANSWERS, futures_util::future::join_all(servers)).await);
        store.close().await;
    };
    tokio::select! {
        () = orderly => Ok(()),
        () = second_signal() => Err(Problem::failure("stopped by a second signal".to_owned())),
    }
}

/// Waits for somebody who is in a hurry. What starts this process may pass one signal on twice (`timeout` does).
async fn second_signal() {
    tokio::time::sleep(ECHO).await;
    hub_otel::shutdown_signal().await;
}

async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, Problem> {
    TcpListener::bind(address).await.map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "; another server has it: stop that one, or choose another port"
            }
            _ => "",
        };
        Problem::failure(format!("{flag} {address}: {error}{remedy}"))
    })
}

/// Serves until told to stop, then until the last answer. `axum::serve` sets hyper no timer: a head that trickles, or
/// never comes, would hold its connection for ever.
async fn listen(mut listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    let connections = GracefulShutdown::new();
    loop {
        // axum's accept waits a moment where there are no file descriptors left.
        let (stream, _) = tokio::select! {
            accepted = axum::serve::Listener::accept(&mut listener) => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
        // How a connection ended is its client's affair.
        tokio::spawn(async move { drop(connection.await) });
    }
    drop(listener);
    connections.shutdown().await;
}

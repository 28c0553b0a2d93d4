//! What a newcomer needs to know, on stderr, once the server answers.

use crate::cli::serve::Serve;
use hub_otel::{Signal, Telemetry};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

/// A Collector that takes longer than this to accept a connection counts as silent.
const PATIENCE: Duration = Duration::from_millis(300);

pub(super) async fn print(
    settings: &Serve,
    api: SocketAddr,
    webhook: Option<SocketAddr>,
    telemetry: &Telemetry,
    (resumed, crashed): (usize, usize),
) {
    let mut text = format!("orchestrator {}\n", env!("CARGO_PKG_VERSION"));
    let mut line = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    line("API", format!("http://{api}   (/health, /api/workflows, /openapi.json)"));
    if let Some(webhook) = webhook {
        line("webhook", format!("http://{webhook}/api/webhooks/grafana"));
    }
    match telemetry.metrics_addr() {
        Some(address) => line("metrics", format!("http://{address}/metrics")),
        None => line("metrics", "not served".to_owned()),
    }
    line("database", settings.db.clone());
    match telemetry.config().collector(Signal::Traces) {
        Some(url) if answers(&url).await => line("collector", format!("{url} answers")),
        Some(url) => line(
            "collector",
            format!("{url} does not answer; traces and logs wait for it, up to a limit"),
        ),
        None => line("collector", "none: traces are not sent anywhere".to_owned()),
    }
    if resumed + crashed > 0 {
        line(
            "recovered",
            format!("{resumed} runs taken up again, {crashed} given up as crash loops"),
        );
    }
    line("try", format!("curl -X POST http://{api}/api/workflows/scan-and-notify/trigger"));
    // A closed stderr is no reason to stop serving.
    drop(std::io::stderr().write_all(text.as_bytes()));
}

async fn answers(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return false;
    };
    let host = host.trim_matches(['[', ']']);
    let connect = tokio::net::TcpStream::connect((host, port));
    matches!(tokio::time::timeout(PATIENCE, connect).await, Ok(Ok(_)))
}

//! Addresses and a first command, on stderr, after the start.

use hub_otel::{Signal, Telemetry};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

/// Maximum time for the Collector to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);

pub(super) async fn print(
    (api, webhook): (SocketAddr, Option<SocketAddr>),
    database: &str,
    telemetry: &Telemetry,
    (resumed, crashed): (usize, usize),
) {
    let mut text = format!("orchestrator {}\n", env!("CARGO_PKG_VERSION"));
    let mut line = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    line("live view", format!("http://{api}/{}", telemetry.live_token_query()));
    line("API", format!("http://{api}   (/health, /api/workflows, /openapi.json)"));
    if let Some(webhook) = webhook {
        line("webhook", format!("http://{webhook}/api/webhooks/grafana"));
    }
    match telemetry.metrics_addr() {
        Some(address) => line("metrics", format!("http://{address}/metrics")),
        None => line("metrics", "not served".to_owned()),
    }
    line("database", database.to_owned());
    match telemetry.config().collector(Signal::Traces) {
        Some(url) if is_reachable(&url).await => line("collector", format!("{url} (reachable)")),
        Some(url) => line(
            "collector",
            format!("{url} (unreachable; traces and logs are queued up to a limit)"),
        ),
        None => line("collector", "none: traces are not exported".to_owned()),
    }
    if resumed + crashed > 0 {
        line("recovered", format!("{resumed} runs continued, {crashed} failed as crash loops"));
    }
    line("try", format!("curl -X POST http://{api}/api/workflows/scan-and-notify/trigger"));
    // A closed stderr does not stop the server.
    drop(std::io::stderr().write_all(text.as_bytes()));
}

async fn is_reachable(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return false;
    };
    let host = host.trim_matches(['[', ']']);
    let connect = tokio::net::TcpStream::connect((host, port));
    matches!(tokio::time::timeout(CONNECT_TIMEOUT, connect).await, Ok(Ok(_)))
}

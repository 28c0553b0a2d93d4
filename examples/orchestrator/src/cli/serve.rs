//! `orchestrator serve`: what the server is started with.

use crate::agents::Settings;
use crate::agents::notifier::destination::Allowed;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Starts the server.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Where the API listens. Beyond loopback it needs HUB_API_TOKEN.
    #[arg(long, env = "HUB_BIND", value_name = "ADDR", default_value = "127.0.0.1:9002")]
    pub bind: SocketAddr,
    /// A second listener with nothing but the webhook. Needs HUB_WEBHOOK_TOKEN or HUB_WEBHOOK_HMAC_SECRET.
    #[arg(long, env = "HUB_WEBHOOK_BIND", value_name = "ADDR")]
    pub webhook_bind: Option<SocketAddr>,
    /// The database: a file, or `:memory:`.
    #[arg(long, env = "HUB_DB", value_name = "FILE", default_value = "orchestrator.db")]
    pub db: String,
    /// Prints every finished trace as a tree on stderr, beside OTLP.
    #[arg(long, env = "HUB_CONSOLE", num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    #[arg(require_equals = true, hide_possible_values = true, hide_default_value = true)]
    pub console: bool,
    /// How long running runs may go on after SIGTERM before they are handed back to the next start.
    #[arg(long, env = "HUB_DRAIN_TIMEOUT", value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub drain_timeout: Duration,
    /// How long an approval may wait for its answer.
    #[arg(long, env = "HUB_APPROVAL_TIMEOUT", value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub approval_timeout: Duration,
    /// Past this many runs at once a trigger is answered 503.
    #[arg(long, env = "HUB_MAX_RUNS", value_name = "N", default_value_t = 20_000)]
    pub max_runs: usize,
    /// The folder that the scanner looks into and the patcher changes: nothing outside of it.
    #[arg(long, env = "HUB_SCAN_ROOT", value_name = "DIR", default_value = ".")]
    pub scan_root: PathBuf,
    /// A host beside Slack's and Discord's own that the notifier may deliver to, as `host` or `host:port`.
    #[arg(long, env = "HUB_NOTIFY_ALLOW_HOST", value_name = "HOST", value_delimiter = ',')]
    pub notify_allow_host: Vec<String>,
    /// Lets the allow-listed hosts be private addresses, without TLS: for a relay in one's own network.
    #[arg(long, env = "HUB_NOTIFY_ALLOW_PRIVATE", num_args = 0..=1, default_missing_value = "true")]
    #[arg(
        default_value = "false",
        require_equals = true,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub notify_allow_private: bool,
    /// Reads flags from a TOML file; its keys are the flags' names.
    #[arg(long, env = "HUB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Prints the settings of telemetry, each with where it came from, and ends. Secrets do not show.
    #[arg(long, env = "HUB_PRINT_CONFIG", num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    #[arg(require_equals = true, hide_possible_values = true, hide_default_value = true)]
    pub print_config: bool,
}

impl Serve {
    /// What the agents need to know.
    pub fn agent_settings(&self) -> Settings {
        let notify =
            Allowed { hosts: self.notify_allow_host.clone(), private: self.notify_allow_private };
        Settings { scan_root: self.scan_root.clone(), notify }
    }
}

/// `500ms`, `20s`, `30m`, `24h`; a plain number is seconds.
///
/// # Errors
/// What would be understood.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("`{unit}` is no unit; write e.g. `500ms`, `20s`, `30m` or `24h`")),
    };
    let number: u64 =
        number.parse().map_err(|_| "write e.g. `500ms`, `20s`, `30m` or `24h`".to_owned())?;
    number.checked_mul(factor).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        assert!(
            duration("soon").is_err() && duration("1 day").is_err() && duration("-1s").is_err()
        );
    }
}

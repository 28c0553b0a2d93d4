//! Arguments of `orchestrator serve`.

use crate::agents::builtin::AgentSettings;
use crate::agents::notifier::destination::Allowed;
use crate::clock::parse_duration;
use crate::security::Secret;
use crate::webhook::auth::SignatureTime;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Starts the server.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Address of the API. Beyond loopback it requires HUB_API_TOKEN.
    #[arg(long, env = "HUB_BIND", value_name = "ADDR", default_value = "127.0.0.1:9002")]
    pub bind: SocketAddr,
    /// Address of a second listener with only the webhook. Requires HUB_WEBHOOK_TOKEN or
    /// HUB_WEBHOOK_HMAC_SECRET.
    #[arg(long, env = "HUB_WEBHOOK_BIND", value_name = "ADDR")]
    pub webhook_bind: Option<SocketAddr>,
    /// Further host name by which the API, the webhook and the metrics may be requested. Names of
    /// loopback and IP addresses are always permitted; `*` permits every name.
    #[arg(long, env = "HUB_ALLOWED_HOST", value_name = "HOST", value_delimiter = ',')]
    pub allowed_host: Vec<String>,
    /// Maximum number of connections of each listener. Further ones wait.
    #[arg(long, env = "HUB_MAX_CONNECTIONS", value_name = "N", default_value_t = 512)]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub max_connections: usize,
    /// Database file, or `:memory:`. Defaults to `orchestrator.db`.
    #[arg(long, env = "HUB_DB", value_name = "FILE")]
    pub db: Option<String>,
    /// PostgreSQL database instead of a file, which several servers on several machines can share:
    /// `postgres://user:password@host:port/database`. With `?sslmode=verify-full` the connection is
    /// encrypted and the server authenticated. HUB_DATABASE_URL_FILE names a file with the URL.
    #[arg(long, env = "HUB_DATABASE_URL", value_name = "URL", conflicts_with = "db")]
    #[arg(hide_env_values = true, hide_default_value = true)]
    pub database_url: Option<Secret>,
    /// Engine that executes the runs. `leases`: every process executes the runs that it accepted,
    /// and takes over those of ended processes. `dbos`: DBOS distributes the runs to all processes
    /// on one PostgreSQL; requires --database-url and a build with the feature `dbos`.
    #[arg(long, env = "HUB_ENGINE", value_name = "ENGINE", default_value = "leases")]
    pub engine: EngineName,
    /// Maximum number of runs that a process executes at a time with `--engine dbos`. Further runs
    /// wait for a slot of any process. The value of the process that started last applies to all.
    #[arg(long, env = "HUB_SLOTS", value_name = "N", default_value_t = 200)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub slots: u32,
    /// Time between two polls of the queue with `--engine dbos`. Half of it is the median time
    /// until an idle process starts a run.
    #[arg(long, env = "HUB_POLL", value_name = "TIME", default_value = "100ms", value_parser = parse_poll)]
    pub poll: Duration,
    /// Filter of the exported spans, to which `--engine dbos` adds a directive.
    #[arg(long, env = "OTEL_HUB_SPAN_FILTER", default_value = "info", hide = true)]
    pub span_filter: String,
    /// Prints every finished trace as a tree on stderr, in addition to OTLP.
    #[arg(long, env = "HUB_CONSOLE", num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    #[arg(require_equals = true, hide_possible_values = true, hide_default_value = true)]
    pub console: bool,
    /// Maximum time for runs in flight after SIGTERM. Then they are handed back and continue at the
    /// next start.
    #[arg(long, env = "HUB_DRAIN_TIMEOUT", value_name = "TIME", default_value = "20s", value_parser = parse_duration)]
    pub drain_timeout: Duration,
    /// Time until an approval expires.
    #[arg(long, env = "HUB_APPROVAL_TIMEOUT", value_name = "TIME", default_value = "24h", value_parser = parse_duration)]
    pub approval_timeout: Duration,
    /// Maximum number of runs in flight. Further triggers are rejected with 503.
    #[arg(long, env = "HUB_MAX_RUNS", value_name = "N", default_value_t = 20_000)]
    pub max_runs: usize,
    /// Time from the last renewal of this server's lease until another server on the same database
    /// takes over its runs. Also the time after a crash until the next start continues them.
    #[arg(long, env = "HUB_LEASE", value_name = "TIME", default_value = "10s", value_parser = parse_lease)]
    pub lease: Duration,
    /// Time after which ended runs and old incidents are deleted. `0` keeps them.
    #[arg(long, env = "HUB_RETENTION", value_name = "TIME", default_value = "90d", value_parser = parse_duration)]
    pub retention: Duration,
    /// Requires that an HMAC signature of the webhook covers a time stamp. Without one, a recorded
    /// request can be sent again at any time.
    #[arg(long, env = "HUB_WEBHOOK_REQUIRE_TIMESTAMP", num_args = 0..=1, default_missing_value = "true")]
    #[arg(
        default_value = "false",
        require_equals = true,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub webhook_require_timestamp: bool,
    /// Maximum difference between the time stamp of a signature and the clock of this server.
    #[arg(long, env = "HUB_WEBHOOK_TOLERANCE", value_name = "TIME", default_value = "300s", value_parser = parse_duration)]
    pub webhook_tolerance: Duration,
    /// Folder that the scanner reads and the patcher changes. Both access nothing outside of it.
    #[arg(long, env = "HUB_SCAN_ROOT", value_name = "DIR", default_value = ".")]
    pub scan_root: PathBuf,
    /// Further host that the notifier may deliver to, as `host` or `host:port`. Slack and Discord
    /// are always allowed.
    #[arg(long, env = "HUB_NOTIFY_ALLOW_HOST", value_name = "HOST", value_delimiter = ',')]
    pub notify_allow_host: Vec<String>,
    /// Permits private addresses and plain HTTP for the allow-listed hosts, for a relay in the
    /// local network.
    #[arg(long, env = "HUB_NOTIFY_ALLOW_PRIVATE", num_args = 0..=1, default_missing_value = "true")]
    #[arg(
        default_value = "false",
        require_equals = true,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub notify_allow_private: bool,
    /// Reads flags from a TOML file. Its keys are the names of the flags.
    #[arg(long, env = "HUB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Prints the telemetry settings with their sources, and exits. Secrets are redacted.
    #[arg(long, env = "HUB_PRINT_CONFIG", num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    #[arg(require_equals = true, hide_possible_values = true, hide_default_value = true)]
    pub print_config: bool,
}

/// Value of `--engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum EngineName {
    /// Leases in the database of the runs.
    Leases,
    /// DBOS on PostgreSQL.
    Dbos,
}

fn parse_poll(text: &str) -> Result<Duration, String> {
    let poll = parse_duration(text)?;
    if !(Duration::from_millis(10)..=Duration::from_secs(60)).contains(&poll) {
        return Err(format!("{text} is out of range; expected `10ms` to `60s`"));
    }
    Ok(poll)
}

fn parse_lease(text: &str) -> Result<Duration, String> {
    let lease = parse_duration(text)?;
    if lease < Duration::from_millis(100) {
        return Err(format!("a lease of {text} is too short; expected at least `100ms`"));
    }
    Ok(lease)
}

impl ServeArgs {
    /// Rules for time stamps of signatures.
    pub fn signature_time(&self) -> SignatureTime {
        let tolerance = i64::try_from(self.webhook_tolerance.as_secs()).unwrap_or(i64::MAX);
        SignatureTime { required: self.webhook_require_timestamp, tolerance }
    }

    /// Settings of the agents.
    pub fn agent_settings(&self) -> AgentSettings {
        let notify =
            Allowed { hosts: self.notify_allow_host.clone(), private: self.notify_allow_private };
        AgentSettings { scan_root: self.scan_root.clone(), notify }
    }
}

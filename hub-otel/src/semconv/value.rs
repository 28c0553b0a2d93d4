//! Closed values of other attributes and labels, one module per key.

/// Values of `workflow.trigger` that the library sets.
pub mod trigger {
    /// Default trigger of a workflow.
    pub const MANUAL: &str = "manual";
}

/// Values of `hub_otel.ended_by`.
pub mod ended_by {
    /// Telemetry was shut down while the unit was in progress.
    pub const SHUTDOWN: &str = "shutdown";
}

/// Values of `workflow.suspend.reason` that the library sets.
pub mod suspend_reason {
    /// The future was dropped, or telemetry was shut down, after
    /// [`suspend_on_drop`](crate::Current::suspend_on_drop).
    pub const DROPPED: &str = "dropped";
}

/// Values of the label `source` of a cost.
pub mod cost_source {
    /// By a price table, or by the price function of the application.
    pub const PRICED: &str = "priced";
    /// By the provider's response.
    pub const REPORTED: &str = "reported";
}

/// Values of `budget.limit`.
pub mod budget_limit {
    /// US dollars.
    pub const USD: &str = "usd";
    /// Input and output tokens.
    pub const TOKENS: &str = "tokens";
    /// Calls of models.
    pub const LLM_CALLS: &str = "llm_calls";
    /// Executions of tools.
    pub const TOOL_CALLS: &str = "tool_calls";
}

/// Values of the label `signal`.
pub mod signal {
    /// Spans.
    pub const TRACES: &str = "traces";
    /// Metric data points.
    pub const METRICS: &str = "metrics";
    /// Log records.
    pub const LOGS: &str = "logs";
}

/// Values of `cpu.mode` (semantic conventions, process metrics).
pub mod cpu_mode {
    /// Time in user mode.
    pub const USER: &str = "user";
    /// Time in the kernel.
    pub const SYSTEM: &str = "system";
}

/// Values of `db.client.connection.state` (semantic conventions, database metrics).
pub mod connection_state {
    /// In the pool, ready for use.
    pub const IDLE: &str = "idle";
    /// Acquired, or being opened.
    pub const USED: &str = "used";
}

/// Values of `db.system.name` (semantic conventions, database).
pub mod db_system {
    /// PostgreSQL.
    pub const POSTGRESQL: &str = "postgresql";
    /// MySQL.
    pub const MYSQL: &str = "mysql";
    /// SQLite.
    pub const SQLITE: &str = "sqlite";
    /// Any other database with SQL.
    pub const OTHER_SQL: &str = "other_sql";
}

/// Values of `http.request.method` (semantic conventions, HTTP spans). Any other method is
/// [`OTHER`](crate::semconv::error_type::OTHER), because a client must not be able to create
/// series.
pub mod http_method {
    /// Methods of RFC 9110, PATCH and QUERY, the most frequent ones first.
    pub const KNOWN: [&str; 10] =
        ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "QUERY", "CONNECT", "TRACE"];
}

//! Metrics of HTTP and database calls, by the semantic conventions.

use crate::semconv::metric::definition::{InstrumentKind, Metric, Stability};
use opentelemetry_semantic_conventions::attribute as s;
use opentelemetry_semantic_conventions::metric as m;

const HTTP_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Semantic conventions, HTTP metrics.
pub const HTTP_SERVER_REQUEST_DURATION: Metric = Metric {
    name: m::HTTP_SERVER_REQUEST_DURATION,
    kind: InstrumentKind::Histogram,
    unit: "s",
    description: "Duration of HTTP server requests.",
    labels: &[
        s::HTTP_REQUEST_METHOD,
        s::URL_SCHEME,
        s::HTTP_ROUTE,
        s::HTTP_RESPONSE_STATUS_CODE,
        s::ERROR_TYPE,
        s::NETWORK_PROTOCOL_VERSION,
    ],
    buckets: HTTP_BUCKETS,
    prometheus: "http_server_request_duration_seconds",
    stability: Stability::Stable,
};

/// Semantic conventions, HTTP metrics.
pub const HTTP_SERVER_ACTIVE_REQUESTS: Metric = Metric {
    name: m::HTTP_SERVER_ACTIVE_REQUESTS,
    kind: InstrumentKind::UpDownCounter,
    unit: "{request}",
    description: "Number of active HTTP server requests.",
    labels: &[s::HTTP_REQUEST_METHOD, s::URL_SCHEME],
    buckets: &[],
    prometheus: "http_server_active_requests",
    stability: Stability::Stable,
};

/// Semantic conventions, HTTP metrics.
pub const HTTP_CLIENT_REQUEST_DURATION: Metric = Metric {
    name: m::HTTP_CLIENT_REQUEST_DURATION,
    kind: InstrumentKind::Histogram,
    unit: "s",
    description: "Duration of HTTP client requests.",
    labels: &[
        s::HTTP_REQUEST_METHOD,
        s::SERVER_ADDRESS,
        s::SERVER_PORT,
        s::HTTP_RESPONSE_STATUS_CODE,
        s::ERROR_TYPE,
        s::NETWORK_PROTOCOL_VERSION,
    ],
    buckets: HTTP_BUCKETS,
    prometheus: "http_client_request_duration_seconds",
    stability: Stability::Stable,
};

/// Semantic conventions, database client metrics.
pub const DB_CLIENT_OPERATION_DURATION: Metric = Metric {
    name: m::DB_CLIENT_OPERATION_DURATION,
    kind: InstrumentKind::Histogram,
    unit: "s",
    description: "Duration of database client operations.",
    labels: &[
        s::DB_SYSTEM_NAME,
        s::DB_COLLECTION_NAME,
        s::DB_NAMESPACE,
        s::DB_OPERATION_NAME,
        s::DB_QUERY_SUMMARY,
        s::DB_RESPONSE_STATUS_CODE,
        s::ERROR_TYPE,
        s::SERVER_ADDRESS,
        s::SERVER_PORT,
    ],
    buckets: &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0],
    prometheus: "db_client_operation_duration_seconds",
    stability: Stability::Stable,
};

/// Semantic conventions, database client metrics.
pub const DB_CLIENT_CONNECTION_COUNT: Metric = Metric {
    name: m::DB_CLIENT_CONNECTION_COUNT,
    kind: InstrumentKind::UpDownCounter,
    unit: "{connection}",
    description: "Connections of a database pool, by state: idle, or used.",
    labels: &[s::DB_CLIENT_CONNECTION_POOL_NAME, s::DB_CLIENT_CONNECTION_STATE],
    buckets: &[],
    prometheus: "db_client_connection_count",
    stability: Stability::Stable,
};

/// Semantic conventions, database client metrics.
pub const DB_CLIENT_CONNECTION_MAX: Metric = Metric {
    name: m::DB_CLIENT_CONNECTION_MAX,
    kind: InstrumentKind::UpDownCounter,
    unit: "{connection}",
    description: "Maximum number of connections of a database pool.",
    labels: &[s::DB_CLIENT_CONNECTION_POOL_NAME],
    buckets: &[],
    prometheus: "db_client_connection_max",
    stability: Stability::Stable,
};

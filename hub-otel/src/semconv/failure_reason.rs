//! Reasons of failed items: values of the label `reason` of `hub_otel.export.items`.

/// The exporter panicked.
pub const PANIC: &str = "panic";
/// The items could not be encoded.
pub const ENCODING: &str = "encoding";
/// The request could not be compressed.
pub const COMPRESSION: &str = "compression";
/// The response was larger than the limit, before or after decompression.
pub const RESPONSE_TOO_LARGE: &str = "reply_too_large";
/// The responses had a status of success and were not OTLP.
pub const UNREADABLE_RESPONSE: &str = "reply_unreadable";
/// An exporter of the application did not return in time.
pub const TIMEOUT: &str = "timeout";
/// An exporter of the application returned an error.
pub const EXPORTER_ERROR: &str = "exporter_error";
/// An exporter of the application was shut down before.
pub const EXPORTER_SHUT_DOWN: &str = "exporter_shut_down";

/// Prefix of an HTTP status code: `http_400`.
pub const HTTP_PREFIX: &str = "http_";

/// Values for gRPC status codes, by the number of the code
/// (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
pub const GRPC: [&str; 17] = [
    "grpc_ok",
    "grpc_cancelled",
    "grpc_unknown",
    "grpc_invalid_argument",
    "grpc_deadline_exceeded",
    "grpc_not_found",
    "grpc_already_exists",
    "grpc_permission_denied",
    "grpc_resource_exhausted",
    "grpc_failed_precondition",
    "grpc_aborted",
    "grpc_out_of_range",
    "grpc_unimplemented",
    "grpc_internal",
    "grpc_unavailable",
    "grpc_data_loss",
    "grpc_unauthenticated",
];

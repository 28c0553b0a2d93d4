//! Export of one request with retries, until it is accepted, rejected, or dropped at shutdown.

use crate::config::signal::Signal;
use crate::export::diagnostics::Diagnostics;
use crate::export::protocol_hint::ProtocolHint;
use crate::export::queue::ExportOutcome;
use crate::export::runtime::ExportPhase;
use crate::export::transport::{ExportResponse, RetryCause, Transport};
use crate::semconv::{drop_reason, failure_reason};
use backon::BackoffBuilder;
use backon::ExponentialBuilder;
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio::time::timeout;

/// Shortest delay between two attempts.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
/// Longest delay between two attempts, unless the Collector requests one.
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// Longest honoured Retry-After. A batch with a longer one is dropped.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// Attempts of a batch whose responses are not OTLP. The batch may have been delivered: each
/// further attempt may deliver it again.
const MAX_UNREADABLE_RESPONSES: usize = 5;
/// Time limit of retries at shutdown for a Collector that was never reached.
const MAX_UNREACHABLE_AT_SHUTDOWN: Duration = Duration::from_secs(1);
/// The same if no process listens at the address. A short-lived program without a Collector would
/// wait for nothing.
const MAX_REFUSED_AT_SHUTDOWN: Duration = Duration::from_millis(100);

/// A test hook called before each attempt.
pub(crate) type BeforeExport = Arc<dyn Fn(Signal) + Send + Sync>;

/// The endpoints of one instance, by `host:port`.
pub(crate) type EndpointStates = BTreeMap<String, Arc<EndpointState>>;

/// Reachability of one Collector endpoint, shared by all signals sent to it.
#[derive(Debug, Default)]
pub(crate) struct EndpointState {
    was_reached: AtomicBool,
    has_accepted: AtomicBool,
    is_responding: AtomicBool,
    last_error: Mutex<String>,
}

impl EndpointState {
    /// Returns whether a connection was ever established.
    pub(crate) fn was_reached(&self) -> bool {
        self.was_reached.load(Relaxed)
    }

    /// Returns whether the last attempt had a response of OTLP.
    #[cfg_attr(not(feature = "live"), expect(dead_code, reason = "read by the live view"))]
    pub(crate) fn is_responding(&self) -> bool {
        self.is_responding.load(Relaxed)
    }

    /// Returns the innermost cause of the last connection error, in the operating system's words.
    /// Empty after a response.
    pub(crate) fn last_error(&self) -> String {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records an attempt with a response of OTLP.
    fn set_responding(&self) {
        self.was_reached.store(true, Relaxed);
        self.is_responding.store(true, Relaxed);
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Records an attempt without one.
    fn set_last_error(&self, message: &str) {
        let cause = message.rsplit(": ").next().unwrap_or(message).to_owned();
        self.is_responding.store(false, Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = cause;
    }
}

/// The exporter of one signal.
pub(crate) struct RetryingExporter {
    pub(crate) signal: Signal,
    pub(crate) transport: Transport,
    /// The endpoint's URL, for diagnostics.
    pub(crate) endpoint: String,
    /// The timeout of one attempt.
    pub(crate) attempt_timeout: Duration,
    pub(crate) phase: watch::Receiver<ExportPhase>,
    pub(crate) diagnostics: Arc<Diagnostics>,
    pub(crate) endpoint_state: Arc<EndpointState>,
    pub(crate) protocol_hint: ProtocolHint,
    pub(crate) before_export: Option<BeforeExport>,
}

impl RetryingExporter {
    /// Exports `body` and retries as the OTLP specification requires.
    ///
    /// <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response>,
    /// <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>
    pub(crate) async fn export(&self, body: Bytes) -> ExportOutcome {
        let mut backoff = ExponentialBuilder::default()
            .with_min_delay(MIN_BACKOFF)
            .with_max_delay(MAX_BACKOFF)
            .with_jitter()
            .without_max_times()
            .build();
        let mut unreadable = 0;
        loop {
            let (retry_after, cause) = match self.attempt(body.clone()).await {
                ExportResponse::Accepted { rejected, message } => {
                    self.endpoint_state.set_responding();
                    self.endpoint_state.has_accepted.store(true, Relaxed);
                    if rejected > 0 {
                        self.warn(
                            "rejected",
                            &format!("the Collector rejected {rejected} {}", self.signal.items()),
                            &message,
                        );
                    }
                    return ExportOutcome::Accepted { rejected };
                }
                ExportResponse::Rejected { reason } => {
                    self.endpoint_state.set_responding();
                    if self.protocol_hint.applies_to_refusal(&reason) {
                        self.log_protocol_hint();
                    }
                    self.warn(
                        &reason,
                        &format!("{} rejected a batch of {}", self.endpoint, self.signal.items()),
                        &reason,
                    );
                    return ExportOutcome::Failed(reason);
                }
                ExportResponse::Unreadable { detail } => {
                    unreadable += 1;
                    let detail = format!("the response is not OTLP: {detail}");
                    self.endpoint_state.set_last_error(&detail);
                    if unreadable >= MAX_UNREADABLE_RESPONSES {
                        self.set_reached();
                        self.warn(
                            failure_reason::UNREADABLE_RESPONSE,
                            &format!(
                                "{} did not confirm a batch of {} in {unreadable} attempts",
                                self.endpoint,
                                self.signal.items()
                            ),
                            &detail,
                        );
                        let reason = Cow::Borrowed(failure_reason::UNREADABLE_RESPONSE);
                        return ExportOutcome::Failed(reason);
                    }
                    (None, RetryCause::NoResponse(detail))
                }
                ExportResponse::Retryable { retry_after, cause } => (retry_after, cause),
            };
            if matches!(cause, RetryCause::Transient(_)) {
                self.endpoint_state.set_responding();
            }
            if retry_after.is_some_and(|delay| delay > MAX_RETRY_AFTER) {
                self.warn(
                    "retry-after",
                    &format!("{} requests a retry delay of more than a minute", self.endpoint),
                    "the batch is dropped",
                );
                return ExportOutcome::Dropped(drop_reason::RETRY_AFTER_TOO_LONG);
            }
            if !matches!(cause, RetryCause::Unreachable { .. }) {
                self.set_reached();
            }
            self.report(&cause);
            self.reload_certificates();
            if self.is_unreachable_at_shutdown(&cause) {
                return ExportOutcome::Dropped(drop_reason::NO_COLLECTOR);
            }
            let delay = match retry_after {
                // A date in the past gives zero, which would be a retry without delay.
                Some(delay) => delay.max(MIN_BACKOFF),
                None => backoff.next().unwrap_or(MAX_BACKOFF).min(MAX_BACKOFF),
            };
            // The begin of the shutdown ends a backoff, but not a delay that the Collector
            // requested.
            let mut phase = self.phase.clone();
            let is_running = *phase.borrow_and_update() == ExportPhase::Running;
            tokio::select! {
                () = sleep(delay) => {}
                _ = phase.changed(), if retry_after.is_none() && is_running => {}
            }
        }
    }

    async fn attempt(&self, body: Bytes) -> ExportResponse {
        if let Some(before_export) = &self.before_export {
            before_export(self.signal);
        }
        match timeout(self.attempt_timeout, self.transport.send(body)).await {
            Ok(response) => response,
            Err(_) => {
                self.transport.reconnect();
                ExportResponse::Retryable {
                    retry_after: None,
                    cause: RetryCause::NoResponse(format!(
                        "no response within {:?}",
                        self.attempt_timeout
                    )),
                }
            }
        }
    }

    fn set_reached(&self) {
        self.endpoint_state.was_reached.store(true, Relaxed);
    }

    /// Returns whether to stop retrying: at shutdown, a Collector that was never reached is retried
    /// for a second at most and not until the deadline.
    fn is_unreachable_at_shutdown(&self, cause: &RetryCause) -> bool {
        let ExportPhase::Draining { since, .. } = *self.phase.borrow() else { return false };
        let RetryCause::Unreachable { is_refused, .. } = cause else { return false };
        let limit = if *is_refused { MAX_REFUSED_AT_SHUTDOWN } else { MAX_UNREACHABLE_AT_SHUTDOWN };
        !self.endpoint_state.was_reached() && since.elapsed() >= limit
    }

    fn report(&self, cause: &RetryCause) {
        match cause {
            RetryCause::Unreachable { message: error, .. } => {
                self.endpoint_state.set_last_error(error);
                self.diagnostics.log_once(
                    &format!("unreachable {}", self.endpoint),
                    &format!(
                        "no Collector at {} ({error}); the program continues, telemetry is queued \
                         and retried",
                        self.endpoint
                    ),
                );
            }
            RetryCause::Transient(error)
            | RetryCause::NoResponse(error)
            | RetryCause::OtherProtocol(error) => {
                if !matches!(cause, RetryCause::Transient(_)) {
                    self.endpoint_state.set_last_error(error);
                }
                let is_other = matches!(cause, RetryCause::OtherProtocol(_));
                if is_other || self.protocol_hint.is_other_port {
                    self.log_protocol_hint();
                }
                self.warn(
                    "transient",
                    &format!("the export of {} to {} is retried", self.signal, self.endpoint),
                    error,
                );
            }
        }
    }

    /// Logs that protocol or port are probably wrong, unless the endpoint accepted a request.
    fn log_protocol_hint(&self) {
        if !self.endpoint_state.has_accepted.load(Relaxed) {
            let hint = &self.protocol_hint.message;
            self.diagnostics.log_once(&format!("protocol {hint}"), hint);
        }
    }

    /// Reads changed certificate files again: a rotated certificate is a failed connection.
    fn reload_certificates(&self) {
        match self.transport.reload_certificates() {
            Ok(false) => {}
            Ok(true) => self.diagnostics.log_throttled(
                &format!("certificates {}", self.endpoint),
                &format!("the certificate files for {} changed and are in use", self.endpoint),
            ),
            Err(error) => self.warn(
                "certificates",
                &format!("the certificate files for {} cannot be used", self.endpoint),
                &error,
            ),
        }
    }

    fn warn(&self, topic: &str, message: &str, detail: &str) {
        let detail: String = detail.chars().take(200).collect();
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        self.diagnostics
            .log_throttled(&format!("{} {topic}", self.signal), &format!("{message}{detail}"));
    }
}

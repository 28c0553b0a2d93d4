//! Texts and identifiers of errors: source chains, secrets in URLs, foreign types.

use anyhow::Context as _;
use hub_otel::testing::{Capture, Settings, capture};
use hub_otel::{ErrorType, TimedOut, instrument_agent, instrument_workflow};
use std::error::Error;
use std::fmt::{Display, Formatter, Result as Written};

/// An error with a cause.
#[derive(Debug, ErrorType)]
struct StepError(std::io::Error);

impl Display for StepError {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        f.write_str("step failed")
    }
}

impl Error for StepError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// The same without `ErrorType`.
#[derive(Debug)]
struct PlainError(StepError);

impl Display for PlainError {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        f.write_str("agent failed")
    }
}

impl Error for PlainError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn step() -> StepError {
    StepError(std::io::Error::other("disk on fire"))
}

/// Status description, `error.message` and `exception.message`, which are equal.
fn message(capture: &Capture) -> String {
    let spans = capture.spans();
    let span = spans.iter().next().unwrap();
    let message = span.events[0].attributes["exception.message"].to_string();
    assert_eq!(span.status, format!("Error: {message}"));
    message
}

macro_rules! messages {
    ($($error:expr => $error_of:ty, $message:literal;)*) => {$({
        #[instrument_agent(id = "a")]
        async fn annotated() -> Result<(), $error_of> {
            Err($error)
        }
        #[instrument_agent(id = "a")]
        fn synchronous() -> Result<(), $error_of> {
            Err($error)
        }
        {
            let capture = capture();
            assert!(annotated().await.is_err());
            assert_eq!(message(&capture), $message);
        }
        let capture = capture();
        assert!(synchronous().is_err());
        assert_eq!(message(&capture), $message);
    })*};
}

#[tokio::test]
async fn the_message_of_an_error_contains_its_causes() {
    messages! {
        step() => StepError, "step failed: disk on fire";
        PlainError(step()) => PlainError, "agent failed: step failed: disk on fire";
        Box::new(step()) => Box<StepError>, "step failed: disk on fire";
        step().into() => Box<dyn Error>, "step failed: disk on fire";
        step().into() => Box<dyn Error + Send + Sync>, "step failed: disk on fire";
        std::sync::Arc::new(step()) => std::sync::Arc<StepError>, "step failed: disk on fire";
        step().into() => anyhow::Error, "step failed: disk on fire";
        anyhow::Error::from(step()).context("run 7") => anyhow::Error, "run 7: step failed: disk on fire";
        std::io::Error::other(step()) => std::io::Error, "step failed: disk on fire";
        "no chain".to_owned() => String, "no chain";
    }
}

#[tokio::test]
async fn the_message_of_the_builder_contains_the_causes_too() {
    {
        let capture = capture();
        assert!(hub_otel::agent("a", "x").run(async { Err::<(), _>(step()) }).await.is_err());
        assert_eq!(message(&capture), "step failed: disk on fire");
    }
    {
        let capture = capture();
        let erased = async { Err::<(), Box<dyn Error>>(step().into()) };
        assert!(hub_otel::agent("a", "x").run(erased).await.is_err());
        assert_eq!(message(&capture), "step failed: disk on fire");
    }
    let capture = capture();
    let failing = async { Err::<(), _>(step()).context("run 7") };
    let by_type = |result: &Result<(), anyhow::Error>, unit: &mut hub_otel::Classification| {
        unit.by_error_type(result);
    };
    assert!(hub_otel::agent("a", "x").run_with(failing, by_type).await.is_err());
    assert_eq!(message(&capture), "run 7: step failed: disk on fire");
}

/// All captured telemetry, and the log records of its units, as text.
async fn recorded(work: impl Future<Output = ()>) -> String {
    use tracing_subscriber::fmt::MakeWriter;
    #[derive(Clone, Default)]
    struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    impl MakeWriter<'_> for Lines {
        type Writer = Self;
        fn make_writer(&self) -> Self {
            self.clone()
        }
    }
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let capture = Settings::new().exception_logs(true).capture();
    work.await;
    drop(guard);
    let logs = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logs.contains("exception"), "{logs}");
    format!("{:#?}\n{:#?}\n{logs}", capture.spans(), capture.metrics())
}

#[tokio::test]
async fn the_url_of_a_failed_request_is_recorded_nowhere() {
    async fn post() -> Result<(), reqwest::Error> {
        let url = "http://user:c4n4ry@127.0.0.1:1/services/T0/c4n4ry?key=c4n4ry#c4n4ry";
        hub_otel::http::Client::new().post(url).send().await?.error_for_status()?;
        Ok(())
    }
    #[instrument_workflow(id = "alert", run_id = "r")]
    async fn typed() -> Result<(), reqwest::Error> {
        notify().await
    }
    #[instrument_agent(id = "notifier")]
    async fn notify() -> Result<(), reqwest::Error> {
        post().await
    }
    #[instrument_agent(id = "b")]
    async fn erased() -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(post().await?)
    }
    #[instrument_agent(id = "c")]
    async fn context() -> anyhow::Result<()> {
        post().await.context("notify")
    }
    #[derive(Debug)]
    struct OnlyDebug(#[expect(dead_code, reason = "read by Debug")] reqwest::Error);
    #[instrument_agent(id = "d")]
    async fn debug() -> Result<(), OnlyDebug> {
        post().await.map_err(OnlyDebug)
    }
    #[instrument_agent(id = "e")]
    async fn text() -> Result<(), String> {
        post().await.map_err(|error| format!("notify: {error}"))
    }
    let recorded = recorded(async {
        let _ = (typed().await, erased().await, context().await, debug().await, text().await);
    })
    .await;
    assert!(recorded.contains("127.0.0.1:1/REDACTED"), "{recorded}");
    assert_eq!(recorded.matches("c4n4ry").count(), 0, "{recorded}");
    assert!(recorded.contains("refused"), "the causes are there: {recorded}");
}

fn digit() -> std::num::ParseIntError {
    "x".parse::<u8>().unwrap_err()
}

fn timed_out() -> TimedOut {
    TimedOut::default()
}

#[tokio::test]
async fn a_foreign_error_is_identified_by_crate_and_type() {
    macro_rules! identified {
        ($($error:expr => $error_of:ty, $error_type:literal;)*) => {$({
            #[instrument_agent(id = "a")]
            async fn failing() -> Result<(), $error_of> {
                Err($error)
            }
            let capture = capture();
            assert!(failing().await.is_err());
            let spans = capture.spans();
            assert_eq!(spans.iter().next().unwrap().text("error.type"), $error_type);
            let labels = [("error_type", $error_type)];
            assert_eq!(capture.metrics().value("agent.errors.total", &labels), 1.0);
        })*};
    }
    let json = || serde_json::from_str::<()>("x").unwrap_err();
    identified! {
        serde_json::from_str::<()>("x").unwrap_err() => serde_json::Error, "serde_json_error";
        sqlx::Error::PoolTimedOut => sqlx::Error, "sqlx_error";
        reqwest::Client::new().get("http://").send().await.unwrap_err() => reqwest::Error, "reqwest_error";
        std::fmt::Error => std::fmt::Error, "fmt_error";
        digit() => std::num::ParseIntError, "parse_int_error";
        Box::new(digit()) => Box<std::num::ParseIntError>, "parse_int_error";
        PlainError(step()) => PlainError, "behaviour_plain_error";
        sqlx::Error::PoolTimedOut.into() => anyhow::Error, "sqlx_error";
        sqlx::Error::PoolTimedOut.into() => Box<dyn Error>, "sqlx_error";
        digit().into() => Box<dyn Error + Send + Sync>, "parse_int_error";
        anyhow::Error::from(sqlx::Error::RowNotFound).context("load") => anyhow::Error, "sqlx_error";
        anyhow::Error::from(std::io::Error::from(std::io::ErrorKind::NotFound)).context("load")
            => anyhow::Error, "io_not_found";
        anyhow::anyhow!("user 4711 not found") => anyhow::Error, "_OTHER";
        PlainError(step()).into() => anyhow::Error, "io_other";
    }
    #[instrument_agent(id = "json")]
    async fn erased(json: serde_json::Error) -> anyhow::Result<()> {
        Err(json)?
    }
    let capture = capture();
    assert!(erased(json()).await.is_err());
    let spans = capture.spans();
    assert_eq!(spans.iter().next().unwrap().text("error.type"), "serde_json_error");
}

#[tokio::test]
async fn a_timeout_is_found_through_the_context_of_anyhow() {
    #[instrument_agent(id = "a")]
    async fn late() -> anyhow::Result<()> {
        Err(timed_out()).context("fetch")
    }
    let capture = capture();
    assert!(late().await.is_err());
    assert_eq!(capture.metrics().value("agent.runs.total", &[("status", "TIMED_OUT")]), 1.0);
    assert_eq!(message(&capture), "fetch: the deadline passed");
}

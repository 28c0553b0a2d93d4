//! Classification of errors is the same by attribute and by builder.

use hub_otel::testing::{Capture, capture};
use hub_otel::{ErrorType, TimedOut, instrument_workflow};
use std::fmt::{Display, Formatter};
use std::io;

#[derive(Debug, ErrorType)]
enum RunError {
    Missing,
    #[hub(timed_out, rename = "upstream_deadline")]
    Slow,
    #[hub(transparent)]
    Disk(io::Error),
}

impl Display for RunError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("the run failed")
    }
}

/// Returns status and error type, equal in the span, the counter of runs and the counter of errors.
fn verdict(capture: &Capture) -> (String, String) {
    let spans = capture.spans();
    let span = spans.iter().next().unwrap();
    let (status, error_type) = (span.text("workflow.status"), span.text("error.type"));
    let metrics = capture.metrics();
    assert_eq!(
        metrics.value("workflow.runs.total", &[("status", &status)]),
        1.0,
        "{}",
        metrics.table()
    );
    assert_eq!(metrics.value("workflow.errors.total", &[("error_type", &error_type)]), 1.0);
    assert!(span.status.starts_with("Error: "), "{}", span.status);
    capture.conformance().unwrap();
    (status, error_type)
}

macro_rules! judged {
    ($($error:expr => $error_of:ty, $status:literal, $error_type:literal;)*) => {$({
        #[instrument_workflow(id = "w")]
        async fn annotated() -> Result<(), $error_of> {
            Err($error)
        }
        #[instrument_workflow(id = "w")]
        fn synchronous() -> Result<(), $error_of> {
            Err($error)
        }
        let expected = ($status.to_owned(), $error_type.to_owned());
        {
            let capture = capture();
            assert!(annotated().await.is_err());
            assert_eq!(verdict(&capture), expected, "annotated");
        }
        {
            let capture = capture();
            assert!(synchronous().is_err());
            assert_eq!(verdict(&capture), expected, "annotated, not async");
        }
        {
            let capture = capture();
            let failing = async { Err::<(), $error_of>($error) };
            assert!(hub_otel::workflow("w").run(failing).await.is_err());
            assert_eq!(verdict(&capture), expected, "by the builder");
        }
        {
            let capture = capture();
            assert!(hub_otel::workflow("w").call(|| Err::<(), $error_of>($error)).is_err());
            assert_eq!(verdict(&capture), expected, "by the builder, not async");
        }
    })*};
}

#[tokio::test]
async fn an_error_is_classified_alike_by_attribute_and_by_builder() {
    judged! {
        RunError::Missing => RunError, "FAILED", "missing";
        RunError::Slow => RunError, "TIMED_OUT", "upstream_deadline";
        RunError::Disk(io::ErrorKind::NotFound.into()) => RunError, "FAILED", "io_not_found";
        RunError::Disk(TimedOut::default().into()) => RunError, "TIMED_OUT", "timeout";
        TimedOut::default() => TimedOut, "TIMED_OUT", "timeout";
        TimedOut::default().into() => io::Error, "TIMED_OUT", "timeout";
        TimedOut::default().into() => Box<dyn std::error::Error>, "TIMED_OUT", "timeout";
        Box::new(RunError::Slow) => Box<RunError>, "TIMED_OUT", "upstream_deadline";
        io::ErrorKind::TimedOut.into() => io::Error, "FAILED", "io_timed_out";
        io::Error::from(io::ErrorKind::BrokenPipe).into() =>
            Box<dyn std::error::Error + Send + Sync>, "FAILED", "io_broken_pipe";
        "user 4711 not found".into() => Box<dyn std::error::Error + Send + Sync>, "FAILED", "_OTHER";
        "user 4711 not found".to_owned() => String, "FAILED", "String";
        "user 4711 not found" => &'static str, "FAILED", "str";
    }
}

#[tokio::test]
async fn a_returned_elapsed_error_of_tokio_is_a_timeout() {
    let elapsed = || tokio::time::timeout(std::time::Duration::ZERO, std::future::pending::<()>());
    let capture = capture();
    let late =
        async { elapsed().await.map_err(|error| Box::new(error) as Box<dyn std::error::Error>) };
    assert!(hub_otel::workflow("w").run(late).await.is_err());
    assert_eq!(verdict(&capture), ("TIMED_OUT".to_owned(), "timeout".to_owned()));
}

#[tokio::test]
async fn a_foreign_error_is_named_by_its_type_if_the_builder_sets_it() {
    struct Foreign;
    impl Display for Foreign {
        fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
            f.write_str("from elsewhere")
        }
    }
    let capture = capture();
    let failing = async { Err::<(), _>(Foreign) };
    let by_error_type = |result: &Result<(), Foreign>, unit: &mut hub_otel::Classification| {
        unit.by_error_type(result)
    };
    assert!(hub_otel::workflow("w").run_with(failing, by_error_type).await.is_err());
    assert!(hub_otel::workflow("w").call_with(|| Err::<(), _>(Foreign), by_error_type).is_err());
    let metrics = capture.metrics();
    assert_eq!(metrics.value("workflow.errors.total", &[("error_type", "behaviour_foreign")]), 2.0);
    assert_eq!(metrics.value("workflow.runs.total", &[("status", "FAILED")]), 2.0);
    assert_eq!(capture.spans().iter().next().unwrap().status, "Error: from elsewhere");
}

//! Code of the user that telemetry calls: Display, Debug and functions that fail or panic. Each
//! program here returns what it returns without telemetry.

use hub_otel::testing::{Capture, Settings, capture};
use hub_otel::{ErrorType, UnitStatus, instrument_agent};
use std::borrow::Cow;
use std::fmt::{Debug, Display, Formatter, Result as Written};

/// Writes `half`, and then fails in one of two ways.
#[derive(Clone, Copy)]
enum Bad {
    Fails,
    Panics,
    /// Fails without a text.
    Mute,
}

impl Display for Bad {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::Mute => return Err(std::fmt::Error),
            Self::Fails | Self::Panics => f.write_str("half")?,
        }
        match self {
            Self::Panics => std::panic::resume_unwind(Box::new("display")),
            Self::Fails | Self::Mute => Err(std::fmt::Error),
        }
    }
}

impl Debug for Bad {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        Display::fmt(self, f)
    }
}

impl std::error::Error for Bad {}

fn agents() -> Capture {
    Settings::new().allow_root_agents().capture()
}

#[tokio::test]
async fn a_display_that_fails_keeps_what_it_wrote_and_the_program_continues() {
    #[instrument_agent(id = who, action = Some(who), fields(%when, ?how), ret(|bad| value = %bad))]
    async fn all(who: Bad, when: Bad, how: Bad) -> Bad {
        let _ = when;
        how
    }
    #[instrument_agent(id = who, fields(%who))]
    fn synchronous(who: Bad) -> u32 {
        let _ = who;
        7
    }
    #[instrument_agent(id = who, fields(%who))]
    fn prepared(who: Bad) -> impl Future<Output = u32> {
        let _ = who;
        std::future::ready(7)
    }
    for bad in [Bad::Fails, Bad::Panics] {
        let capture = agents();
        all(bad, bad, bad).await;
        assert_eq!(synchronous(bad), 7);
        assert_eq!(prepared(bad).await, 7);
        for span in capture.spans().iter() {
            assert_eq!(span.text("agent.id"), "half");
            assert_eq!(span.text("agent.status"), "SUCCESS");
        }
        let spans = capture.spans();
        let all = spans.iter().find(|span| span.attributes.contains_key("when")).unwrap();
        for key in ["agent.action", "when", "how", "value"] {
            assert_eq!(all.text(key), "half", "{key}");
        }
        assert_eq!(capture.metrics().value("agent.runs.total", &[("status", "SUCCESS")]), 3.0);
        capture.conformance().unwrap();
    }
}

#[tokio::test]
async fn an_identity_that_wrote_nothing_is_the_name_of_the_function() {
    #[instrument_agent(id = who, name = who)]
    async fn fallback(who: Bad) -> u32 {
        let _ = who;
        7
    }
    let capture = agents();
    assert_eq!(fallback(Bad::Mute).await, 7);
    assert_eq!(capture.spans().iter().next().unwrap().text("agent.id"), "fallback");
    capture.conformance().unwrap();
}

#[tokio::test]
async fn an_error_whose_text_fails_is_returned_and_recorded() {
    #[instrument_agent(id = "a")]
    async fn failing(bad: Bad) -> Result<u32, Bad> {
        Err(bad)
    }
    for (bad, message) in
        [(Bad::Fails, "half"), (Bad::Panics, "half"), (Bad::Mute, "behaviour_bad")]
    {
        let capture = agents();
        assert!(failing(bad).await.is_err());
        let spans = capture.spans();
        let span = spans.iter().next().unwrap();
        assert_eq!(span.text("error.message"), message);
        assert_eq!(span.text("error.type"), "behaviour_bad");
        capture.conformance().unwrap();
    }
}

#[tokio::test]
async fn an_endless_text_is_cut() {
    struct Endless;
    impl Display for Endless {
        fn fmt(&self, f: &mut Formatter<'_>) -> Written {
            loop {
                f.write_str("0123456789abcdef")?;
            }
        }
    }
    #[instrument_agent(id = "a", fields(text = %Endless))]
    async fn endless() -> Result<(), Endless> {
        Err(Endless)
    }
    let capture = agents();
    assert!(endless().await.is_err());
    let spans = capture.spans();
    let span = spans.iter().next().unwrap();
    assert_eq!(span.text("text").len(), 64 * 1024);
    assert_eq!(span.text("error.message").len(), 64 * 1024);
}

fn explode<T>() -> T {
    std::panic::resume_unwind(Box::new("an argument"))
}

#[tokio::test]
async fn an_argument_that_panics_loses_itself_and_the_program_continues() {
    #[instrument_agent(id = explode::<String>(), action = "x", fields(a = 1))]
    async fn identity() -> u32 {
        7
    }
    #[instrument_agent(id = "b", fields(a = 1, b = explode::<u32>(), c = 3))]
    async fn field() -> u32 {
        7
    }
    #[instrument_agent(id = "c", ret(|out| a = *out, b = explode::<u32>()))]
    fn returned() -> u32 {
        7
    }
    #[instrument_agent(id = explode::<String>(), fields(a = 1))]
    fn prepared() -> impl Future<Output = u32> {
        std::future::ready(7)
    }
    let capture = agents();
    assert_eq!(identity().await + field().await + returned() + prepared().await, 28);
    let spans = capture.spans();
    let ids: Vec<_> = spans.iter().map(|span| span.text("agent.id")).collect();
    assert_eq!(ids, ["identity", "b", "c", "prepared"]);
    let [_, field, returned, _] = spans.iter().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!((field.text("a"), returned.text("a")), ("1".to_owned(), "7".to_owned()));
    assert_eq!(capture.metrics().value("agent.runs.total", &[("status", "SUCCESS")]), 4.0);
    capture.conformance().unwrap();
}

#[tokio::test]
async fn a_classification_that_panics_keeps_the_outcome_of_the_type() {
    struct Unnamed;
    impl ErrorType for Unnamed {
        fn error_type(&self) -> Cow<'static, str> {
            explode()
        }
    }
    #[instrument_agent(id = "a")]
    async fn unnamed() -> Result<(), Unnamed> {
        Err(Unnamed)
    }
    fn status(_: &Result<(), Bad>) -> UnitStatus {
        explode()
    }
    #[instrument_agent(id = "b", status = status)]
    async fn judged() -> Result<(), Bad> {
        Err(Bad::Fails)
    }
    fn expected(_: &Bad) -> bool {
        explode()
    }
    #[instrument_agent(id = "c", err(expected = expected))]
    async fn tolerated() -> Result<(), Bad> {
        Err(Bad::Fails)
    }
    let capture = agents();
    assert!(unnamed().await.is_err() && judged().await.is_err() && tolerated().await.is_err());
    let types: Vec<_> = capture.spans().iter().map(|span| span.text("error.type")).collect();
    assert_eq!(types, ["_OTHER", "behaviour_bad", "behaviour_bad"]);
    assert_eq!(capture.metrics().value("agent.runs.total", &[("status", "FAILED")]), 3.0);
    capture.conformance().unwrap();
}

#[tokio::test]
async fn a_label_that_panics_loses_itself() {
    struct Unlabelled;
    impl hub_otel::Label for Unlabelled {
        fn label(&self) -> hub_otel::LabelValue {
            explode()
        }
    }
    #[instrument_agent(id = "a", labels(unlabelled))]
    async fn annotated(unlabelled: Unlabelled) -> u32 {
        let _ = unlabelled;
        7
    }
    let capture = agents();
    assert_eq!(annotated(Unlabelled).await, 7);
    let built = hub_otel::agent("b", "x").label("region", "eu").label("unlabelled", Unlabelled);
    assert_eq!(built.call_with(|| 7, |_, _| {}), 7);
    let metrics = capture.metrics();
    assert_eq!(metrics.value("agent.runs.total", &[("status", "SUCCESS")]), 2.0);
    assert_eq!(metrics.value("agent.runs.total", &[("agent_id", "b"), ("region", "eu")]), 1.0);
    capture.conformance().unwrap();
}

#[test]
fn the_builder_contains_the_functions_of_the_user_too() {
    let capture = capture();
    let value = hub_otel::workflow("w").call_with(|| 7, |_, _| explode());
    assert_eq!(value, 7);
    assert!(hub_otel::workflow("w").call(|| Err::<(), _>(Named(Bad::Panics))).is_err());
    let spans = capture.spans();
    let statuses: Vec<_> = spans.iter().map(|span| span.status.as_str()).collect();
    assert_eq!(statuses, ["Ok", "Error: half"]);
    capture.conformance().unwrap();
}

/// An error of the builder.
#[derive(Debug, ErrorType)]
struct Named(Bad);

impl Display for Named {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        Display::fmt(&self.0, f)
    }
}

#[tokio::test]
async fn a_panic_of_the_program_is_recorded_with_text_and_place_and_continues() {
    #[instrument_agent(id = "inner")]
    async fn inner(secret: u32) {
        panic!("no luck with http://h.test/{secret}");
    }
    #[instrument_agent(id = "outer")]
    async fn outer() {
        inner(4711).await;
    }
    let capture = agents();
    let caught = tokio::spawn(capture.run(outer())).await.unwrap_err().into_panic();
    let text = caught.downcast_ref::<String>().unwrap();
    assert_eq!(text, "no luck with http://h.test/4711");
    let place = format!("at tests/behaviour/{}:", file!().rsplit('/').next().unwrap());
    for span in capture.spans().iter() {
        let message = span.text("error.message");
        assert!(message.starts_with("no luck with http://h.test/REDACTED at "), "{message}");
        assert!(message.contains(&place), "{message} {place}");
        assert_eq!(span.events[0].attributes["exception.message"].to_string(), message);
        assert_eq!(span.text("error.type"), "panic");
    }
    assert_eq!(capture.spans().len(), 2);
}

#[test]
fn a_function_that_returns_an_unnamed_type_is_recorded_with_its_panic() {
    #[instrument_agent(id = "a", fields(count))]
    fn numbers(count: u32) -> impl Iterator<Item = u32> {
        assert!(count > 0, "no numbers");
        0..count
    }
    let capture = agents();
    assert_eq!(numbers(3).count(), 3);
    assert!(std::panic::catch_unwind(|| numbers(0).count()).is_err());
    let spans = capture.spans();
    let [first, second] = spans.iter().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!((first.text("agent.status"), first.text("count")), ("SUCCESS".into(), "3".into()));
    assert_eq!(second.text("agent.status"), "FAILED");
    assert!(second.text("error.message").starts_with("no numbers at "), "{second:?}");
    capture.conformance().unwrap();
}

#[test]
fn a_panic_without_a_hook_or_a_text_is_recorded() {
    let capture = agents();
    for payload in ["resumed", ""] {
        let body = || {
            if payload.is_empty() {
                std::panic::resume_unwind(Box::new(7));
            }
            std::panic::resume_unwind(Box::new("resumed"));
        };
        let unit = hub_otel::agent("a", "x");
        let run = std::panic::AssertUnwindSafe(|| unit.call_with(body, |(), _| {}));
        assert!(std::panic::catch_unwind(run).is_err());
    }
    let messages: Vec<_> = capture.spans().iter().map(|span| span.text("error.message")).collect();
    assert_eq!(messages, ["resumed", "the function panicked with a value that is not text"]);
}

#[test]
fn the_panic_hook_of_the_program_is_called() {
    // A process of its own: the hook is global.
    let test = "foreign_code::hook_of_a_child";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", test, "--ignored", "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("own hook: before"), "{text}");
    assert!(text.contains("own hook: after"), "{text}");
}

#[test]
#[ignore = "run by the_panic_hook_of_the_program_is_called"]
fn hook_of_a_child() {
    let own = |when: &'static str| {
        std::panic::set_hook(Box::new(move |_| eprintln!("own hook: {when}")));
    };
    own("before");
    let capture = agents();
    let fails = |text: &'static str| {
        let unit = hub_otel::agent("a", "x");
        let run = || unit.call_with(|| panic!("{text}"), |(), _| {});
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
    };
    fails("first");
    own("after");
    fails("second");
    let spans = capture.spans();
    let messages: Vec<_> = spans.iter().map(|span| span.text("error.message")).collect();
    assert!(messages[0].starts_with("first at "), "{messages:?}");
    assert_eq!(messages[1], "second", "the hook was replaced, and with it the location");
}

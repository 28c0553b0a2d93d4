//! Without the feature `enabled`, only type checks and timeouts remain.

use futures_util::{Stream as _, StreamExt};
use hub_otel_disabled::{
    Late, annotated, calls_model, calls_tool, in_an_hour, plain, plain_stream, slow,
    slow_boxed_stream, slow_stream, streams, streams_later,
};

#[test]
fn an_annotated_future_is_as_large_as_a_plain_one() {
    assert_eq!(size_of_val(&annotated("a", [0; 64])), size_of_val(&plain("a", [0; 64])));
}

#[tokio::test]
async fn values_are_unchanged_and_no_argument_is_evaluated() {
    assert_eq!(annotated("abc", [0; 64]).await, 67);
    assert_eq!(calls_model("gpt").await + calls_tool("id"), 5);
    let call = hub_otel::llm("openai", "gpt-4o").request(hub_otel::LlmRequest::new().seed(1));
    assert_eq!(call.call(|| 1_u8.checked_add(1).ok_or("overflow")), Ok(2));
}

#[tokio::test]
async fn timeouts_apply() {
    assert_eq!(slow().await, Err(Late));
}

#[test]
fn timeouts_apply_on_a_runtime_without_timer() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(runtime.block_on(slow()), Err(Late));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_follows_a_paused_clock() {
    let start = std::time::Instant::now();
    assert_eq!(in_an_hour().await, Err(Late));
    assert!(
        start.elapsed() < std::time::Duration::from_secs(600),
        "a test does not wait for an hour"
    );
}

#[tokio::test]
async fn every_function_keeps_its_signature_and_has_no_effect() {
    let telemetry = hub_otel::Telemetry::builder()
        .override_service_name("off")
        .build()
        .expect("an inert guard");
    telemetry.declare_workflow("w", ["manual"]);
    telemetry.declare_agent("a", "x");
    let inside = async {
        hub_otel::current()
            .record("key", 1)
            .record_retry("reason")
            .set_failed("kind")
            .set_timed_out()
            .suspend("reason");
        assert_eq!(hub_otel::current().segment(), None);
        assert!(!hub_otel::current().is_recording());
        Ok::<_, std::io::Error>(7)
    };
    assert_eq!(hub_otel::workflow("w").name("W").trigger("event").run(inside).await.unwrap(), 7);
    let decision = hub_otel::approval::wait("approval", async { true }).await;
    assert_eq!(decision, hub_otel::approval::Decision::Approved);
    let mut message = std::collections::HashMap::new();
    hub_otel::propagation::inject(&mut message);
    assert!(message.is_empty());
    assert!(telemetry.metrics_addr().is_none());
    telemetry.shutdown().await;
}

#[tokio::test]
async fn streams_are_unchanged_except_for_their_timeout() {
    assert_eq!(size_of_val(&streams("abc")), size_of_val(&plain_stream("abc")));
    assert_eq!(streams("abc").size_hint(), (2, Some(2)));
    assert_eq!(streams("abc").collect::<Vec<_>>().await, [Ok(3), Err(Late)]);
    assert_eq!(streams_later("abc").await.map(|_| ()), Ok(()));
    assert_eq!(slow_stream().collect::<Vec<_>>().await, [Err(Late)]);
    assert_eq!(slow_boxed_stream().collect::<Vec<_>>().await, [Err(Late)]);
}

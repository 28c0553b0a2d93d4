//! Annotated code in a program without the feature `enabled`.
#![deny(warnings)]

use futures_util::stream::{self, BoxStream, Stream};
use hub_otel::{TimedOut, instrument_agent, instrument_llm, instrument_tool, instrument_workflow};
use std::time::Duration;

/// The timeout as an error.
#[derive(Debug, PartialEq, Eq)]
pub struct Late;

impl From<TimedOut> for Late {
    fn from(_: TimedOut) -> Self {
        Self
    }
}

fn evaluated_only_for_telemetry(_: &str) -> String {
    unreachable!("an argument was evaluated")
}

/// Annotated.
#[instrument_workflow(id = evaluated_only_for_telemetry(name), fields(name, length = data.len()))]
pub async fn annotated(name: &str, data: [u8; 64]) -> usize {
    std::future::ready(()).await;
    name.len() + data.len()
}

/// Not annotated.
pub async fn plain(name: &str, data: [u8; 64]) -> usize {
    std::future::ready(()).await;
    name.len() + data.len()
}

/// A short timeout.
#[instrument_agent(id = "a", action = "x", timeout = Duration::from_millis(5))]
pub async fn slow() -> Result<(), Late> {
    std::future::pending::<()>().await;
    Ok(())
}

/// A timeout that a test reaches only with a paused clock.
#[instrument_agent(id = "a", action = "x", timeout = Duration::from_secs(3_600))]
pub async fn in_an_hour() -> Result<(), Late> {
    std::future::pending::<()>().await;
    Ok(())
}

/// A stream.
#[instrument_agent(id = evaluated_only_for_telemetry(name), err(expected = is_late))]
pub fn streams(name: &str) -> impl Stream<Item = Result<usize, Late>> + use<> {
    stream::iter([Ok(name.len()), Err(Late)])
}

fn is_late(_: &Late) -> bool {
    unreachable!("an item was classified")
}

/// A call of a model.
#[instrument_llm(provider = "openai", model = evaluated_only_for_telemetry(model))]
pub async fn calls_model(model: &str) -> usize {
    hub_otel::current().usage(hub_otel::Usage::new(1, 2));
    model.len()
}

/// A tool.
#[instrument_tool(call_id = evaluated_only_for_telemetry(id))]
pub fn calls_tool(id: &str) -> usize {
    id.len()
}

/// The same, not annotated.
pub fn plain_stream(name: &str) -> impl Stream<Item = Result<usize, Late>> + use<> {
    stream::iter([Ok(name.len()), Err(Late)])
}

/// A stream after an await.
#[instrument_agent]
pub async fn streams_later(name: &str) -> Result<BoxStream<'_, usize>, Late> {
    Ok(Box::pin(stream::iter([name.len()])))
}

/// A stream that never ends.
#[instrument_agent(timeout = Duration::from_millis(5))]
pub fn slow_stream() -> impl Stream<Item = Result<usize, Late>> {
    stream::pending()
}

/// The same, boxed.
#[instrument_agent(timeout = Duration::from_millis(5))]
pub fn slow_boxed_stream() -> BoxStream<'static, Result<usize, Late>> {
    Box::pin(stream::pending())
}

//! Combination with other macros: `async_trait` above and below, on methods and on `impl` blocks,
//! and `tokio::test`.

use async_trait::async_trait;
use hub_otel::{instrument_agent, instrument_workflow};

#[async_trait]
trait Agent: Sync {
    fn id(&self) -> &str;

    async fn execute(&self, input: &str, extra: String) -> Result<usize, String>;

    #[instrument_agent(timeout = std::time::Duration::from_millis(5))]
    async fn for_ever(&self) -> Result<usize, hub_otel::TimedOut> {
        std::future::pending().await
    }

    #[instrument_agent(id = self.id(), fields(input))]
    async fn with_a_body(&mut self, (a, b): (u8, u8), input: &str) -> usize
    where
        Self: Send,
    {
        usize::from(a + b) + input.len()
    }
}

struct Above(String);
struct Below(String);
struct Block(String);

/// `async_trait` is expanded first: our attribute sees its output.
#[async_trait]
impl Agent for Above {
    fn id(&self) -> &str {
        &self.0
    }

    #[instrument_agent(id = self.id(), fields(input, length = extra.len()))]
    async fn execute(&self, input: &str, extra: String) -> Result<usize, String> {
        if input.is_empty() {
            return Err(extra);
        }
        Ok(self.0.len() + input.len() + extra.len())
    }
}

/// Our attribute on the block, below `async_trait`.
#[async_trait]
#[instrument_agent(id = self.id())]
impl Agent for Block {
    fn id(&self) -> &str {
        &self.0
    }

    #[hub(fields(input))]
    async fn execute(&self, input: &str, extra: String) -> Result<usize, String> {
        Ok(self.0.len() + input.len() + extra.len())
    }
}

/// Our attribute is expanded first: it keeps the `async fn` for `async_trait`.
#[instrument_agent(id = self.id())]
#[async_trait]
impl Agent for Below {
    fn id(&self) -> &str {
        &self.0
    }

    #[hub(fields(input))]
    async fn execute(&self, input: &str, extra: String) -> Result<usize, String> {
        Ok(self.0.len() + input.len() + extra.len())
    }
}

#[tokio::test]
async fn async_trait_works_above_and_below() {
    let agents: [Box<dyn Agent>; 3] =
        [Box::new(Above("a".into())), Box::new(Below("a".into())), Box::new(Block("a".into()))];
    for agent in &agents {
        assert_eq!(agent.execute("bc", "def".to_owned()).await, Ok(6));
    }
    let above = Above("a".into());
    assert_eq!(above.execute("", "why".to_owned()).await, Err("why".to_owned()));
    assert_eq!(above.for_ever().await, Err(hub_otel::TimedOut::default()));
    assert_eq!(Above("a".into()).with_a_body((1, 2), "abc").await, 6);
}

#[instrument_workflow]
#[tokio::test]
async fn a_test_macro_below_ours_sees_an_async_function() {
    tokio::task::yield_now().await;
}

#[tokio::test]
#[instrument_workflow]
async fn a_test_macro_above_ours_does_too() {
    tokio::task::yield_now().await;
}

#[instrument_workflow]
#[tracing::instrument]
async fn with_tracing_below(number: u32) -> u32 {
    number
}

#[tracing::instrument]
#[instrument_workflow]
async fn with_tracing_above(number: u32) -> u32 {
    number
}

#[tokio::test]
async fn the_tracing_attribute_works_above_and_below() {
    assert_eq!(with_tracing_below(1).await + with_tracing_above(2).await, 3);
}

//! Instrumentation by hub-otel's annotations.

use crate::{WorkError, work, work_of};

#[hub_otel::instrument_workflow(
    id = "bench",
    name = "Bench",
    run_id = "run-7",
    trigger = "manual",
    fields(attempt)
)]
pub async fn workflow(attempt: i64, fails: bool) -> Result<u32, WorkError> {
    work(fails).await
}

/// A workflow whose run id the library makes.
#[hub_otel::instrument_workflow(
    id = "bench",
    name = "Bench",
    trigger = "manual",
    fields(attempt)
)]
pub async fn workflow_with_new_id(attempt: i64) -> Result<u32, WorkError> {
    work(false).await
}

#[hub_otel::instrument_agent(
    id = "bench",
    name = "Bench",
    action = "work",
    run_id = "run-7",
    fields(attempt)
)]
pub async fn agent(attempt: i64, fails: bool) -> Result<u32, WorkError> {
    work(fails).await
}

/// The model of [`llm`], whose price the scenario sets.
pub const MODEL: &str = "gpt-4o-mini";

/// A call of a model with its usage and response. Its cost is an attribute and a counter.
#[hub_otel::instrument_llm(provider = "openai", model = MODEL, fields(attempt))]
pub async fn llm(attempt: i64) -> Result<u32, WorkError> {
    let result = work(false).await?;
    hub_otel::current()
        .usage(hub_otel::Usage::new(310, 12))
        .response(MODEL, "chatcmpl-7", ["stop"]);
    Ok(result)
}

#[hub_otel::instrument_workflow(
    id = id, name = "Bench", run_id = "run-7", trigger = "manual", fields(attempt)
)]
pub async fn workflow_of(id: &str, attempt: i64, fails: bool) -> Result<u32, WorkError> {
    work(fails).await
}

#[hub_otel::instrument_agent(id = id, name = "Bench", action = "work", run_id = "run-7", fields(attempt))]
pub async fn agent_of(id: &str, attempt: i64, fails: bool) -> Result<u32, WorkError> {
    work(fails).await
}

#[hub_otel::instrument_workflow(
    id = "bench",
    name = "Bench",
    run_id = "run-7",
    trigger = "manual",
    fields(attempt)
)]
pub async fn polled(attempt: i64, polls: usize) -> Result<u32, WorkError> {
    work_of(polls).await
}

/// A workflow around four agents, each inside the one before.
#[hub_otel::instrument_workflow(
    id = "bench",
    name = "Bench",
    run_id = "run-7",
    trigger = "manual",
    fields(attempt)
)]
pub async fn nested(attempt: i64) -> Result<u32, WorkError> {
    around_2(attempt).await
}

macro_rules! agent_around {
    ($name:ident, $inner:expr) => {
        #[hub_otel::instrument_agent(
            id = "bench",
            name = "Bench",
            action = "work",
            run_id = "run-7",
            fields(attempt)
        )]
        async fn $name(attempt: i64) -> Result<u32, WorkError> {
            $inner(attempt).await
        }
    };
}
agent_around!(around_2, around_3);
agent_around!(around_3, around_4);
agent_around!(around_4, innermost);

async fn innermost(attempt: i64) -> Result<u32, WorkError> {
    agent(attempt, false).await
}

pub mod sizes {
    //! Sizes of futures with a 512-byte argument, annotated and plain, alone and nested five
    //! deep. Some functions use their argument after an await point, others pass it on.

    async fn work(data: [u8; 512]) -> u8 {
        std::future::ready(()).await;
        data[7]
    }

    macro_rules! chain {
        ($module:ident, $data:ident, $(#[$attribute:meta])*) => {
            pub mod $module {
                $(#[$attribute])*
                pub async fn leaf($data: [u8; 512]) -> u8 {
                    std::future::ready(()).await;
                    $data[0]
                }
                $(#[$attribute])*
                pub async fn two($data: [u8; 512]) -> u8 { leaf($data).await + $data[1] }
                $(#[$attribute])*
                pub async fn three($data: [u8; 512]) -> u8 { two($data).await + $data[2] }
                $(#[$attribute])*
                pub async fn four($data: [u8; 512]) -> u8 { three($data).await + $data[3] }
                $(#[$attribute])*
                pub async fn five($data: [u8; 512]) -> u8 { four($data).await + $data[4] }

                $(#[$attribute])*
                pub async fn on_1($data: [u8; 512]) -> u8 { super::work($data).await }
                $(#[$attribute])*
                pub async fn on_2($data: [u8; 512]) -> u8 { on_1($data).await }
                $(#[$attribute])*
                pub async fn on_3($data: [u8; 512]) -> u8 { on_2($data).await }
                $(#[$attribute])*
                pub async fn on_4($data: [u8; 512]) -> u8 { on_3($data).await }
                $(#[$attribute])*
                pub async fn on_5($data: [u8; 512]) -> u8 { on_4($data).await }
            }
        };
    }
    chain!(plain, data,);
    chain!(ours, data, #[hub_otel::instrument_agent(id = "a", action = "x")]);

    pub fn table() -> [(&'static str, usize); 8] {
        let data = [0; 512];
        [
            ("size.plain.leaf", size_of_val(&plain::leaf(data))),
            ("size.hub.leaf", size_of_val(&ours::leaf(data))),
            ("size.plain.five_deep", size_of_val(&plain::five(data))),
            ("size.hub.five_deep", size_of_val(&ours::five(data))),
            ("size.plain.passed_on", size_of_val(&plain::on_1(data))),
            ("size.hub.passed_on", size_of_val(&ours::on_1(data))),
            ("size.plain.passed_on_five_deep", size_of_val(&plain::on_5(data))),
            ("size.hub.passed_on_five_deep", size_of_val(&ours::on_5(data))),
        ]
    }
}

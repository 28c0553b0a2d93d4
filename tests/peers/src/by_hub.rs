//! By annotation.

use crate::{WorkError, work};

#[hub_otel::instrument_workflow(
    id = "bench", name = "Bench", run_id = "run-7", trigger = "manual", fields(attempt)
)]
pub async fn workflow(attempt: i64, fails: bool) -> Result<u32, WorkError> {
    work(fails).await
}

#[hub_otel::instrument_agent(id = "bench", name = "Bench", action = "work", run_id = "run-7", fields(attempt))]
pub async fn agent(attempt: i64, fails: bool) -> Result<u32, WorkError> {
    work(fails).await
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

pub mod sizes {
    //! Futures with a 512-byte argument, annotated and plain, alone and five deep.

    async fn leaf_work(data: [u8; 512]) -> u8 {
        std::future::ready(()).await;
        data[7]
    }

    macro_rules! chain {
        ($($(#[$attribute:meta])* $name:ident => $inner:ident;)*) => {$(
            $(#[$attribute])*
            pub async fn $name(data: [u8; 512]) -> u8 {
                $inner(data).await
            }
        )*};
    }

    chain! {
        plain_1 => leaf_work;
        plain_2 => plain_1;
        plain_3 => plain_2;
        plain_4 => plain_3;
        plain_5 => plain_4;
        #[hub_otel::instrument_agent(id = "a", action = "x")] ours_1 => leaf_work;
        #[hub_otel::instrument_agent(id = "a", action = "x")] ours_2 => ours_1;
        #[hub_otel::instrument_agent(id = "a", action = "x")] ours_3 => ours_2;
        #[hub_otel::instrument_agent(id = "a", action = "x")] ours_4 => ours_3;
        #[hub_otel::instrument_agent(id = "a", action = "x")] ours_5 => ours_4;
    }

    pub fn table() -> [(&'static str, usize); 4] {
        let data = [0; 512];
        [
            ("size.plain.leaf", size_of_val(&plain_1(data))),
            ("size.ours.leaf", size_of_val(&ours_1(data))),
            ("size.plain.five_deep", size_of_val(&plain_5(data))),
            ("size.ours.five_deep", size_of_val(&ours_5(data))),
        ]
    }
}

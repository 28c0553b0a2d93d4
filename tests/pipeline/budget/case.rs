//! The programs of the test, each in a child process.

use crate::budget::LIMIT;
use hub_otel::propagation::RunFutureExt;
use hub_otel::{Budget, BudgetExceeded, ErrorType, Segment, current, instrument_llm, workflow};
use std::fmt;
use std::path::PathBuf;

/// Error of a call.
#[derive(Debug, ErrorType)]
enum CallError {
    Budget(BudgetExceeded),
    Http(reqwest::Error),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget(exceeded) => exceeded.fmt(f),
            Self::Http(error) => error.fmt(f),
        }
    }
}

impl From<BudgetExceeded> for CallError {
    fn from(exceeded: BudgetExceeded) -> Self {
        Self::Budget(exceeded)
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment of the child process")]
fn variable(name: &str) -> String {
    std::env::var(name).expect(name)
}

/// Calls the scripted server. The unit is the call; its tokens are read from the response.
#[instrument_llm(provider = "openai", model = "gpt-4o-mini")]
async fn call() -> Result<(), CallError> {
    let body = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"on?"}]}"#;
    let url = format!("{}/chat/completions", variable("OPENAI_BASE_URL"));
    let client = reqwest::Client::builder().no_proxy().build().map_err(CallError::Http)?;
    let request = client.post(url).header("content-type", "application/json").body(body).build();
    let response = client.execute(request.map_err(CallError::Http)?).await;
    let text = response.map_err(CallError::Http)?.text().await.map_err(CallError::Http)?;
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let tokens = |name: &str| json["usage"][name].as_u64().expect("usage");
    let usage = hub_otel::Usage::new(tokens("prompt_tokens"), tokens("completion_tokens"));
    current().usage(usage);
    Ok(())
}

fn block_on(work: impl Future<Output = ()>) {
    let telemetry = hub_otel::init("budget").expect("the install");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(4).enable_all().build();
    runtime.expect("a runtime").block_on(work);
    assert!(telemetry.shutdown_blocking().is_complete());
}

/// Replaces the stored segment as a whole.
fn store(segment: &Segment) {
    let path = PathBuf::from(variable("SEGMENT"));
    let new = path.with_extension("new");
    std::fs::write(&new, serde_json::to_vec(segment).expect("JSON")).expect("written");
    std::fs::rename(new, path).expect("replaced");
}

#[test]
#[ignore = "runs in a child process"]
fn begin() {
    block_on(async {
        workflow("research")
            .budget(Budget::new().llm_calls(LIMIT))
            .run(async {
                let run = current();
                while call().await.is_ok() {
                    store(&run.segment().expect("a workflow"));
                }
            })
            .await;
        unreachable!("the process is killed before");
    });
}

#[test]
#[ignore = "runs in a child process"]
fn resume() {
    let segment = std::fs::read(variable("SEGMENT")).expect("stored");
    let segment: Segment = serde_json::from_slice(&segment).expect("a segment");
    block_on(async {
        workflow("research")
            .resume(segment)
            .run(async {
                let calls = (0..8).map(|_| {
                    tokio::spawn(async { while call().await.is_ok() {} }.in_current_run())
                });
                for calls in calls.collect::<Vec<_>>() {
                    calls.await.expect("no panic");
                }
                let spent = current().spent().expect("a budget");
                println!("spent: {} calls, {} tokens", spent.llm_calls(), spent.tokens());
            })
            .await;
    });
}

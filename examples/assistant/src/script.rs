//! Replies of the scripted server: the conversation of the demonstration.

use scripted_openai::{Call, Reply, Usage};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SUMMARY: &str =
    "Herons fish at the pond, owls hunt by the oak, and the nest box needs repair.";

/// Returns the replies, by what the conversation contains so far. The second call is rejected once,
/// as by a provider that limits the rate.
pub(crate) fn replies() -> impl Fn(&Call) -> Reply + Send + Sync {
    let is_rejected = AtomicBool::new(false);
    move |call| {
        if call.tools().is_empty() {
            return Reply::text("Two owls hunt by the oak.").usage(usage(64, 8, 0));
        }
        match call.count("tool") {
            0 => Reply::tool_call("list_files", "{}").usage(usage(310, 12, 0)),
            1 if !is_rejected.swap(true, Ordering::Relaxed) => {
                Reply::status(429, "rate limit reached").retry_after(1)
            }
            1 => Reply::tool_call("read_file", r#"{"path":"heron.md"}"#)
                .and_tool_call("summarize", r#"{"path":"owl.md"}"#)
                .usage(usage(338, 38, 256)),
            3 => {
                let text = format!(r#"{{"path":"summary.md","text":"{SUMMARY}"}}"#);
                Reply::tool_call("write_file", text).usage(usage(402, 46, 320))
            }
            _ => Reply::text(format!("{SUMMARY} I wrote that into summary.md."))
                .usage(usage(466, 27, 384))
                .pause(Duration::from_millis(15)),
        }
    }
}

fn usage(input: u64, output: u64, cached: u64) -> Usage {
    Usage { input, output, cached, reasoning: 0 }
}

//! Received traces of a run as text, by the renderer of the test kit.

use hub_otel::testing::Span;
use hub_otel_tests::receiver::Receiver;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

/// Renders the traces of a run, oldest first, optionally with database spans.
pub(crate) fn render_run(receiver: &Receiver, run: &str, database: bool) -> String {
    let spans = receiver.kit_spans();
    let of_run = spans.iter().filter(|span| span.text("workflow.run.id") == run);
    let traces: HashSet<String> = of_run.map(|span| span.trace_id.clone()).collect();
    let names: HashMap<String, String> =
        spans.iter().map(|span| (span.span_id.clone(), span.name.clone())).collect();
    spans
        .filter(|span| {
            traces.contains(&span.trace_id)
                && (database || !span.attributes.contains_key("db.system.name"))
        })
        .render(|span| line(span, &names))
}

fn line(span: &Span, names: &HashMap<String, String>) -> String {
    let details = match span.name.as_str() {
        "workflow.execute" => {
            format!(" {} {}", span.text("workflow.id"), span.text("workflow.status"))
        }
        "agent.execute" => {
            let [id, action, status] =
                ["agent.id", "agent.action", "agent.status"].map(|key| span.text(key));
            format!(" {id}.{action} {status}")
        }
        "workflow.approval" => format!(" {}", span.text("workflow.approval.decision")),
        _ => ["http.response.status_code", "error.type"]
            .into_iter()
            .find(|key| span.attributes.contains_key(*key))
            .map(|key| format!(" {}", span.text(key)))
            .unwrap_or_default(),
    };
    let mut line = format!("{}{details}", span.name);
    for event in span.events.iter().filter(|event| event.name != "exception") {
        let _ = write!(line, " ({})", event.name);
    }
    for link in &span.links {
        let _ = write!(line, " -> {}", names.get(link).map_or("?", String::as_str));
    }
    line
}

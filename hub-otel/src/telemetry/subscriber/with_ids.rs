//! Trace, span and run ids in the log lines of the application's own subscriber.

use crate::semconv::attribute::WORKFLOW_RUN_ID;
use crate::unit::stack;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use std::fmt;
use std::fmt::Write as _;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Keys of the ids of a span in log lines.
/// <https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/>
const TRACE_ID: &str = "trace_id";
const SPAN_ID: &str = "span_id";

/// An event format that adds the ids of the current span and run to each line.
///
/// Created by [`otel::with_ids`](crate::otel::with_ids).
///
/// ```
/// use hub_otel::otel::with_ids;
///
/// let lines = tracing_subscriber::fmt::layer::<tracing_subscriber::Registry>()
///     .event_format(with_ids(tracing_subscriber::fmt::format()));
/// # let _ = lines;
/// ```
#[derive(Debug, Clone, Default)]
pub struct WithIds<F> {
    format: F,
}

impl<F> WithIds<F> {
    pub(crate) const fn new(format: F) -> Self {
        Self { format }
    }
}

impl<S, N, F> FormatEvent<S, N> for WithIds<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let ids = current_ids();
        if ids.is_empty() {
            return self.format.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(&add_ids(&line, &ids))
    }
}

/// Returns the keys and values of the ids. Empty outside of spans and runs.
fn current_ids() -> Vec<(&'static str, String)> {
    let mut ids = Vec::new();
    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        if span.is_valid() {
            ids.push((TRACE_ID, span.trace_id().to_string()));
            ids.push((SPAN_ID, span.span_id().to_string()));
        }
        let workflow = stack::parent_workflow(context);
        let run_id = workflow.and_then(|workflow| workflow.run_id);
        ids.extend(run_id.map(|run_id| (WORKFLOW_RUN_ID, run_id.as_str().to_owned())));
    });
    ids
}

/// Adds the ids as members of a JSON object, or as fields at the end of any other line.
fn add_ids(line: &str, ids: &[(&'static str, String)]) -> String {
    let text = line.trim_end();
    let end = &line[text.len()..];
    let object = text.strip_suffix('}').filter(|_| text.starts_with('{'));
    let mut with_ids = String::with_capacity(line.len() + 160);
    with_ids.push_str(object.unwrap_or(text));
    for (key, value) in ids {
        if object.is_some() {
            let comma = if with_ids.ends_with('{') { "" } else { "," };
            let _ = write!(with_ids, "{comma}\"{key}\":\"");
            escape(value, &mut with_ids);
            with_ids.push('"');
        } else {
            let _ = write!(with_ids, " {key}=");
            escape(value, &mut with_ids);
        }
    }
    if object.is_some() {
        with_ids.push('}');
    }
    with_ids.push_str(end);
    with_ids
}

/// Writes `text` as the content of a JSON string: a run id is text of the application.
fn escape(text: &str, line: &mut String) {
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(line, "\\u{:04x}", u32::from(control));
            }
            other => line.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_members_of_a_json_object_and_fields_of_any_other_line() {
        let ids = [(TRACE_ID, "0af7".to_owned()), (WORKFLOW_RUN_ID, "a\"b\n".to_owned())];
        for (line, expected) in [
            ("{}\n", "{\"trace_id\":\"0af7\",\"workflow.run.id\":\"a\\\"b\\u000a\"}\n"),
            (
                "{\"a\":{}}\n",
                "{\"a\":{},\"trace_id\":\"0af7\",\"workflow.run.id\":\"a\\\"b\\u000a\"}\n",
            ),
            ("INFO text\n", "INFO text trace_id=0af7 workflow.run.id=a\\\"b\\u000a\n"),
        ] {
            assert_eq!(add_ids(line, &ids), expected);
        }
    }
}

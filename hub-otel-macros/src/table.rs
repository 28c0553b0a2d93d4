//! Table of the attribute arguments: name, syntax and usage. Parsing and diagnostics read it.

/// An attribute argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arg {
    Id,
    Name,
    Action,
    Provider,
    Model,
    Operation,
    DataSource,
    CallId,
    RunId,
    Trigger,
    Resume,
    Conversation,
    Fields,
    Labels,
    Ret,
    Err,
    Status,
    Timeout,
    Budget,
    GenAi,
    None,
    SpanName,
    Kind,
    Root,
    Parent,
    Links,
    Enabled,
    Boxed,
    KeepAsync,
    Future,
    Stream,
    Crate,
}

/// Syntax after the argument's name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ArgSyntax {
    /// `name = expression`
    Value,
    /// `name = path::of::a::module`
    Path,
    /// `name`
    Flag,
    /// `name = choice`, one of these.
    Choice(&'static [&'static str]),
    /// `name(key = value, …)`
    Fields,
    /// `name(|pattern| key = value, …)`
    Returned,
    /// `name(expected = path)`
    Expected,
}

/// A row of the table.
pub(crate) struct ArgSpec {
    pub(crate) arg: Arg,
    pub(crate) name: &'static str,
    pub(crate) syntax: ArgSyntax,
    /// Example of correct use, for messages.
    pub(crate) usage: &'static str,
}

const fn row(arg: Arg, name: &'static str, syntax: ArgSyntax, usage: &'static str) -> ArgSpec {
    ArgSpec { arg, name, syntax, usage }
}

/// The values of `kind`, as OpenTelemetry names them.
const KINDS: &[&str] = &["internal", "server", "client", "producer", "consumer"];

/// Every argument, in the order in which messages list them.
pub(crate) static TABLE: [ArgSpec; 32] = [
    row(Arg::Id, "id", ArgSyntax::Value, "id = expression"),
    row(Arg::Name, "name", ArgSyntax::Value, "name = expression"),
    row(Arg::Action, "action", ArgSyntax::Value, "action = expression"),
    row(Arg::Provider, "provider", ArgSyntax::Value, "provider = expression"),
    row(Arg::Model, "model", ArgSyntax::Value, "model = expression"),
    row(Arg::Operation, "operation", ArgSyntax::Value, "operation = expression"),
    row(Arg::DataSource, "data_source", ArgSyntax::Value, "data_source = expression"),
    row(Arg::CallId, "call_id", ArgSyntax::Value, "call_id = expression"),
    row(Arg::RunId, "run_id", ArgSyntax::Value, "run_id = expression"),
    row(Arg::Trigger, "trigger", ArgSyntax::Value, "trigger = expression"),
    row(Arg::Resume, "resume", ArgSyntax::Value, "resume = segment"),
    row(Arg::Conversation, "conversation", ArgSyntax::Value, "conversation = expression"),
    row(Arg::Fields, "fields", ArgSyntax::Fields, "fields(key = expression, …)"),
    row(Arg::Labels, "labels", ArgSyntax::Fields, "labels(key = expression, …)"),
    row(Arg::Ret, "ret", ArgSyntax::Returned, "ret(|out| key = out.field, …)"),
    row(Arg::Err, "err", ArgSyntax::Expected, "err(expected = path)"),
    row(Arg::Status, "status", ArgSyntax::Value, "status = path"),
    row(Arg::Timeout, "timeout", ArgSyntax::Value, "timeout = Duration::from_secs(30)"),
    row(Arg::Budget, "budget", ArgSyntax::Fields, "budget(usd = 1.5, llm_calls = 50)"),
    row(Arg::None, "none", ArgSyntax::Choice(&["error"]), "none = error"),
    row(Arg::GenAi, "gen_ai", ArgSyntax::Flag, "gen_ai"),
    row(Arg::SpanName, "span_name", ArgSyntax::Value, "span_name = \"name\""),
    row(Arg::Kind, "kind", ArgSyntax::Choice(KINDS), "kind = internal"),
    row(Arg::Root, "root", ArgSyntax::Flag, "root"),
    row(Arg::Parent, "parent", ArgSyntax::Value, "parent = context"),
    row(Arg::Links, "links", ArgSyntax::Value, "links = span_contexts"),
    row(Arg::Enabled, "enabled", ArgSyntax::Value, "enabled = condition"),
    row(Arg::Boxed, "boxed", ArgSyntax::Flag, "boxed"),
    row(Arg::KeepAsync, "keep_async", ArgSyntax::Flag, "keep_async"),
    row(Arg::Future, "future", ArgSyntax::Flag, "future"),
    row(Arg::Stream, "stream", ArgSyntax::Flag, "stream"),
    row(Arg::Crate, "crate", ArgSyntax::Path, "crate = path::to::hub_otel"),
];

impl Arg {
    /// Row of this argument.
    pub(crate) fn spec(self) -> &'static ArgSpec {
        let row = TABLE.iter().find(|spec| spec.arg == self);
        #[expect(clippy::expect_used, reason = "a unit test checks that every argument has a row")]
        row.expect("every argument has a row in TABLE")
    }

    /// Name of this argument.
    pub(crate) fn name(self) -> &'static str {
        self.spec().name
    }
}

/// Remedy for an argument that exists in another instrumentation library.
pub(crate) fn foreign_argument_hint(name: &str) -> Option<&'static str> {
    Some(match name {
        "workflow_id" | "agent_id" => "write `id`",
        "workflow_name" | "agent_name" | "tool_name" => "write `name`",
        "model_name" | "request_model" => "write `model`",
        "system" | "provider_name" => "write `provider`",
        "conversation_id" | "session_id" | "thread_id" => "write `conversation`",
        "tool_call_id" => "write `call_id`",
        "trigger_type" => "write `trigger`",
        "attributes" | "attrs" | "properties" | "tags" => "write `fields(key = expression)`",
        "deadline" => "write `timeout`",
        "follows_from" => "write `links`",
        "skip" | "skip_all" => "only the values in `fields(…)` are recorded; remove it",
        "level" | "target" => "units have no level or target; remove it",
        "short_name" | "enter_on_poll" => "it has no equivalent; remove it",
        "ok_status" => "set it once with `hub_otel::Telemetry::builder().ok_status(false)`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Arg, ArgSyntax, TABLE};

    #[test]
    fn every_argument_has_a_row_under_its_own_name() {
        // `Crate` is the last variant, so its index is the number of variants minus one.
        assert_eq!(TABLE.len(), Arg::Crate as usize + 1);
        for (index, spec) in TABLE.iter().enumerate() {
            assert_eq!(TABLE.iter().position(|other| other.arg == spec.arg), Some(index));
            assert_eq!(spec.arg.name(), spec.name);
            assert!(spec.usage.starts_with(spec.name), "{}", spec.usage);
        }
        assert!(matches!(Arg::Crate.spec().syntax, ArgSyntax::Path));
    }
}

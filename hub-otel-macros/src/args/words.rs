//! The table of arguments: what each is called and what it takes. Parsing, diagnostics and the docs' table follow it.

use crate::preset::{ALL, Preset};

/// An argument's meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    Id,
    Name,
    Action,
    RunId,
    Trigger,
    Resume,
    Fields,
    Labels,
    Ret,
    Err,
    Status,
    Timeout,
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
    Crate,
}

/// What stands after the name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// `name = expression`
    Value,
    /// `name = path::of::a::module`
    Path,
    /// `name`
    Flag,
    /// `name = word`, one of these.
    Choice(&'static [&'static str]),
    /// `name(key = value, …)`
    Fields,
    /// `name(|pattern| key = value, …)`
    Returned,
    /// `name(expected = path)`
    Expected,
}

/// A row of the table.
pub(crate) struct Spec {
    pub(crate) word: Word,
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// How it is written, for messages.
    pub(crate) usage: &'static str,
}

const fn row(word: Word, name: &'static str, form: Form, usage: &'static str) -> Spec {
    Spec { word, name, form, usage }
}

/// The values of `kind`, as OpenTelemetry names them.
const KINDS: &[&str] = &["internal", "server", "client", "producer", "consumer"];

/// Every argument, in the order in which messages list them.
pub(crate) static TABLE: [Spec; 24] = [
    row(Word::Id, "id", Form::Value, "id = expression"),
    row(Word::Name, "name", Form::Value, "name = expression"),
    row(Word::Action, "action", Form::Value, "action = expression"),
    row(Word::RunId, "run_id", Form::Value, "run_id = expression"),
    row(Word::Trigger, "trigger", Form::Value, "trigger = expression"),
    row(Word::Resume, "resume", Form::Value, "resume = segment"),
    row(Word::Fields, "fields", Form::Fields, "fields(key = expression, …)"),
    row(Word::Labels, "labels", Form::Fields, "labels(key = expression, …)"),
    row(Word::Ret, "ret", Form::Returned, "ret(|out| key = out.field, …)"),
    row(Word::Err, "err", Form::Expected, "err(expected = path)"),
    row(Word::Status, "status", Form::Value, "status = path"),
    row(Word::Timeout, "timeout", Form::Value, "timeout = Duration::from_secs(30)"),
    row(Word::None, "none", Form::Choice(&["error"]), "none = error"),
    row(Word::GenAi, "gen_ai", Form::Flag, "gen_ai"),
    row(Word::SpanName, "span_name", Form::Value, "span_name = \"name\""),
    row(Word::Kind, "kind", Form::Choice(KINDS), "kind = internal"),
    row(Word::Root, "root", Form::Flag, "root"),
    row(Word::Parent, "parent", Form::Value, "parent = context"),
    row(Word::Links, "links", Form::Value, "links = span_contexts"),
    row(Word::Enabled, "enabled", Form::Value, "enabled = condition"),
    row(Word::Boxed, "boxed", Form::Flag, "boxed"),
    row(Word::KeepAsync, "keep_async", Form::Flag, "keep_async"),
    row(Word::Future, "future", Form::Flag, "future"),
    row(Word::Crate, "crate", Form::Path, "crate = path::to::hub_otel"),
];

impl Word {
    /// Its row.
    pub(crate) fn spec(self) -> &'static Spec {
        // Every word has a row (a test holds it); the fallback only keeps this free of a panic.
        TABLE.iter().find(|spec| spec.word == self).unwrap_or(&TABLE[0])
    }

    pub(crate) fn name(self) -> &'static str {
        self.spec().name
    }
}

impl Preset {
    /// Whether the argument belongs to this attribute.
    pub(crate) fn takes(&self, word: Word) -> bool {
        self.own.contains(&word) || !ALL.iter().any(|other| other.own.contains(&word))
    }

    /// The names of its arguments.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        TABLE.iter().filter(|spec| self.takes(spec.word)).map(|spec| spec.name)
    }
}

/// What people write who come from another library, and what to write here.
pub(crate) fn habit(name: &str) -> Option<&'static str> {
    Some(match name {
        "workflow_id" | "agent_id" => "write `id`",
        "workflow_name" | "agent_name" => "write `name`",
        "trigger_type" => "write `trigger`",
        "attributes" | "attrs" | "properties" | "tags" => "write `fields(key = expression)`",
        "deadline" => "write `timeout`",
        "follows_from" => "write `links`",
        "skip" | "skip_all" => "nothing is recorded that `fields(…)` does not name: leave it out",
        "level" | "target" => "units have no level or target: leave it out",
        "short_name" | "enter_on_poll" => "it has no counterpart: leave it out",
        "ok_status" => "the builder decides it: `hub_otel::Telemetry::builder().ok_status(false)`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Form, TABLE, Word};
    use crate::preset::{AGENT, WORKFLOW};

    #[test]
    fn every_word_has_the_row_that_names_it() {
        for spec in &TABLE {
            assert_eq!(spec.word.name(), spec.name);
            assert!(spec.usage.starts_with(spec.name), "{}", spec.usage);
        }
        assert!(matches!(Word::Crate.spec().form, Form::Path));
    }

    #[test]
    fn a_preset_refuses_what_belongs_to_the_other_alone() {
        assert!(WORKFLOW.takes(Word::Trigger) && !WORKFLOW.takes(Word::Action));
        assert!(AGENT.takes(Word::Action) && !AGENT.takes(Word::Resume));
        assert!(AGENT.takes(Word::Id) && WORKFLOW.takes(Word::Id));
    }
}

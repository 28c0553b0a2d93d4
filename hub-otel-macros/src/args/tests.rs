use super::{Arguments, ValueFormat};
use crate::errors::Errors;
use crate::macro_kind::{AGENT, MacroKind, WORKFLOW};
use crate::table::Arg;

fn parse(kind: &MacroKind, text: &str) -> (Arguments, Vec<String>) {
    let errors = Errors::default();
    let arguments = Arguments::parse(kind, text.parse().unwrap(), &errors);
    (arguments, errors.messages())
}

fn errors_of(text: &str) -> Vec<String> {
    parse(&WORKFLOW, text).1
}

fn only_error(text: &str) -> String {
    let mut found = errors_of(text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found.remove(0)
}

#[test]
fn all_arguments_parse_together() {
    let (arguments, errors) = parse(
        &WORKFLOW,
        "id = run.id, name = \"n\", run_id = run.id, trigger = t(a, b), resume = s, fields(a), labels(b = true),
         ret(|out| x = out.x), err(expected = f), status = g, timeout = T, none = error, gen_ai, span_name = \"s\",
         kind = consumer, root, links = l, enabled = on(), boxed, keep_async, future, crate = a::b,",
    );
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(arguments.iter().count(), 22);
    assert!(arguments.crate_path().is_some() && arguments.expression(Arg::Err).is_some());
}

#[test]
fn fields_have_keys_modes_and_shorthand() {
    let (arguments, errors) = parse(
        &AGENT,
        "fields(a, run.id, self.model, pair.0, %b, ?c, k = 1 + 2, \"x.y\" = %d, p.q = ?e, r#type)",
    );
    assert_eq!(errors, Vec::<String>::new());
    let fields: Vec<_> = arguments
        .fields(Arg::Fields)
        .iter()
        .map(|field| (field.key.value(), field.format))
        .collect();
    let keys = |mode| {
        fields
            .iter()
            .filter(|field| field.1 == mode)
            .map(|field| field.0.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(ValueFormat::Typed), ["a", "run.id", "model", "pair.0", "k", "type"]);
    assert_eq!(keys(ValueFormat::Display), ["b", "x.y"]);
    assert_eq!(keys(ValueFormat::Debug), ["c", "p.q"]);
}

#[test]
fn the_error_of_a_misspelt_argument_suggests_a_name_and_lists_the_choices() {
    let message = only_error("nmae = 1");
    let start = "unknown argument `nmae`; did you mean `name`? expected one of `id`, `name`,";
    assert!(message.starts_with(start), "{message}");
    assert!(!message.contains("`action`"), "{message}");
    assert!(only_error("skip(a, b)").contains("; remove it;"));
}

#[test]
fn all_errors_are_reported_and_valid_arguments_are_kept() {
    let (arguments, errors) = parse(
        &WORKFLOW,
        "nmae = a.b(c, d), id, gen_ai = true, root, root, kind = x, action = 1, name = \"ok\"",
    );
    assert_eq!(errors.len(), 6, "{errors:?}");
    assert!(arguments.has(Arg::Name) && arguments.has(Arg::Root));
}

#[test]
fn each_syntax_error_has_a_message_with_a_remedy() {
    for (arguments, message) in [
        ("id", "`id` takes a value: write `id = expression`"),
        ("id(3)", "`id` takes a value: write `id = expression`"),
        ("id =", "`id` has no value after `=`: write `id = expression`"),
        ("id = \"\"", "`id` is an empty string; write a value or remove it"),
        ("\"nightly\"", "expected `name = value`, found a string; write `id = …`"),
        ("boxed = true", "`boxed` takes no value: write `boxed`"),
        ("fields", "`fields` takes its values in parentheses: write `fields(key = expression, …)`"),
        ("fields()", "`fields` is empty: write `fields(key = expression, …)`, or remove it"),
        ("fields(a.b())", "this expression has no key"),
        ("fields(\"k\")", "the key `k` has no value"),
        ("fields(\"\" = 1)", "the key is empty"),
        ("fields(a = 1, a = 2)", "duplicate key `a`"),
        ("ret(x = 1)", "`ret` starts with a pattern"),
        ("ret(|out|)", "`ret` has no fields"),
        ("err", "`err` takes its values in parentheses"),
        ("err(unexpected = f)", "unknown option `unexpected` of `err`"),
        ("err(expected = f, g)", "`err` accepts only `expected = path`"),
        ("none = success", "invalid `none`: `success`; expected one of `error`"),
        ("kind = cilent", "invalid `kind`: `cilent`; did you mean `client`?"),
        ("id = 1, id = 2", "duplicate argument `id`; keep one of them"),
        ("id = f().await", "an argument cannot use `.await`"),
        ("id = f(a?)", "an argument cannot use `?`"),
        ("fields(k = return)", "an argument cannot use `return`"),
        ("crate = 3", "expected identifier"),
        ("id = 1 name = 2", "expected `,` before the next argument"),
    ] {
        let error = only_error(arguments);
        assert!(error.starts_with(message), "{arguments}: {error}");
    }
}

#[test]
fn a_closure_in_an_argument_can_use_control_flow() {
    assert_eq!(errors_of("id = list.iter().map(|x| x.f()?).next()"), Vec::<String>::new());
}

#[test]
fn arguments_of_a_method_override_those_of_its_block() {
    let block = parse(&AGENT, "id = a, action = b, gen_ai").0;
    let merged = parse(&AGENT, "action = c").0.with_defaults(&block);
    let action = merged.expression(Arg::Action).map(|value| quote::quote!(#value).to_string());
    assert_eq!(action.as_deref(), Some("c"));
    assert!(merged.has(Arg::Id) && merged.has(Arg::GenAi));
}

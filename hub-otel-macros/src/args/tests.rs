use super::{Arguments, Mode};
use crate::errors::Errors;
use crate::macro_kind::{AGENT, MacroKind, WORKFLOW};
use crate::table::Arg;

fn parse(kind: &MacroKind, text: &str) -> (Arguments, Vec<String>) {
    let errors = Errors::default();
    let arguments = Arguments::parse(kind, text.parse().unwrap(), &errors);
    (arguments, errors.messages())
}

fn mistakes(text: &str) -> Vec<String> {
    parse(&WORKFLOW, text).1
}

fn only_mistake(text: &str) -> String {
    let mut found = mistakes(text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found.remove(0)
}

#[test]
fn every_argument_is_understood_at_once() {
    let (arguments, errors) = parse(
        &WORKFLOW,
        "id = run.id, name = \"n\", run_id = run.id, trigger = t(a, b), resume = s, fields(a), labels(b = true),
         ret(|out| x = out.x), err(expected = f), status = g, timeout = T, none = error, gen_ai, span_name = \"s\",
         kind = consumer, root, links = l, enabled = on(), boxed, keep_async, future, crate = a::b,",
    );
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(arguments.iter().count(), 22);
    assert!(arguments.root().is_some() && arguments.expression(Arg::Err).is_some());
}

#[test]
fn fields_have_keys_modes_and_shorthand() {
    let (arguments, errors) = parse(
        &AGENT,
        "fields(a, run.id, self.model, pair.0, %b, ?c, k = 1 + 2, \"x.y\" = %d, p.q = ?e, r#type)",
    );
    assert_eq!(errors, Vec::<String>::new());
    let fields: Vec<_> =
        arguments.fields(Arg::Fields).iter().map(|field| (field.key.value(), field.mode)).collect();
    let keys = |mode| {
        fields
            .iter()
            .filter(|field| field.1 == mode)
            .map(|field| field.0.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(Mode::Typed), ["a", "run.id", "model", "pair.0", "k", "type"]);
    assert_eq!(keys(Mode::Display), ["b", "x.y"]);
    assert_eq!(keys(Mode::Debug), ["c", "p.q"]);
}

#[test]
fn a_misspelt_argument_is_told_the_nearest_name_and_the_choices() {
    let message = only_mistake("nmae = 1");
    let start = "unknown argument `nmae`; did you mean `name`? expected one of `id`, `name`,";
    assert!(message.starts_with(start), "{message}");
    assert!(!message.contains("`action`"), "{message}");
    assert!(only_mistake("skip(a, b)").contains("leave it out"));
}

#[test]
fn all_mistakes_are_reported_and_what_follows_is_still_read() {
    let (arguments, errors) = parse(
        &WORKFLOW,
        "nmae = a.b(c, d), id, gen_ai = true, root, root, kind = x, action = 1, name = \"ok\"",
    );
    assert_eq!(errors.len(), 6, "{errors:?}");
    assert!(arguments.has(Arg::Name) && arguments.has(Arg::Root));
}

#[test]
fn forms_are_explained_where_they_are_wrong() {
    for (given, message) in [
        ("id", "`id` takes a value: write `id = expression`"),
        ("id(3)", "`id` takes a value: write `id = expression`"),
        ("id =", "`id` has no value after the `=`"),
        ("id = \"\"", "`id` cannot be empty"),
        ("\"nightly\"", "an argument has a name: write `id = …`"),
        ("boxed = true", "`boxed` takes no value: write `boxed`"),
        ("fields", "`fields` takes its values in parentheses: write `fields(key = expression, …)`"),
        ("fields()", "`fields` is empty: write `fields(key = expression, …)`, or leave it out"),
        ("fields(a.b())", "this value needs a key"),
        ("fields(\"k\")", "the key has no value"),
        ("fields(\"\" = 1)", "a key cannot be empty"),
        ("fields(a = 1, a = 2)", "the key `a` is given twice"),
        ("ret(x = 1)", "`ret` names the value first"),
        ("ret(|out|)", "`ret` records nothing"),
        ("err", "`err` takes its values in parentheses"),
        ("err(unexpected = f)", "unknown option `unexpected` of `err`"),
        ("err(expected = f, g)", "`err` takes `expected = path` and nothing else"),
        ("none = success", "`none` cannot be `success`"),
        ("kind = cilent", "`kind` cannot be `cilent`; did you mean `client`?"),
        ("id = 1, id = 2", "`id` is given twice; keep one of them"),
        ("id = f().await", "an argument cannot await"),
        ("id = f(a?)", "an argument cannot return early with `?`"),
        ("fields(k = return)", "an argument cannot return"),
        ("crate = 3", "expected identifier"),
        ("id = 1 name = 2", "expected `,` before the next argument"),
    ] {
        let found = only_mistake(given);
        assert!(found.starts_with(message), "{given}: {found}");
    }
}

#[test]
fn a_closure_in_an_argument_may_return() {
    assert_eq!(mistakes("id = list.iter().map(|x| x.f()?).next()"), Vec::<String>::new());
}

#[test]
fn arguments_of_a_method_win_over_those_of_its_block() {
    let block = parse(&AGENT, "id = a, action = b, gen_ai").0;
    let merged = parse(&AGENT, "action = c").0.over(&block);
    let action = merged.expression(Arg::Action).map(|value| quote::quote!(#value).to_string());
    assert_eq!(action.as_deref(), Some("c"));
    assert!(merged.has(Arg::Id) && merged.has(Arg::GenAi));
}

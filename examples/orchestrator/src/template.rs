//! Renders the input of a node: each string of the JSON tree is a template.
//!
//! The JSON is not rendered as text, because a value with a quote could change other values. A
//! string that is one `{{ expression }}` keeps the type of its value. Results are not evaluated
//! again, and undefined names are errors.
//!
//! The definition and the result are bounded: the syntax is checked before a template is parsed
//! ([`syntax`]), fuel limits the instructions and [`MAX_RENDERED`] the size of the whole input.

mod bounded;
mod syntax;

use bounded::{Bounded, too_long};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};
use std::collections::HashSet;
use syntax::Checked;

/// Maximum number of instructions per string.
const FUEL: u64 = 20_000;
/// Maximum number of tokens of all templates of one input.
const MAX_TOKENS: usize = 4_096;
/// Maximum size of a rendered input, in bytes.
pub const MAX_RENDERED: usize = 256 * 1024;

/// An input that could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template at `{path}`: {reason}")]
pub struct TemplateError {
    /// JSON pointer to the string.
    pub path: String,
    /// Description of the error.
    pub reason: String,
}

/// Renders every string of `input` with `variables` at the top level. Blocks the thread for the
/// time of the rendering.
///
/// # Errors
/// A string does not parse, has an undefined name, or exceeds a limit.
pub fn render(input: &Value, variables: &Map<String, Value>) -> Result<Value, TemplateError> {
    let environment = environment();
    let context = minijinja::Value::from(minijinja::value::Serde(variables));
    let (mut tokens, mut room) = (0, MAX_RENDERED);
    walk(input, &mut String::new(), &mut |leaf| {
        let checked = check(leaf, &mut tokens)?;
        let (value, size) = render_leaf(&environment, checked, &context, room)?;
        room = room.checked_sub(size).ok_or_else(too_long)?;
        Ok(value)
    })
}

/// Returns whether a string of `input` can be a template.
#[must_use]
pub fn has_templates(input: &Value) -> bool {
    match input {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(has_templates),
        Value::Object(fields) => fields.values().any(has_templates),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// No template without a brace.
fn is_template(text: &str) -> bool {
    text.contains('{')
}

/// Checks the templates of `input` and collects their names, as dotted paths
/// (`nodes.scan.output`).
///
/// # Errors
/// A string does not parse, or exceeds a limit.
pub fn collect_names(input: &Value) -> Result<HashSet<String>, TemplateError> {
    let environment = environment();
    let (mut names, mut tokens) = (HashSet::new(), 0);
    walk(input, &mut String::new(), &mut |leaf| {
        let found = match check(leaf, &mut tokens)? {
            Checked::Expression(expression) => {
                environment.compile_expression(expression).map(|it| it.undeclared_variables(true))
            }
            Checked::Text(text) => {
                environment.template_from_str(text).map(|it| it.undeclared_variables(true))
            }
        };
        names.extend(found.map_err(|error| error_detail(&error))?);
        Ok(Value::Null)
    })?;
    Ok(names)
}

/// Checks a string, and counts its tokens to those of the other strings.
fn check<'a>(leaf: &'a str, tokens: &mut usize) -> Result<Checked<'a>, String> {
    let (checked, count) = syntax::check(leaf)?;
    *tokens += count;
    if *tokens > MAX_TOKENS {
        return Err(format!("the templates of the input have more than {MAX_TOKENS} tokens"));
    }
    Ok(checked)
}

fn environment() -> Environment<'static> {
    let mut environment = syntax::environment();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    // The result is not HTML.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment
}

type Leaf<'a> = dyn FnMut(&str) -> Result<Value, String> + 'a;

fn walk(value: &Value, path: &mut String, leaf: &mut Leaf<'_>) -> Result<Value, TemplateError> {
    let length = path.len();
    match value {
        Value::String(text) if !is_template(text) => Ok(value.clone()),
        Value::String(text) => {
            leaf(text).map_err(|reason| TemplateError { path: pointer(path), reason })
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                path.push('/');
                path.push_str(&index.to_string());
                let rendered = walk(item, path, leaf);
                path.truncate(length);
                rendered
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, field)| {
                path.push('/');
                path.push_str(&key.replace('~', "~0").replace('/', "~1"));
                let rendered = walk(field, path, leaf);
                path.truncate(length);
                Ok((key.clone(), rendered?))
            })
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
    }
}

fn pointer(path: &str) -> String {
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

/// Renders a string to at most `room` bytes. Returns the value and its size.
fn render_leaf(
    environment: &Environment<'_>,
    leaf: Checked<'_>,
    context: &minijinja::Value,
    room: usize,
) -> Result<(Value, usize), String> {
    let mut text = Bounded::new(room);
    match leaf {
        Checked::Expression(source) => {
            let expression =
                environment.compile_expression(source).map_err(|error| error_detail(&error))?;
            let missing = || undefined(expression.undeclared_variables(true), context);
            let value =
                expression.eval(context).map_err(|error| describe_error(&error, missing))?;
            if value.is_undefined() {
                let name = || format!("`{}` is undefined", source.trim());
                return Err(missing().unwrap_or_else(name));
            }
            // Serialized and parsed again with a size limit, because a value can be lazy and large.
            match serde_json::to_writer(&mut text, &value) {
                Ok(()) => {}
                Err(error) if error.is_io() => return Err(too_long()),
                Err(error) => return Err(error.to_string()),
            }
            let value = serde_json::from_slice(&text.bytes).map_err(|error| error.to_string())?;
            Ok((value, text.bytes.len()))
        }
        Checked::Text(source) => {
            let template =
                environment.template_from_str(source).map_err(|error| error_detail(&error))?;
            match template.render_captured_to(context, &mut text) {
                Ok(_) => {}
                Err(_) if text.is_full() => return Err(too_long()),
                Err(error) => {
                    let missing = || undefined(template.undeclared_variables(true), context);
                    return Err(describe_error(&error, missing));
                }
            }
            let size = text.bytes.len();
            Ok((Value::String(text.into_text()), size))
        }
    }
}

fn describe_error(error: &minijinja::Error, missing: impl FnOnce() -> Option<String>) -> String {
    match error.kind() {
        ErrorKind::UndefinedError => missing().unwrap_or_else(|| error_detail(error)),
        ErrorKind::OutOfFuel => format!("executes more than {FUEL} instructions"),
        _ => error_detail(error),
    }
}

fn error_detail(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// Describes the first undefined name.
fn undefined(names: HashSet<String>, context: &minijinja::Value) -> Option<String> {
    let mut missing: Vec<_> = names.into_iter().filter(|name| !resolves(name, context)).collect();
    missing.sort_unstable();
    missing.first().map(|name| format!("`{name}` is undefined"))
}

fn resolves(name: &str, context: &minijinja::Value) -> bool {
    let mut value = context.clone();
    for part in name.split('.') {
        match value.get_attr(part) {
            Ok(next) if !next.is_undefined() => value = next,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn variables() -> Map<String, Value> {
        json!({
            "severity": "high",
            "count": 3,
            "quote": "\"}, \"channel\": \"#stolen\" {{ severity }}",
            "nodes": {"scan": {"output": {"findings": [{"file": "a.rs"}], "total": 1}}},
        })
        .as_object()
        .cloned()
        .unwrap_or_default()
    }

    fn rendered(leaf: &str) -> Result<Value, String> {
        render(&json!(leaf), &variables()).map_err(|error| error.reason)
    }

    #[test]
    fn a_string_that_is_one_expression_keeps_its_type() {
        assert_eq!(rendered("{{ count }}"), Ok(json!(3)));
        assert_eq!(rendered("{{- count -}}"), Ok(json!(3)));
        assert_eq!(rendered("{{ nodes.scan.output.findings }}"), Ok(json!([{"file": "a.rs"}])));
        assert_eq!(rendered("{{ count > 2 }}"), Ok(json!(true)));
        assert_eq!(rendered("{{ severity }}-{{ count }}"), Ok(json!("high-3")));
        assert_eq!(rendered("n={{ count }}"), Ok(json!("n=3")));
        assert_eq!(rendered("no template { here }"), Ok(json!("no template { here }")));
    }

    #[test]
    fn a_value_with_a_quote_changes_no_other_string() {
        let input =
            json!({"message": "{{ quote }}", "channel": "#ours", "nested": ["a: {{ quote }}"]});
        let rendered = render(&input, &variables()).unwrap();
        assert_eq!(rendered["channel"], "#ours");
        assert_eq!(rendered["message"], variables()["quote"]);
        // Results are not evaluated again.
        assert!(rendered["nested"][0].as_str().unwrap().contains("{{ severity }}"));
    }

    #[test]
    fn an_undefined_name_is_an_error_with_the_name() {
        assert_eq!(rendered("{{ severty }}"), Err("`severty` is undefined".into()));
        assert_eq!(rendered("is {{ severty }}"), Err("`severty` is undefined".into()));
        let missing = rendered("{{ nodes.scan.output.missing }}").unwrap_err();
        assert!(missing.contains("nodes.scan.output.missing"), "{missing}");
        let error = render(&json!({"a": [{"b/c": "{{ x }}"}]}), &variables()).unwrap_err();
        assert_eq!(error.to_string(), "template at `/a/0/b~1c`: `x` is undefined");
    }

    #[test]
    fn a_template_that_never_ends_runs_out_of_fuel() {
        let loops =
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        assert!(rendered(loops).unwrap_err().contains("instructions"));
    }

    #[test]
    fn a_bad_template_is_an_error() {
        assert!(rendered("{{ count").is_err());
        assert!(rendered("{% if %}").is_err());
        assert!(rendered("{{ count | nonsense }}").is_err());
    }

    #[test]
    fn a_chain_of_any_length_is_an_error_and_no_stack_overflow() {
        for unit in [".a", "[0]", "|upper", " if x else x", " and x", "-1", " is x", "(x)"] {
            for count in [300, 3_000, 120_000] {
                let error = rendered(&format!("{{{{ x{} }}}}", unit.repeat(count))).unwrap_err();
                assert!(
                    error.contains("tokens") || error.contains("bytes long"),
                    "{unit}: {error}"
                );
            }
        }
        for unit in ["-", "not ", "(", "[", "{", "x[", "x("] {
            for count in [490, 600, 100_000] {
                let text = format!("{{{{ {}x }}}}", unit.repeat(count));
                assert!(rendered(&text).is_err(), "{unit}");
            }
        }
        for block in ["{% if x %}", "{% for x in x %}"] {
            assert!(rendered(&block.repeat(60)).unwrap_err().contains("levels deep"), "{block}");
        }
    }

    #[test]
    fn operations_whose_result_grows_faster_than_the_template_are_rejected() {
        for leaf in [
            "{{ severity * 1000000 }}",
            "{{ severity ~ severity }}",
            "{{ severity + severity }}",
            "{{ 2 ** 100000 }}",
            "{{ [severity, severity] }}",
            "{{ (severity, severity) }}",
            "{{ {'a': severity} }}",
            "{% set x = severity %}{{ x }}",
            "{% with x = severity %}{{ x }}{% endwith %}",
            "{% filter upper %}x{% endfilter %}",
            "{{ severity | replace('h', 'hhhh') }}",
            "{{ severity | list | string }}",
            "{{ severity.upper() }}",
            "{{ dict(a=1) }}",
            "{{ range(*nodes) }}",
            "{% for a in range(9) recursive %}{{ loop(range(9)) }}{% endfor %}",
        ] {
            assert!(collect_names(&json!(leaf)).is_err(), "{leaf} is valid");
            assert!(rendered(leaf).is_err(), "{leaf} is rendered");
        }
        // Permitted parts of the language.
        let list =
            "{% for f in nodes.scan.output.findings %}{{ loop.index }}. {{ f.file }}{% endfor %}";
        assert_eq!(rendered(list), Ok(json!("1. a.rs")));
        assert_eq!(rendered("{% if severity in ['high', 'low'] %}x{% endif %}"), Ok(json!("x")));
        assert_eq!(
            rendered("{{ nodes.scan.output | tojson }}!").unwrap(),
            json!("{\"findings\":[{\"file\":\"a.rs\"}],\"total\":1}!")
        );
    }

    #[test]
    fn an_input_is_bounded_over_all_its_strings() {
        let big = json!({"big": "x".repeat(100_000)});
        let variables = big.as_object().unwrap();
        assert!(render(&json!(["{{ big }}", "{{ big }}"]), variables).is_ok());
        let error = render(&json!(["{{ big }}", "{{ big }}", "<{{ big }}>"]), variables);
        assert_eq!(
            error.unwrap_err().to_string(),
            "template at `/2`: renders more than 262144 bytes"
        );
        let error = render(&json!(vec!["{{ big }}"; 2_000]), &Map::new()).unwrap_err();
        assert!(error.path == "/0", "{error}");
        let error = collect_names(&json!(vec!["{{ big }}"; 2_000])).unwrap_err();
        assert!(error.reason.contains("tokens"), "{error}");
        assert!(rendered("{{ nodes.scan.output.findings | join(quote) | tojson }}").is_ok());
    }
}

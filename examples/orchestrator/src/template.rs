//! Renders the input of a node: each string of the JSON tree is a template.
//!
//! The JSON is not rendered as text, because a value with a quote could change other values. A
//! string that is one `{{ expression }}` keeps the type of its value. Results are not evaluated
//! again, and undefined names are errors.
//!
//! The definition and the result are bounded: the size of a template is checked before it is parsed
//! (`syntax`), fuel limits instructions and intermediate data, and [`MAX_RENDERED`] the size of
//! the whole input.

mod syntax;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Maximum cost of a string. An instruction costs 1, as do 64 bytes of intermediate data.
const FUEL: u64 = 50_000;
/// Maximum depth of recursive loops, whose values can be nested as deep.
const MAX_RECURSION: usize = 32;
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
        count_tokens(leaf, &mut tokens)?;
        let (value, size) = render_leaf(&environment, leaf, &context, room)?;
        room -= size;
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
        count_tokens(leaf, &mut tokens)?;
        let found = match single_expression(&environment, leaf) {
            Some(expression) => {
                environment.compile_expression(expression).map(|it| it.undeclared_variables(true))
            }
            None => environment.template_from_str(leaf).map(|it| it.undeclared_variables(true)),
        };
        names.extend(found.map_err(|error| error_detail(&error))?);
        Ok(Value::Null)
    })?;
    Ok(names)
}

/// Checks the size of a string, and counts its tokens to those of the other strings.
fn count_tokens(leaf: &str, tokens: &mut usize) -> Result<(), String> {
    *tokens += syntax::check_size(leaf)?;
    if *tokens > MAX_TOKENS {
        return Err(format!("the templates of the input have more than {MAX_TOKENS} tokens"));
    }
    Ok(())
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // Its values can be nested once more in each round of a loop.
    environment.remove_global("namespace");
    environment.set_recursion_limit(MAX_RECURSION);
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
    leaf: &str,
    context: &minijinja::Value,
    room: usize,
) -> Result<(Value, usize), String> {
    let mut text = Bounded { bytes: Vec::new(), room };
    if let Some(source) = single_expression(environment, leaf) {
        let expression =
            environment.compile_expression(source).map_err(|error| error_detail(&error))?;
        let missing = || undefined(expression.undeclared_variables(true), context);
        let value = expression.eval(context).map_err(|error| describe_error(&error, missing))?;
        if value.is_undefined() {
            return Err(missing().unwrap_or_else(|| format!("`{}` is undefined", source.trim())));
        }
        // Serialized and parsed again with a size limit, because a value can be lazy and large.
        return match serde_json::to_writer(&mut text, &value) {
            Ok(()) => serde_json::from_slice(&text.bytes)
                .map(|value| (value, text.bytes.len()))
                .map_err(|error| error.to_string()),
            Err(error) if error.is_io() => Err(too_long()),
            Err(error) => Err(error.to_string()),
        };
    }
    let template = environment.template_from_str(leaf).map_err(|error| error_detail(&error))?;
    match template.render_captured_to(context, &mut text) {
        Ok(_) => {
            let rendered = String::from_utf8_lossy(&text.bytes).into_owned();
            Ok((Value::String(rendered), text.bytes.len()))
        }
        Err(_) if text.bytes.len() >= room => Err(too_long()),
        Err(error) => {
            Err(describe_error(&error, || undefined(template.undeclared_variables(true), context)))
        }
    }
}

/// Returns the expression of a string that is one expression and nothing else.
fn single_expression<'a>(environment: &Environment<'_>, leaf: &'a str) -> Option<&'a str> {
    let inner = leaf.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    // `{{-` trims white space and is not a negation.
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let inner = inner.strip_suffix(['-', '+']).unwrap_or(inner);
    // The parser rejects `a }}…{{ b`.
    environment.compile_expression_owned(inner.to_owned()).is_ok().then_some(inner)
}

fn describe_error(error: &minijinja::Error, missing: impl FnOnce() -> Option<String>) -> String {
    match error.kind() {
        ErrorKind::UndefinedError => missing().unwrap_or_else(|| error_detail(error)),
        ErrorKind::OutOfFuel => format!(
            "executes more than {FUEL} instructions, or produces more than {} bytes",
            FUEL * 64
        ),
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

fn too_long() -> String {
    format!("renders more than {MAX_RENDERED} bytes")
}

/// A writer that is limited to `room` bytes.
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let fits = self.room.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(fits) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
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
    fn a_short_template_whose_values_grow_is_an_error() {
        let doubled = "{% set x = x ~ x %}".repeat(60);
        let nested: String = (0..15).map(|_| "{% for x in [x ~ x ~ x ~ x] %}").collect();
        let list = format!("{}x{}", "[".repeat(15), "]".repeat(15));
        for leaf in [
            format!("{{% set x = severity %}}{doubled}{{{{ x }}}}"),
            format!("{{% set x = severity %}}{nested}{{{{ x }}}}{}", "{% endfor %}".repeat(15)),
            "{{ severity * 1000000000 }}".to_owned(),
            "{{ 2 ** 100000000 }}".to_owned(),
            "{{ severity | replace('h', severity * 9999) | replace('h', severity * 9999) }}".to_owned(),
            format!("{{{{ quote{} }}}}", "|tojson".repeat(60)),
            format!("{{{{ quote{} }}}}", "|list|string".repeat(60)),
            "{{ range(99999) | list | tojson(indent=9999999) }}".to_owned(),
            "{{ '%999999999d' | format(1) }}".to_owned(),
            "{% for a in [1] recursive %}{{ loop([a, a]) }}{% endfor %}".to_owned(),
            format!("{{% for a in [1] recursive %}}{{{{ loop([{list}]) }}}}{{% endfor %}}"),
            "{% set n = namespace(x=1) %}{% for a in range(9999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}".to_owned(),
        ] {
            let begun = std::time::Instant::now();
            let error = rendered(&leaf).unwrap_err();
            assert!(begun.elapsed().as_secs() < 5, "{leaf}: {error} after {:?}", begun.elapsed());
        }
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

//! Renders the input of a node: each string of the JSON tree is a template.
//!
//! The JSON is not rendered as text, because a value with a quote could change other values. A
//! string that is one `{{ expression }}` keeps the type of its value. Results are not evaluated
//! again, undefined names are errors, and fuel limits the cost of a template.

use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Maximum number of instructions per string.
const FUEL: u64 = 50_000;
/// Maximum size of a rendered string, in bytes.
const MAX_LEAF: usize = 1 << 20;

/// An input that could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template at `{path}`: {reason}")]
pub struct TemplateError {
    /// JSON pointer to the string.
    pub path: String,
    /// Description of the error.
    pub reason: String,
}

/// Renders every string of `input` with `variables` at the top level.
///
/// # Errors
/// A string does not parse, has an undefined name, or exceeds a limit.
pub fn render(input: &Value, variables: &Map<String, Value>) -> Result<Value, TemplateError> {
    let environment = environment();
    let context = minijinja::Value::from(minijinja::value::Serde(variables));
    walk(input, &mut String::new(), &mut |leaf| render_leaf(&environment, leaf, &context))
}

/// Collects the names in the templates of `input`, as dotted paths (`nodes.scan.output`).
///
/// # Errors
/// A string does not parse.
pub fn collect_names(input: &Value) -> Result<HashSet<String>, TemplateError> {
    let environment = environment();
    let mut names = HashSet::new();
    walk(input, &mut String::new(), &mut |leaf| {
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

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
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
        // No template without a brace.
        Value::String(text) if !text.contains('{') => Ok(value.clone()),
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

fn render_leaf(
    environment: &Environment<'_>,
    leaf: &str,
    context: &minijinja::Value,
) -> Result<Value, String> {
    if let Some(source) = single_expression(environment, leaf) {
        let expression =
            environment.compile_expression(source).map_err(|error| error_detail(&error))?;
        let missing = || undefined(expression.undeclared_variables(true), context);
        let value = expression.eval(context).map_err(|error| describe_error(&error, missing))?;
        if value.is_undefined() {
            return Err(missing().unwrap_or_else(|| format!("`{}` is undefined", source.trim())));
        }
        // Serialized and parsed again with a size limit, because a value can be lazy and large.
        let mut text = Bounded(Vec::new());
        return match serde_json::to_writer(&mut text, &value) {
            Ok(()) => serde_json::from_slice(&text.0).map_err(|error| error.to_string()),
            Err(error) if error.is_io() => Err(text.too_long()),
            Err(error) => Err(error.to_string()),
        };
    }
    let template = environment.template_from_str(leaf).map_err(|error| error_detail(&error))?;
    let mut text = Bounded(Vec::new());
    match template.render_captured_to(context, &mut text) {
        Ok(_) => Ok(Value::String(String::from_utf8_lossy(&text.0).into_owned())),
        Err(_) if text.0.len() >= MAX_LEAF => Err(text.too_long()),
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

/// A writer that is limited to [`MAX_LEAF`] bytes.
struct Bounded(Vec<u8>);

impl Bounded {
    fn too_long(&self) -> String {
        format!("renders more than {MAX_LEAF} bytes")
    }
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = MAX_LEAF.saturating_sub(self.0.len()).min(bytes.len());
        self.0.extend_from_slice(&bytes[..room]);
        if room < bytes.len() { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(room) }
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
}

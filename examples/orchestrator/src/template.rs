//! Renders a node's input: each string leaf of the JSON tree is a template of its own.
//!
//! Never the JSON as text: a value with a quote in it would rewrite its neighbours. A leaf that is one
//! `{{ expression }}` keeps the type of its value; what a template yields is never evaluated again; an undefined name
//! is an error that says the name; fuel bounds what a template may cost.

use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Instructions that one leaf may execute.
const FUEL: u64 = 50_000;
/// What one rendered leaf may measure.
const LONGEST_LEAF: usize = 1 << 20;

/// Why an input could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template at `{path}`: {reason}")]
pub struct TemplateError {
    /// Where in the input, as a JSON pointer.
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

/// Renders every string leaf of `input` with `variables` at the top level.
///
/// # Errors
/// The first leaf that does not parse, names something undefined, or costs too much.
pub fn render(input: &Value, variables: &Map<String, Value>) -> Result<Value, TemplateError> {
    let environment = environment();
    let context = minijinja::Value::from(minijinja::value::Serde(variables));
    walk(input, &mut String::new(), &mut |leaf| render_leaf(&environment, leaf, &context))
}

/// The names that the templates in `input` use, dotted as far as they are spelled (`nodes.scan.output`).
///
/// # Errors
/// The first leaf that does not parse.
pub fn names(input: &Value) -> Result<HashSet<String>, TemplateError> {
    let environment = environment();
    let mut names = HashSet::new();
    walk(input, &mut String::new(), &mut |leaf| {
        let found = match single_expression(&environment, leaf) {
            Some(expression) => {
                environment.compile_expression(expression).map(|it| it.undeclared_variables(true))
            }
            None => environment.template_from_str(leaf).map(|it| it.undeclared_variables(true)),
        };
        names.extend(found.map_err(|error| explain(&error))?);
        Ok(Value::Null)
    })?;
    Ok(names)
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    // The text goes to agents and not into HTML.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment
}

type Leaf<'a> = dyn FnMut(&str) -> Result<Value, String> + 'a;

fn walk(value: &Value, path: &mut String, leaf: &mut Leaf<'_>) -> Result<Value, TemplateError> {
    let length = path.len();
    match value {
        // Without a marker there is nothing to evaluate.
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
        let expression = environment.compile_expression(source).map_err(|error| explain(&error))?;
        let missing = || undefined(expression.undeclared_variables(true), context);
        let value = expression.eval(context).map_err(|error| complain(&error, missing))?;
        if value.is_undefined() {
            return Err(missing().unwrap_or_else(|| format!("`{}` is undefined", source.trim())));
        }
        // Written and read back: a value may be lazy, and far larger than what it was made of.
        let mut text = Bounded(Vec::new());
        return match serde_json::to_writer(&mut text, &value) {
            Ok(()) => serde_json::from_slice(&text.0).map_err(|error| error.to_string()),
            Err(error) if error.is_io() => Err(text.too_long()),
            Err(error) => Err(error.to_string()),
        };
    }
    let template = environment.template_from_str(leaf).map_err(|error| explain(&error))?;
    let mut text = Bounded(Vec::new());
    match template.render_captured_to(context, &mut text) {
        Ok(_) => Ok(Value::String(String::from_utf8_lossy(&text.0).into_owned())),
        Err(_) if text.0.len() >= LONGEST_LEAF => Err(text.too_long()),
        Err(error) => {
            Err(complain(&error, || undefined(template.undeclared_variables(true), context)))
        }
    }
}

/// The expression of a leaf that is nothing else; only that keeps its type.
fn single_expression<'a>(environment: &Environment<'_>, leaf: &'a str) -> Option<&'a str> {
    let inner = leaf.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    // `{{-` trims white space, it does not negate.
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let inner = inner.strip_suffix(['-', '+']).unwrap_or(inner);
    // `a }}…{{ b` is no expression: the parser is the judge.
    environment.compile_expression_owned(inner.to_owned()).is_ok().then_some(inner)
}

fn complain(error: &minijinja::Error, missing: impl FnOnce() -> Option<String>) -> String {
    match error.kind() {
        ErrorKind::UndefinedError => missing().unwrap_or_else(|| explain(error)),
        ErrorKind::OutOfFuel => format!("costs more than {FUEL} instructions"),
        _ => explain(error),
    }
}

fn explain(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// Which of the names is not there.
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

/// A writer that refuses to grow past [`LONGEST_LEAF`].
struct Bounded(Vec<u8>);

impl Bounded {
    fn too_long(&self) -> String {
        format!("renders more than {LONGEST_LEAF} bytes")
    }
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = LONGEST_LEAF.saturating_sub(self.0.len()).min(bytes.len());
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
    fn a_leaf_that_is_one_expression_keeps_its_type() {
        assert_eq!(rendered("{{ count }}"), Ok(json!(3)));
        assert_eq!(rendered("{{- count -}}"), Ok(json!(3)));
        assert_eq!(rendered("{{ nodes.scan.output.findings }}"), Ok(json!([{"file": "a.rs"}])));
        assert_eq!(rendered("{{ count > 2 }}"), Ok(json!(true)));
        assert_eq!(rendered("{{ severity }}-{{ count }}"), Ok(json!("high-3")));
        assert_eq!(rendered("n={{ count }}"), Ok(json!("n=3")));
        assert_eq!(rendered("no template { here }"), Ok(json!("no template { here }")));
    }

    #[test]
    fn a_value_with_a_quote_in_it_changes_nothing_but_its_own_leaf() {
        let input =
            json!({"message": "{{ quote }}", "channel": "#ours", "nested": ["a: {{ quote }}"]});
        let rendered = render(&input, &variables()).unwrap();
        assert_eq!(rendered["channel"], "#ours");
        assert_eq!(rendered["message"], variables()["quote"]);
        // Nor is it evaluated a second time.
        assert!(rendered["nested"][0].as_str().unwrap().contains("{{ severity }}"));
    }

    #[test]
    fn an_undefined_name_is_an_error_that_says_the_name() {
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

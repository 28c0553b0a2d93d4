//! Who emits: the settings of the resource, and which of them wins.

use crate::config::reader::{Origin, Reader, Setting};
use crate::telemetry::redaction::{REDACTED, is_secret};
use opentelemetry_semantic_conventions::attribute as s;
use percent_encoding::percent_decode_str;

/// The names that a program gives itself: they win over nothing but having no name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Defaults {
    pub(crate) service: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) namespace: Option<String>,
}

/// The settled attributes of the resource, in the order in which they win.
#[derive(Debug, Clone)]
pub(crate) struct ResourceConfig {
    pub(crate) service_name: Setting<String>,
    /// Every other attribute, each key once.
    pub(crate) attributes: Vec<(String, Setting<String>)>,
}

impl ResourceConfig {
    pub(crate) fn read(read: &mut Reader<'_>, defaults: &Defaults) -> Self {
        let mut attributes: Vec<(String, Setting<String>)> = Vec::new();
        let mut add = |key: String, value: Setting<String>| {
            if !attributes.iter().any(|(known, _)| *known == key) {
                attributes.push((key, value));
            }
        };
        // The builder's attributes first: it wins over the environment.
        for (name, (method, value)) in read.overrides.clone() {
            if let Some(key) = name.strip_prefix("attribute:") {
                let origin = Origin::Builder(method);
                if key.is_empty() || value.is_empty() {
                    let value = if is_secret(key) { REDACTED } else { &value };
                    read.problem(&origin, value, format!("a key and a value; the key is `{key}`"));
                }
                add(key.to_owned(), Setting { value, origin });
            }
        }
        if let Some((origin, text)) = read.find(&["OTEL_RESOURCE_ATTRIBUTES"]) {
            match pairs(&text) {
                Ok(pairs) => {
                    // The last one of a key that is given twice wins.
                    for (key, value) in pairs.into_iter().rev() {
                        add(key, Setting { value, origin: origin.clone() });
                    }
                }
                Err(expected) => read.problem(&origin, &shown(&text), expected),
            }
        }
        let given = |key: &str, value: &Option<String>| {
            value.clone().map(|value| (key.to_owned(), Setting::default(value)))
        };
        for (key, value) in [
            given(s::SERVICE_VERSION, &defaults.version),
            given(s::SERVICE_NAMESPACE, &defaults.namespace),
        ]
        .into_iter()
        .flatten()
        {
            add(key, value);
        }
        for (method, default) in [
            ("default_service", &defaults.service),
            ("default_version", &defaults.version),
            ("default_namespace", &defaults.namespace),
        ] {
            if default.as_ref().is_some_and(|value| value.trim().is_empty()) {
                read.problem(
                    &Origin::Builder(method),
                    "",
                    "a name; leave the call out to use the default",
                );
            }
        }
        let from_attributes = attributes
            .iter()
            .position(|(key, _)| key == s::SERVICE_NAME)
            .map(|at| attributes.remove(at).1);
        let service_name = match (read.find(&["OTEL_SERVICE_NAME"]), from_attributes) {
            (_, Some(setting)) if matches!(setting.origin, Origin::Builder(_)) => setting,
            (Some((origin, value)), _) => Setting { value, origin },
            (None, Some(setting)) => setting,
            (None, None) => {
                Setting::default(defaults.service.clone().unwrap_or_else(unknown_service))
            }
        };
        Self { service_name, attributes }
    }
}

/// What the specification says for a service without a name.
fn unknown_service() -> String {
    let program = std::env::current_exe().ok();
    match program.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str()) {
        Some(name) => format!("unknown_service:{name}"),
        None => "unknown_service".to_owned(),
    }
}

/// `key=value,key=value`, percent-encoded (resource specification, "Specifying resource information via an
/// environment variable").
pub(crate) fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let form = "`key=value` pairs with commas between them, special characters percent-encoded";
    let mut pairs = Vec::new();
    for (at, pair) in
        text.split(',').map(str::trim).enumerate().filter(|(_, pair)| !pair.is_empty())
    {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| format!("{form}; pair {} has no `=`", at + 1))?;
        let key = decode(key.trim())
            .ok_or_else(|| format!("{form}; the key of pair {} is not", at + 1))?;
        let value =
            decode(value.trim()).ok_or_else(|| format!("{form}; the value of `{key}` is not"))?;
        if key.is_empty() {
            return Err(format!("{form}; pair {} has no key", at + 1));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// The text as it may be shown: without the values of keys that secrets go by.
fn shown(text: &str) -> String {
    let pairs = text.split(',').map(|pair| match pair.split_once('=') {
        Some((key, _)) if is_secret(key) => format!("{key}={REDACTED}"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join(",")
}

/// Percent-decodes; `None` where a `%` is not followed by two hexadecimal digits, or the result is not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let broken = bytes.iter().enumerate().any(|(at, byte)| {
        *byte == b'%'
            && !bytes
                .get(at + 1..at + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

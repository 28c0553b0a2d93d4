//! The resource settings and their precedence.

use crate::config::reader::{Invalid, Origin, Setting, SettingsReader};
use crate::telemetry::redaction::{REDACTED, is_secret};
use opentelemetry_semantic_conventions::attribute as s;
use percent_encoding::percent_decode_str;

/// The values of the builder's `default_…` methods, which have the lowest precedence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Defaults {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) prometheus_port: Option<u16>,
}

/// The resolved resource attributes.
#[derive(Debug, Clone)]
pub(crate) struct ResourceConfig {
    pub(crate) service_name: Setting<String>,
    /// All other attributes. Each key occurs once.
    pub(crate) attributes: Vec<(String, Setting<String>)>,
}

impl ResourceConfig {
    pub(crate) fn read(reader: &mut SettingsReader<'_>, defaults: &Defaults) -> Self {
        let mut attributes: Vec<(String, Setting<String>)> = Vec::new();
        let mut add = |key: String, value: Setting<String>| {
            if !attributes.iter().any(|(known, _)| *known == key) {
                attributes.push((key, value));
            }
        };
        // The first value of a key applies: the builder takes precedence over the environment.
        for (name, (method, value)) in reader.overrides.clone() {
            if let Some(key) = name.strip_prefix("attribute:") {
                let origin = Origin::Builder(method);
                if key.is_empty() || value.is_empty() {
                    let value = if is_secret(key) { REDACTED } else { &value };
                    reader.problem(
                        &origin,
                        value,
                        format!("a key and a value; the key is `{key}`"),
                    );
                }
                add(key.to_owned(), Setting { value, origin });
            }
        }
        if let Some((origin, value)) = reader.find(&["OTEL_RESOURCE_ATTRIBUTES"]) {
            match parse_pairs(&value) {
                Ok(pairs) => {
                    // The last value of a repeated key applies, by the specification.
                    for (key, value) in pairs.into_iter().rev() {
                        add(key, Setting { value, origin: origin.clone() });
                    }
                }
                // Discarded as a whole, by the specification.
                Err(expected) => {
                    let invalid = Invalid::Unsupported(expected);
                    reader.ignore(&origin, &redact_pairs(&value), invalid);
                }
            }
        }
        let default_of = |key: &str, value: &Option<String>| {
            value.clone().map(|value| (key.to_owned(), Setting::default(value)))
        };
        for (key, value) in [
            default_of(s::SERVICE_VERSION, &defaults.version),
            default_of(s::SERVICE_NAMESPACE, &defaults.namespace),
        ]
        .into_iter()
        .flatten()
        {
            add(key, value);
        }
        for (method, default) in [
            ("default_service_name", &defaults.name),
            ("default_service_version", &defaults.version),
            ("default_service_namespace", &defaults.namespace),
        ] {
            if default.as_ref().is_some_and(|value| value.trim().is_empty()) {
                reader.problem(
                    &Origin::Builder(method),
                    "",
                    "a name; omit the call to use the default",
                );
            }
        }
        let from_attributes = attributes
            .iter()
            .position(|(key, _)| key == s::SERVICE_NAME)
            .map(|index| attributes.remove(index).1);
        let service_name = match (reader.find(&["OTEL_SERVICE_NAME"]), from_attributes) {
            (_, Some(setting)) if matches!(setting.origin, Origin::Builder(_)) => setting,
            (Some((origin, value)), _) => Setting { value, origin },
            (None, Some(setting)) => setting,
            (None, None) => Setting::default(defaults.name.clone().unwrap_or_else(unknown_service)),
        };
        Self { service_name, attributes }
    }
}

/// Returns the service name that the specification requires if none is set.
fn unknown_service() -> String {
    let program = std::env::current_exe().ok();
    match program.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str()) {
        Some(name) => format!("unknown_service:{name}"),
        None => "unknown_service".to_owned(),
    }
}

/// Parses `key=value,key=value`, percent-encoded (resource specification, "Specifying resource
/// information via an environment variable").
fn parse_pairs(list: &str) -> Result<Vec<(String, String)>, String> {
    let form = "`key=value` pairs with commas between them, special characters percent-encoded";
    let mut pairs = Vec::new();
    for (index, pair) in
        list.split(',').map(str::trim).enumerate().filter(|(_, pair)| !pair.is_empty())
    {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| format!("{form}; pair {} has no `=`", index + 1))?;
        let key = percent_decode(key.trim())
            .ok_or_else(|| format!("{form}; the key of pair {} is not", index + 1))?;
        let value = percent_decode(value.trim())
            .ok_or_else(|| format!("{form}; the value of `{key}` is not"))?;
        if key.is_empty() {
            return Err(format!("{form}; pair {} has no key", index + 1));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Redacts the values of secret keys in a list of pairs.
fn redact_pairs(list: &str) -> String {
    let pairs = list.split(',').map(|pair| match pair.split_once('=') {
        Some((key, _)) if is_secret(key) => format!("{key}={REDACTED}"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join(",")
}

/// Percent-decodes `encoded`. Returns `None` if a `%` is not followed by two hexadecimal digits or
/// the result is not UTF-8.
pub(crate) fn percent_decode(encoded: &str) -> Option<String> {
    let bytes = encoded.as_bytes();
    let is_invalid = bytes.iter().enumerate().any(|(index, byte)| {
        *byte == b'%'
            && !bytes
                .get(index + 1..index + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if is_invalid {
        return None;
    }
    percent_decode_str(encoded).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

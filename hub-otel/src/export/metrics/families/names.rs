//! Names of families and labels in the Prometheus text format (OpenTelemetry, "Prometheus and
//! OpenMetrics Compatibility"; Prometheus, "Metric names and labels").

use crate::export::encode::is_text;
use crate::telemetry::redaction::DenyList;
use opentelemetry::Key;
use opentelemetry::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Label names and values, the names unique.
pub(super) type Labels = Vec<(String, String)>;

/// The label with the name of the meter, for series that differ in it only.
pub(super) const SCOPE_LABEL: &str = "otel_scope_name";
/// Label names with a meaning of their own.
const RESERVED_LABELS: [&str; 3] = ["le", "quantile", SCOPE_LABEL];
/// The prefix of a renamed label. Prometheus uses it for a label that the target has as well.
const RENAMED: &str = "exported_";

/// Returns the name of a family: valid characters, the unit, and `_total` for a counter.
pub(super) fn family_name(name: &str, unit: &str, is_counter: bool) -> String {
    let mut valid = valid_name(name, |c| c == ':');
    if is_counter {
        valid.truncate(valid.strip_suffix("_total").unwrap_or(&valid).len());
    }
    if let Some(unit) = unit_name(unit)
        && !valid.ends_with(&format!("_{unit}"))
    {
        valid = format!("{valid}_{unit}");
    }
    if is_counter { format!("{valid}_total") } else { valid }
}

/// Returns the labels of `attributes`, redacted. Names that are reserved, or that the target has,
/// are renamed. The values of names that become equal are joined with `;`.
pub(super) fn labels_of<'a>(
    attributes: impl Iterator<Item = (&'a Key, &'a Value)>,
    deny: &DenyList,
    target: &[(String, String)],
) -> Labels {
    let mut sorted: Vec<_> = attributes.collect();
    sorted.sort_by_key(|(key, _)| *key);
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in sorted {
        // Series that differ in a secret stay different.
        let value = if is_text(value) && deny.redacts(key.as_str()) {
            Cow::Owned(deny.redact_label(key.as_str(), &value.as_str()))
        } else {
            value.as_str()
        };
        let name = label_name_beside(key.as_str(), target);
        labels
            .entry(name)
            .and_modify(|joined| {
                joined.push(';');
                joined.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    labels.into_iter().collect()
}

/// Returns the label name of an attribute key beside the labels of the target.
pub(super) fn label_name_beside(key: &str, target: &[(String, String)]) -> String {
    let mut name = label_name(key);
    if target.iter().any(|(label, _)| *label == name) {
        name.insert_str(0, RENAMED);
    }
    name
}

/// Returns the label name of an attribute key.
fn label_name(key: &str) -> String {
    let name = valid_name(key, |_| false);
    // Names that begin with two underscores are internal to Prometheus.
    if name.starts_with("__") || RESERVED_LABELS.contains(&name.as_str()) {
        format!("{RENAMED}{}", name.trim_start_matches('_'))
    } else {
        name
    }
}

/// Replaces invalid characters by `_`, and prefixes a digit or an empty name with it.
fn valid_name(name: &str, is_also_valid: impl Fn(char) -> bool) -> String {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || is_also_valid(c);
    let mut valid: String = name.chars().map(|c| if is_valid(c) { c } else { '_' }).collect();
    if !valid.starts_with(|first: char| !first.is_ascii_digit()) {
        valid.insert(0, '_');
    }
    valid
}

/// Returns the name of a UCUM unit. `None` if it is unknown or an annotation in braces.
fn unit_name(unit: &str) -> Option<Cow<'static, str>> {
    if let Some(name) = base_unit(unit) {
        return Some(Cow::Borrowed(name));
    }
    let (amount, per) = unit.split_once('/')?;
    let per = match per {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        _ => return None,
    };
    Some(Cow::Owned(match base_unit(amount).filter(|_| amount != "1") {
        Some(amount) => format!("{amount}_per_{per}"),
        None => format!("per_{per}"),
    }))
}

fn base_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" | "B" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" | "KB" | "kBy" => "kilobytes",
        "MBy" | "MB" => "megabytes",
        "GBy" | "GB" => "gigabytes",
        "TBy" | "TB" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "1" => "ratio",
        "%" => "percent",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_unit_and_one_suffix() {
        for (name, unit, is_counter, expected) in [
            ("jobs.done", "", true, "jobs_done_total"),
            ("jobs.total", "{job}", true, "jobs_total"),
            ("http.duration", "s", false, "http_duration_seconds"),
            ("wait_seconds", "s", false, "wait_seconds"),
            ("io.total", "By", true, "io_bytes_total"),
            ("speed", "m/s", false, "speed_meters_per_second"),
            ("rate", "1/s", false, "rate_per_second"),
            ("rate", "{request}/s", false, "rate_per_second"),
            ("1 odd näme", "invalid", false, "_1_odd_n_me"),
        ] {
            assert_eq!(family_name(name, unit, is_counter), expected, "{name} {unit}");
        }
    }

    #[test]
    fn reserved_names_are_renamed_and_equal_ones_joined() {
        let pairs = [
            ("a.b", "2"),
            ("a_b", "1"),
            ("le", "x"),
            ("__name__", "y"),
            ("service.name", "z"),
            ("1:st", "v"),
            ("", "w"),
        ]
        .map(|(key, value)| (Key::new(key), Value::from(value)));
        let target = [("service_name".to_owned(), "target".to_owned())];
        let pairs = pairs.iter().map(|(key, value)| (key, value));
        let labels = labels_of(pairs, &DenyList::default(), &target);
        let expected = [
            ("_", "w"),
            ("_1_st", "v"),
            ("a_b", "2;1"),
            ("exported_le", "x"),
            ("exported_name__", "y"),
            ("exported_service_name", "z"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(labels, expected);
    }
}

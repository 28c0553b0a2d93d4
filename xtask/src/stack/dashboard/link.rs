//! Links from a panel to traces: in Grafana's Explore view, or in Jaeger beside the log records in
//! VictoriaLogs.

use serde_json::{Map, Value, json};

/// Returns a data link that runs a TraceQL query in Explore with the time range of the panel.
pub(super) fn explore(traceql: &str) -> Value {
    let panes = json!({"a": {
        "datasource": "tempo",
        "queries": [{"refId": "A", "datasource": {"type": "tempo", "uid": "tempo"}, "queryType": "traceql", "query": traceql}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }});
    json!({
        "title": "Traces",
        "url": format!("/explore?schemaVersion=1&orgId=1&panes={}", encoded(&panes.to_string())),
        "targetBlank": false,
    })
}

/// Returns the links of a panel of Perses: the traces in Jaeger that a TraceQL query selects, and
/// the log records of the service in VictoriaLogs. Jaeger's search compares for equality only:
/// conditions on a label of the series or on several values are left out. The variables `traces`
/// and `logs` are the addresses of the stores.
pub(super) fn permissive(traceql: &str) -> Vec<Value> {
    let (mut operation, mut tags) = (String::new(), Map::new());
    for condition in traceql.trim_matches(['{', '}', ' ']).split(" && ") {
        let mut words = condition.splitn(3, ' ');
        let (Some(key), Some("="), Some(value)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let value = value.trim_matches('"');
        match key.strip_prefix("span.") {
            _ if value.contains("${") => {}
            None if key == "span:name" => operation = format!("&operation={value}"),
            None if key == "status" => _ = tags.insert("error".to_owned(), json!("true")),
            None if key == "kind" => _ = tags.insert("span.kind".to_owned(), json!(value)),
            None => {}
            Some(attribute) => _ = tags.insert(attribute.to_owned(), json!(value)),
        }
    }
    let tags = encoded(&Value::Object(tags).to_string());
    let records = encoded("{service.name=~\"${service:pipe}\"}");
    let link = |name, url, tooltip| {
        json!({
            "name": name, "url": url, "tooltip": tooltip,
            "renderVariables": true, "targetBlank": true,
        })
    };
    vec![
        link(
            "Traces",
            format!("$traces/search?lookback=1h&service=$service{operation}&tags={tags}"),
            "Traces in Jaeger. Select one service first.",
        ),
        link(
            "Log records",
            format!("$logs/select/vmui/?#/?query={records}"),
            "Log records in VictoriaLogs. The field trace_id leads to the trace.",
        ),
    ]
}

/// Percent-encodes text except for the `${…}` placeholders of Grafana.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let end = rest[start..].find('}').map_or(rest.len(), |length| start + length + 1);
        percent(&mut out, &rest[..start]);
        out.push_str(&rest[start..end]);
        rest = &rest[end..];
    }
    percent(&mut out, rest);
    out
}

fn percent(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

//! Links from a panel to traces in Grafana's Explore view.

use serde_json::{Value, json};

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

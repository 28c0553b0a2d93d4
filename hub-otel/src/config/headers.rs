//! The headers of OTLP requests: OTEL_EXPORTER_OTLP_HEADERS.

use crate::config::reader::{Setting, SettingsReader};
use crate::config::resource::percent_decode;
use crate::telemetry::redaction::{REDACTED, Sensitive};

/// Reads `name=value,name=value`, values percent-encoded. Problems never contain a value.
pub(crate) fn read_headers(
    reader: &mut SettingsReader<'_>,
    names: &[&str],
    is_http: bool,
) -> Setting<Vec<(String, Sensitive<String>)>> {
    let Some((origin, list)) = reader.find(names) else { return Setting::default(Vec::new()) };
    let form = "`name=value` pairs with commas between them, values percent-encoded";
    let mut headers = Vec::new();
    for (index, pair) in
        list.split(',').map(str::trim).enumerate().filter(|(_, pair)| !pair.is_empty())
    {
        let number = index + 1;
        let Some((name, value)) = pair.split_once('=') else {
            reader.problem(&origin, REDACTED, format!("{form}; pair {number} has no `=`"));
            continue;
        };
        let name = name.trim().to_ascii_lowercase();
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if is_managed(&name) {
            let expected = format!(
                "a header of the application; `{name}` belongs to the connection or to the \
                 encoding of a request"
            );
            reader.problem(&origin, &format!("{name}={REDACTED}"), expected);
            continue;
        }
        // gRPC reserves names with the suffix `-bin` for binary values.
        let is_binary = !is_http && name.ends_with("-bin");
        if name.is_empty() || is_binary || !name.chars().all(is_token) {
            reader.problem(
                &origin,
                REDACTED,
                format!("{form}; pair {number} has no valid header name"),
            );
            continue;
        }
        match percent_decode(value.trim())
            .filter(|value| value.bytes().all(|byte| (0x20..0x7f).contains(&byte)))
        {
            Some(value) => headers.push((name, Sensitive::new(value))),
            None => reader.problem(
                &origin,
                &format!("{name}={}", REDACTED),
                format!("{form}; the value of `{name}` is not one that a header can carry"),
            ),
        }
    }
    Setting { value: headers, origin }
}

/// Returns whether a header is set by the transport: hop-by-hop (RFC 9110, "Connection"), the
/// framing and the encoding of the body, and those of the gRPC protocol.
fn is_managed(name: &str) -> bool {
    const MANAGED: [&str; 14] = [
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    MANAGED.contains(&name) || name.starts_with("grpc-")
}

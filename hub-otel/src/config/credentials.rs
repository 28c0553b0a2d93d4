//! Credentials in OTLP headers over plain http.

use crate::config::Config;
use crate::config::reader::{Origin, SettingsReader};
use crate::config::signal::{Exporter, Signal};
use crate::telemetry::redaction::{REDACTED, is_secret};

/// Reports credentials that would be sent unencrypted, unless the host is allowed.
pub(crate) fn reject_insecure_credentials(
    reader: &mut SettingsReader<'_>,
    config: &Config,
    allowed_hosts: &[String],
) {
    let allowed_list = reader
        .find(&["HUB_OTEL_ALLOW_INSECURE_CREDENTIALS"])
        .map(|(_, hosts)| hosts)
        .unwrap_or_default();
    let mut reported: Vec<(Origin, String)> = Vec::new();
    for signal in
        Signal::ALL.iter().copied().filter(|signal| config.exports(*signal, Exporter::Otlp))
    {
        let otlp = config.otlp(signal);
        let endpoint = &otlp.endpoint.value;
        let is_allowed = allowed_list
            .split(',')
            .map(str::trim)
            .chain(allowed_hosts.iter().map(String::as_str))
            .any(|host| host.eq_ignore_ascii_case(&endpoint.host));
        if endpoint.tls || endpoint.is_loopback() || is_allowed {
            continue;
        }
        for (name, _) in otlp.headers.iter().filter(|(name, _)| is_secret(name)) {
            let header = (otlp.headers.origin.clone(), name.clone());
            if reported.contains(&header) {
                continue;
            }
            let expected = format!(
                "an endpoint with `https://`, because {endpoint} would carry it unencrypted; or the host \
                 `{host}` in HUB_OTEL_ALLOW_INSECURE_CREDENTIALS, or \
                 `builder().allow_insecure_credentials(\"{host}\")`",
                host = endpoint.host,
            );
            reader.problem(&header.0, &format!("{name}={}", REDACTED), expected);
            reported.push(header);
        }
    }
}

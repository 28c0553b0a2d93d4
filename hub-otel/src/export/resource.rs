//! The resource: configured attributes, and detected ones of the SDK, host, process and container.

use crate::config::Config;
use crate::config::env::Environment;
use crate::export::components::named::Named;
use crate::export::encode::is_text;
use crate::semconv::kv;
use crate::telemetry::redaction::REDACTED;
use crate::unit::identity::new_uuid;
use opentelemetry::Key;
use opentelemetry::KeyValue;
use opentelemetry::Value;
use opentelemetry_resource_detectors::ContainerResourceDetector;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::ResourceDetector;
use opentelemetry_semantic_conventions::attribute as s;
use std::time::SystemTime;

/// The version of `opentelemetry_sdk` that this crate is built on.
pub(crate) const SDK_VERSION: &str = "0.33.1";

/// A detector of the application.
pub(crate) type Detector = Named<Box<dyn ResourceDetector + Send + Sync>>;

/// Creates the resource. Configured attributes take precedence over those of `detectors`, and these
/// over the ones that are always detected.
pub(crate) fn create_resource(
    config: &Config,
    environment: &Environment,
    detectors: &[Detector],
) -> Resource {
    let mut attributes = detect_attributes(environment);
    for detector in detectors {
        let Some(detected) = detector.call(|detector| detector.detect()) else { continue };
        attributes.extend(detected.iter().map(|(key, value)| {
            let is_secret = is_text(value) && config.deny.denies(key.as_str());
            kv(key.clone(), if is_secret { Value::from(REDACTED) } else { value.clone() })
        }));
    }
    attributes.extend(config.resource.attributes.iter().map(|(key, setting)| {
        let is_secret = config.deny.denies(key);
        let value = if is_secret { REDACTED.to_owned() } else { setting.value.clone() };
        kv(Key::from(key.clone()), value)
    }));
    attributes.push(kv(s::SERVICE_NAME, config.resource.service_name.value.clone()));
    // A later attribute replaces an earlier one of the same key.
    Resource::builder_empty()
        .with_schema_url(attributes, opentelemetry_semantic_conventions::SCHEMA_URL)
        .build()
}

/// Detects the attributes that need no configuration.
///
/// Only the container detector of `opentelemetry-resource-detectors` is used. The others do not
/// follow the semantic conventions or are unsafe: the host detector starts a program and reports
/// `x86_64` for amd64, the one of the operating system reports `macos` for darwin, the one of the
/// process reports the command line, which may contain secrets, and the one of Kubernetes takes any
/// HOSTNAME for a pod.
fn detect_attributes(environment: &Environment) -> Vec<KeyValue> {
    let mut attributes = vec![
        kv(s::TELEMETRY_SDK_NAME, "opentelemetry"),
        kv(s::TELEMETRY_SDK_LANGUAGE, "rust"),
        kv(s::TELEMETRY_SDK_VERSION, SDK_VERSION),
        kv(s::TELEMETRY_DISTRO_NAME, "hub-otel"),
        kv(s::TELEMETRY_DISTRO_VERSION, env!("CARGO_PKG_VERSION")),
        kv(s::SERVICE_INSTANCE_ID, new_uuid(SystemTime::now()).to_string()),
        kv(s::PROCESS_PID, i64::from(std::process::id())),
        kv(s::OS_TYPE, os_type()),
        kv(s::HOST_ARCH, host_arch()),
    ];
    let executable = std::env::current_exe().ok();
    let executable =
        executable.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    attributes.extend(executable.map(|name| kv(s::PROCESS_EXECUTABLE_NAME, name.to_owned())));
    attributes.extend(host_name(environment).map(|name| kv(s::HOST_NAME, name)));
    let container = ContainerResourceDetector.detect();
    attributes.extend(container.iter().map(|(key, value)| kv(key.clone(), value.clone())));
    attributes
}

fn os_type() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

fn host_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        other => other,
    }
}

fn host_name(environment: &Environment) -> Option<String> {
    let from_file = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    let from_environment = || {
        ["HOSTNAME", "COMPUTERNAME"]
            .iter()
            .find_map(|name| environment.get(name))
            .map(str::to_owned)
    };
    from_file.or_else(from_environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_version_is_the_one_in_the_lock_file() {
        let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
        // A published package has no lock file of the workspace.
        let Ok(lock) = std::fs::read_to_string(lock) else { return };
        let entry = format!("name = \"opentelemetry_sdk\"\nversion = \"{SDK_VERSION}\"\n");
        assert!(lock.contains(&entry), "SDK_VERSION is not the version in Cargo.lock");
    }
}

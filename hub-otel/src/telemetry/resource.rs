//! Who emits: what the configuration says, and what can be found out about host, process and container.

use crate::config::Config;
use crate::config::env::Environment;
use crate::semconv::kv;
use crate::telemetry::redaction::REDACTED;
use opentelemetry::Key;
use opentelemetry::KeyValue;
use opentelemetry_resource_detectors::ContainerResourceDetector;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::ResourceDetector;
use opentelemetry_semantic_conventions::attribute as s;

/// The resource. What the configuration says wins over what is found out.
pub(crate) fn resource(config: &Config, environment: &Environment) -> Resource {
    let mut attributes = detected(environment);
    attributes.extend(config.resource.attributes.iter().map(|(key, setting)| {
        let secret = config.deny.denies(key);
        kv(Key::from(key.clone()), if secret { REDACTED.to_owned() } else { setting.value.clone() })
    }));
    attributes.push(kv(s::SERVICE_NAME, config.resource.service_name.value.clone()));
    // Later attributes win over earlier ones of the same key.
    Resource::builder_empty()
        .with_schema_url(attributes, opentelemetry_semantic_conventions::SCHEMA_URL)
        .build()
}

/// The detectors of opentelemetry-resource-detectors but for the container's do not fit: the host's starts a program to
/// learn its name and calls amd64 `x86_64`, the operating system's calls darwin `macos`, the process' shows the command
/// line, which may hold secrets, and Kubernetes' takes any HOSTNAME for a pod.
fn detected(environment: &Environment) -> Vec<KeyValue> {
    let mut attributes = vec![
        kv(s::TELEMETRY_SDK_NAME, "opentelemetry"),
        kv(s::TELEMETRY_SDK_LANGUAGE, "rust"),
        kv(s::TELEMETRY_SDK_VERSION, SDK_VERSION),
        kv(s::TELEMETRY_DISTRO_NAME, "hub-otel"),
        kv(s::TELEMETRY_DISTRO_VERSION, env!("CARGO_PKG_VERSION")),
        kv(s::SERVICE_INSTANCE_ID, uuid::Uuid::now_v7().to_string()),
        kv(s::PROCESS_PID, i64::from(std::process::id())),
        kv(s::OS_TYPE, os_type()),
        kv(s::HOST_ARCH, arch()),
    ];
    let program = std::env::current_exe().ok();
    let program =
        program.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    attributes.extend(program.map(|name| kv(s::PROCESS_EXECUTABLE_NAME, name.to_owned())));
    attributes.extend(host_name(environment).map(|name| kv(s::HOST_NAME, name)));
    let container = ContainerResourceDetector.detect();
    attributes.extend(container.iter().map(|(key, value)| kv(key.clone(), value.clone())));
    attributes
}

/// The version of the SDK that this crate is built on.
const SDK_VERSION: &str = "0.33.1";

fn os_type() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

fn arch() -> &'static str {
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

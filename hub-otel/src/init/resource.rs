//! Who emits: what the configuration says, and what can be found out about host, process and container.

use super::config::{Config, env::Environment};
use crate::contract::kv;
use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_semantic_conventions::attribute as s;

/// The resource. What the configuration says wins over what is found out.
pub(crate) fn resource(config: &Config, environment: &Environment) -> Resource {
    let mut attributes = detected(environment);
    attributes.extend(
        config
            .resource
            .attributes
            .iter()
            .map(|(key, setting)| kv(Key::from(key.clone()), setting.value.clone())),
    );
    attributes.push(kv(s::SERVICE_NAME, config.resource.service_name.value.clone()));
    // Later attributes win over earlier ones of the same key.
    Resource::builder_empty()
        .with_schema_url(attributes, opentelemetry_semantic_conventions::SCHEMA_URL)
        .build()
}

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
    let program = program.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    attributes.extend(program.map(|name| kv(s::PROCESS_EXECUTABLE_NAME, name.to_owned())));
    attributes.extend(host_name(environment).map(|name| kv(s::HOST_NAME, name)));
    attributes.extend(container_id().map(|id| kv(s::CONTAINER_ID, id)));
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
    let from_environment =
        || ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| environment.get(name)).map(str::to_owned);
    from_file.or_else(from_environment)
}

fn container_id() -> Option<String> {
    let of_version_1 = std::fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| in_cgroup(&text));
    of_version_1
        .or_else(|| std::fs::read_to_string("/proc/self/mountinfo").ok().and_then(|text| in_mounts(&text)))
}

/// The first run of 64 hexadecimal digits that is a word of its own.
fn id_in(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(str::to_owned)
}

/// Control groups of version 1: the last part of the group's path.
fn in_cgroup(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.rsplit('/').next().and_then(id_in))
}

/// Control groups of version 2: where the engine mounts the container's own host name.
fn in_mounts(text: &str) -> Option<String> {
    text.lines()
        .filter(|line| line.contains("/containers/") && line.contains("hostname"))
        .find_map(|line| line.split_once("/containers/").and_then(|(_, rest)| id_in(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

    #[test]
    fn the_container_is_found_in_either_version_of_control_groups() {
        assert_eq!(in_cgroup(&format!("12:cpu:/docker/{ID}\n")).as_deref(), Some(ID));
        assert_eq!(in_cgroup(&format!("0::/system.slice/docker-{ID}.scope\n")).as_deref(), Some(ID));
        assert_eq!(in_cgroup("0::/\n"), None);
        let mount =
            format!("1 2 0:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/sda rw");
        assert_eq!(in_mounts(&mount).as_deref(), Some(ID));
    }
}

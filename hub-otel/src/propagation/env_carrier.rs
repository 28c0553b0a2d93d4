//! The environment as a carrier (OpenTelemetry specification, "Environment Variables as Context Propagation
//! Carriers"): for agents that are started as processes or containers.

use crate::propagation::{Context, Extractor, Injector, extract_run, inject_run};
use std::collections::HashMap;
use std::process::Command;

/// The three variables, as upper-case names of the carriers' keys.
const NAMES: [&str; 3] = ["TRACEPARENT", "TRACESTATE", "BAGGAGE"];

/// Hands the current context, and the run's identity, to a process that is about to be started: TRACEPARENT,
/// TRACESTATE and BAGGAGE. What this process itself was given is not passed on, unless nothing here records.
///
/// For `tokio::process::Command`: `to_env(command.as_std_mut())`. For a container, read the three from
/// [`Command::get_envs`].
pub fn to_env(command: &mut Command) {
    if !crate::instance::in_use() {
        return;
    }
    let mut variables = Variables::default();
    inject_run(&mut variables);
    for name in NAMES {
        match variables.0.get(name) {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// The context that the parent process handed over with [`to_env`]; an empty one where it did not.
pub fn from_env() -> Context {
    let mut variables = Variables::default();
    for name in NAMES {
        #[expect(
            clippy::disallowed_methods,
            reason = "not configuration: the carrier that the parent process filled"
        )]
        let value = std::env::var(name);
        if let Ok(value) = value {
            variables.0.insert(name.to_owned(), value);
        }
    }
    extract_run(&variables)
}

/// Keys as environment variables spell them.
#[derive(Default)]
struct Variables(HashMap<String, String>);

impl Injector for Variables {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() {
            self.0.insert(key.to_ascii_uppercase(), value);
        }
    }
}

impl Extractor for Variables {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(&key.to_ascii_uppercase()).map(String::as_str)
    }
    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

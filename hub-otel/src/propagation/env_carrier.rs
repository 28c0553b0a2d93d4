//! Environment variables as a carrier, for agents that are started as processes or containers
//! (OpenTelemetry specification, "Environment Variables as Context Propagation Carriers").

use crate::propagation::carriers::{Extractor, Injector};
use crate::propagation::custom::CustomPropagators;
use crate::propagation::inject_extract::{extract_run, inject_run};
use crate::propagation::remote_context::RemoteContext;
use opentelemetry::Context;
use std::collections::HashMap;
use std::process::Command;

/// The variables of W3C.
const VARIABLES: [&str; 3] = ["TRACEPARENT", "TRACESTATE", "BAGGAGE"];

/// Returns the variables of W3C, and those of the propagators of the application.
fn variables() -> Vec<String> {
    let custom = Context::map_current(CustomPropagators::of);
    let custom = custom.fields().iter().map(|header| variable(header)).collect::<Vec<_>>();
    VARIABLES.into_iter().map(str::to_owned).chain(custom).collect()
}

/// Returns the variable of a header: its name in upper case, with `_` for other characters than
/// letters and digits.
fn variable(header: &str) -> String {
    let valid = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    header.chars().map(valid).collect()
}

/// Sets TRACEPARENT, TRACESTATE and BAGGAGE of a process to be started: the current context, and
/// the identity of the current run.
///
/// The variables that this process itself was started with are not passed on, unless it has no
/// telemetry.
///
/// For `tokio::process::Command` use `to_env(command.as_std_mut())`. For a container, read the
/// three variables with [`Command::get_envs`].
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// let mut worker = std::process::Command::new("worker");
/// hub_otel::propagation::to_env(&mut worker);
/// worker.spawn()?.wait()?;
/// # Ok(()) }
/// ```
pub fn to_env(command: &mut Command) {
    if !crate::instance::in_use() {
        return;
    }
    let mut variables = EnvCarrier::default();
    inject_run(&mut variables);
    for name in self::variables() {
        match variables.0.get(&name) {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// Reads the context that the parent process passed with [`to_env`]; an empty one if it did not.
///
/// ```
/// #[hub_otel::instrument_agent(id = "scanner", action = "scan")]
/// async fn scan() {}
///
/// async fn worker() {
///     hub_otel::propagation::from_env().scope(scan()).await;
/// }
/// ```
pub fn from_env() -> RemoteContext {
    let mut variables = EnvCarrier::default();
    for name in self::variables() {
        #[expect(
            clippy::disallowed_methods,
            reason = "not configuration: the carrier that the parent process filled"
        )]
        let value = std::env::var(&name);
        if let Ok(value) = value {
            variables.0.insert(name, value);
        }
    }
    extract_run(&variables)
}

/// Variables by their upper-case names.
#[derive(Default)]
struct EnvCarrier(HashMap<String, String>);

impl Injector for EnvCarrier {
    fn set(&mut self, key: &str, value: String) {
        self.0.insert(variable(key), value);
    }
}

impl Extractor for EnvCarrier {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(&variable(key)).map(String::as_str)
    }
}

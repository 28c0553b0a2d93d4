//! Units that are not recorded because telemetry is not installed yet, or has ended. Each case is
//! reported once per process.

#[cfg(feature = "sdk")]
use crate::export::diagnostics::write_line_now;
#[cfg(feature = "sdk")]
use crate::instance;
use crate::unit_kind::UnitKind;
use std::sync::OnceLock;

/// The first unit that began before the first installation. Empty once telemetry is installed.
static EARLY: OnceLock<String> = OnceLock::new();

/// Remembers the first unit that begins before telemetry is installed.
#[inline]
pub(super) fn before_the_install(kind: UnitKind, id: &str) {
    if cfg!(feature = "enabled") && EARLY.get().is_none() {
        remember(kind, id);
    }
}

#[cold]
fn remember(kind: UnitKind, id: &str) {
    let kind = match kind {
        UnitKind::Workflow => "a workflow",
        UnitKind::Agent => "an agent",
        UnitKind::Llm => "a call of a model",
        UnitKind::Tool => "a tool",
    };
    EARLY.get_or_init(|| if id.is_empty() { kind.to_owned() } else { format!("{kind} (`{id}`)") });
}

/// Reports a unit that began before telemetry was installed.
#[cfg(feature = "sdk")]
pub(crate) fn report_early_unit() {
    static REPORTED: std::sync::Once = std::sync::Once::new();
    REPORTED.call_once(|| {
        let early = EARLY.get_or_init(String::new);
        if !early.is_empty() {
            write_line_now(&format!(
                "{early} began before telemetry was installed and is not recorded: call \
                 `hub_otel::init!()` before the first workflow and agent"
            ));
        }
    });
}

/// Reports the first unit after the guard was dropped.
#[cfg(feature = "sdk")]
#[cold]
pub(super) fn after_the_end() {
    if instance::take_ended_early() {
        write_line_now(
            "telemetry has ended, because its guard was dropped: workflows and agents are not \
             recorded any more; keep the guard until the end of the program with \
             `let telemetry = hub_otel::init!()?;` (`let _ = …` drops it at once)",
        );
    }
}

/// Without the SDK no unit is recorded.
#[cfg(not(feature = "sdk"))]
pub(super) fn after_the_end() {}

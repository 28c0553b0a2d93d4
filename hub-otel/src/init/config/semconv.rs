//! What the semantic conventions let a user opt in to.

use super::read::{Reader, Setting};
use crate::instance::Exceptions;

/// OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN: `logs` moves exceptions to log records, `logs/dup` doubles them.
pub(super) fn exceptions(read: &mut Reader<'_>) -> Setting<Exceptions> {
    read.word(
        &["OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"],
        Exceptions::SpanEvent,
        &[("logs", Exceptions::Log), ("logs/dup", Exceptions::Both)],
    )
}

/// OTEL_SEMCONV_STABILITY_OPT_IN: a list in which other instrumentation has words of its own.
pub(super) fn gen_ai(read: &mut Reader<'_>) -> Setting<bool> {
    read.read(&["OTEL_SEMCONV_STABILITY_OPT_IN"], false, |list| {
        Ok(list.split(',').any(|word| word.trim() == "gen_ai_latest_experimental"))
    })
}

//! Options of the units: those of the builder and those of the environment.

use crate::config::Config;
use crate::config::sampler::{RootSampler, ValueLimit};
use crate::gen_ai::content::{ContentLimits, ContentPolicy, MAX_CONTENT_BYTES};
use crate::options::{Options, Sampling};

/// Merges the builder's options with those of the environment.
pub(super) fn resolve_options(options: Options, config: &Config) -> Options {
    let sampling = match (config.sampler.parent_based, config.sampler.root) {
        (true, _) => Sampling::ParentBased,
        (false, RootSampler::Off) => Sampling::Off,
        (false, _) => Sampling::Ask,
    };
    Options {
        gen_ai_names: *config.gen_ai_names,
        exceptions: *config.exceptions,
        max_label_sets: *config.max_label_sets,
        sampling,
        propagation: config.propagation(),
        ..options
    }
}

/// Returns the consent to the content of GenAI calls, with its limit.
pub(super) fn content_policy(config: &Config) -> ContentPolicy {
    let max = |limit: ValueLimit| match limit {
        // The default limit of values is below the one of content.
        ValueLimit::Bytes(_) => MAX_CONTENT_BYTES,
        ValueLimit::Characters(limit) => limit.min(MAX_CONTENT_BYTES),
    };
    let (capture, limits) = (*config.capture_content, &config.limits);
    let limits = ContentLimits {
        spans: capture.on_spans().then(|| max(*limits.span_value)),
        events: capture.in_events().then(|| max(*limits.record_value)),
    };
    let deny = config.deny.clone();
    ContentPolicy::consented(limits, move |key| deny.denies(key))
}

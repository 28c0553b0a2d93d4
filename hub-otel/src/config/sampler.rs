//! Which spans are kept, and how large they may be.

use crate::config::reader::{Origin, Reader, Setting};

/// OTEL_TRACES_SAMPLER and its argument.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SamplerConfig {
    pub(crate) parent_based: bool,
    /// The share of traces that begin here and are kept: 1 for `always_on`, 0 for `always_off`.
    pub(crate) root: Root,
}

/// What is decided for a trace that begins here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Root {
    On,
    Off,
    Ratio(f64),
}

impl std::fmt::Display for SamplerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let prefix = if self.parent_based { "parentbased_" } else { "" };
        match self.root {
            Root::On => write!(f, "{prefix}always_on"),
            Root::Off => write!(f, "{prefix}always_off"),
            Root::Ratio(ratio) => write!(f, "{prefix}traceidratio {ratio}"),
        }
    }
}

pub(crate) fn sampler(read: &mut Reader<'_>) -> Setting<SamplerConfig> {
    let kind = |parent_based, root| SamplerConfig { parent_based, root };
    let mut sampler = read.word(
        &["OTEL_TRACES_SAMPLER"],
        kind(true, Root::On),
        &[
            ("always_on", kind(false, Root::On)),
            ("always_off", kind(false, Root::Off)),
            ("traceidratio", kind(false, Root::Ratio(1.0))),
            ("parentbased_always_on", kind(true, Root::On)),
            ("parentbased_always_off", kind(true, Root::Off)),
            ("parentbased_traceidratio", kind(true, Root::Ratio(1.0))),
        ],
    );
    if let Some((origin, value)) = read.find(&["OTEL_TRACES_SAMPLER_ARG"]) {
        let ratio = value.parse::<f64>().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        match (sampler.value.root, ratio) {
            (Root::Ratio(_), Some(ratio)) => sampler.value.root = Root::Ratio(ratio),
            (Root::Ratio(_), None) => {
                read.problem(&origin, &value, "a share of the traces from 0.0 to 1.0")
            }
            // The argument of a sampler that takes none is ignored, as the specification says.
            _ => {}
        }
    }
    sampler
}

/// How long a text value may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueLimit {
    /// Our own default: memory is what it bounds.
    Bytes(usize),
    /// The specification's limit counts characters.
    Characters(usize),
}

impl std::fmt::Display for ValueLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(limit) => write!(f, "{limit} bytes"),
            Self::Characters(limit) => write!(f, "{limit} characters"),
        }
    }
}

/// The limits of spans and log records (specification, "Attribute limits", "Span limits", "LogRecord limits").
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) span_value: Setting<ValueLimit>,
    pub(crate) record_value: Setting<ValueLimit>,
    pub(crate) span_attributes: Setting<usize>,
    pub(crate) record_attributes: Setting<usize>,
    pub(crate) events: Setting<usize>,
    pub(crate) links: Setting<usize>,
    pub(crate) event_attributes: Setting<usize>,
    pub(crate) link_attributes: Setting<usize>,
}

/// The default length of a value, in bytes.
const VALUE: usize = 4 * 1024;
/// The most attributes, events or links that may be asked for: an item's bytes are bounded anyway.
const MOST: usize = 65_536;

impl Limits {
    pub(crate) fn read(read: &mut Reader<'_>) -> Self {
        let mut length = |name: &str| {
            let found = read.number(&[name, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"], VALUE, 0, 65_536);
            match found.origin {
                Origin::Default => Setting::default(ValueLimit::Bytes(VALUE)),
                origin => Setting { value: ValueLimit::Characters(found.value), origin },
            }
        };
        let span_value = length("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let record_value = length("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let mut count = |names: &[&str]| read.number(names, 128, 0, MOST);
        Self {
            span_value,
            record_value,
            span_attributes: count(&[
                "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
                "OTEL_ATTRIBUTE_COUNT_LIMIT",
            ]),
            record_attributes: count(&[
                "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
                "OTEL_ATTRIBUTE_COUNT_LIMIT",
            ]),
            events: count(&["OTEL_SPAN_EVENT_COUNT_LIMIT"]),
            links: count(&["OTEL_SPAN_LINK_COUNT_LIMIT"]),
            event_attributes: count(&["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"]),
            link_attributes: count(&["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"]),
        }
    }
}

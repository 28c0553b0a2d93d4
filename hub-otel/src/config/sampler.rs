//! The sampler, and the limits of spans and log records.

use crate::config::reader::{Origin, Setting, SettingsReader, invalid_number};

/// OTEL_TRACES_SAMPLER and its argument.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SamplerConfig {
    pub(crate) parent_based: bool,
    pub(crate) root: RootSampler,
}

/// The sampler of root spans.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum RootSampler {
    On,
    Off,
    Ratio(f64),
}

impl std::fmt::Display for SamplerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let prefix = if self.parent_based { "parentbased_" } else { "" };
        match self.root {
            RootSampler::On => write!(f, "{prefix}always_on"),
            RootSampler::Off => write!(f, "{prefix}always_off"),
            RootSampler::Ratio(ratio) => write!(f, "{prefix}traceidratio {ratio}"),
        }
    }
}

/// Reads OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG.
pub(crate) fn read_sampler(reader: &mut SettingsReader<'_>) -> Setting<SamplerConfig> {
    let kind = |parent_based, root| SamplerConfig { parent_based, root };
    let mut sampler = reader.one_of(
        &["OTEL_TRACES_SAMPLER"],
        kind(true, RootSampler::On),
        &[
            ("always_on", kind(false, RootSampler::On)),
            ("always_off", kind(false, RootSampler::Off)),
            ("traceidratio", kind(false, RootSampler::Ratio(1.0))),
            ("parentbased_always_on", kind(true, RootSampler::On)),
            ("parentbased_always_off", kind(true, RootSampler::Off)),
            ("parentbased_traceidratio", kind(true, RootSampler::Ratio(1.0))),
        ],
    );
    if let Some((origin, value)) = reader.find(&["OTEL_TRACES_SAMPLER_ARG"]) {
        let ratio = value.parse::<f64>().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        match (sampler.value.root, ratio) {
            (RootSampler::Ratio(_), Some(ratio)) => sampler.value.root = RootSampler::Ratio(ratio),
            (RootSampler::Ratio(_), None) => {
                let form = "a share of the traces from 0.0 to 1.0".to_owned();
                reader.ignore(&origin, &value, invalid_number(&value, form));
            }
            // Ignored for a sampler without an argument, by the specification.
            _ => {}
        }
    }
    sampler
}

/// The length limit of a string value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueLimit {
    /// The default of this crate, which bounds the memory.
    Bytes(usize),
    /// A configured limit: the specification counts characters.
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

/// The limits of spans and log records (specification, "Attribute limits", "Span limits",
/// "LogRecord limits").
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

/// The default length limit of a value.
const DEFAULT_VALUE_BYTES: usize = 4 * 1024;
/// The largest configurable number of attributes, events or links. The bytes of an item are bounded
/// separately.
const MAX_COUNT: usize = 65_536;

impl Limits {
    pub(crate) fn read(reader: &mut SettingsReader<'_>) -> Self {
        let mut length = |name: &str| {
            let setting = reader.number(
                &[name, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
                DEFAULT_VALUE_BYTES,
                0,
                65_536,
            );
            match setting.origin {
                Origin::Default => Setting::default(ValueLimit::Bytes(DEFAULT_VALUE_BYTES)),
                origin => Setting { value: ValueLimit::Characters(setting.value), origin },
            }
        };
        let span_value = length("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let record_value = length("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let mut count = |names: &[&str]| reader.number(names, 128, 0, MAX_COUNT);
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

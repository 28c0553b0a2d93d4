//! The aggregation of histograms that are pushed:
//! OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION (specification of the OTLP exporter of
//! metrics, "Additional Environment Variable Configuration").

use crate::config::reader::{Invalid, Setting, SettingsReader};
use crate::config::signal::Exporter;

pub(super) const VARIABLE: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";

/// The aggregation of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HistogramAggregation {
    /// The buckets of the definition.
    ExplicitBuckets,
    /// Buckets whose bounds grow by a constant factor, which depends on the range of the values.
    Exponential,
}

impl HistogramAggregation {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ExplicitBuckets => "explicit_bucket_histogram",
            Self::Exponential => "base2_exponential_bucket_histogram",
        }
    }

    /// Reads the setting. Exponential histograms need metrics that are pushed only: the SDK has one
    /// aggregation for all readers, and the text of `/metrics` has no exponential histograms.
    pub(super) fn read(
        reader: &mut SettingsReader<'_>,
        exporters: &[Exporter],
    ) -> Setting<HistogramAggregation> {
        let default = Self::ExplicitBuckets;
        let choices =
            [Self::ExplicitBuckets, Self::Exponential].map(|choice| (choice.as_str(), choice));
        let setting = reader.one_of(&[VARIABLE], default, &choices);
        if setting.value == Self::Exponential && exporters.contains(&Exporter::Prometheus) {
            let expected = "`explicit_bucket_histogram` while `/metrics` is served, or OTEL_METRICS_EXPORTER=otlp".to_owned();
            reader.ignore(&setting.origin, setting.value.as_str(), Invalid::Unsupported(expected));
            return Setting::default(default);
        }
        setting
    }
}

//! Alerts on calls of models.

use crate::promql::{FIVE_MINUTES, Series, events_in_window, sum_by};
use crate::stack::alert::Alert;
use crate::stack::increments::{self, counted, recorded};
use hub_otel::semconv::attribute::{ERROR_TYPE, SERVICE_NAME};
use hub_otel::semconv::gen_ai::{OPERATION_NAME, REQUEST_MODEL};
use hub_otel::semconv::{Metric, metric as m};

pub(super) fn alerts() -> Vec<Alert> {
    vec![cost(), errors()]
}

fn cost() -> Alert {
    let cost = sum_by(&[SERVICE_NAME], counted(&recorded(increments::gen_ai::COST), "1h"));
    Alert::warning("ModelCostPerHour", "gen_ai_alerts")
        .above(10.0, cost)
        .kept("5m")
        .annotated(
            "Models cost {value} USD in one hour on {{ $labels.service_name }}",
            "The calls of models of the last hour cost more than 10 USD.",
        )
        .unit("currencyUSD")
}

/// Sums calls per service: by the released names, or else by the latest ones.
fn calls(change: fn(Series) -> Series) -> String {
    let by = [SERVICE_NAME, OPERATION_NAME, REQUEST_MODEL];
    let sum = |metric: &Metric| {
        sum_by(&by, events_in_window(&change(Series::count(metric)), FIVE_MINUTES))
    };
    let (released, latest) =
        (sum(&m::GEN_AI_OPERATION_DURATION), sum(&m::GEN_AI_INFERENCE_DURATION));
    sum_by(&[SERVICE_NAME], format!("{released} or {latest}"))
}

fn errors() -> Alert {
    let failed = calls(|series| series.not(ERROR_TYPE, ""));
    let all = calls(|series| series);
    Alert::warning("LlmErrorShare", "gen_ai_alerts")
        .above(10.0, format!("100 * {failed} / ({all} >= 5)"))
        .kept("2m")
        .annotated(
            "{value} % of the model calls fail on {{ $labels.service_name }}",
            "More than 10 % of the model calls of the last 5 minutes failed (of at least 5 calls).",
        )
        .unit("percent")
}

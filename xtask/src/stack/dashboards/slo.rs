//! SLO: what was promised, what is left of the budget, how fast it burns.

use crate::promql::{Origin, Series};
use crate::stack::dashboard::{Dashboard, GREEN, Mode, Panel, RED, YELLOW};
use crate::stack::slo::{self, ACHIEVED, BURN_FAST, BURN_SLOW, REMAINING, TARGET};
use hub_otel::semconv::attribute::SERVICE_NAME;

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "slo",
        title: "SLO",
        description: "What was promised, what is left of each error budget, and how fast it burns.",
        from: "now-24h",
        variables: &["service"],
        panels: vec![objectives(), achieved(), remaining(), fast(), slow(), ratio()],
    }
}

fn recorded(name: &str) -> String {
    Series::own(name, Origin::Service).like(SERVICE_NAME, "$service").to_string()
}

fn objectives() -> Panel {
    Panel::number("Objectives", "percentunit")
        .about("The share of events that must be good: runs and API over 30 days, durations and agents over 7 days.")
        .query(Mode::Instant, TARGET, "{{title}} ({{window}})")
        .decimals(1)
        .sized(24, 4)
}

fn achieved() -> Panel {
    let panel = Panel::bars("Achieved", "percentunit")
        .about("The share of events that were good, over each objective's own window; green where the promise is kept.")
        .query(Mode::Instant, recorded(ACHIEVED), "{{service_name}} {{slo}}")
        .between(0.0, 1.0)
        .decimals(3);
    slo::objectives().iter().fold(panel, |panel, objective| {
        panel.named_steps(&format!("/ {}$/", objective.id), RED, &[(GREEN, objective.target)])
    })
}

fn remaining() -> Panel {
    Panel::bars("Error budget left", "percentunit")
        .about("The share of the error budget that is left over each objective's window; below 0 it is overspent.")
        .query(Mode::Instant, recorded(REMAINING), "{{service_name}} {{slo}}")
        .steps(RED, &[(YELLOW, 0.1), (GREEN, 0.5)])
        .between(0.0, 1.0)
        .decimals(2)
}

fn fast() -> Panel {
    Panel::lines("Burn rate over 5 minutes and 1 hour", "short")
        .about("How many times too fast the budget burns, the lower of both windows. Above 14.4 raises ErrorBudgetBurnFast.")
        .query(Mode::Range, recorded(BURN_FAST), "{{service_name}} {{slo}}")
        .steps(GREEN, &[(RED, 14.4)])
}

fn slow() -> Panel {
    Panel::lines("Burn rate over 30 minutes and 6 hours", "short")
        .about("How many times too fast the budget burns, the lower of both windows. Above 6 raises ErrorBudgetBurnSlow.")
        .query(Mode::Range, recorded(BURN_SLOW), "{{service_name}} {{slo}}")
        .steps(GREEN, &[(RED, 6.0)])
}

fn ratio() -> Panel {
    Panel::lines("Error ratio over 1 hour", "percentunit")
        .about("The share of events that were bad.")
        .query(Mode::Range, recorded("slo:error:ratio_1h"), "{{service_name}} {{slo}}")
        .sized(24, 8)
}

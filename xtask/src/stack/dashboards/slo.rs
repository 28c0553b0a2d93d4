//! Dashboard SLO: objectives, remaining error budgets and burn rates.

use super::query::of_service;
use crate::promql::{Origin, Series};
use crate::stack::dashboard::{Dashboard, GREEN, Mode, Panel, RED, YELLOW};
use crate::stack::slo::{self, ACHIEVED, BURN_FAST, BURN_LONG, BURN_SLOW, REMAINING, TARGET};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "slo",
        title: "SLO",
        description: "Objectives, remaining error budgets and burn rates.",
        from: "now-24h",
        variables: &["service", "environment", "cluster"],
        panels: vec![
            objectives().begins("Objectives"),
            achieved(),
            remaining(),
            fast().begins("Burn rates"),
            slow(),
            long(),
            ratio(),
        ],
    }
}

fn recorded(name: &str) -> String {
    of_service(Series::own(name, Origin::Service)).to_string()
}

fn objectives() -> Panel {
    Panel::number("Objectives", "percentunit")
        .about("Required ratio of good events and window of each objective. observability/objectives.yaml sets them.")
        .query(Mode::Instant, TARGET, "{{title}} ({{window}})")
        .decimals(1)
        .sized(24, 4)
}

fn achieved() -> Panel {
    let panel = Panel::bars("Achieved", "percentunit")
        .about("Ratio of good events over the window of each objective. Green if the objective is met.")
        .query(Mode::Instant, recorded(ACHIEVED), "{{service_name}} {{slo}}")
        .between(0.0, 1.0)
        .decimals(3);
    slo::objectives().iter().fold(panel, |panel, objective| {
        panel.named_steps(&format!("/ {}$/", objective.id), RED, &[(GREEN, objective.target)])
    })
}

fn remaining() -> Panel {
    Panel::bars("Error budget left", "percentunit")
        .about("Remaining ratio of the error budget over the window of each objective. Negative if the budget is exceeded.")
        .query(Mode::Instant, recorded(REMAINING), "{{service_name}} {{slo}}")
        .steps(RED, &[(YELLOW, 0.1), (GREEN, 0.5)])
        .between(0.0, 1.0)
        .decimals(2)
}

fn fast() -> Panel {
    Panel::lines("Burn rate over 5 minutes and 1 hour", "short")
        .about("Error rate relative to the rate that the budget allows, the lower of both windows. ErrorBudgetBurnFast fires above 14.4.")
        .query(Mode::Range, recorded(BURN_FAST), "{{service_name}} {{slo}}")
        .steps(GREEN, &[(RED, 14.4)])
}

fn slow() -> Panel {
    Panel::lines("Burn rate over 30 minutes and 6 hours", "short")
        .about("Error rate relative to the rate that the budget allows, the lower of both windows. ErrorBudgetBurnSlow fires above 6.")
        .query(Mode::Range, recorded(BURN_SLOW), "{{service_name}} {{slo}}")
        .steps(GREEN, &[(RED, 6.0)])
}

fn long() -> Panel {
    Panel::lines("Burn rate over 6 hours and 3 days", "short")
        .about("Error rate relative to the rate that the budget allows, the lower of both windows. Above 1 the objective is missed; ErrorBudgetBurnLong fires after an hour.")
        .query(Mode::Range, recorded(BURN_LONG), "{{service_name}} {{slo}}")
        .steps(GREEN, &[(RED, 1.0)])
}

fn ratio() -> Panel {
    Panel::lines("Error ratio over 1 hour", "percentunit")
        .about("Ratio of bad events over the last hour.")
        .query(Mode::Range, recorded("slo:error:ratio_1h"), "{{service_name}} {{slo}}")
}

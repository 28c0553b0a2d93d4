//! One panel: what it shows, in which unit and colours, and where a click on it leads.

use super::link::explore;
use super::target::{Mode, Target, source};
use serde_json::{Map, Value, json};

/// Green, red and yellow: the users' colours.
pub const GREEN: &str = "green";
/// See [`GREEN`].
pub const RED: &str = "red";
/// See [`GREEN`].
pub const YELLOW: &str = "yellow";

/// Colours from these values on; the first has no value.
type Steps = Vec<(&'static str, Option<f64>)>;

/// A panel.
#[derive(Debug, Clone)]
pub struct Panel {
    pub(super) kind: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it shows, and what a reader should make of it.
    pub description: &'static str,
    unit: &'static str,
    pub(super) size: (usize, usize),
    /// Its queries.
    pub targets: Vec<Target>,
    steps: Steps,
    pub(super) range: Option<(f64, f64)>,
    pub(super) custom: Value,
    options: Value,
    overrides: Vec<Value>,
    transformations: Vec<Value>,
    traces: Option<String>,
    decimals: Option<u32>,
}

impl Panel {
    pub(super) fn new(
        kind: &'static str,
        title: &'static str,
        unit: &'static str,
        options: Value,
    ) -> Self {
        Self {
            kind,
            title,
            description: "",
            unit,
            size: (12, 8),
            targets: Vec::new(),
            steps: vec![(GREEN, None)],
            range: None,
            custom: json!({}),
            options,
            overrides: Vec::new(),
            transformations: Vec::new(),
            traces: None,
            decimals: None,
        }
    }

    /// What it shows.
    #[must_use]
    pub fn about(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Width (of 24) and height.
    #[must_use]
    pub fn sized(mut self, width: usize, height: usize) -> Self {
        self.size = (width, height);
        self
    }

    /// With one more query.
    #[must_use]
    pub fn query(
        mut self,
        mode: Mode,
        expression: impl Into<String>,
        legend: &'static str,
    ) -> Self {
        const LETTERS: [&str; 8] = ["A", "B", "C", "D", "E", "F", "G", "H"];
        let id = LETTERS[self.targets.len() % LETTERS.len()];
        self.targets.push(Target {
            id,
            expression: expression.into(),
            legend,
            mode,
            exemplars: false,
        });
        self
    }

    /// With the exemplars of its series, as dots that lead to a trace each.
    #[must_use]
    pub fn exemplars(mut self) -> Self {
        self.targets.iter_mut().for_each(|target| target.exemplars = true);
        self
    }

    /// Colours from these values on; the first is the colour below all of them.
    #[must_use]
    pub fn steps(mut self, below: &'static str, steps: &[(&'static str, f64)]) -> Self {
        self.steps = thresholds(below, steps);
        if self.kind == "timeseries" {
            self.custom["thresholdsStyle"] = json!({"mode": "dashed"});
        }
        self
    }

    /// From and to on the axis.
    #[must_use]
    pub fn between(mut self, from: f64, to: f64) -> Self {
        self.range = Some((from, to));
        self
    }

    /// Stacked areas.
    #[must_use]
    pub fn stacked(mut self) -> Self {
        self.custom["stacking"] = json!({"mode": "normal", "group": "A"});
        self.custom["fillOpacity"] = json!(30);
        self
    }

    /// With so many decimals.
    #[must_use]
    pub fn decimals(mut self, decimals: u32) -> Self {
        self.decimals = Some(decimals);
        self
    }

    /// A series or a column of this name has this colour.
    #[must_use]
    pub fn colored(self, name: &str, color: &str) -> Self {
        self.property(
            json!({"id": "byName", "options": name}),
            "color",
            json!({"mode": "fixed", "fixedColor": color}),
        )
    }

    /// A series or a column of this name has this unit.
    #[must_use]
    pub fn named_unit(self, name: &str, unit: &str) -> Self {
        self.property(json!({"id": "byName", "options": name}), "unit", json!(unit))
    }

    /// Series whose names match this expression have steps of their own.
    #[must_use]
    pub fn named_steps(
        self,
        pattern: &str,
        below: &'static str,
        steps: &[(&'static str, f64)],
    ) -> Self {
        let steps = thresholds(below, steps);
        self.property(
            json!({"id": "byRegexp", "options": pattern}),
            "thresholds",
            thresholds_json(&steps),
        )
    }

    /// What this query returns has this unit.
    #[must_use]
    pub fn query_unit(self, id: &str, unit: &str) -> Self {
        self.property(json!({"id": "byFrameRefID", "options": id}), "unit", json!(unit))
    }

    /// What this query returns has its axis on the right.
    #[must_use]
    pub fn right_axis(self, id: &str) -> Self {
        self.property(
            json!({"id": "byFrameRefID", "options": id}),
            "custom.axisPlacement",
            json!("right"),
        )
    }

    fn property(mut self, matcher: Value, id: &str, value: Value) -> Self {
        self.overrides
            .push(json!({"matcher": matcher, "properties": [{"id": id, "value": value}]}));
        self
    }

    /// Joins the tables of all queries by a label, and names their columns.
    #[must_use]
    pub fn joined(mut self, by: &str, label: &str, columns: &[(&str, &str)]) -> Self {
        let mut names: Map<String, Value> =
            columns.iter().map(|(id, name)| (format!("Value #{id}"), json!(name))).collect();
        names.insert(by.to_owned(), json!(label));
        let hidden: Map<String, Value> = (0..=columns.len())
            .map(|n| (if n == 0 { "Time".to_owned() } else { format!("Time {n}") }, json!(true)))
            .collect();
        self.transformations = vec![
            json!({"id": "joinByField", "options": {"byField": by, "mode": "outer"}}),
            json!({"id": "organize", "options": {"excludeByName": hidden, "renameByName": names}}),
        ];
        self
    }

    /// A link to the traces behind a series: TraceQL, in which `${…}` is what Grafana fills in.
    #[must_use]
    pub fn traces(mut self, traceql: impl Into<String>) -> Self {
        self.traces = Some(traceql.into());
        self
    }

    /// The TraceQL query of its link.
    #[must_use]
    pub fn traceql(&self) -> Option<&str> {
        self.traces.as_deref()
    }

    pub(super) fn json(&self, id: usize, (x, y): (usize, usize)) -> Value {
        let by_threshold = matches!(self.kind, "stat" | "gauge" | "bargauge");
        let links: Vec<Value> = self.traces.iter().map(|traceql| explore(traceql)).collect();
        let mut defaults = json!({
            "unit": self.unit,
            "custom": self.custom,
            "thresholds": thresholds_json(&self.steps),
            "mappings": [],
            "color": {"mode": if by_threshold { "thresholds" } else { "palette-classic" }},
            "links": links,
        });
        if let Some((min, max)) = self.range {
            defaults["min"] = json!(min);
            defaults["max"] = json!(max);
        }
        if let Some(decimals) = self.decimals {
            defaults["decimals"] = json!(decimals);
        }
        let mut panel = json!({
            "id": id,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": source(),
            "gridPos": {"x": x, "y": y, "w": self.size.0, "h": self.size.1},
            "targets": self.targets.iter().map(Target::json).collect::<Vec<_>>(),
            "fieldConfig": {"defaults": defaults, "overrides": self.overrides},
            "options": self.options,
        });
        if !self.transformations.is_empty() {
            panel["transformations"] = json!(self.transformations);
        }
        panel
    }
}

fn thresholds(below: &'static str, steps: &[(&'static str, f64)]) -> Steps {
    std::iter::once((below, None))
        .chain(steps.iter().map(|(color, value)| (*color, Some(*value))))
        .collect()
}

fn thresholds_json(steps: &Steps) -> Value {
    let steps: Vec<Value> =
        steps.iter().map(|(color, value)| json!({"color": color, "value": value})).collect();
    json!({"mode": "absolute", "steps": steps})
}

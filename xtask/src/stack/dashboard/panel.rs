//! Panels: queries, unit, colours and links.

use super::link::explore;
use super::target::{Mode, Target, source};
use hub_otel::semconv::status;
use serde_json::{Map, Value, json};

/// Colour of values without a problem.
pub const GREEN: &str = "green";
/// Colour of values that require action.
pub const RED: &str = "red";
/// Colour of values that approach a threshold.
pub const YELLOW: &str = "yellow";

/// Colours and the values from which they apply. The first entry has no value.
pub(super) type Steps = Vec<(&'static str, Option<f64>)>;

/// A panel.
#[derive(Debug, Clone)]
pub struct Panel {
    pub(super) kind: &'static str,
    /// Title.
    pub title: &'static str,
    /// Description.
    pub description: &'static str,
    pub(super) unit: &'static str,
    pub(super) size: (usize, usize),
    /// Queries.
    pub targets: Vec<Target>,
    pub(super) steps: Steps,
    /// Ends of the axis.
    pub(super) range: Option<(f64, Option<f64>)>,
    pub(super) custom: Value,
    options: Value,
    overrides: Vec<Value>,
    pub(super) transformations: Vec<Value>,
    traces: Option<String>,
    pub(super) id: Option<usize>,
    /// Data source other than Prometheus, and its query.
    pub(super) store: Option<(&'static str, Value)>,
    /// Title of the section that begins with the panel.
    pub(super) section: Option<&'static str>,
    pub(super) mappings: Vec<Value>,
    no_value: &'static str,
    pub(super) decimals: Option<u32>,
    /// Period of a panel with points per day.
    pub(super) period: Option<&'static str>,
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
            id: None,
            store: None,
            section: None,
            mappings: Vec::new(),
            no_value: "nothing in the time range",
            decimals: None,
            period: None,
        }
    }

    /// Sets the description.
    #[must_use]
    pub fn about(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Sets the id. Defaults to the position on the dashboard.
    #[must_use]
    pub fn identified(mut self, id: usize) -> Self {
        self.id = Some(id);
        self
    }

    /// Begins a section of the dashboard.
    #[must_use]
    pub fn begins(mut self, section: &'static str) -> Self {
        self.section = Some(section);
        self
    }

    /// Shows a text and a colour in place of a value.
    #[must_use]
    pub fn replaces(mut self, value: &str, text: &str, color: &str) -> Self {
        self.mappings.push(json!({
            "type": "value",
            "options": {value: {"text": text, "color": color, "index": self.mappings.len()}},
        }));
        self
    }

    /// Sets the text that is shown if there is no data.
    #[must_use]
    pub fn without_data(mut self, text: &'static str) -> Self {
        self.no_value = text;
        self
    }

    /// Sets the width, in columns of 24 per row, and the height.
    #[must_use]
    pub fn sized(mut self, width: usize, height: usize) -> Self {
        self.size = (width, height);
        self
    }

    /// Sets a data source other than Prometheus, and its query.
    pub(super) fn of_store(mut self, uid: &'static str, target: Value) -> Self {
        self.store = Some((uid, target));
        self
    }

    /// Adds a query.
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

    /// Shows the exemplars of the series as dots that link to traces.
    #[must_use]
    pub fn exemplars(mut self) -> Self {
        self.targets.iter_mut().for_each(|target| target.exemplars = true);
        self
    }

    /// Sets colours and the values from which they apply, and the colour below the first value.
    #[must_use]
    pub fn steps(mut self, below: &'static str, steps: &[(&'static str, f64)]) -> Self {
        self.steps = thresholds(below, steps);
        if self.kind == "timeseries" {
            self.custom["thresholdsStyle"] = json!({"mode": "dashed"});
        }
        self
    }

    /// Sets the range of the axis.
    #[must_use]
    pub fn between(mut self, from: f64, to: f64) -> Self {
        self.range = Some((from, Some(to)));
        self
    }

    /// Begins the axis at zero.
    #[must_use]
    pub fn from_zero(mut self) -> Self {
        self.range = Some((0.0, None));
        self
    }

    /// Sets the colours of the states in which a unit can end.
    #[must_use]
    pub fn colored_by_status(self) -> Self {
        [
            (status::SUCCESS, GREEN),
            (status::FAILED, RED),
            (status::TIMED_OUT, YELLOW),
            (status::CANCELLED, "blue"),
            (status::REJECTED, "purple"),
        ]
        .into_iter()
        .fold(self, |panel, (status, color)| panel.colored(status, color))
    }

    /// Stacks the series.
    #[must_use]
    pub fn stacked(mut self) -> Self {
        self.custom["stacking"] = json!({"mode": "normal", "group": "A"});
        self.custom["fillOpacity"] = json!(30);
        self
    }

    /// Sets the number of decimals.
    #[must_use]
    pub fn decimals(mut self, decimals: u32) -> Self {
        self.decimals = Some(decimals);
        self
    }

    /// Sets the colour of the series or column with a name.
    #[must_use]
    pub fn colored(self, name: &str, color: &str) -> Self {
        self.property(
            json!({"id": "byName", "options": name}),
            "color",
            json!({"mode": "fixed", "fixedColor": color}),
        )
    }

    /// Returns the names of series with a fixed colour, and the colours.
    pub(super) fn fixed_colors(&self) -> Vec<(&str, &str)> {
        self.overrides
            .iter()
            .filter_map(|set| {
                let name = set["matcher"]["options"].as_str()?;
                Some((name, set["properties"][0]["value"]["fixedColor"].as_str()?))
            })
            .collect()
    }

    /// Sets the unit of the series or column with a name.
    #[must_use]
    pub fn named_unit(self, name: &str, unit: &str) -> Self {
        self.property(json!({"id": "byName", "options": name}), "unit", json!(unit))
    }

    /// Sets the number of decimals of the series or column with a name.
    #[must_use]
    pub fn named_decimals(self, name: &str, decimals: u32) -> Self {
        self.property(json!({"id": "byName", "options": name}), "decimals", json!(decimals))
    }

    /// Returns a property that is set for the series or column with a name.
    pub(super) fn property_of(&self, name: &Value, id: &str) -> Option<&Value> {
        let of_name = self.overrides.iter().filter(|set| set["matcher"]["options"] == *name);
        of_name
            .flat_map(|set| set["properties"].as_array().into_iter().flatten())
            .find_map(|property| (property["id"] == id).then(|| &property["value"]))
    }

    /// Shows one bar per day of a period that ends now, independent of the time range.
    #[must_use]
    pub fn by_day(mut self, period: &'static str) -> Self {
        self.custom["drawStyle"] = json!("bars");
        self.period = Some(period);
        self
    }

    /// Sets the colours of series whose names match a regular expression.
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

    /// Sets the unit of the result of a query.
    #[must_use]
    pub fn query_unit(self, id: &str, unit: &str) -> Self {
        self.property(json!({"id": "byFrameRefID", "options": id}), "unit", json!(unit))
    }

    /// Shows the axis of a query on the right.
    #[must_use]
    pub fn right_axis(self, id: &str) -> Self {
        self.property(
            json!({"id": "byFrameRefID", "options": id}),
            "custom.axisPlacement",
            json!("right"),
        )
    }

    /// Shows the axis of the series whose names match a regular expression on the right.
    #[must_use]
    pub fn right_axis_of(self, pattern: &str) -> Self {
        self.property(
            json!({"id": "byRegexp", "options": pattern}),
            "custom.axisPlacement",
            json!("right"),
        )
    }

    fn property(mut self, matcher: Value, id: &str, value: Value) -> Self {
        self.overrides
            .push(json!({"matcher": matcher, "properties": [{"id": id, "value": value}]}));
        self
    }

    /// Joins the tables of all queries by a label and names the columns.
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

    /// Links a series to its traces by a TraceQL query, in which Grafana replaces `${…}`.
    #[must_use]
    pub fn traces(mut self, traceql: impl Into<String>) -> Self {
        self.traces = Some(traceql.into());
        self
    }

    /// Returns the TraceQL query of the link.
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
            "mappings": self.mappings,
            "color": {"mode": if by_threshold { "thresholds" } else { "palette-classic" }},
            "links": links,
            "noValue": self.no_value,
        });
        if let Some((min, max)) = self.range {
            defaults["min"] = json!(min);
            if let Some(max) = max {
                defaults["max"] = json!(max);
            }
        }
        if let Some(decimals) = self.decimals {
            defaults["decimals"] = json!(decimals);
        }
        let mut panel = json!({
            "id": self.id.unwrap_or(id),
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": source(),
            "gridPos": {"x": x, "y": y, "w": self.size.0, "h": self.size.1},
            "targets": self.targets.iter().map(Target::json).collect::<Vec<_>>(),
            "fieldConfig": {"defaults": defaults, "overrides": self.overrides},
            "options": self.options,
        });
        if self.targets.iter().any(|target| target.expression.contains("$__interval")) {
            // The interval of the recorded increments. A point of a graph is a multiple of it.
            panel["interval"] = json!("1m");
        }
        // Percentiles read a series per bucket: the fewer points, the faster the panel over a day.
        if by_bucket(&self.targets) {
            panel["maxDataPoints"] = json!(POINTS_OF_BUCKETS);
        }
        if let Some((uid, target)) = &self.store {
            let kind = if *uid == "-- Grafana --" { "grafana" } else { uid };
            let datasource = json!({"type": kind, "uid": uid});
            let mut target = target.clone();
            if let Some(fields) = target.as_object_mut() {
                fields.insert("refId".to_owned(), json!("A"));
                fields.insert("datasource".to_owned(), datasource.clone());
                panel["targets"] = json!([target]);
            }
            panel["datasource"] = datasource;
        }
        if let Some(period) = self.period {
            panel["interval"] = json!("1d");
            panel["timeFrom"] = json!(period);
        }
        if !self.transformations.is_empty() {
            panel["transformations"] = json!(self.transformations);
        }
        panel
    }
}

/// Points of a graph of percentiles or buckets.
const POINTS_OF_BUCKETS: u32 = 150;

/// Reports whether a query reads recorded buckets at each point of a graph.
fn by_bucket(targets: &[Target]) -> bool {
    targets.iter().any(|target| {
        target.expression.contains("_bucket:") && target.expression.contains("$__interval")
    })
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

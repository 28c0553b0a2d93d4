//! Dashboards and panels as Grafana's classic JSON: the little of it that we use.

use crate::files::File;
use serde_json::{Map, Value, json};

/// Green, red and yellow: the users' colours.
pub const GREEN: &str = "green";
/// See [`GREEN`].
pub const RED: &str = "red";
/// See [`GREEN`].
pub const YELLOW: &str = "yellow";

/// A dashboard.
#[derive(Debug, Clone)]
pub struct Dashboard {
    /// Its uid: links depend on it.
    pub uid: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it answers.
    pub description: &'static str,
    /// How far back it looks at first.
    pub from: &'static str,
    /// The variables that mean something here; the others are hidden and only travel along.
    pub variables: &'static [&'static str],
    /// Its panels, in reading order.
    pub panels: Vec<Panel>,
}

/// How a query is asked and its answer read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Over the time range, as lines.
    Range,
    /// Now, as single values.
    Instant,
    /// Now, as rows.
    Table,
    /// Over the time range, as buckets.
    Heatmap,
}

/// A query of a panel.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its letter.
    pub id: &'static str,
    /// The expression.
    pub expression: String,
    /// How a series is called.
    pub legend: &'static str,
    /// How it is asked.
    pub mode: Mode,
}

/// A panel.
#[derive(Debug, Clone)]
pub struct Panel {
    kind: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it shows, and what a reader should make of it.
    pub description: &'static str,
    unit: &'static str,
    size: (usize, usize),
    /// Its queries.
    pub targets: Vec<Target>,
    steps: Vec<(&'static str, Option<f64>)>,
    range: Option<(f64, f64)>,
    custom: Value,
    options: Value,
    overrides: Vec<Value>,
    transformations: Vec<Value>,
    traces: Option<String>,
    decimals: Option<u32>,
}

const REDUCE: &str = "lastNotNull";

impl Panel {
    fn new(kind: &'static str, title: &'static str, unit: &'static str, options: Value) -> Self {
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

    /// Lines over time.
    #[must_use]
    pub fn lines(title: &'static str, unit: &'static str) -> Self {
        let options = json!({
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
            "tooltip": {"mode": "multi", "sort": "desc"},
        });
        let mut panel = Self::new("timeseries", title, unit, options);
        panel.custom = json!({"drawStyle": "line", "fillOpacity": 10, "lineWidth": 1, "showPoints": "auto", "spanNulls": false});
        panel
    }

    /// One number each.
    #[must_use]
    pub fn number(title: &'static str, unit: &'static str) -> Self {
        let options = json!({
            "reduceOptions": {"calcs": [REDUCE], "fields": "", "values": false},
            "colorMode": "value", "graphMode": "none", "textMode": "auto",
        });
        Self::new("stat", title, unit, options).sized(6, 4)
    }

    /// A dial.
    #[must_use]
    pub fn gauge(title: &'static str, unit: &'static str, range: (f64, f64)) -> Self {
        let options = json!({
            "reduceOptions": {"calcs": [REDUCE], "fields": "", "values": false}, "showThresholdMarkers": true,
        });
        let mut panel = Self::new("gauge", title, unit, options).sized(6, 4);
        panel.range = Some(range);
        panel
    }

    /// Bars, one per series.
    #[must_use]
    pub fn bars(title: &'static str, unit: &'static str) -> Self {
        let options = json!({
            "reduceOptions": {"calcs": [REDUCE], "fields": "", "values": false},
            "orientation": "horizontal", "displayMode": "gradient",
        });
        Self::new("bargauge", title, unit, options)
    }

    /// A pie, one slice per series.
    #[must_use]
    pub fn pie(title: &'static str, unit: &'static str) -> Self {
        let options = json!({
            "reduceOptions": {"calcs": [REDUCE], "fields": "", "values": false},
            "pieType": "pie", "displayLabels": ["percent"],
            "legend": {"displayMode": "table", "placement": "right", "values": ["value"], "showLegend": true},
        });
        Self::new("piechart", title, unit, options)
    }

    /// Rows.
    #[must_use]
    pub fn table(title: &'static str) -> Self {
        Self::new("table", title, "short", json!({"showHeader": true, "cellHeight": "sm"}))
    }

    /// The buckets of a histogram over time.
    #[must_use]
    pub fn heatmap(title: &'static str, unit: &'static str) -> Self {
        let options = json!({
            "calculate": false,
            "yAxis": {"unit": unit},
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange"},
            "cellGap": 1,
            "filterValues": {"le": 1e-9},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "showColorScale": true},
            "legend": {"show": true},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "showValue": "never",
        });
        Self::new("heatmap", title, "short", options)
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
    pub fn query(mut self, mode: Mode, expression: impl Into<String>, legend: &'static str) -> Self {
        const LETTERS: [&str; 8] = ["A", "B", "C", "D", "E", "F", "G", "H"];
        let id = LETTERS[self.targets.len() % LETTERS.len()];
        self.targets.push(Target { id, expression: expression.into(), legend, mode });
        self
    }

    /// Colours from these values on; the first is the colour below all of them.
    #[must_use]
    pub fn steps(mut self, below: &'static str, steps: &[(&'static str, f64)]) -> Self {
        self.steps = vec![(below, None)];
        self.steps.extend(steps.iter().map(|(color, value)| (*color, Some(*value))));
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

    /// What this query returns has this unit.
    #[must_use]
    pub fn query_unit(self, id: &str, unit: &str) -> Self {
        self.property(json!({"id": "byFrameRefID", "options": id}), "unit", json!(unit))
    }

    /// What this query returns has its axis on the right.
    #[must_use]
    pub fn right_axis(self, id: &str) -> Self {
        self.property(json!({"id": "byFrameRefID", "options": id}), "custom.axisPlacement", json!("right"))
    }

    fn property(mut self, matcher: Value, id: &str, value: Value) -> Self {
        self.overrides.push(json!({"matcher": matcher, "properties": [{"id": id, "value": value}]}));
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

    fn json(&self, id: usize, (x, y): (usize, usize)) -> Value {
        let steps: Vec<Value> =
            self.steps.iter().map(|(color, value)| json!({"color": color, "value": value})).collect();
        let by_threshold = matches!(self.kind, "stat" | "gauge" | "bargauge");
        let links: Vec<Value> = self.traces.iter().map(|traceql| link(traceql)).collect();
        let mut defaults = json!({
            "unit": self.unit,
            "custom": self.custom,
            "thresholds": {"mode": "absolute", "steps": steps},
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

impl Target {
    fn json(&self) -> Value {
        let instant = matches!(self.mode, Mode::Instant | Mode::Table);
        json!({
            "datasource": source(),
            "refId": self.id,
            "editorMode": "code",
            "expr": self.expression,
            "instant": instant,
            "range": !instant,
            "legendFormat": self.legend,
            "format": match self.mode {
                Mode::Range | Mode::Instant => "time_series",
                Mode::Table => "table",
                Mode::Heatmap => "heatmap",
            },
            "exemplar": false,
        })
    }
}

fn source() -> Value {
    json!({"type": "prometheus", "uid": "prometheus"})
}

/// A data link into Explore, with the panel's time range.
fn link(traceql: &str) -> Value {
    let panes = json!({"a": {
        "datasource": "tempo",
        "queries": [{"refId": "A", "datasource": {"type": "tempo", "uid": "tempo"}, "queryType": "traceql", "query": traceql}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }});
    json!({
        "title": "Traces",
        "url": format!("/explore?schemaVersion=1&orgId=1&panes={}", encoded(&panes.to_string())),
        "targetBlank": false,
    })
}

/// Percent-encoded, but for the `${…}` that Grafana fills in.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let end = rest[start..].find('}').map_or(rest.len(), |length| start + length + 1);
        percent(&mut out, &rest[..start]);
        out.push_str(&rest[start..end]);
        rest = &rest[end..];
    }
    percent(&mut out, rest);
    out
}

fn percent(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// The variables of every dashboard: name, label, and the query of the values.
pub const VARIABLES: [(&str, &str, &str); 3] = [
    ("service", "Service", "label_values(process_uptime_seconds, service_name)"),
    ("workflow", "Workflow", "label_values(workflow_runs_total{service_name=~\"$service\"}, workflow_id)"),
    ("agent", "Agent", "label_values(agent_runs_total{service_name=~\"$service\"}, agent_id)"),
];

impl Dashboard {
    /// The number of the panel with this title.
    #[must_use]
    pub fn panel_id(&self, title: &str) -> Option<usize> {
        self.panels.iter().position(|panel| panel.title == title).map(|index| index + 1)
    }

    /// Its file.
    #[must_use]
    pub fn file(&self) -> File {
        let content = serde_json::to_string_pretty(&self.json()).unwrap_or_default();
        File::new(format!("observability/grafana/dashboards/{}.json", self.uid), content + "\n")
    }

    fn json(&self) -> Value {
        let mut variables: Vec<Value> = VARIABLES.iter().map(|variable| self.variable(*variable)).collect();
        if self.variables.contains(&"cost_per_minute") {
            variables.push(json!({
                "name": "cost_per_minute",
                "label": "Cost per minute",
                "description": "What a minute of execution costs. At 0 the panels say minutes.",
                "type": "textbox",
                "query": "0",
                "current": {"text": "0", "value": "0"},
                "options": [{"selected": true, "text": "0", "value": "0"}],
            }));
        }
        json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["commandcenter"],
            "timezone": "browser",
            "editable": false,
            "graphTooltip": 1,
            "schemaVersion": 39,
            "refresh": "10s",
            "time": {"from": self.from, "to": "now"},
            "timepicker": {},
            "templating": {"list": variables},
            "annotations": {"list": [{
                "builtIn": 1,
                "datasource": {"type": "grafana", "uid": "-- Grafana --"},
                "enable": true,
                "hide": true,
                "iconColor": "rgba(0, 211, 255, 1)",
                "name": "Annotations & Alerts",
                "type": "dashboard",
            }]},
            "links": [{
                "title": "CommandCenter",
                "type": "dashboards",
                "tags": ["commandcenter"],
                "asDropdown": true,
                "includeVars": true,
                "keepTime": true,
                "icon": "external link",
                "targetBlank": false,
                "tooltip": "",
                "url": "",
            }],
            "panels": self.placed(),
            "id": null,
            "version": 1,
            "fiscalYearStartMonth": 0,
            "liveNow": false,
        })
    }

    fn variable(&self, (name, label, query): (&str, &str, &str)) -> Value {
        json!({
            "name": name,
            "label": label,
            "type": "query",
            "datasource": source(),
            "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
            "definition": query,
            "refresh": 2,
            "includeAll": true,
            "allValue": ".*",
            "multi": true,
            "sort": 1,
            "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
            "options": [],
            "regex": "",
            // Hidden where it selects nothing, and there all the same: the choice survives the way to the next board.
            "hide": if self.variables.contains(&name) { 0 } else { 2 },
        })
    }

    /// The panels from left to right, a new row where one does not fit.
    fn placed(&self) -> Vec<Value> {
        let (mut x, mut y, mut row) = (0, 0, 0);
        self.panels
            .iter()
            .enumerate()
            .map(|(index, panel)| {
                let (width, height) = panel.size;
                if x + width > 24 {
                    (x, y, row) = (0, y + row, 0);
                }
                let place = (x, y);
                x += width;
                row = row.max(height);
                panel.json(index + 1, place)
            })
            .collect()
    }
}

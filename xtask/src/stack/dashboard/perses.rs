//! The dashboard in the format of Perses, for the permissive variant of the stack. Heatmaps and
//! value mappings of tables have no counterpart and are left out.

use super::link;
use super::panel::{GREEN, Panel, RED, YELLOW};
use super::target::Target;
use super::{Dashboard, VARIABLES};
use crate::files::File;
use serde_json::{Value, json};

/// Project of the dashboards.
const PROJECT: &str = "commandcenter";

/// TraceQL query of the spans that the panel of an alert links to.
const FAILED: &str = "{ status = error }";

impl Dashboard {
    /// Returns the generated file for Perses.
    #[must_use]
    pub fn perses_file(&self) -> File {
        let content = serde_json::to_string_pretty(&self.perses()).unwrap_or_default();
        File::new(format!("observability/perses/dashboards/{}.json", self.uid), content + "\n")
    }

    fn perses(&self) -> Value {
        let panels: serde_json::Map<String, Value> = self
            .panels
            .iter()
            .enumerate()
            .filter_map(|(index, panel)| Some((key(index, panel), of_panel(panel)?)))
            .collect();
        json!({
            "kind": "Dashboard",
            "metadata": {"name": self.uid, "project": PROJECT},
            "spec": {
                "display": {"name": self.title, "description": self.description},
                "duration": self.from.trim_start_matches("now-"),
                "refreshInterval": "1m",
                "variables": self.perses_variables(),
                "panels": panels,
                "layouts": self.grids(),
            },
        })
    }

    fn perses_variables(&self) -> Vec<Value> {
        let lists = VARIABLES.iter().map(|(name, label, query)| {
            let (series, values) = query
                .trim_start_matches("label_values(")
                .trim_end_matches(')')
                .rsplit_once(", ")
                .unwrap_or_default();
            json!({"kind": "ListVariable", "spec": {
                "name": name,
                "display": {"name": label, "hidden": !self.variables.contains(name)},
                "allowAllValue": true,
                "allowMultiple": true,
                "customAllValue": ".*",
                "defaultValue": ["$__all"],
                "sort": "alphabetical-asc",
                "plugin": {
                    "kind": "PrometheusLabelValuesVariable",
                    "spec": {"labelName": values, "matchers": [series]},
                },
            }})
        });
        let cost = json!({"kind": "TextVariable", "spec": {
            "name": "cost_per_minute",
            "display": {"name": "Cost per minute"},
            "value": "0",
        }});
        lists.chain(self.variables.contains(&"cost_per_minute").then_some(cost)).collect()
    }

    /// Returns one grid per section.
    fn grids(&self) -> Vec<Value> {
        let (mut grids, mut items, mut title, mut top) = (Vec::new(), Vec::new(), None, 0);
        let mut panels = self.panels.iter().enumerate();
        for placed in self.placed() {
            let at = |key: &str| placed["gridPos"][key].as_u64().unwrap_or_default();
            if placed["type"] == "row" {
                grids.extend(grid(title.take(), std::mem::take(&mut items)));
                (title, top) = (Some(placed["title"].clone()), at("y") + 1);
            } else if let Some((index, panel)) = panels.next()
                && of_panel(panel).is_some()
            {
                items.push(json!({
                    "x": at("x"), "y": at("y") - top, "width": at("w"), "height": at("h"),
                    "content": {"$ref": format!("#/spec/panels/{}", key(index, panel))},
                }));
            }
        }
        grids.extend(grid(title, items));
        grids
    }
}

fn grid(title: Option<Value>, items: Vec<Value>) -> Option<Value> {
    let mut spec = json!({"items": items});
    if let Some(title) = title {
        spec["display"] = json!({"title": title, "collapse": {"open": true}});
    }
    (spec["items"] != json!([])).then(|| json!({"kind": "Grid", "spec": spec}))
}

/// Name of a panel, by which links select it: its id if it has one, else its position.
fn key(index: usize, panel: &Panel) -> String {
    panel.id.unwrap_or(index).to_string()
}

/// Returns a panel, `None` for a kind that Perses does not have and for panels on Tempo and Loki.
fn of_panel(panel: &Panel) -> Option<Value> {
    if panel.store.is_some() {
        return None;
    }
    let (kind, plugin) = plugin(panel)?;
    let by_day = panel.period.is_some();
    let queries: Vec<Value> =
        of_single_colors(panel).iter().map(|(target, _)| query(target, by_day)).collect();
    let mut spec = json!({
        "display": {"name": panel.title, "description": panel.description},
        "plugin": {"kind": kind, "spec": plugin},
        "queries": queries,
    });
    // The panel of an alert has an id and no query of its own for traces.
    if let Some(traceql) = panel.traceql().or(panel.id.map(|_| FAILED)) {
        spec["links"] = json!(link::permissive(traceql));
    }
    Some(json!({"kind": "Panel", "spec": spec}))
}

/// Returns the queries of a panel, each with the fixed colour of its series. Perses sets colours by
/// query: one for each value of the label that names the series.
fn of_single_colors(panel: &Panel) -> Vec<(Target, Option<&str>)> {
    let colors = panel.fixed_colors();
    let split = |target: &Target| {
        let label = target.legend.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        match label {
            Some(label) if !colors.is_empty() => colors
                .iter()
                .map(|(value, color)| (target.only(label, value), Some(*color)))
                .collect(),
            _ => vec![(target.clone(), None)],
        }
    };
    panel.targets.iter().flat_map(split).collect()
}

fn plugin(panel: &Panel) -> Option<(&'static str, Value)> {
    let format = format(panel);
    let of_last = json!({"calculation": "last-number", "format": format});
    let with_thresholds = |mut spec: Value| {
        spec["thresholds"] = thresholds(panel);
        spec
    };
    Some(match panel.kind {
        "timeseries" => ("TimeSeriesChart", with_thresholds(time_series(panel, &format))),
        "stat" => {
            let mut spec = with_thresholds(of_last);
            if !panel.mappings.is_empty() {
                spec["mappings"] = panel.mappings.iter().map(mapping).collect();
            }
            ("StatChart", spec)
        }
        "gauge" => {
            let mut spec = with_thresholds(of_last);
            if let Some((_, Some(max))) = panel.range {
                spec["max"] = json!(max);
            }
            ("GaugeChart", spec)
        }
        "bargauge" | "piechart" => ("BarChart", of_last),
        "table" => {
            let transforms = json!([{"kind": "MergeSeries", "spec": {}}]);
            ("Table", json!({"columnSettings": columns(panel), "transforms": transforms}))
        }
        _ => return None,
    })
}

fn time_series(panel: &Panel, format: &Value) -> Value {
    let stacked = panel.custom.get("stacking").is_some();
    let mut visual = json!({
        "display": if panel.custom["drawStyle"] == "bars" { "bar" } else { "line" },
        "areaOpacity": if stacked { 0.3 } else { 0.1 },
        "lineWidth": 1,
        "connectNulls": false,
    });
    if stacked {
        visual["stack"] = json!("all");
    }
    let mut axis = json!({"format": format});
    if let Some((min, max)) = panel.range {
        axis["min"] = json!(min);
        if let Some(max) = max {
            axis["max"] = json!(max);
        }
    }
    let mut chart =
        json!({"legend": {"position": "bottom", "mode": "list"}, "yAxis": axis, "visual": visual});
    let settings: Vec<Value> = of_single_colors(panel)
        .iter()
        .enumerate()
        .filter_map(|(index, (_, name))| {
            let value = color((*name)?);
            Some(json!({"queryIndex": index, "colorMode": "fixed-single", "colorValue": value}))
        })
        .collect();
    if !settings.is_empty() {
        chart["querySettings"] = json!(settings);
    }
    chart
}

fn query(target: &Target, by_day: bool) -> Value {
    let mut spec =
        json!({"datasource": {"kind": "PrometheusDatasource"}, "query": target.expression});
    if target.legend != "__auto" {
        spec["seriesNameFormat"] = json!(target.legend);
    }
    if by_day {
        spec["minStep"] = json!("1d");
    } else if target.expression.contains("$__interval") {
        spec["minStep"] = json!("1m");
    }
    let plugin = json!({"kind": "PrometheusTimeSeriesQuery", "spec": spec});
    json!({"kind": "TimeSeriesQuery", "spec": {"plugin": plugin}})
}

/// Returns the columns of a table of joined queries: Perses calls the value of the query B
/// `value #2`.
fn columns(panel: &Panel) -> Vec<Value> {
    let names = panel.transformations.last().map(|organize| &organize["options"]["renameByName"]);
    let names = names.and_then(Value::as_object).into_iter().flatten();
    let (values, labels): (Vec<_>, Vec<_>) =
        names.partition(|(column, _)| column.starts_with("Value #"));
    let labels = labels.into_iter().map(|(name, header)| json!({"name": name, "header": header}));
    let values = values.into_iter().enumerate().map(|(index, (_, header))| {
        let set = |property: &str| panel.property_of(header, property);
        let in_grafana = set("unit").and_then(Value::as_str).unwrap_or_default();
        let mut format = json!({"unit": unit(in_grafana)});
        if let Some(decimals) = set("decimals") {
            format["decimalPlaces"] = decimals.clone();
        }
        json!({"name": format!("value #{}", index + 1), "header": header, "format": format})
    });
    let hidden = std::iter::once(json!({"name": "timestamp", "hide": true}));
    hidden.chain(labels).chain(values).collect()
}

fn unit(grafana: &str) -> &'static str {
    match grafana {
        "percent" => "percent",
        "percentunit" => "percent-decimal",
        "s" => "seconds",
        "ms" => "milliseconds",
        "m" => "minutes",
        "currencyUSD" => "usd",
        _ => "decimal",
    }
}

fn format(panel: &Panel) -> Value {
    let mut format = json!({"unit": unit(panel.unit)});
    if let Some(decimals) = panel.decimals {
        format["decimalPlaces"] = json!(decimals);
    }
    format
}

fn thresholds(panel: &Panel) -> Value {
    let (below, steps) = match panel.steps.split_first() {
        Some(((below, _), steps)) => (*below, steps),
        None => (GREEN, &[][..]),
    };
    let steps: Vec<Value> = steps
        .iter()
        .filter_map(|(name, value)| Some(json!({"value": (*value)?, "color": color(name)})))
        .collect();
    json!({"mode": "absolute", "defaultColor": color(below), "steps": steps})
}

/// Converts a value mapping, whose only key is the value.
fn mapping(mapping: &Value) -> Value {
    let (value, shown) = mapping["options"]
        .as_object()
        .and_then(|options| options.iter().next())
        .map_or((Value::Null, &Value::Null), |(value, shown)| (json!(value), shown));
    let result = json!({
        "value": shown["text"],
        "color": color(shown["color"].as_str().unwrap_or_default()),
    });
    json!({"kind": "Value", "spec": {"value": value, "result": result}})
}

fn color(name: &str) -> &'static str {
    match name {
        RED => "#f2495c",
        YELLOW => "#fade2a",
        "blue" => "#5794f2",
        "purple" => "#b877d9",
        _ => "#73bf69",
    }
}

//! Constructors for the kinds of panels, with the options that Grafana requires to display each
//! kind.

use super::panel::Panel;
use serde_json::{Value, json};

const REDUCE: &str = "lastNotNull";

impl Panel {
    /// Creates a panel with lines over time.
    #[must_use]
    pub fn lines(title: &'static str, unit: &'static str) -> Self {
        let options = json!({
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        });
        let mut panel = Self::new("timeseries", title, unit, options);
        panel.custom = json!({"drawStyle": "line", "fillOpacity": 10, "lineWidth": 1, "showPoints": "auto", "spanNulls": false});
        panel
    }

    /// Creates a panel with one number per series.
    #[must_use]
    pub fn number(title: &'static str, unit: &'static str) -> Self {
        let options = json!({
            "reduceOptions": {"calcs": [REDUCE], "fields": "", "values": false},
            "colorMode": "value", "graphMode": "none", "textMode": "auto",
        });
        Self::new("stat", title, unit, options).sized(6, 4)
    }

    /// Creates a gauge.
    #[must_use]
    pub fn gauge(title: &'static str, unit: &'static str, range: (f64, f64)) -> Self {
        let options = json!({
            "reduceOptions": {"calcs": [REDUCE], "fields": "", "values": false}, "showThresholdMarkers": true,
        });
        let mut panel = Self::new("gauge", title, unit, options).sized(6, 4);
        panel.range = Some((range.0, Some(range.1)));
        panel
    }

    /// Creates a panel with one bar per series.
    #[must_use]
    pub fn bars(title: &'static str, unit: &'static str) -> Self {
        let options = json!({
            "reduceOptions": {"calcs": [REDUCE], "fields": "", "values": false},
            "orientation": "horizontal", "displayMode": "gradient",
        });
        Self::new("bargauge", title, unit, options)
    }

    /// Creates a pie chart with one slice per series.
    #[must_use]
    pub fn pie(title: &'static str, unit: &'static str) -> Self {
        let options = json!({
            "reduceOptions": {"calcs": [REDUCE], "fields": "", "values": false},
            "pieType": "pie", "displayLabels": ["percent"],
            "legend": {"displayMode": "table", "placement": "right", "values": ["value"], "showLegend": true, "calcs": []},
        });
        Self::new("piechart", title, unit, options)
    }

    /// Creates a table.
    #[must_use]
    pub fn table(title: &'static str) -> Self {
        Self::new("table", title, "short", json!({"showHeader": true, "cellHeight": "sm"}))
    }

    /// Creates a list of log records, the newest first.
    #[must_use]
    pub fn logs(title: &'static str, logql: &str) -> Self {
        let options = json!({
            "showTime": true, "showLabels": false, "showCommonLabels": false, "wrapLogMessage": true,
            "prettifyLogMessage": false, "enableLogDetails": true, "sortOrder": "Descending", "dedupStrategy": "none",
        });
        let target =
            json!({"expr": logql, "queryType": "range", "maxLines": 100, "editorMode": "code"});
        Self::new("logs", title, "short", options).of_store("loki", target).sized(24, 8)
    }

    /// Creates a list of the newest traces that match a query.
    #[must_use]
    pub fn trace_list(title: &'static str, traceql: &str) -> Self {
        let target =
            json!({"query": traceql, "queryType": "traceql", "tableType": "traces", "limit": 20});
        let options = json!({"showHeader": true, "cellHeight": "sm"});
        Self::new("table", title, "short", options).of_store("tempo", target).sized(24, 8)
    }

    /// Creates a graph of the services and the requests between them, by Tempo's generator.
    #[must_use]
    pub fn service_map(title: &'static str) -> Self {
        let options = json!({
            "nodes": {"mainStatUnit": "ms", "secondaryStatUnit": "r/sec"},
            "edges": {}, "layoutAlgorithm": "layered", "zoomMode": "cooperative",
        });
        let target = json!({"queryType": "serviceMap", "query": ""});
        Self::new("nodeGraph", title, "short", options).of_store("tempo", target).sized(24, 12)
    }

    /// Creates a list of the alerts that fire or are pending.
    #[must_use]
    pub fn alert_list(title: &'static str) -> Self {
        let options = json!({
            "viewMode": "list", "groupMode": "default", "groupBy": [], "maxItems": 20, "sortOrder": 3,
            "dashboardAlerts": false, "alertName": "", "alertInstanceLabelFilter": "", "datasource": "-- Grafana --",
            "stateFilter": {"firing": true, "pending": true, "error": true, "noData": false, "normal": false},
        });
        Self::new("alertlist", title, "short", options).of_store("-- Grafana --", Value::Null)
    }

    /// Creates a heatmap of the buckets of a histogram over time.
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
}

//! Constructors for the kinds of panels, with the options that Grafana requires to display each
//! kind.

use super::panel::Panel;
use serde_json::json;

const REDUCE: &str = "lastNotNull";

impl Panel {
    /// Creates a panel with lines over time.
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
        panel.range = Some(range);
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
            "legend": {"displayMode": "table", "placement": "right", "values": ["value"], "showLegend": true},
        });
        Self::new("piechart", title, unit, options)
    }

    /// Creates a table.
    #[must_use]
    pub fn table(title: &'static str) -> Self {
        Self::new("table", title, "short", json!({"showHeader": true, "cellHeight": "sm"}))
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

//! Queries of a panel.

use serde_json::{Value, json};

/// Query type and result format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Range query, shown as lines.
    Range,
    /// Instant query, shown as single values.
    Instant,
    /// Instant query, shown as rows.
    Table,
    /// Range query of histogram buckets.
    Heatmap,
}

/// A query of a panel.
#[derive(Debug, Clone)]
pub struct Target {
    /// Reference id: a letter.
    pub id: &'static str,
    /// PromQL expression.
    pub expression: String,
    /// Legend of a series.
    pub legend: &'static str,
    /// Query type and result format.
    pub mode: Mode,
    /// Shows exemplars if `true`.
    pub exemplars: bool,
}

impl Target {
    /// Returns the query of the series in which a label has a value.
    pub(super) fn only(&self, label: &str, value: &str) -> Self {
        let expression = self.expression.replace('{', &format!("{{{label}=\"{value}\", "));
        Self { expression, ..self.clone() }
    }

    pub(super) fn json(&self) -> Value {
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
            "exemplar": self.exemplars,
        })
    }
}

/// Returns the data source of every panel, whose uid is fixed.
pub(super) fn source() -> Value {
    json!({"type": "prometheus", "uid": "prometheus"})
}

//! One query of a panel.

use serde_json::{Value, json};

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
    /// Whether the traces that stand behind single values are shown as dots.
    pub exemplars: bool,
}

impl Target {
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

/// The data source of every panel: its uid is fixed.
pub(super) fn source() -> Value {
    json!({"type": "prometheus", "uid": "prometheus"})
}

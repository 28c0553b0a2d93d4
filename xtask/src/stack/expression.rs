//! Checks the series and labels that a PromQL expression uses.

use promql_parser::label::Labels;
use promql_parser::parser::{self, Expr, LabelModifier};

/// A series that an expression may use.
#[derive(Debug, Clone)]
pub struct KnownSeries {
    /// Name of the series.
    pub name: String,
    /// Labels of the series.
    pub labels: Vec<String>,
}

/// Values of Grafana's variables for a dashboard that shows 15 minutes.
pub const VARIABLES: &[(&str, &str)] = &[
    ("$__rate_interval_ms", "40000"),
    ("$__rate_interval", "40s"),
    ("$__range_s", "900"),
    ("$__range", "15m"),
    ("$__interval", "15s"),
    ("$service", ".*"),
    ("$workflow", ".*"),
    ("$agent", ".*"),
    ("$cost_per_minute", "0"),
];

/// Replaces the variables in an expression by their values.
#[must_use]
pub fn interpolated(expression: &str, variables: &[(&str, &str)]) -> String {
    variables.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// Formats a long expression over several lines.
#[must_use]
pub fn readable(expression: &str) -> String {
    match parser::parse(expression) {
        Ok(parsed) if expression.len() > 110 => parsed.prettify(),
        Ok(_) | Err(_) => expression.to_owned(),
    }
}

/// Returns the faults of an expression: a syntax error, unknown series and unknown labels.
#[must_use]
pub fn faults(expression: &str, known: &[KnownSeries]) -> Vec<String> {
    match parser::parse(expression) {
        Ok(parsed) => {
            let mut check = Check { known, faults: Vec::new() };
            check.visit(&parsed);
            check.faults
        }
        Err(error) => vec![format!("does not parse: {error}")],
    }
}

struct Check<'a> {
    known: &'a [KnownSeries],
    faults: Vec<String>,
}

impl Check<'_> {
    /// Checks a subexpression and returns the labels that its result may have.
    fn visit(&mut self, expression: &Expr) -> Vec<String> {
        match expression {
            Expr::VectorSelector(selector) => self.selector(selector),
            Expr::MatrixSelector(selector) => self.selector(&selector.vs),
            Expr::Paren(paren) => self.visit(&paren.expr),
            Expr::Unary(unary) => self.visit(&unary.expr),
            Expr::Subquery(subquery) => self.visit(&subquery.expr),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Vec::new(),
            Expr::Aggregate(aggregate) => {
                let inner = self.visit(&aggregate.expr);
                if let Some(parameter) = &aggregate.param {
                    self.visit(parameter);
                }
                match &aggregate.modifier {
                    Some(LabelModifier::Include(labels)) => {
                        self.require_labels(labels, &inner);
                        labels.labels.clone()
                    }
                    Some(LabelModifier::Exclude(_)) => inner,
                    None => Vec::new(),
                }
            }
            Expr::Binary(binary) => {
                let mut labels = self.visit(&binary.lhs);
                let right = self.visit(&binary.rhs);
                if let Some(LabelModifier::Include(on)) =
                    binary.modifier.as_ref().and_then(|m| m.matching.as_ref())
                {
                    self.require_labels(on, &labels);
                    self.require_labels(on, &right);
                }
                labels.extend(right);
                labels
            }
            Expr::Call(call) => {
                let mut labels: Vec<String> =
                    call.args.args.iter().flat_map(|argument| self.visit(argument)).collect();
                if call.func.name == "label_replace"
                    && let Some(Expr::StringLiteral(label)) =
                        call.args.args.get(1).map(AsRef::as_ref)
                {
                    labels.push(label.val.clone());
                }
                labels
            }
        }
    }

    fn selector(&mut self, selector: &parser::VectorSelector) -> Vec<String> {
        let Some(name) = &selector.name else {
            self.faults.push(format!("a selector without a name: {selector}"));
            return Vec::new();
        };
        let Some(series) = self.known.iter().find(|series| series.name == *name) else {
            self.faults.push(format!("unknown series `{name}`"));
            return Vec::new();
        };
        for matcher in &selector.matchers.matchers {
            if !series.labels.contains(&matcher.name) {
                self.faults.push(format!("`{name}` has no label `{}`", matcher.name));
            }
        }
        series.labels.clone()
    }

    fn require_labels(&mut self, required: &Labels, available: &[String]) {
        for label in &required.labels {
            if !available.contains(label) {
                self.faults.push(format!("the operand has no label `{label}`"));
            }
        }
    }
}

//! What an expression names: read by a parser that is not ours, compared with what exists.

use promql_parser::label::Labels;
use promql_parser::parser::{self, Expr, LabelModifier};

/// A series that an expression may name, with the labels that it carries.
#[derive(Debug, Clone)]
pub struct KnownSeries {
    /// The series' name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<String>,
}

/// What Grafana puts in the place of its variables: values of a dashboard that shows 15 minutes.
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

/// The expression as the data source would send it.
#[must_use]
pub fn interpolated(expression: &str, variables: &[(&str, &str)]) -> String {
    variables.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// Over several lines, when it is long.
#[must_use]
pub fn readable(expression: &str) -> String {
    match parser::parse(expression) {
        Ok(parsed) if expression.len() > 110 => parsed.prettify(),
        Ok(_) | Err(_) => expression.to_owned(),
    }
}

/// What is wrong with an expression: it does not parse, or names a series or a label that does not exist.
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
    /// Returns the labels that the result may carry.
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
                        self.exist(labels, &inner);
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
                    self.exist(on, &labels);
                    self.exist(on, &right);
                }
                labels.extend(right);
                labels
            }
            Expr::Call(call) => {
                let mut labels: Vec<String> =
                    call.args.args.iter().flat_map(|argument| self.visit(argument)).collect();
                if call.func.name == "label_replace"
                    && let Some(Expr::StringLiteral(made)) =
                        call.args.args.get(1).map(AsRef::as_ref)
                {
                    labels.push(made.val.clone());
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

    fn exist(&mut self, wanted: &Labels, there: &[String]) {
        for label in &wanted.labels {
            if !there.contains(label) {
                self.faults.push(format!("no such label here: `{label}`"));
            }
        }
    }
}

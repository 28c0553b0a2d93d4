//! Checks the series and labels that a PromQL expression uses.

use promql_parser::label::{Labels, Matcher};
use promql_parser::parser::token::T_EQL_REGEX;
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};

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
    // The parser reads no duration as a number.
    ("< $__rate_interval", "< 40"),
    ("/ $__rate_interval", "/ 40"),
    ("< $__range", "< 900"),
    ("/ $__interval", "/ 60"),
    ("$__rate_interval", "40s"),
    ("$__range", "15m"),
    ("$__interval", "1m"),
    ("$service", ".*"),
    ("$workflow", ".*"),
    ("$agent", ".*"),
    ("$instance", ".*"),
    ("$environment", ".*"),
    ("$cluster", ".*"),
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

/// Returns the labels that the result of an expression may have.
#[must_use]
pub fn labels(expression: &str, known: &[KnownSeries]) -> Vec<String> {
    let mut check = Check { known, faults: Vec::new() };
    parser::parse(expression).map_or_else(|_| Vec::new(), |parsed| check.visit(&parsed))
}

/// Adds matchers to each selector of a series that has their labels: label and regular expression.
#[must_use]
pub fn filtered(expression: &str, filters: &[(&str, &str)], known: &[KnownSeries]) -> String {
    let filter = |selector: &mut VectorSelector| {
        let series = known.iter().find(|series| Some(&series.name) == selector.name.as_ref());
        for (label, pattern) in filters {
            if series.is_some_and(|series| series.labels.iter().any(|has| has == label))
                && let Ok(matcher) =
                    Matcher::new_matcher(T_EQL_REGEX, (*label).to_owned(), (*pattern).to_owned())
            {
                selector.matchers.matchers.push(matcher);
            }
        }
    };
    match parser::parse(expression) {
        Ok(mut parsed) => {
            each_selector(&mut parsed, &filter);
            parsed.to_string()
        }
        Err(_) => expression.to_owned(),
    }
}

fn each_selector(expression: &mut Expr, change: &impl Fn(&mut VectorSelector)) {
    match expression {
        Expr::VectorSelector(selector) => change(selector),
        Expr::MatrixSelector(selector) => change(&mut selector.vs),
        Expr::Paren(paren) => each_selector(&mut paren.expr, change),
        Expr::Unary(unary) => each_selector(&mut unary.expr, change),
        Expr::Subquery(subquery) => each_selector(&mut subquery.expr, change),
        Expr::Aggregate(aggregate) => each_selector(&mut aggregate.expr, change),
        Expr::Binary(binary) => {
            each_selector(&mut binary.lhs, change);
            each_selector(&mut binary.rhs, change);
        }
        Expr::Call(call) => {
            call.args.args.iter_mut().for_each(|argument| each_selector(argument, change));
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
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
                if matches!(call.func.name, "label_replace" | "label_join")
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

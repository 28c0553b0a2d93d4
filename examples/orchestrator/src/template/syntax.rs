//! Syntax check of a template: its size and depth, then the permitted parts of the language.
//!
//! Templates select and format values. Operations whose cost or result grows faster than the
//! template (`~`, `*`, lists of values, `set`, most filters) are not permitted: a few of them in a
//! short text can take all memory. The tokens are counted first, because the parser and the
//! evaluation are recursive.

use minijinja::Environment;
use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Stmt};
use minijinja::machinery::{Token, parse, parse_expr, tokenize};

/// Maximum length of a template, in bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// Maximum number of tokens of a template. Also limits the depth of chains like `a.b.c`.
const MAX_TOKENS: usize = 512;
/// Maximum depth of parentheses, brackets and blocks.
const MAX_DEPTH: usize = 16;

/// Permitted filters. Their result is at most a few times as large as their input.
const FILTERS: [&str; 17] = [
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "round",
    "title",
    "tojson",
    "trim",
    "upper",
];

/// A checked template.
pub(super) enum Checked<'a> {
    /// One `{{ expression }}` and nothing else: keeps the type of its value.
    Expression(&'a str),
    /// Text with expressions and blocks.
    Text(&'a str),
}

/// Checks a template. Returns it, and its number of tokens.
pub(super) fn check(source: &str) -> Result<(Checked<'_>, usize), String> {
    if source.len() > MAX_LENGTH {
        return Err(format!("is {} bytes long; the maximum is {MAX_LENGTH}", source.len()));
    }
    let tokens = check_tokens(source)?;
    if let Some(expression) = single_expression(source)
        && let Ok(parsed) = parse_expr(expression)
    {
        check_expression(&parsed)?;
        return Ok((Checked::Expression(expression), tokens));
    }
    let parsed = parse(source, "template", Default::default());
    check_statement(&parsed.map_err(|error| super::error_detail(&error))?)?;
    Ok((Checked::Text(source), tokens))
}

/// Creates an environment whose filters have a bounded result.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.add_filter("join", super::bounded::join);
    environment.add_filter("tojson", super::bounded::tojson);
    environment
}

fn check_tokens(source: &str) -> Result<usize, String> {
    let (mut count, mut depth) = (0, 0_usize);
    let mut starts_block = false;
    for token in tokenize(source, false, Default::default()) {
        let (token, _) = token.map_err(|error| super::error_detail(&error))?;
        count += 1;
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                depth = depth.saturating_sub(1);
            }
            Token::Ident("for" | "if") if starts_block => depth += 1,
            Token::Ident("endfor" | "endif") if starts_block => depth = depth.saturating_sub(1),
            _ => {}
        }
        starts_block = matches!(token, Token::BlockStart);
        if count > MAX_TOKENS {
            return Err(format!("has more than {MAX_TOKENS} tokens"));
        }
        if depth > MAX_DEPTH {
            return Err(format!("is nested more than {MAX_DEPTH} levels deep"));
        }
    }
    Ok(count)
}

/// Returns the text between the braces of a string with one pair of them. The parser rejects
/// `a }}…{{ b`.
fn single_expression(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    // `{{-` trims white space and is not a negation.
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    Some(inner.strip_suffix(['-', '+']).unwrap_or(inner))
}

fn check_statement(statement: &Stmt<'_>) -> Result<(), String> {
    let all = |statements: &[Stmt<'_>]| statements.iter().try_for_each(check_statement);
    match statement {
        Stmt::Template(template) => all(&template.children),
        Stmt::EmitRaw(_) => Ok(()),
        Stmt::EmitExpr(emit) => check_expression(&emit.expr),
        Stmt::IfCond(condition) => {
            check_expression(&condition.expr)?;
            all(&condition.true_body)?;
            all(&condition.false_body)
        }
        Stmt::ForLoop(each) if !each.recursive => {
            check_expression(&each.iter)?;
            each.filter_expr.iter().try_for_each(check_expression)?;
            all(&each.body)?;
            all(&each.else_body)
        }
        _ => Err("has a block that is not available; available are `if` and `for`".to_owned()),
    }
}

fn check_expression(expression: &Expr<'_>) -> Result<(), String> {
    let all = |parts: &[&Expr<'_>]| parts.iter().try_for_each(|part| check_expression(part));
    match expression {
        Expr::Var(_) | Expr::Const(_) => Ok(()),
        Expr::UnaryOp(operation) => check_expression(&operation.expr),
        Expr::BinOp(operation) => match operation.op {
            BinOpKind::Add | BinOpKind::Mul | BinOpKind::Pow | BinOpKind::Concat => {
                Err("has one of the operators `+`, `*`, `**`, `~`, which are not available; \
                 write expressions one after the other to join texts"
                    .to_owned())
            }
            _ => all(&[&operation.left, &operation.right]),
        },
        Expr::Compare(compared) => {
            check_expression(&compared.expr)?;
            compared.ops.iter().try_for_each(|operation| check_expression(&operation.expr))
        }
        Expr::IfExpr(choice) => {
            all(&[&choice.test_expr, &choice.true_expr])?;
            choice.false_expr.iter().try_for_each(check_expression)
        }
        Expr::GetAttr(attribute) => check_expression(&attribute.expr),
        Expr::GetItem(item) => all(&[&item.expr, &item.subscript_expr]),
        Expr::Slice(slice) => {
            check_expression(&slice.expr)?;
            let bounds = [&slice.start, &slice.stop, &slice.step];
            bounds.into_iter().flatten().try_for_each(check_expression)
        }
        Expr::Filter(filter) if FILTERS.contains(&filter.name) => {
            filter.expr.iter().try_for_each(check_expression)?;
            check_arguments(&filter.args)
        }
        Expr::Filter(filter) => {
            let name: String = filter.name.chars().take(40).collect();
            Err(format!("has the filter `{name}`; expected one of {}", FILTERS.join(", ")))
        }
        Expr::Test(test) => {
            check_expression(&test.expr)?;
            check_arguments(&test.args)
        }
        Expr::Call(call) => match &call.expr {
            Expr::Var(function) if function.id == "range" => check_arguments(&call.args),
            _ => Err("calls a function that is not available; available is `range`".to_owned()),
        },
        Expr::List(list) if list.as_const().is_some() => Ok(()),
        Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => {
            Err("has a list or map of values; available are lists of constants".to_owned())
        }
    }
}

fn check_arguments(arguments: &[CallArg<'_>]) -> Result<(), String> {
    arguments.iter().try_for_each(|argument| match argument {
        CallArg::Pos(value) | CallArg::Kwarg(_, value) => check_expression(value),
        CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
            Err("has unpacked arguments, which are not available".to_owned())
        }
    })
}

//! Checks the arguments against the item. Every violation is reported, each at the token to change.
//!
//! docs/macro-rules.md lists the rules; each has a fixture in tests/ui/fail.

use crate::args::{Arguments, ValueFormat};
use crate::errors::{Errors, quoted_list};
use crate::item::{Function, ImplBlock, Member, Output, Shape, is_hub};
use crate::macro_kind::{ALL, MacroKind};
use crate::table::Arg;
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Expr, FnArg, Lit};

/// Checks an annotated function.
pub(crate) fn check_function(
    kind: &MacroKind,
    function: &Function,
    arguments: &Arguments,
    errors: &Errors,
) {
    check_qualifiers(function, errors);
    check_duplicate_attribute(kind, function, errors);
    for attribute in function.attrs.iter().filter(|attribute| is_hub(attribute)) {
        errors.add(
            attribute,
            format_args!(
                "`#[hub(…)]` applies to methods of an `impl` block under `#[{0}]`; \
                 on this function, write the arguments in `#[{0}(…)]`",
                kind.attribute
            ),
        );
    }
    check_arguments(arguments, errors);
    check_shape(function, arguments, errors);
}

/// Checks a method of an annotated block, with its own arguments and those of the block.
pub(crate) fn check_method(
    kind: &MacroKind,
    method: &Function,
    arguments: &Arguments,
    errors: &Errors,
) {
    check_qualifiers(method, errors);
    check_duplicate_attribute(kind, method, errors);
    check_shape(method, arguments, errors);
}

/// Checks that an annotated block has a method to instrument.
pub(crate) fn check_block(
    kind: &MacroKind,
    block: &ImplBlock,
    arguments: &Arguments,
    instrumented: usize,
    errors: &Errors,
) {
    check_arguments(arguments, errors);
    let has_methods = block.members.iter().any(|member| matches!(member, Member::Method(..)));
    if instrumented == 0 {
        let reason = if has_methods {
            "no method of this block returns a future or a stream; add `#[hub]` to the synchronous \
             methods to instrument"
        } else {
            "this block has no methods; remove the attribute"
        };
        errors.add(
            block.keyword(),
            format_args!("`#[{}]` has nothing to instrument: {reason}", kind.attribute),
        );
    }
}

/// Reports an item that is neither a function nor an `impl` block.
pub(crate) fn reject_item(kind: &MacroKind, keyword: &TokenTree, errors: &Errors) {
    let message = format!(
        "`#[{}]` applies to a function, a method or an `impl` block, not to `{keyword}`",
        kind.attribute
    );
    errors.add_at(keyword.span(), message);
}

/// Rejects functions that cannot be wrapped.
fn check_qualifiers(function: &Function, errors: &Errors) {
    let sig = &function.sig;
    if let Some(constness) = &sig.constness {
        errors.add(
            constness,
            "a `const fn` cannot be instrumented: it may run at compile time; remove `const`",
        );
    }
    if let Some(abi) = &sig.abi {
        errors.add(
            abi,
            "an `extern` function cannot be instrumented; annotate a Rust function that it calls",
        );
    } else if let Some(variadic) = &sig.variadic {
        errors.add(
            variadic,
            "a variadic function cannot be instrumented; annotate a function that it calls",
        );
    }
    if function.body.is_none() {
        errors.add(
            &sig.ident,
            "a method without a body cannot be instrumented; annotate its implementations",
        );
    }
}

/// Rejects a second attribute of the same kind, which would count every call twice.
fn check_duplicate_attribute(kind: &MacroKind, function: &Function, errors: &Errors) {
    for attribute in &function.attrs {
        if attribute.path().segments.last().is_some_and(|last| last.ident == kind.attribute) {
            errors.add(
                attribute,
                format_args!("duplicate attribute `#[{}]`; keep one of them", kind.attribute),
            );
        }
    }
}

/// Checks the arguments that do not depend on the item.
fn check_arguments(arguments: &Arguments, errors: &Errors) {
    if let (Some(root), Some(parent)) = (arguments.get(Arg::Root), arguments.get(Arg::Parent)) {
        let second = if is_before(arguments, Arg::Root, Arg::Parent) { parent } else { root };
        errors.add(second, "`root` and `parent` exclude each other; keep one of them");
    }
    check_literal(
        arguments,
        Arg::Timeout,
        errors,
        "a `std::time::Duration`, e.g. `Duration::from_secs(30)`",
        |_| false,
    );
    check_literal(arguments, Arg::Enabled, errors, "a `bool`", |lit| matches!(lit, Lit::Bool(_)));
    check_literal(arguments, Arg::SpanName, errors, "a `&'static str`", |lit| {
        matches!(lit, Lit::Str(_))
    });
    check_literal(
        arguments,
        Arg::Status,
        errors,
        "the path of a `fn(&Output) -> hub_otel::UnitStatus`",
        |_| false,
    );
    check_literal(arguments, Arg::Err, errors, "the path of a `fn(&E) -> bool`", |_| false);
    check_literal(arguments, Arg::Parent, errors, "a context or a span context", |_| false);
    check_literal(arguments, Arg::Links, errors, "an iterator of span contexts", |_| false);
    check_literal(arguments, Arg::Resume, errors, "a `hub_otel::Segment`", |_| false);
    check_budget(arguments, errors);
    for label in arguments.fields(Arg::Labels) {
        if let Expr::Lit(value) = &label.value
            && !matches!(value.lit, Lit::Bool(_) | Lit::Str(_))
        {
            errors.add(
                value,
                "a label must be a `bool`, a `&'static str` or a `#[derive(Label)]` enum: each value is a time \
                 series",
            );
        }
    }
}

/// Rejects limits that a budget does not have.
fn check_budget(arguments: &Arguments, errors: &Errors) {
    for limit in arguments.fields(Arg::Budget) {
        let name = limit.key.value();
        if !BUDGET_LIMITS.contains(&name.as_str()) {
            let choices = quoted_list(BUDGET_LIMITS.iter().copied());
            errors.add(
                &limit.key,
                format_args!("unknown limit `{name}` of `budget`; expected one of {choices}"),
            );
        } else if limit.format != ValueFormat::Typed {
            errors.add(&limit.value, "a limit is a number; remove the sigil");
        }
    }
}

/// Limits of `budget(…)`: methods of `hub_otel::Budget`.
const BUDGET_LIMITS: [&str; 4] = ["usd", "tokens", "llm_calls", "tool_calls"];

/// Rejects a literal that cannot have the argument's type.
fn check_literal(
    arguments: &Arguments,
    arg: Arg,
    errors: &Errors,
    expected: &str,
    is_valid: impl Fn(&Lit) -> bool,
) {
    if let Some(Expr::Lit(literal)) = arguments.expression(arg)
        && !is_valid(&literal.lit)
    {
        errors.add(literal, format_args!("`{}` must be {expected}", arg.name()));
    }
}

fn is_before(arguments: &Arguments, first: Arg, second: Arg) -> bool {
    let position = |arg| arguments.iter().position(|argument| argument.arg == arg);
    position(first) < position(second)
}

/// Rejects arguments that do not apply to this kind of function.
fn check_shape(function: &Function, arguments: &Arguments, errors: &Errors) {
    let shape = function.shape(arguments.declared());
    let reject = |arg: Arg, message: &str| {
        if let Some(argument) = arguments.get(arg) {
            errors.add(argument, format_args!("`{}` {message}", arg.name()));
        }
    };
    check_ret(function, shape, arguments, errors);
    check_stream(function, shape, arguments, errors);
    match shape {
        Shape::Sync => {
            let no_future = "does not apply to a synchronous function: it has no future to";
            reject(Arg::Timeout, &format!("{no_future} cancel; remove it"));
            reject(Arg::Boxed, &format!("{no_future} box; remove it"));
            reject(Arg::KeepAsync, "applies only to an `async fn`; remove it");
            reject(
                Arg::Future,
                "declares that the return type is a future, but this function returns nothing; \
                 remove it",
            );
        }
        Shape::Stream => {
            reject(Arg::KeepAsync, "applies only to an `async fn`; remove it");
            if function.streamed(arguments.declared()).is_some_and(|streamed| streamed.is_boxed) {
                let message = "has no effect: the returned stream is already boxed; remove it";
                reject(Arg::Boxed, message);
            }
        }
        Shape::Async => reject(
            Arg::Future,
            "declares that the return type is a future, which an `async fn` does not need; \
             remove it",
        ),
        Shape::Opaque => {
            reject(Arg::KeepAsync, "applies only to an `async fn`; remove it");
        }
        Shape::Boxed | Shape::AsyncTrait => {
            reject(Arg::KeepAsync, "applies only to an `async fn`; remove it");
            reject(Arg::Boxed, "has no effect: the returned future is already boxed; remove it");
        }
    }
    if matches!(shape, Shape::Async | Shape::Sync)
        && matches!(function.output(), Output::Unit | Output::Never)
    {
        let no_value = format!(
            "reads the returned value, but `{}` returns none; remove it",
            function.sig.ident
        );
        for arg in [Arg::Ret, Arg::Err, Arg::None] {
            reject(arg, &no_value);
        }
        reject(
            Arg::Stream,
            "declares that the return type is a stream, but this function returns nothing; remove it",
        );
        if shape == Shape::Async {
            reject(
                Arg::Timeout,
                "needs a return type `Result<_, E>` with `E: From<hub_otel::TimedOut>`: on timeout \
                 the function returns `Err(TimedOut.into())`",
            );
        }
    }
}

/// Rejects arguments that have no meaning for a stream, and futures that cannot be wrapped.
fn check_stream(function: &Function, shape: Shape, arguments: &Arguments, errors: &Errors) {
    if let (Some(_), Some(stream)) = (arguments.get(Arg::Future), arguments.get(Arg::Stream)) {
        errors.add(stream, "`future` and `stream` exclude each other; keep one of them");
        return;
    }
    if shape == Shape::Sync
        && let Some(bound) = function.unwrappable_future()
        && !arguments.has(Arg::Status)
    {
        errors.add(
            bound,
            "this future cannot be wrapped: the unit would end before it; write `impl Future<Output = …>`",
        );
    }
    let Some(streamed) = function.streamed(arguments.declared()) else { return };
    if let Some(ret) = arguments.get(Arg::Ret) {
        errors.add(
            ret,
            "`ret` reads one returned value, but this function returns a stream of items: record the value in its \
             body with `hub_otel::current().record(key, value)`",
        );
    }
    if let Some(timeout) = arguments.get(Arg::Timeout)
        && (shape != Shape::Stream || streamed.in_result)
    {
        errors.add(
            timeout,
            "`timeout` limits a stream only if the function returns the stream itself: write \
             `fn … -> impl Stream<Item = Result<_, E>>` with `E: From<hub_otel::TimedOut>`, without `async`",
        );
    }
}

/// Rejects parameters in the `ret(…)` of a function with a future: the body owns them, and has
/// dropped them when the value is recorded.
fn check_ret(function: &Function, shape: Shape, arguments: &Arguments, errors: &Errors) {
    let reads_output = !matches!(shape, Shape::Sync | Shape::Stream);
    let Some((pattern, fields)) = arguments.ret().filter(|_| reads_output) else { return };
    let mut bound = Vec::new();
    collect_names(pattern.to_token_stream(), &mut bound);
    let mut parameters = Vec::new();
    for input in &function.sig.inputs {
        match input {
            FnArg::Receiver(receiver) => parameters.push(receiver.self_token.to_token_stream()),
            FnArg::Typed(typed) => parameters.push(typed.pat.to_token_stream()),
        }
    }
    let mut names = Vec::new();
    parameters.into_iter().for_each(|parameter| collect_names(parameter, &mut names));
    for field in fields {
        let mut used = Vec::new();
        collect_names(field.value.to_token_stream(), &mut used);
        for name in used {
            if names.contains(&name) && !bound.contains(&name) {
                errors.add(
                    &name,
                    format_args!(
                        "`ret` reads the returned value, not the argument `{name}`, which the body \
                         has taken: record it with `fields(…)`"
                    ),
                );
            }
        }
    }
}

/// Collects the identifiers that can be variables. None if the tokens contain a closure, whose
/// parameters are variables too.
fn collect_names(tokens: TokenStream, names: &mut Vec<Ident>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let is_punct = |index: Option<usize>, characters: &str| {
        let tree = index.and_then(|index| trees.get(index));
        matches!(tree, Some(TokenTree::Punct(punct)) if characters.contains(punct.as_char()))
    };
    for (index, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == '|' => return,
            TokenTree::Group(group) => collect_names(group.stream(), names),
            // Fields, methods, paths, macros and names of fields are no variables.
            TokenTree::Ident(name)
                if !is_punct(index.checked_sub(1), ".:'")
                    && !is_punct(index.checked_add(1), ":!") =>
            {
                names.push(name.clone());
            }
            _ => {}
        }
    }
}

/// Returns whether the method has one of our attributes itself. It then replaces the attribute of
/// the block.
pub(crate) fn has_own_attribute(method: &Function) -> bool {
    method.attrs.iter().any(|attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|last| ALL.iter().any(|kind| last.ident == kind.attribute))
    })
}

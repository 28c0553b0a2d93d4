//! The rules between the arguments and the item. Every broken one is reported, each at the word to change.
//!
//! docs/macro-rules.md lists them; each has a fixture in tests/ui/fail.

use crate::args::Arguments;
use crate::errors::Errors;
use crate::item::{Function, ImplBlock, Member, Output, Shape, is_hub};
use crate::macro_kind::{ALL, MacroKind};
use crate::table::Arg;
use proc_macro2::TokenTree;

use syn::{Expr, Lit};

/// A function that the attribute stands on, or a method that its block covers.
pub(crate) fn check_function(
    kind: &MacroKind,
    function: &Function,
    arguments: &Arguments,
    errors: &Errors,
) {
    check_qualifiers(function, errors);
    check_duplicate_attribute(kind, function, errors);
    for attribute in function.attrs.iter().filter(|attribute| is_hub(attribute)) {
        errors.at(
            attribute,
            format_args!(
                "`#[hub(…)]` is for the methods of an `impl` block that carries `#[{0}]`; \
                 here, write its arguments in `#[{0}(…)]`",
                kind.attribute
            ),
        );
    }
    check_arguments(arguments, errors);
    check_shape(function, arguments, errors);
}

/// A method inside an annotated block, with the arguments that are in force for it.
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

/// A block must have something to instrument.
pub(crate) fn check_block(
    kind: &MacroKind,
    block: &ImplBlock,
    arguments: &Arguments,
    instrumented: usize,
    errors: &Errors,
) {
    check_arguments(arguments, errors);
    let methods = block.members.iter().any(|member| matches!(member, Member::Method(..)));
    if instrumented == 0 {
        let why = if methods {
            "no method of this block is a future; put `#[hub]` on the synchronous ones to instrument"
        } else {
            "this block has no methods"
        };
        errors.at(
            block.keyword(),
            format_args!("`#[{}]` has nothing to instrument: {why}", kind.attribute),
        );
    }
}

/// Neither a function nor a block.
pub(crate) fn reject_item(kind: &MacroKind, keyword: &TokenTree, errors: &Errors) {
    let message = format_args!(
        "`#[{}]` goes on a function, a method or an `impl` block, not on `{keyword}`",
        kind.attribute
    );
    errors.at_span(keyword.span(), message);
}

/// Functions that cannot be wrapped, whatever the arguments.
fn check_qualifiers(function: &Function, errors: &Errors) {
    let sig = &function.sig;
    if let Some(constness) = &sig.constness {
        errors.at(
            constness,
            "a `const fn` cannot be instrumented: it may run in the compiler; remove `const`",
        );
    }
    if let Some(abi) = &sig.abi {
        errors.at(
            abi,
            "an `extern` function cannot be instrumented; annotate a Rust function that it calls",
        );
    } else if let Some(variadic) = &sig.variadic {
        errors.at(variadic, "a variadic function cannot be instrumented");
    }
    if function.body.is_none() {
        errors.at(
            &sig.ident,
            "a method without a body cannot be instrumented; annotate its implementations",
        );
    }
}

/// The same attribute twice would count every call twice.
fn check_duplicate_attribute(kind: &MacroKind, function: &Function, errors: &Errors) {
    for attribute in &function.attrs {
        if attribute.path().segments.last().is_some_and(|last| last.ident == kind.attribute) {
            errors.at(
                attribute,
                format_args!("`#[{}]` is given twice; keep one of them", kind.attribute),
            );
        }
    }
}

/// What is wrong whatever the item is.
fn check_arguments(arguments: &Arguments, errors: &Errors) {
    if let (Some(root), Some(parent)) = (arguments.get(Arg::Root), arguments.get(Arg::Parent)) {
        let second = if follows(arguments, Arg::Root, Arg::Parent) { parent } else { root };
        errors.at(second, "a unit with a `parent` is no `root`; keep one of them");
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
    for label in arguments.fields(Arg::Labels) {
        if let Expr::Lit(value) = &label.value
            && !matches!(value.lit, Lit::Bool(_) | Lit::Str(_))
        {
            errors.at(
                value,
                "a label is a bool, a `&'static str` or a `#[derive(Label)]` enum: it must be bounded",
            );
        }
    }
}

/// A literal that cannot be of the argument's type.
fn check_literal(
    arguments: &Arguments,
    word: Arg,
    errors: &Errors,
    wanted: &str,
    fits: impl Fn(&Lit) -> bool,
) {
    if let Some(Expr::Lit(given)) = arguments.expression(word)
        && !fits(&given.lit)
    {
        errors.at(given, format_args!("`{}` takes {wanted}", word.name()));
    }
}

fn follows(arguments: &Arguments, first: Arg, second: Arg) -> bool {
    let place = |word| arguments.iter().position(|argument| argument.arg == word);
    place(first) < place(second)
}

/// Arguments that this kind of function has no use for.
fn check_shape(function: &Function, arguments: &Arguments, errors: &Errors) {
    let shape = function.shape(arguments.has(Arg::Future));
    let refuse = |word: Arg, message: &str| {
        if let Some(argument) = arguments.get(word) {
            errors.at(argument, format_args!("`{}` {message}", word.name()));
        }
    };
    match shape {
        Shape::Sync => {
            refuse(
                Arg::Timeout,
                "does not apply to a function that is not `async`: its body cannot be dropped half-way",
            );
            refuse(
                Arg::Boxed,
                "does not apply to a function that is not `async`: it has no future to box",
            );
            refuse(Arg::KeepAsync, "does not apply to a function that is not `async`");
            refuse(
                Arg::Future,
                "says that the returned type is a future, and this function returns nothing",
            );
        }
        Shape::Async => refuse(
            Arg::Future,
            "is for a returned type that hides its future; an `async fn` needs none",
        ),
        Shape::Opaque => {
            refuse(Arg::KeepAsync, "does not apply to a function that is not `async`");
        }
        Shape::Boxed | Shape::AsyncTrait => {
            refuse(Arg::KeepAsync, "does not apply to a function that is not `async`");
            refuse(Arg::Boxed, "has nothing to do here: the returned future is boxed already");
        }
    }
    if matches!(shape, Shape::Async | Shape::Sync)
        && matches!(function.output(), Output::Unit | Output::Never)
    {
        let nothing =
            format!("reads the returned value, and `{}` returns none", function.sig.ident);
        for word in [Arg::Ret, Arg::Err, Arg::None] {
            refuse(word, &nothing);
        }
        if shape == Shape::Async {
            refuse(
                Arg::Timeout,
                "needs a `Result<_, E>` to return, with `E: From<hub_otel::TimedOut>`: a deadline ends in `Err(TimedOut.into())`",
            );
        }
    }
}

/// Whether one of our attributes stands on the method itself: then that one is in force, and the block's is not.
pub(crate) fn has_own_attribute(method: &Function) -> bool {
    method.attrs.iter().any(|attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|last| ALL.iter().any(|kind| last.ident == kind.attribute))
    })
}

//! Parses the arguments of an attribute. After an error it continues with the next argument.
//!
//! All attributes share one grammar: `table` gives the syntax of each argument, `macro_kind` the
//! arguments that an attribute accepts. The result is still syntax; `check` compares it with the
//! item.

mod fields;

pub(crate) use fields::{Field, ValueFormat};

use crate::errors::{Errors, nearest_name, quoted_list};
use crate::item::Declared;
use crate::macro_kind::{ALL, MacroKind};
use crate::table::{Arg, ArgSpec, ArgSyntax, TABLE, foreign_argument_hint};
use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, LitStr, Pat, Path, Token, parenthesized};

/// Parsed arguments of one attribute.
#[derive(Default, Clone)]
pub(crate) struct Arguments {
    list: Vec<ParsedArg>,
}

/// One argument with the span of its name.
#[derive(Clone)]
pub(crate) struct ParsedArg {
    pub(crate) arg: Arg,
    pub(crate) name: Ident,
    pub(crate) value: ArgValue,
}

/// Value of an argument, by its syntax.
#[derive(Clone)]
pub(crate) enum ArgValue {
    Flag,
    Expression(Expr),
    Path(Path),
    Choice(Ident),
    Fields(Vec<Field>),
    Returned(Box<Pat>, Vec<Field>),
}

impl Arguments {
    /// Parses the tokens. Errors are added to `errors`; the result holds the valid arguments.
    pub(crate) fn parse(kind: &MacroKind, tokens: TokenStream, errors: &Errors) -> Self {
        let mut arguments = Self::default();
        let parser = |input: ParseStream<'_>| {
            while !input.is_empty() {
                match parse_argument(kind, input, errors) {
                    Ok(Some(argument)) => arguments.add(argument, errors),
                    Ok(None) => {}
                    Err(error) => {
                        errors.push(error);
                        skip_to_comma(input);
                    }
                }
                if !parse_comma(input, errors) {
                    break;
                }
            }
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
        }
        arguments
    }

    fn add(&mut self, argument: ParsedArg, errors: &Errors) {
        if self.get(argument.arg).is_some() {
            let name = argument.arg.name();
            errors
                .add(&argument.name, format_args!("duplicate argument `{name}`; keep one of them"));
        } else {
            self.list.push(argument);
        }
    }

    pub(crate) fn get(&self, arg: Arg) -> Option<&ParsedArg> {
        self.list.iter().find(|argument| argument.arg == arg)
    }

    pub(crate) fn has(&self, arg: Arg) -> bool {
        self.get(arg).is_some()
    }

    pub(crate) fn expression(&self, arg: Arg) -> Option<&Expr> {
        match &self.get(arg)?.value {
            ArgValue::Expression(expression) => Some(expression),
            _ => None,
        }
    }

    pub(crate) fn choice(&self, arg: Arg) -> Option<&Ident> {
        match &self.get(arg)?.value {
            ArgValue::Choice(choice) => Some(choice),
            _ => None,
        }
    }

    pub(crate) fn fields(&self, arg: Arg) -> &[Field] {
        match self.get(arg).map(|argument| &argument.value) {
            Some(ArgValue::Fields(fields)) => fields,
            _ => &[],
        }
    }

    /// Pattern and fields of `ret(…)`.
    pub(crate) fn ret(&self) -> Option<(&Pat, &[Field])> {
        match &self.get(Arg::Ret)?.value {
            ArgValue::Returned(pattern, fields) => Some((pattern, fields)),
            _ => None,
        }
    }

    /// Declaration of the returned type: `future` or `stream`.
    pub(crate) fn declared(&self) -> Declared {
        if self.has(Arg::Future) {
            Declared::Future
        } else if self.has(Arg::Stream) {
            Declared::Stream
        } else {
            Declared::Nothing
        }
    }

    /// Path of the runtime crate: `crate = path`. Defaults to `::hub_otel`.
    pub(crate) fn crate_path(&self) -> Option<&Path> {
        match &self.get(Arg::Crate)?.value {
            ArgValue::Path(path) => Some(path),
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ParsedArg> {
        self.list.iter()
    }

    /// Tokens of all expressions among the arguments.
    pub(crate) fn expression_tokens(&self) -> TokenStream {
        let mut tokens = TokenStream::new();
        for argument in &self.list {
            match &argument.value {
                ArgValue::Expression(expression) => expression.to_tokens(&mut tokens),
                ArgValue::Fields(fields) | ArgValue::Returned(_, fields) => {
                    fields.iter().for_each(|field| field.value.to_tokens(&mut tokens));
                }
                ArgValue::Flag | ArgValue::Path(_) | ArgValue::Choice(_) => {}
            }
        }
        tokens
    }

    /// Adds the arguments of the annotated block that a method's `#[hub(…)]` does not override.
    pub(crate) fn with_defaults(mut self, block: &Self) -> Self {
        for argument in &block.list {
            if !self.has(argument.arg) {
                self.list.push(argument.clone());
            }
        }
        self
    }
}

/// Parses one argument. Returns `None` if it was rejected and the reason is in `errors`.
fn parse_argument(
    kind: &MacroKind,
    input: ParseStream<'_>,
    errors: &Errors,
) -> syn::Result<Option<ParsedArg>> {
    if input.peek(LitStr) {
        let literal: LitStr = input.parse()?;
        let message = "expected `name = value`, found a string; write `id = …`";
        return Err(syn::Error::new(literal.span(), message));
    }
    if !input.peek(Ident::peek_any) {
        let choices = quoted_list(kind.argument_names());
        return Err(input.error(format_args!("expected an argument, one of {choices}")));
    }
    let name = input.call(Ident::parse_any)?;
    let Some(spec) = TABLE.iter().find(|spec| name == spec.name) else {
        errors.add(&name, unknown_argument_message(kind, &name));
        skip_to_comma(input);
        return Ok(None);
    };
    if !kind.accepts(spec.arg) {
        errors.add(&name, exclusive_argument_message(kind, spec));
        skip_to_comma(input);
        return Ok(None);
    }
    let value = parse_value(spec, &name, input, errors)?;
    Ok(Some(ParsedArg { arg: spec.arg, name, value }))
}

fn parse_value(
    spec: &ArgSpec,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Errors,
) -> syn::Result<ArgValue> {
    match spec.syntax {
        ArgSyntax::Flag if input.is_empty() || input.peek(Token![,]) => Ok(ArgValue::Flag),
        ArgSyntax::Flag => {
            Err(input.error(format_args!("`{name}` takes no value: write `{}`", spec.usage)))
        }
        ArgSyntax::Value => {
            parse_equals(spec, name, input)?;
            Ok(ArgValue::Expression(fields::parse_expression(name, spec.usage, input)?))
        }
        ArgSyntax::Path => {
            parse_equals(spec, name, input)?;
            Ok(ArgValue::Path(input.call(Path::parse_mod_style)?))
        }
        ArgSyntax::Choice(choices) => {
            parse_equals(spec, name, input)?;
            parse_choice(spec, choices, input)
        }
        ArgSyntax::Fields => {
            let content = parse_parentheses(spec, name, input)?;
            Ok(ArgValue::Fields(fields::parse_fields(&content, errors)))
        }
        ArgSyntax::Returned => {
            let content = parse_parentheses(spec, name, input)?;
            parse_ret(spec, &content, errors)
        }
        ArgSyntax::Expected => {
            let content = parse_parentheses(spec, name, input)?;
            parse_err(spec, &content)
        }
    }
}

fn parse_equals(spec: &ArgSpec, name: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
    if input.peek(Token![=]) && !input.peek(Token![==]) {
        input.parse::<Token![=]>()?;
        return Ok(());
    }
    let span = if input.is_empty() || input.peek(Token![,]) { name.span() } else { input.span() };
    Err(syn::Error::new(span, format_args!("`{name}` takes a value: write `{}`", spec.usage)))
}

/// Parses `(…)` and returns its non-empty content.
fn parse_parentheses(
    spec: &ArgSpec,
    name: &Ident,
    input: ParseStream<'_>,
) -> syn::Result<TokenStream> {
    let usage = spec.usage;
    if !input.peek(syn::token::Paren) {
        let message = format!("`{name}` takes its values in parentheses: write `{usage}`");
        return Err(syn::Error::new(name.span(), message));
    }
    let content;
    let parentheses = parenthesized!(content in input);
    if content.is_empty() {
        let message = format!("`{name}` is empty: write `{usage}`, or remove it");
        return Err(syn::Error::new(parentheses.span.join(), message));
    }
    content.parse()
}

fn parse_choice(spec: &ArgSpec, choices: &[&str], input: ParseStream<'_>) -> syn::Result<ArgValue> {
    let name = spec.name;
    let expected = quoted_list(choices.iter().copied());
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format_args!("`{name}` must be one of {expected}")));
    }
    let choice = input.call(Ident::parse_any)?;
    if choices.iter().any(|known| choice == known) {
        return Ok(ArgValue::Choice(choice));
    }
    let suggestion = suggestion(&choice, choices.iter().copied());
    Err(syn::Error::new(
        choice.span(),
        format_args!("invalid `{name}`: `{choice}`{suggestion} expected one of {expected}"),
    ))
}

/// Parses the content of `ret(|pattern| key = value, …)`.
fn parse_ret(spec: &ArgSpec, content: &TokenStream, errors: &Errors) -> syn::Result<ArgValue> {
    let usage = spec.usage;
    let parser = |input: ParseStream<'_>| {
        if !input.peek(Token![|]) {
            return Err(input.error(format_args!(
                "`ret` starts with a pattern for the returned value: write `{usage}`"
            )));
        }
        input.parse::<Token![|]>()?;
        let pattern = Pat::parse_single(input)?;
        input.parse::<Token![|]>()?;
        Ok((pattern, input.parse::<TokenStream>()?))
    };
    let (pattern, fields) = parser.parse2(content.clone())?;
    if fields.is_empty() {
        let message = format!("`ret` has no fields: write `{usage}`");
        return Err(syn::Error::new(pattern.span(), message));
    }
    Ok(ArgValue::Returned(Box::new(pattern), fields::parse_fields(&fields, errors)))
}

/// Parses the content of `err(expected = path)`.
fn parse_err(spec: &ArgSpec, content: &TokenStream) -> syn::Result<ArgValue> {
    let parser = |input: ParseStream<'_>| {
        let usage = format!("write `{}` with the path of a `fn(&E) -> bool`", spec.usage);
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format_args!("`err` takes an option: {usage}")));
        }
        let option = input.call(Ident::parse_any)?;
        if option != "expected" {
            let suggestion = suggestion(&option, ["expected"]);
            return Err(syn::Error::new(
                option.span(),
                format_args!("unknown option `{option}` of `err`{suggestion} {usage}"),
            ));
        }
        if !input.peek(Token![=]) {
            let message = format!("`expected` takes a value: {usage}");
            return Err(syn::Error::new(option.span(), message));
        }
        input.parse::<Token![=]>()?;
        let path = fields::parse_expression(&option, spec.usage, input)?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error("`err` accepts only `expected = path`; remove the others"));
        }
        Ok(ArgValue::Expression(path))
    };
    parser.parse2(content.clone())
}

fn unknown_argument_message(kind: &MacroKind, name: &Ident) -> String {
    let choices = quoted_list(kind.argument_names());
    if let Some(hint) = foreign_argument_hint(&name.to_string()) {
        return format!("unknown argument `{name}`: {hint}; expected one of {choices}");
    }
    let suggestion = suggestion(name, kind.argument_names());
    format!("unknown argument `{name}`{suggestion} expected one of {choices}")
}

fn exclusive_argument_message(kind: &MacroKind, spec: &ArgSpec) -> String {
    let owner = ALL.iter().find(|other| other.accepts(spec.arg));
    let owner = owner.map_or("", |other| other.attribute);
    let choices = quoted_list(kind.argument_names());
    format!(
        "`{}` is an argument of `#[{owner}]`; `#[{}]` accepts {choices}",
        spec.name, kind.attribute
    )
}

/// Text between the error and the choices, with the nearest choice if there is one.
fn suggestion<'c>(name: &Ident, choices: impl IntoIterator<Item = &'c str>) -> String {
    nearest_name(&name.unraw().to_string(), choices)
        .map_or_else(|| ";".to_owned(), |nearest| format!("; did you mean `{nearest}`?"))
}

/// Parses the comma after an argument. Returns `false` after the last argument.
fn parse_comma(input: ParseStream<'_>, errors: &Errors) -> bool {
    if input.is_empty() {
        return false;
    }
    if !input.peek(Token![,]) {
        errors.push(input.error("expected `,` before the next argument"));
        skip_to_comma(input);
    }
    input.parse::<Token![,]>().is_ok()
}

/// Skips the remaining tokens of an invalid argument. A group is one token tree, so commas inside
/// it do not count.
fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<proc_macro2::TokenTree>().is_err() {
            return;
        }
    }
}

impl ParsedArg {
    pub(crate) fn span(&self) -> Span {
        self.name.span()
    }
}

impl ToTokens for ParsedArg {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.name.to_tokens(tokens);
    }
}

#[cfg(test)]
mod tests;

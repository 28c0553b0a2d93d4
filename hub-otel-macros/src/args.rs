//! Reads what stands in the attribute's parentheses, argument by argument, and goes on after a mistake.
//!
//! One grammar for every attribute: the table in `words` says what each argument takes, the preset says which of them
//! it has. What comes out is still syntax; `check` compares it with the item.

mod fields;

pub(crate) use fields::{Field, Mode};

use crate::errors::{Errors, nearest_name, quoted_list};
use crate::macro_kind::{ALL, MacroKind};
use crate::table::{Arg, ArgSpec, ArgSyntax, TABLE, foreign_argument_hint};
use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, LitStr, Pat, Path, Token, parenthesized};

/// What an attribute says.
#[derive(Default, Clone)]
pub(crate) struct Arguments {
    list: Vec<ParsedArg>,
}

/// One argument, with the place of its name.
#[derive(Clone)]
pub(crate) struct ParsedArg {
    pub(crate) arg: Arg,
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

/// What was given.
#[derive(Clone)]
pub(crate) enum Value {
    Flag,
    Expression(Expr),
    Path(Path),
    Choice(Ident),
    Fields(Vec<Field>),
    Returned(Box<Pat>, Vec<Field>),
}

impl Arguments {
    /// Parses the tokens; mistakes go to `errors`, what was understood comes back.
    pub(crate) fn parse(kind: &MacroKind, tokens: TokenStream, errors: &Errors) -> Self {
        let mut arguments = Self::default();
        let parser = |input: ParseStream<'_>| {
            while !input.is_empty() {
                match argument(kind, input, errors) {
                    Ok(Some(argument)) => arguments.add(argument, errors),
                    Ok(None) => {}
                    Err(error) => {
                        errors.push(error);
                        skip_to_comma(input);
                    }
                }
                if !comma(input, errors) {
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
            errors.at(
                &argument.name,
                format_args!("`{}` is given twice; keep one of them", argument.arg.name()),
            );
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
            Value::Expression(expression) => Some(expression),
            _ => None,
        }
    }

    pub(crate) fn choice(&self, arg: Arg) -> Option<&Ident> {
        match &self.get(arg)?.value {
            Value::Choice(choice) => Some(choice),
            _ => None,
        }
    }

    pub(crate) fn fields(&self, arg: Arg) -> &[Field] {
        match self.get(arg).map(|argument| &argument.value) {
            Some(Value::Fields(fields)) => fields,
            _ => &[],
        }
    }

    pub(crate) fn returned(&self) -> Option<(&Pat, &[Field])> {
        match &self.get(Arg::Ret)?.value {
            Value::Returned(pattern, fields) => Some((pattern, fields)),
            _ => None,
        }
    }

    /// Where the runtime is: `crate = path`, else `::hub_otel`.
    pub(crate) fn root(&self) -> Option<&Path> {
        match &self.get(Arg::Crate)?.value {
            Value::Path(path) => Some(path),
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ParsedArg> {
        self.list.iter()
    }

    /// The expressions that were given.
    pub(crate) fn tokens(&self) -> TokenStream {
        let mut tokens = TokenStream::new();
        for argument in &self.list {
            match &argument.value {
                Value::Expression(expression) => expression.to_tokens(&mut tokens),
                Value::Fields(fields) | Value::Returned(_, fields) => {
                    fields.iter().for_each(|field| field.value.to_tokens(&mut tokens));
                }
                Value::Flag | Value::Path(_) | Value::Choice(_) => {}
            }
        }
        tokens
    }

    /// These arguments where given, `block`'s for the rest: a method inside an annotated block.
    pub(crate) fn over(mut self, block: &Self) -> Self {
        for argument in &block.list {
            if !self.has(argument.arg) {
                self.list.push(argument.clone());
            }
        }
        self
    }
}

/// Reads one argument. `None`: it was refused, and the reason is in `errors`.
fn argument(
    kind: &MacroKind,
    input: ParseStream<'_>,
    errors: &Errors,
) -> syn::Result<Option<ParsedArg>> {
    if input.peek(LitStr) {
        let literal: LitStr = input.parse()?;
        return Err(syn::Error::new(literal.span(), "an argument has a name: write `id = …`"));
    }
    if !input.peek(Ident::peek_any) {
        let choices = quoted_list(kind.argument_names());
        return Err(input.error(format_args!("expected an argument: one of {choices}")));
    }
    let name = input.call(Ident::parse_any)?;
    let Some(spec) = TABLE.iter().find(|spec| name == spec.name) else {
        errors.at(&name, unknown(kind, &name));
        skip_to_comma(input);
        return Ok(None);
    };
    if !kind.accepts(spec.arg) {
        errors.at(&name, misplaced(kind, spec));
        skip_to_comma(input);
        return Ok(None);
    }
    let value = value(spec, &name, input, errors)?;
    Ok(Some(ParsedArg { arg: spec.arg, name, value }))
}

fn value(
    spec: &ArgSpec,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Errors,
) -> syn::Result<Value> {
    match spec.syntax {
        ArgSyntax::Flag if input.is_empty() || input.peek(Token![,]) => Ok(Value::Flag),
        ArgSyntax::Flag => {
            Err(input.error(format_args!("`{name}` takes no value: write `{}`", spec.usage)))
        }
        ArgSyntax::Value => {
            equals(spec, name, input)?;
            Ok(Value::Expression(fields::expression(name, input)?))
        }
        ArgSyntax::Path => {
            equals(spec, name, input)?;
            Ok(Value::Path(input.call(Path::parse_mod_style)?))
        }
        ArgSyntax::Choice(choices) => {
            equals(spec, name, input)?;
            choice(spec, choices, input)
        }
        ArgSyntax::Fields => {
            let content = arguments_of(spec, name, input)?;
            Ok(Value::Fields(fields::parse(&content, errors)))
        }
        ArgSyntax::Returned => {
            let content = arguments_of(spec, name, input)?;
            returned(spec, &content, errors)
        }
        ArgSyntax::Expected => {
            let content = arguments_of(spec, name, input)?;
            expected(spec, &content)
        }
    }
}

fn equals(spec: &ArgSpec, name: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
    if input.peek(Token![=]) && !input.peek(Token![==]) {
        input.parse::<Token![=]>()?;
        return Ok(());
    }
    let place = if input.is_empty() || input.peek(Token![,]) { name.span() } else { input.span() };
    Err(syn::Error::new(place, format_args!("`{name}` takes a value: write `{}`", spec.usage)))
}

/// The inside of the parentheses.
fn arguments_of(spec: &ArgSpec, name: &Ident, input: ParseStream<'_>) -> syn::Result<TokenStream> {
    if !input.peek(syn::token::Paren) {
        let message =
            format_args!("`{name}` takes its values in parentheses: write `{}`", spec.usage)
                .to_string();
        return Err(syn::Error::new(name.span(), message));
    }
    let content;
    let parentheses = parenthesized!(content in input);
    if content.is_empty() {
        let message = format!("`{name}` is empty: write `{}`, or leave it out", spec.usage);
        return Err(syn::Error::new(parentheses.span.join(), message));
    }
    content.parse()
}

fn choice(spec: &ArgSpec, choices: &[&str], input: ParseStream<'_>) -> syn::Result<Value> {
    let given =
        if input.peek(Ident::peek_any) { Some(input.call(Ident::parse_any)?) } else { None };
    let expected = quoted_list(choices.iter().copied());
    let Some(given) = given else {
        return Err(input.error(format_args!("`{}` is one of {expected}", spec.name)));
    };
    if choices.iter().any(|choice| given == choice) {
        return Ok(Value::Choice(given));
    }
    let hint = hint(&given, choices.iter().copied());
    Err(syn::Error::new(
        given.span(),
        format_args!("`{}` cannot be `{given}`{hint} it is one of {expected}", spec.name),
    ))
}

fn returned(spec: &ArgSpec, content: &TokenStream, errors: &Errors) -> syn::Result<Value> {
    let parser = |input: ParseStream<'_>| {
        if !input.peek(Token![|]) {
            return Err(
                input.error(format_args!("`ret` names the value first: write `{}`", spec.usage))
            );
        }
        input.parse::<Token![|]>()?;
        let pattern = Pat::parse_single(input)?;
        input.parse::<Token![|]>()?;
        Ok((pattern, input.parse::<TokenStream>()?))
    };
    let (pattern, rest) = parser.parse2(content.clone())?;
    if rest.is_empty() {
        return Err(syn::Error::new(
            pattern.span(),
            format_args!("`ret` records nothing: write `{}`", spec.usage),
        ));
    }
    Ok(Value::Returned(Box::new(pattern), fields::parse(&rest, errors)))
}

fn expected(spec: &ArgSpec, content: &TokenStream) -> syn::Result<Value> {
    let parser = |input: ParseStream<'_>| {
        let usage = format!("write `{}`, the path of a `fn(&E) -> bool`", spec.usage);
        if !input.peek(Ident::peek_any) {
            return Err(input.error(usage));
        }
        let name = input.call(Ident::parse_any)?;
        if name != "expected" {
            let hint = hint(&name, ["expected"]);
            return Err(syn::Error::new(
                name.span(),
                format_args!("unknown option `{name}` of `err`{hint} {usage}"),
            ));
        }
        if !input.peek(Token![=]) {
            return Err(syn::Error::new(name.span(), usage));
        }
        input.parse::<Token![=]>()?;
        let path = fields::expression(&name, input)?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error("`err` takes `expected = path` and nothing else"));
        }
        Ok(Value::Expression(path))
    };
    parser.parse2(content.clone())
}

fn unknown(kind: &MacroKind, name: &Ident) -> String {
    let choices = quoted_list(kind.argument_names());
    if let Some(advice) = foreign_argument_hint(&name.to_string()) {
        return format!("unknown argument `{name}`: {advice}; expected one of {choices}");
    }
    let hint = hint(name, kind.argument_names());
    format!("unknown argument `{name}`{hint} expected one of {choices}")
}

fn misplaced(kind: &MacroKind, spec: &ArgSpec) -> String {
    let owner =
        ALL.iter().find(|other| other.accepts(spec.arg)).map_or("", |other| other.attribute);
    let choices = quoted_list(kind.argument_names());
    format!("`{}` belongs to `#[{owner}]`; `#[{}]` takes {choices}", spec.name, kind.attribute)
}

/// What joins the mistake and the choices, with the nearest name if there is one.
fn hint<'c>(given: &Ident, choices: impl IntoIterator<Item = &'c str>) -> String {
    nearest_name(&given.unraw().to_string(), choices)
        .map_or_else(|| ";".to_owned(), |name| format!("; did you mean `{name}`?"))
}

/// Takes the comma after an argument. `false`: that was the last one.
fn comma(input: ParseStream<'_>, errors: &Errors) -> bool {
    if input.is_empty() {
        return false;
    }
    if !input.peek(Token![,]) {
        errors.push(input.error("expected `,` before the next argument"));
        skip_to_comma(input);
    }
    input.parse::<Token![,]>().is_ok()
}

/// Goes on behind a mistake. Commas in groups are not in the way: a group is one token tree.
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

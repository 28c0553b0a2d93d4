//! Parses `key = value` lists such as `fields(…)`, with the shorthands of `tracing`: a variable or
//! field without a key, `%` for `Display` and `?` for `Debug`.

use crate::errors::Errors;
use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, LitStr, Member, Token};

/// One `key = value`.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) key: LitStr,
    pub(crate) format: ValueFormat,
    pub(crate) value: Expr,
}

/// Conversion of a value to an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ValueFormat {
    /// Keeps the type of the value.
    Typed,
    /// `%value`
    Display,
    /// `?value`
    Debug,
}

const USAGE: &str = "write `key = expression`, `\"dotted.key\" = expression`, or a variable name";

/// Parses the list. Errors are added to `errors`.
pub(super) fn parse_fields(tokens: &TokenStream, errors: &Errors) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match parse_field(input) {
                Ok(field) => {
                    let key = field.key.value();
                    if fields.iter().any(|other| other.key.value() == key) {
                        errors.add_at(
                            field.key.span(),
                            format_args!("duplicate key `{key}`; keep one of them"),
                        );
                    }
                    fields.push(field);
                }
                Err(error) => {
                    errors.push(error);
                    super::skip_to_comma(input);
                }
            }
            if !super::parse_comma(input, errors) {
                break;
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens.clone()) {
        errors.push(error);
    }
    fields
}

fn parse_field(input: ParseStream<'_>) -> syn::Result<Field> {
    if input.peek(LitStr) {
        let key: LitStr = input.parse()?;
        if key.value().is_empty() {
            return Err(syn::Error::new(key.span(), format_args!("the key is empty: {USAGE}")));
        }
        if !input.peek(Token![=]) {
            return Err(missing_value(&key));
        }
        input.parse::<Token![=]>()?;
        return parse_field_value(key, input);
    }
    if let Some(key) = parse_dotted_key(input)? {
        return parse_field_value(key, input);
    }
    let format = parse_format(input)?;
    if !input.peek(Ident::peek_any) {
        return Err(input.error(USAGE));
    }
    let value: Expr = input.parse()?;
    let Some(key) = shorthand_key(&value) else {
        return Err(syn::Error::new_spanned(
            &value,
            format_args!("this expression has no key: {USAGE}"),
        ));
    };
    Ok(Field { key: LitStr::new(&key, value.span()), format, value })
}

fn missing_value(key: &LitStr) -> syn::Error {
    let message = format!("the key `{}` has no value: {USAGE}", key.value());
    syn::Error::new(key.span(), message)
}

fn parse_field_value(key: LitStr, input: ParseStream<'_>) -> syn::Result<Field> {
    let format = parse_format(input)?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(missing_value(&key));
    }
    let value: Expr = input.parse()?;
    reject_control_flow(&value)?;
    Ok(Field { key, format, value })
}

/// Parses `key =` and `dotted.key =`. Consumes nothing if the input is something else.
fn parse_dotted_key(input: ParseStream<'_>) -> syn::Result<Option<LitStr>> {
    let ahead = input.fork();
    if !ahead.peek(Ident::peek_any) {
        return Ok(None);
    }
    let first = ahead.call(Ident::parse_any)?;
    let (mut key, mut span) = (first.unraw().to_string(), first.span());
    while ahead.peek(Token![.]) && ahead.peek2(Ident::peek_any) {
        ahead.parse::<Token![.]>()?;
        let part = ahead.call(Ident::parse_any)?;
        key = format!("{key}.{}", part.unraw());
        span = span.join(part.span()).unwrap_or(span);
    }
    if !ahead.peek(Token![=]) || ahead.peek(Token![==]) || ahead.peek(Token![=>]) {
        return Ok(None);
    }
    ahead.parse::<Token![=]>()?;
    syn::parse::discouraged::Speculative::advance_to(input, &ahead);
    Ok(Some(LitStr::new(&key, span)))
}

fn parse_format(input: ParseStream<'_>) -> syn::Result<ValueFormat> {
    if input.peek(Token![%]) {
        input.parse::<Token![%]>()?;
        Ok(ValueFormat::Display)
    } else if input.peek(Token![?]) {
        input.parse::<Token![?]>()?;
        Ok(ValueFormat::Debug)
    } else {
        Ok(ValueFormat::Typed)
    }
}

/// Key of a value without one: `attempt`, `run.id`. The key of `self.model` is `model`.
fn shorthand_key(place: &Expr) -> Option<String> {
    match place {
        Expr::Path(path) => path.path.get_ident().map(|name| name.unraw().to_string()),
        Expr::Field(field) => {
            let part = match &field.member {
                Member::Named(name) => name.unraw().to_string(),
                Member::Unnamed(index) => index.index.to_string(),
            };
            match shorthand_key(&field.base)?.as_str() {
                "self" => Some(part),
                base => Some(format!("{base}.{part}")),
            }
        }
        Expr::Group(group) => shorthand_key(&group.expr),
        _ => None,
    }
}

/// Parses the value of `name = …`.
pub(super) fn parse_expression(
    name: &Ident,
    usage: &str,
    input: ParseStream<'_>,
) -> syn::Result<Expr> {
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new(
            name.span(),
            format_args!("`{name}` has no value after `=`: write `{usage}`"),
        ));
    }
    let value: Expr = input.parse()?;
    reject_control_flow(&value)?;
    if let Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) = &value
        && literal.value().is_empty()
    {
        return Err(syn::Error::new(
            literal.span(),
            format_args!("`{name}` is an empty string; write a value or remove it"),
        ));
    }
    Ok(value)
}

/// Rejects `.await`, `?` and `return`: an argument is evaluated outside the function's body, so it
/// can neither suspend nor leave it.
fn reject_control_flow(value: &Expr) -> syn::Result<()> {
    let reject = |span: Span, keyword: &str| {
        Err(syn::Error::new(
            span,
            format_args!(
                "an argument cannot use `{keyword}`: it is evaluated outside the function's body; \
                 pass the value as a parameter"
            ),
        ))
    };
    match value {
        Expr::Await(inner) => reject(inner.await_token.span(), ".await"),
        Expr::Try(inner) => reject(inner.question_token.span(), "?"),
        Expr::Return(inner) => reject(inner.return_token.span(), "return"),
        Expr::Field(inner) => reject_control_flow(&inner.base),
        Expr::Reference(inner) => reject_control_flow(&inner.expr),
        Expr::Paren(inner) => reject_control_flow(&inner.expr),
        Expr::Group(inner) => reject_control_flow(&inner.expr),
        Expr::Unary(inner) => reject_control_flow(&inner.expr),
        Expr::Cast(inner) => reject_control_flow(&inner.expr),
        Expr::Binary(inner) => {
            reject_control_flow(&inner.left).and_then(|()| reject_control_flow(&inner.right))
        }
        Expr::Index(inner) => {
            reject_control_flow(&inner.expr).and_then(|()| reject_control_flow(&inner.index))
        }
        Expr::Tuple(inner) => inner.elems.iter().try_for_each(reject_control_flow),
        Expr::Array(inner) => inner.elems.iter().try_for_each(reject_control_flow),
        Expr::Call(inner) => reject_control_flow(&inner.func)
            .and_then(|()| inner.args.iter().try_for_each(reject_control_flow)),
        Expr::MethodCall(inner) => reject_control_flow(&inner.receiver)
            .and_then(|()| inner.args.iter().try_for_each(reject_control_flow)),
        // Closures, blocks and macros are not searched: control flow inside a closure is valid.
        _ => Ok(()),
    }
}

//! `key = value` lists, as in `fields(…)`: shorthand for a place, `%` and `?` for Display and Debug.

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
    pub(crate) mode: Mode,
    pub(crate) value: Expr,
}

/// How a value becomes an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// By its type.
    Typed,
    /// `%value`
    Display,
    /// `?value`
    Debug,
}

const USAGE: &str = "write `key = expression`, `\"dotted.key\" = expression`, or a name alone";

/// Parses the list; mistakes go to `errors`.
pub(super) fn parse(tokens: &TokenStream, errors: &Errors) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match field(input) {
                Ok(field) => {
                    let key = field.key.value();
                    if fields.iter().any(|other| other.key.value() == key) {
                        errors.at_span(
                            field.key.span(),
                            format_args!("the key `{key}` is given twice; keep one of them"),
                        );
                    }
                    fields.push(field);
                }
                Err(error) => {
                    errors.push(error);
                    super::skip_to_comma(input);
                }
            }
            if !super::comma(input, errors) {
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

fn field(input: ParseStream<'_>) -> syn::Result<Field> {
    if input.peek(LitStr) {
        let key: LitStr = input.parse()?;
        if key.value().is_empty() {
            return Err(syn::Error::new(key.span(), "a key cannot be empty"));
        }
        if !input.peek(Token![=]) {
            return Err(syn::Error::new(key.span(), format_args!("the key has no value: {USAGE}")));
        }
        input.parse::<Token![=]>()?;
        return valued(key, input);
    }
    if let Some(key) = dotted_key(input)? {
        return valued(key, input);
    }
    let mode = mode(input)?;
    if !input.peek(Ident::peek_any) {
        return Err(input.error(USAGE));
    }
    let value: Expr = input.parse()?;
    let Some(key) = key_of(&value) else {
        return Err(syn::Error::new_spanned(
            &value,
            format_args!("this value needs a key: {USAGE}"),
        ));
    };
    Ok(Field { key: LitStr::new(&key, value.span()), mode, value })
}

fn valued(key: LitStr, input: ParseStream<'_>) -> syn::Result<Field> {
    let mode = mode(input)?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new(key.span(), format_args!("the key has no value: {USAGE}")));
    }
    let value: Expr = input.parse()?;
    escape(&value)?;
    Ok(Field { key, mode, value })
}

/// `key =` and `dotted.key =`; nothing is taken when it is something else.
fn dotted_key(input: ParseStream<'_>) -> syn::Result<Option<LitStr>> {
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

fn mode(input: ParseStream<'_>) -> syn::Result<Mode> {
    if input.peek(Token![%]) {
        input.parse::<Token![%]>()?;
        Ok(Mode::Display)
    } else if input.peek(Token![?]) {
        input.parse::<Token![?]>()?;
        Ok(Mode::Debug)
    } else {
        Ok(Mode::Typed)
    }
}

/// The key of a place that stands alone: `attempt`, `run.id`; `self.model` is `model`.
fn key_of(place: &Expr) -> Option<String> {
    match place {
        Expr::Path(path) => path.path.get_ident().map(|name| name.unraw().to_string()),
        Expr::Field(field) => {
            let part = match &field.member {
                Member::Named(name) => name.unraw().to_string(),
                Member::Unnamed(index) => index.index.to_string(),
            };
            match key_of(&field.base)?.as_str() {
                "self" => Some(part),
                base => Some(format!("{base}.{part}")),
            }
        }
        Expr::Group(group) => key_of(&group.expr),
        _ => None,
    }
}

/// The value of `name = …`.
pub(super) fn expression(name: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new(
            name.span(),
            format_args!("`{name}` has no value after the `=`"),
        ));
    }
    let value: Expr = input.parse()?;
    escape(&value)?;
    if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &value
        && text.value().is_empty()
    {
        return Err(syn::Error::new(text.span(), format_args!("`{name}` cannot be empty")));
    }
    Ok(value)
}

/// An argument's expression is evaluated beside the function's body, not in it: it cannot leave it or wait in it.
fn escape(value: &Expr) -> syn::Result<()> {
    let refuse = |span: Span, what: &str| {
        Err(syn::Error::new(
            span,
            format_args!(
                "an argument cannot {what}: it is evaluated beside the function's body, not in it"
            ),
        ))
    };
    match value {
        Expr::Await(inner) => refuse(inner.await_token.span(), "await"),
        Expr::Try(inner) => refuse(inner.question_token.span(), "return early with `?`"),
        Expr::Return(inner) => refuse(inner.return_token.span(), "return"),
        Expr::Field(inner) => escape(&inner.base),
        Expr::Reference(inner) => escape(&inner.expr),
        Expr::Paren(inner) => escape(&inner.expr),
        Expr::Group(inner) => escape(&inner.expr),
        Expr::Unary(inner) => escape(&inner.expr),
        Expr::Cast(inner) => escape(&inner.expr),
        Expr::Binary(inner) => escape(&inner.left).and_then(|()| escape(&inner.right)),
        Expr::Index(inner) => escape(&inner.expr).and_then(|()| escape(&inner.index)),
        Expr::Tuple(inner) => inner.elems.iter().try_for_each(escape),
        Expr::Array(inner) => inner.elems.iter().try_for_each(escape),
        Expr::Call(inner) => {
            escape(&inner.func).and_then(|()| inner.args.iter().try_for_each(escape))
        }
        Expr::MethodCall(inner) => {
            escape(&inner.receiver).and_then(|()| inner.args.iter().try_for_each(escape))
        }
        // Closures, blocks and macros have an inside of their own, which may return.
        _ => Ok(()),
    }
}

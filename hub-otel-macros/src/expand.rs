//! Writes the expansion: a static call site, the body in one wrapper future, a classifier. Everything else is runtime.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, FnArg, Ident, Lit, Pat, Path, ReturnType, Signature, Token, Type, Visibility};

/// Which of the two macros it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preset {
    Workflow,
    Agent,
}

/// The item with its unit, or the item as it was beside what is wrong with the arguments.
pub(crate) fn attribute(preset: Preset, arguments: TokenStream, item: TokenStream) -> TokenStream {
    if !cfg!(feature = "enabled") {
        return item;
    }
    let parsed = Arguments::parse.parse2(arguments).and_then(|arguments| {
        let function: Function = syn::parse2(item.clone())?;
        function.check()?;
        Ok((arguments, function))
    });
    match parsed {
        Ok((arguments, function)) => expand(preset, &arguments, &function),
        Err(error) => {
            let error = error.into_compile_error();
            quote! { #error #item }
        }
    }
}

/// An async function whose block stays tokens: half-typed code still expands.
struct Function {
    attributes: Vec<syn::Attribute>,
    visibility: Visibility,
    signature: Signature,
    block: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(syn::Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            block: input.parse()?,
        })
    }
}

impl Function {
    fn check(&self) -> syn::Result<()> {
        match self.signature.asyncness {
            Some(_) => Ok(()),
            None => Err(syn::Error::new(self.signature.fn_token.span(), "only async functions for now")),
        }
    }
}

#[derive(Default)]
struct Arguments {
    identity: Vec<(Ident, Expr)>,
    fields: Vec<(String, Sigil, Expr)>,
    krate: Option<Path>,
}

enum Sigil {
    Value,
    Display,
    Debug,
}

impl Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            if input.peek(Token![crate]) {
                input.parse::<Token![crate]>()?;
                input.parse::<Token![=]>()?;
                arguments.krate = Some(input.parse()?);
            } else {
                let name: Ident = input.parse()?;
                if name == "fields" {
                    let content;
                    syn::parenthesized!(content in input);
                    let fields = Punctuated::<Field, Token![,]>::parse_terminated(&content)?;
                    arguments.fields =
                        fields.into_iter().map(|field| (field.key, field.sigil, field.value)).collect();
                } else {
                    input.parse::<Token![=]>()?;
                    arguments.identity.push((name, input.parse()?));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

struct Field {
    key: String,
    sigil: Sigil,
    value: Expr,
}

impl Parse for Field {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(syn::LitStr) {
            let key: syn::LitStr = input.parse()?;
            input.parse::<Token![=]>()?;
            let (sigil, value) = value(input)?;
            return Ok(Self { key: key.value(), sigil, value });
        }
        let names = Punctuated::<Ident, Token![.]>::parse_separated_nonempty(input)?;
        let key = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            let (sigil, value) = value(input)?;
            return Ok(Self { key, sigil, value });
        }
        Ok(Self { key, sigil: Sigil::Value, value: syn::parse2(names.into_token_stream())? })
    }
}

fn value(input: ParseStream<'_>) -> syn::Result<(Sigil, Expr)> {
    let sigil = if input.peek(Token![%]) {
        input.parse::<Token![%]>()?;
        Sigil::Display
    } else if input.peek(Token![?]) {
        input.parse::<Token![?]>()?;
        Sigil::Debug
    } else {
        Sigil::Value
    };
    Ok((sigil, input.parse()?))
}

fn expand(preset: Preset, arguments: &Arguments, function: &Function) -> TokenStream {
    let Function { attributes, visibility, signature, block } = function;
    let private = match &arguments.krate {
        Some(path) => quote! { #path::__private },
        None => quote! { ::hub_otel::__private },
    };
    let name = signature.ident.to_string();
    let literal = |wanted: &str| {
        arguments.identity.iter().find_map(|(name, value)| match value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if name == wanted => Some(text.to_token_stream()),
            _ => None,
        })
    };
    let id = literal("id").unwrap_or_else(|| name.to_token_stream());
    let mut site = match preset {
        Preset::Workflow => quote! { Site::workflow(#id) },
        Preset::Agent => {
            let action = literal("action").unwrap_or_else(|| name.to_token_stream());
            quote! { Site::agent(#id, #action) }
        }
    };
    for argument in ["name", "trigger", "run_id"] {
        if let Some(text) = literal(argument) {
            let method = Ident::new(argument, Span::call_site());
            site.extend(quote! { .#method(#text) });
        }
    }
    let mut open = TokenStream::new();
    let dynamic = arguments
        .identity
        .iter()
        .filter(|(_, value)| !matches!(value, Expr::Lit(ExprLit { lit: Lit::Str(_), .. })));
    let setters: Vec<_> =
        dynamic.map(|(name, value)| quote! { .#name((&&&__hub::TextOf(&(#value))).text()) }).collect();
    if !setters.is_empty() || !arguments.fields.is_empty() {
        site.extend(quote! { .deferred() });
        let fields = arguments.fields.iter().map(|(key, sigil, value)| {
            let method = Ident::new(
                match sigil {
                    Sigil::Value => "value",
                    Sigil::Display => "display",
                    Sigil::Debug => "debug",
                },
                Span::mixed_site(),
            );
            quote! { fields.#method(#key, &(#value)); }
        });
        open = quote! {
            __hub::open(|opening| {
                use __hub::via::*;
                opening #(#setters)* .begin(|fields| { #(#fields)* })
            });
        };
    }
    let inputs = &signature.inputs;
    let captures = inputs.iter().filter_map(capture);
    let output: Type = match &signature.output {
        ReturnType::Default => syn::parse_quote! { () },
        ReturnType::Type(_, output) => (**output).clone(),
    };
    let mut wrapper = signature.clone();
    wrapper.asyncness = None;
    wrapper.output = syn::parse_quote! { -> impl ::core::future::Future<Output = #output> };
    quote_spanned! { Span::mixed_site() =>
        #(#attributes)*
        #visibility #wrapper {
            use #private as __hub;
            static SITE: __hub::Site = __hub::#site;
            let body = async move {
                #(let _ = &#captures;)*
                #open
                match () { () => #block }
            };
            __hub::run(&SITE, body, |value: &_, closing: &mut __hub::Closing| __hub::classify!(value, closing))
        }
    }
}

/// What has to be named for an argument to be captured.
fn capture(argument: &FnArg) -> Option<TokenStream> {
    match argument {
        FnArg::Receiver(receiver) => Some(receiver.self_token.to_token_stream()),
        FnArg::Typed(typed) => match &*typed.pat {
            Pat::Ident(pat) => Some(pat.ident.to_token_stream()),
            _ => None,
        },
    }
}

//! The annotated item: a function, or an `impl` block with its methods.
//!
//! Only the signature and the attributes are parsed. Bodies stay raw tokens: what the user is still typing expands too,
//! and a body costs nothing to read or to print.

mod block;
mod shape;

pub(crate) use block::{ImplBlock, Member, is_hub};
pub(crate) use shape::{Output, Shape};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Signature, Token, Visibility};

/// What the attribute stands on.
pub(crate) enum Item {
    Function(Box<Function>),
    Block(ImplBlock),
    /// Something that it cannot stand on, and its keyword.
    Other(TokenTree),
}

/// A function or a method.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    /// `default`, of specialisation: re-emitted.
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    /// The braces with what is in them; `None`: `fn f();`
    pub(crate) body: Option<Group>,
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if let Some(item) = item_of_a_macro(input) {
            return syn::parse2(item);
        }
        let attrs = input.call(Attribute::parse_outer)?;
        let ahead = input.fork();
        ahead.parse::<Visibility>()?;
        if starts_function(&ahead)? {
            return Ok(Self::Function(Box::new(Function::parse_after(attrs, input)?)));
        }
        if input.peek(Token![impl]) || (input.peek(Token![unsafe]) && input.peek2(Token![impl])) {
            return Ok(Self::Block(ImplBlock::parse_after(attrs, input)?));
        }
        let keyword: TokenTree = ahead.parse()?;
        input.parse::<TokenStream>()?;
        Ok(Self::Other(keyword))
    }
}

/// An `$item:item` of the user's macro comes in an invisible group.
fn item_of_a_macro(input: ParseStream<'_>) -> Option<TokenStream> {
    let ahead = input.fork();
    let tree = ahead.parse::<TokenTree>().ok()?;
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None && ahead.is_empty() => {
            input.parse::<TokenTree>().ok()?;
            Some(group.stream())
        }
        _ => None,
    }
}

impl Function {
    /// What follows the attributes.
    fn parse_after(mut attrs: Vec<Attribute>, input: ParseStream<'_>) -> syn::Result<Self> {
        let vis = input.parse()?;
        let defaultness = input.parse()?;
        let sig = input.parse()?;
        if input.parse::<Option<Token![;]>>()?.is_some() {
            return Ok(Self { attrs, vis, defaultness, sig, body: None });
        }
        let tree = input.parse::<TokenTree>()?;
        let Some(body) = braces(&tree) else {
            return Err(syn::Error::new(tree.span(), "expected the function's body in `{ … }`"));
        };
        let body = hoist_inner(&mut attrs, body)?;
        Ok(Self { attrs, vis, defaultness, sig, body: Some(body) })
    }
}

/// The braces, also in the invisible group that a `$body:block` of the user's macro leaves around them.
pub(crate) fn braces(tree: &TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = tree else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group.clone()),
        Delimiter::None => {
            let mut inside = group.stream().into_iter();
            let braces = braces(&inside.next()?)?;
            inside.next().is_none().then_some(braces)
        }
        _ => None,
    }
}

/// `#![…]` at the top of a body belongs to the function, whatever the body is wrapped in: it becomes `#[…]`.
fn hoist_inner(attrs: &mut Vec<Attribute>, body: Group) -> syn::Result<Group> {
    let mut tokens = body.stream().into_iter();
    let starts = |token: Option<TokenTree>, what: char| matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == what);
    if !(starts(tokens.next(), '#') && starts(tokens.next(), '!')) {
        return Ok(body);
    }
    let parser = |input: ParseStream<'_>| {
        let inner = input.call(Attribute::parse_inner)?;
        Ok((inner, input.parse::<TokenStream>()?))
    };
    let (inner, rest) = syn::parse::Parser::parse2(parser, body.stream())?;
    attrs.extend(
        inner.into_iter().map(|attribute| Attribute { style: syn::AttrStyle::Outer, ..attribute }),
    );
    let mut without = Group::new(Delimiter::Brace, rest);
    without.set_span(body.span());
    Ok(without)
}

/// Whether qualifiers and `fn` follow: `const fn`, `unsafe extern "C" fn`, but not `const X` or `unsafe impl`.
fn starts_function(input: ParseStream<'_>) -> syn::Result<bool> {
    let ahead = input.fork();
    loop {
        if ahead.peek(Token![fn]) {
            return Ok(true);
        }
        if ahead.peek(Token![const])
            || ahead.peek(Token![async])
            || ahead.peek(Token![unsafe])
            || ahead.peek(Token![default])
        {
            ahead.parse::<TokenTree>()?;
        } else if ahead.peek(Token![extern]) {
            ahead.parse::<syn::Abi>()?;
        } else {
            return Ok(false);
        }
    }
}

impl Function {
    /// Attributes, visibility and qualifiers: everything before the signature.
    pub(crate) fn head_to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attrs);
        self.vis.to_tokens(tokens);
        self.defaultness.to_tokens(tokens);
    }
}

/// As it was written.
impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.head_to_tokens(tokens);
        self.sig.to_tokens(tokens);
        match &self.body {
            Some(body) => body.to_tokens(tokens),
            None => <Token![;]>::default().to_tokens(tokens),
        }
    }
}

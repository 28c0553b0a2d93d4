//! Parses the annotated item: a function, or an `impl` block with its methods.
//!
//! Only signatures and attributes are parsed. Bodies stay raw tokens: incomplete code expands too
//! (autocompletion needs that), and a body costs no time to parse or to print.

mod block;
mod returned;
mod shape;
mod streamed;
mod types;

pub(crate) use block::{ImplBlock, Member, is_hub};
pub(crate) use returned::without_impl_trait;
pub(crate) use shape::{Output, Shape};
pub(crate) use streamed::{Declared, Streamed, may_hide_work};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Signature, Token, Visibility};

/// Annotated item.
pub(crate) enum Item {
    Function(Box<Function>),
    Block(ImplBlock),
    /// Any other item, by its keyword.
    Other(TokenTree),
}

/// A function or a method.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    /// `default`, for specialization.
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    /// Body in braces; `None` for `fn f();`.
    pub(crate) body: Option<Group>,
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if let Some(item) = parse_macro_item(input) {
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

/// Parses an `$item:item` of a user's macro, which arrives in an invisible group.
fn parse_macro_item(input: ParseStream<'_>) -> Option<TokenStream> {
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
    /// Parses the tokens after the attributes.
    fn parse_after(mut attrs: Vec<Attribute>, input: ParseStream<'_>) -> syn::Result<Self> {
        let vis = input.parse()?;
        let defaultness = input.parse()?;
        let sig = input.parse()?;
        if input.parse::<Option<Token![;]>>()?.is_some() {
            return Ok(Self { attrs, vis, defaultness, sig, body: None });
        }
        let tree = input.parse::<TokenTree>()?;
        let Some(body) = find_braces(&tree) else {
            return Err(syn::Error::new(tree.span(), "expected the function's body in `{ … }`"));
        };
        let body = hoist_inner_attributes(&mut attrs, body)?;
        Ok(Self { attrs, vis, defaultness, sig, body: Some(body) })
    }
}

/// Returns the group in braces, also inside the invisible group around a `$body:block` of a user's
/// macro.
pub(crate) fn find_braces(tree: &TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = tree else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group.clone()),
        Delimiter::None => {
            let mut content = group.stream().into_iter();
            let braces = find_braces(&content.next()?)?;
            content.next().is_none().then_some(braces)
        }
        _ => None,
    }
}

/// Turns `#![…]` at the top of the body into `#[…]` on the function, because the body gets wrapped.
fn hoist_inner_attributes(attrs: &mut Vec<Attribute>, body: Group) -> syn::Result<Group> {
    let mut tokens = body.stream().into_iter();
    let is_punct = |token: Option<TokenTree>, character: char| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character);
    if !(is_punct(tokens.next(), '#') && is_punct(tokens.next(), '!')) {
        return Ok(body);
    }
    let parser = |input: ParseStream<'_>| {
        let inner = input.call(Attribute::parse_inner)?;
        Ok((inner, input.parse::<TokenStream>()?))
    };
    let (inner, tokens) = syn::parse::Parser::parse2(parser, body.stream())?;
    attrs.extend(
        inner.into_iter().map(|attribute| Attribute { style: syn::AttrStyle::Outer, ..attribute }),
    );
    let mut without = Group::new(Delimiter::Brace, tokens);
    without.set_span(body.span());
    Ok(without)
}

/// Returns whether qualifiers and `fn` follow: `const fn`, `unsafe extern "C" fn`, but not `const
/// X` or `unsafe impl`.
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
    /// Writes everything before the signature: attributes, visibility and `default`.
    pub(crate) fn head_to_tokens(&self, attrs: &[Attribute], tokens: &mut TokenStream) {
        tokens.append_all(attrs);
        self.vis.to_tokens(tokens);
        self.defaultness.to_tokens(tokens);
    }
}

/// Writes the function unchanged.
impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.head_to_tokens(&self.attrs, tokens);
        self.sig.to_tokens(tokens);
        match &self.body {
            Some(body) => body.to_tokens(tokens),
            None => <Token![;]>::default().to_tokens(tokens),
        }
    }
}

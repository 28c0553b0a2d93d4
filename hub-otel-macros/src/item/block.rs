//! Parses an `impl` block: its methods are parsed, everything else stays tokens.

use super::{Function, starts_function};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Visibility};

/// `impl … { … }`
pub(crate) struct ImplBlock {
    pub(crate) attrs: Vec<Attribute>,
    /// From `impl` to the brace.
    head: TokenStream,
    body: Group,
    pub(crate) members: Vec<Member>,
}

/// Member of the block.
pub(crate) enum Member {
    /// A method and its `#[hub(…)]` attributes, which are removed from it.
    Method(Box<Function>, Vec<Attribute>),
    Tokens(TokenStream),
}

impl ImplBlock {
    /// Parses the tokens after the attributes.
    pub(super) fn parse_after(attrs: Vec<Attribute>, input: ParseStream<'_>) -> syn::Result<Self> {
        let mut trees: Vec<TokenTree> = input.parse::<TokenStream>()?.into_iter().collect();
        // The last tree, because the head may contain braces too, in a const argument.
        let last = trees.pop();
        let Some(body) = last.as_ref().and_then(super::find_braces) else {
            let span = last.map_or_else(proc_macro2::Span::call_site, |tree| tree.span());
            return Err(syn::Error::new(span, "expected the block's body in `{ … }`"));
        };
        let members = parse_members.parse2(body.stream())?;
        Ok(Self { attrs, head: trees.into_iter().collect(), body, members })
    }

    /// The `impl` keyword.
    pub(crate) fn keyword(&self) -> TokenStream {
        self.head.clone().into_iter().take(1).collect()
    }

    /// Returns the block with other members.
    pub(crate) fn with_members(&self, members: TokenStream) -> TokenStream {
        let mut tokens = TokenStream::new();
        tokens.append_all(&self.attrs);
        self.head.to_tokens(&mut tokens);
        let mut body = Group::new(Delimiter::Brace, members);
        body.set_span(self.body.span());
        body.to_tokens(&mut tokens);
        tokens
    }

    /// Returns the block unchanged but for `#[hub(…)]`, which is no attribute of rustc.
    pub(crate) fn without_hub(&self) -> TokenStream {
        let mut members = TokenStream::new();
        for member in &self.members {
            match member {
                Member::Method(function, _) => function.to_tokens(&mut members),
                Member::Tokens(tokens) => tokens.to_tokens(&mut members),
            }
        }
        self.with_members(members)
    }
}

fn parse_members(input: ParseStream<'_>) -> syn::Result<Vec<Member>> {
    let mut members = Vec::new();
    let inner = input.call(Attribute::parse_inner)?;
    if !inner.is_empty() {
        members.push(Member::Tokens(inner.iter().map(ToTokens::to_token_stream).collect()));
    }
    while !input.is_empty() {
        let attrs = input.call(Attribute::parse_outer)?;
        let ahead = input.fork();
        ahead.parse::<Visibility>()?;
        if starts_function(&ahead)? {
            let (hub, attrs) = attrs.into_iter().partition(is_hub);
            members.push(Member::Method(Box::new(Function::parse_after(attrs, input)?), hub));
        } else {
            let mut tokens: TokenStream = attrs.iter().map(ToTokens::to_token_stream).collect();
            parse_other_member(input, &mut tokens)?;
            members.push(Member::Tokens(tokens));
        }
    }
    Ok(members)
}

/// Parses a constant, a type or a macro call.
fn parse_other_member(input: ParseStream<'_>, tokens: &mut TokenStream) -> syn::Result<()> {
    // `const X: T = { … };` ends at its semicolon, `macro! { … }` at its braces.
    let ends_at_semicolon =
        input.fork().parse::<TokenStream>()?.into_iter().take(3).any(
            |tree| matches!(&tree, TokenTree::Ident(word) if word == "const" || word == "type"),
        );
    while !input.is_empty() {
        let tree: TokenTree = input.parse()?;
        let ends = match &tree {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !ends_at_semicolon,
            _ => false,
        };
        tokens.append(tree);
        if ends {
            break;
        }
    }
    Ok(())
}

/// Returns whether the attribute is `#[hub]` or `#[hub(…)]`.
pub(crate) fn is_hub(attribute: &Attribute) -> bool {
    attribute.path().is_ident("hub")
}

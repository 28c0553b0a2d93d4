//! An `impl` block: its head as tokens, its methods parsed, the rest untouched.

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

/// What stands in the block.
pub(crate) enum Member {
    /// A method, with the inside of its `#[hub(…)]` attributes, which are ours and taken out.
    Method(Box<Function>, Vec<Attribute>),
    Tokens(TokenStream),
}

impl ImplBlock {
    /// What follows the attributes.
    pub(super) fn parse_after(attrs: Vec<Attribute>, input: ParseStream<'_>) -> syn::Result<Self> {
        let mut trees: Vec<TokenTree> = input.parse::<TokenStream>()?.into_iter().collect();
        // The last tree: a brace may stand in the head too, as a const argument.
        let last = trees.pop();
        let Some(body) = last.as_ref().and_then(super::braces) else {
            let place = last.map_or_else(proc_macro2::Span::call_site, |tree| tree.span());
            return Err(syn::Error::new(place, "expected the block's body in `{ … }`"));
        };
        let members = members.parse2(body.stream())?;
        Ok(Self { attrs, head: trees.into_iter().collect(), body, members })
    }

    /// The `impl` keyword.
    pub(crate) fn keyword(&self) -> TokenStream {
        self.head.clone().into_iter().take(1).collect()
    }

    /// The block around other members.
    pub(crate) fn around(&self, members: TokenStream) -> TokenStream {
        let mut tokens = TokenStream::new();
        tokens.append_all(&self.attrs);
        self.head.to_tokens(&mut tokens);
        let mut body = Group::new(Delimiter::Brace, members);
        body.set_span(self.body.span());
        body.to_tokens(&mut tokens);
        tokens
    }

    /// The block as it was written, without our `#[hub(…)]`: rustc does not know that attribute.
    pub(crate) fn plain(&self) -> TokenStream {
        let mut members = TokenStream::new();
        for member in &self.members {
            match member {
                Member::Method(function, _) => function.to_tokens(&mut members),
                Member::Tokens(rest) => rest.to_tokens(&mut members),
            }
        }
        self.around(members)
    }
}

fn members(input: ParseStream<'_>) -> syn::Result<Vec<Member>> {
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
            other(input, &mut tokens)?;
            members.push(Member::Tokens(tokens));
        }
    }
    Ok(members)
}

/// A constant, a type or a macro call, up to its end.
fn other(input: ParseStream<'_>, tokens: &mut TokenStream) -> syn::Result<()> {
    // `const X: T = { … };` goes on behind its braces, `macro! { … }` does not.
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

/// `#[hub]`, `#[hub(…)]`
pub(crate) fn is_hub(attribute: &Attribute) -> bool {
    attribute.path().is_ident("hub")
}

//! Lint attributes of parameters and functions. They apply to the generated code as they would to
//! the user's: `expect` is fulfilled exactly if it would be without the attribute macro.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, MetaList, Token};

/// Lints about the use of a variable.
const UNUSED: &[&str] = &["unused", "unused_variables", "unused_mut", "unused_assignments"];
/// Lints about the syntax of an `async fn`, which the expansion replaces.
const ASYNC_SYNTAX: &[&str] = &["clippy::unused_async", "clippy::manual_async_fn"];

/// Returns whether a use of the variable has to be left to rustc: its absence is expected.
pub(super) fn expects_unused(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attribute| split(attribute, UNUSED).0.is_some())
}

/// Returns whether the function is expected to be an `async fn` of a trait.
pub(super) fn expects_async_in_trait(attribute: &Attribute) -> bool {
    split(attribute, &["async_fn_in_trait"]).0.is_some()
}

/// Takes the lint attributes of a parameter, for the variable that replaces it.
///
/// Expectations about the use of the variable move, because only the variable is unused. The other
/// levels are copied.
pub(super) fn take(attrs: &mut Vec<Attribute>) -> TokenStream {
    let mut taken = TokenStream::new();
    let mut kept = Vec::new();
    for attribute in attrs.drain(..) {
        if attribute.path().is_ident("expect") {
            let (unused, others) = split(&attribute, UNUSED);
            unused.to_tokens(&mut taken);
            kept.extend(others);
        } else {
            let path = attribute.path();
            if ["allow", "warn", "deny", "forbid"].iter().any(|level| path.is_ident(level)) {
                attribute.to_tokens(&mut taken);
            }
            kept.push(attribute);
        }
    }
    *attrs = kept;
    taken
}

/// Returns the attributes of a function without expected lints that the expansion cannot raise.
pub(super) fn of_function(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter_map(|attribute| split(attribute, ASYNC_SYNTAX).1).collect()
}

/// Splits an `#[expect(…)]` into the part with these lints and the part with the others, each with
/// the reason. Any other attribute is in the second part.
fn split(attribute: &Attribute, lints: &[&str]) -> (Option<Attribute>, Option<Attribute>) {
    let all = || (None, Some(attribute.clone()));
    let Meta::List(list) = &attribute.meta else { return all() };
    if !list.path.is_ident("expect") {
        return all();
    }
    let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
    let Ok(metas) = list.parse_args_with(parser) else { return all() };
    let (reasons, names): (Vec<_>, Vec<_>) =
        metas.into_iter().partition(|meta| matches!(meta, Meta::NameValue(_)));
    let (inside, outside): (Vec<_>, Vec<_>) = names.into_iter().partition(|meta| {
        let name = meta.path().to_token_stream().to_string().replace(' ', "");
        lints.contains(&name.as_str())
    });
    let part = |names: Vec<Meta>| {
        (!names.is_empty()).then(|| {
            let metas: Punctuated<Meta, Token![,]> =
                names.into_iter().chain(reasons.iter().cloned()).collect();
            let tokens = metas.into_token_stream();
            Attribute { meta: Meta::List(MetaList { tokens, ..list.clone() }), ..attribute.clone() }
        })
    };
    (part(inside), part(outside))
}

#[cfg(test)]
mod tests {
    use super::{expects_unused, of_function, take};
    use quote::ToTokens;
    use syn::parse_quote;

    fn text(tokens: impl ToTokens) -> String {
        tokens.to_token_stream().to_string()
    }

    #[test]
    fn expectations_about_the_use_of_a_variable_move() {
        let mut attrs: Vec<syn::Attribute> = vec![
            parse_quote!(#[expect(unused_variables, clippy::ptr_arg, reason = "r")]),
            parse_quote!(#[allow(unused)]),
            parse_quote!(#[cfg(unix)]),
        ];
        assert!(expects_unused(&attrs));
        let expected: [syn::Attribute; 2] = [
            parse_quote!(#[expect(unused_variables, reason = "r")]),
            parse_quote!(#[allow(unused)]),
        ];
        assert_eq!(take(&mut attrs).to_string(), text(quote::quote!(#(#expected)*)));
        let kept: syn::Attribute = parse_quote!(#[expect(clippy::ptr_arg, reason = "r")]);
        assert_eq!((attrs.len(), text(&attrs[0])), (3, text(kept)));
    }

    #[test]
    fn expectations_about_the_syntax_of_an_async_function_are_removed() {
        let attrs: [syn::Attribute; 3] = [
            parse_quote!(#[expect(clippy::unused_async)]),
            parse_quote!(#[expect(clippy::unused_async, dead_code)]),
            parse_quote!(#[allow(clippy::unused_async)]),
        ];
        let kept = of_function(&attrs);
        let dead_code: syn::Attribute = parse_quote!(#[expect(dead_code)]);
        assert_eq!(kept.len(), 2);
        assert_eq!(text(&kept[0]), text(dead_code));
    }
}

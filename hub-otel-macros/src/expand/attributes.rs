//! Recognizes the attributes of the compiler. Any other attribute below ours is a macro that
//! expects the function as it was written.

use super::lints;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Path, Token};

/// Built-in attributes with the same effect on `fn … -> impl Future` as on `async fn`.
const BUILT_IN: &[&str] = &[
    "allow",
    "automatically_derived",
    "cfg",
    "cold",
    "coverage",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "export_name",
    "forbid",
    "hub",
    "inline",
    "link_section",
    "no_mangle",
    "optimize",
    "target_feature",
    "track_caller",
    "unsafe",
    "warn",
];

/// Namespaces of tool attributes, which are not expanded.
const TOOLS: &[&str] = &["clippy", "diagnostic", "rustfmt", "rust_analyzer", "miri"];

/// Returns whether the function has to stay `async`: another macro reads it, or `#[must_use]`
/// refers to its output.
pub(super) fn needs_async(attrs: &[Attribute]) -> bool {
    !attrs
        .iter()
        .all(|attribute| is_built_in(&attribute.meta) && !lints::expects_async_in_trait(attribute))
}

fn is_built_in(meta: &Meta) -> bool {
    if let Meta::List(list) = meta
        && list.path.is_ident("cfg_attr")
    {
        let parsed = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        // The first item is the condition.
        return parsed.is_ok_and(|metas| metas.iter().skip(1).all(is_built_in));
    }
    is_built_in_path(meta.path())
}

fn is_built_in_path(path: &Path) -> bool {
    match path.segments.first() {
        Some(first) if path.segments.len() > 1 => TOOLS.iter().any(|tool| first.ident == tool),
        Some(only) => BUILT_IN.iter().any(|name| only.ident == name),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::needs_async;
    use syn::parse_quote;

    #[test]
    fn built_in_attributes_allow_the_desugared_signature() {
        let plain: syn::ItemFn = parse_quote! {
            /// Docs.
            #[cfg(unix)] #[allow(unused)] #[clippy::msrv = "1"] #[cfg_attr(unix, inline, allow(dead_code))]
            async fn f() {}
        };
        assert!(!needs_async(&plain.attrs));
    }

    #[test]
    fn macros_and_must_use_keep_the_function_async() {
        let macros: [syn::ItemFn; 4] = [
            parse_quote! { #[tokio::test] async fn f() {} },
            parse_quote! { #[instrument] async fn f() {} },
            parse_quote! { #[must_use] async fn f() {} },
            parse_quote! { #[cfg_attr(unix, tracing::instrument(skip_all))] async fn f() {} },
        ];
        assert!(macros.iter().all(|function| needs_async(&function.attrs)));
    }
}

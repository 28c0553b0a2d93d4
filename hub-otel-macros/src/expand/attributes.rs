//! Which attributes below ours are the compiler's: any other one is a macro, and expects the function as it was written.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Path, Token};

/// Attributes that mean the same on `fn … -> impl Future` as on `async fn`.
const KNOWN: &[&str] = &[
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

/// Namespaces of tools: attributes without an expansion.
const TOOLS: &[&str] = &["clippy", "diagnostic", "rustfmt", "rust_analyzer", "miri"];

/// Whether the function has to stay `async`: another macro reads it, or `#[must_use]` speaks of its output.
pub(super) fn needs_async(attrs: &[Attribute]) -> bool {
    !attrs.iter().all(|attribute| is_known(&attribute.meta))
}

fn is_known(meta: &Meta) -> bool {
    if let Meta::List(list) = meta
        && list.path.is_ident("cfg_attr")
    {
        let parsed = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        // The first one is the condition.
        return parsed.is_ok_and(|metas| metas.iter().skip(1).all(is_known));
    }
    is_known_path(meta.path())
}

fn is_known_path(path: &Path) -> bool {
    match path.segments.first() {
        Some(first) if path.segments.len() > 1 => TOOLS.iter().any(|tool| first.ident == tool),
        Some(only) => KNOWN.iter().any(|known| only.ident == known),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::needs_async;
    use syn::parse_quote;

    #[test]
    fn the_compilers_own_attributes_leave_the_lowering_free() {
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

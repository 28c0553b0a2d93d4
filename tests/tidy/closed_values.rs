//! Closed values of labels and attributes are spelled in `semconv` only.

use crate::{files, read, root};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;

/// Files with the closed values.
const DEFINITIONS: [&str; 7] = [
    "decision.rs",
    "drop_reason.rs",
    "error_type.rs",
    "failure_reason.rs",
    "result.rs",
    "status.rs",
    "value.rs",
];

/// Values that are also words of settings, of test support and of diagnostics.
const ORDINARY: [&str; 12] = [
    "DELETE",
    "authorization",
    "compression",
    "connection",
    "logs",
    "none",
    "protocol",
    "rejected",
    "request",
    "system",
    "timeout",
    "used",
];

#[test]
fn only_the_contract_spells_a_closed_value() {
    let mut values = BTreeSet::new();
    for name in DEFINITIONS {
        let source = read(root().join("hub-otel/src/semconv").join(name));
        literals(source.parse().expect("Rust source"), &mut |value| {
            values.insert(value);
        });
    }
    assert!(values.contains("queue_full") && values.contains("grpc_unavailable"), "{values:?}");
    values.retain(|value| value.len() > 3 && !ORDINARY.contains(&value.as_str()));
    let mut spelled = Vec::new();
    for file in files(&root().join("hub-otel/src"), ".rs") {
        if file.components().any(|part| part.as_os_str() == "semconv") {
            continue;
        }
        let source = read(&file);
        let library = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        literals(library.parse().expect("Rust source"), &mut |value| {
            if values.contains(&value) {
                spelled.push(format!("{}: {value}", file.display()));
            }
        });
    }
    assert!(spelled.is_empty(), "spelled outside the contract:\n{}", spelled.join("\n"));
}

/// Reports the string literals of the source. Attributes, and so doc comments, are left out.
fn literals(tokens: TokenStream, report: &mut impl FnMut(String)) {
    let mut after_hash = false;
    for token in tokens {
        let is_attribute = after_hash;
        // `#[…]` and `#![…]`.
        after_hash = match &token {
            TokenTree::Punct(punct) => {
                punct.as_char() == '#' || (after_hash && punct.as_char() == '!')
            }
            _ => false,
        };
        match token {
            TokenTree::Group(group) if !is_attribute => literals(group.stream(), report),
            TokenTree::Literal(literal) => {
                if let Ok(syn::Lit::Str(text)) = syn::parse_str(&literal.to_string()) {
                    report(text.value());
                }
            }
            TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Ident(_) => {}
        }
    }
}

use super::expand_attribute;
use crate::macro_kind::{AGENT, MacroKind, WORKFLOW};
use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

/// A function of 40 tokens, as in docs/performance.md.
fn function_of_40_tokens() -> TokenStream {
    quote! {
        async fn sync(&self, run: &Run) -> Result<usize, E> {
            let rows = load(run).await?;
            Ok(-rows + 1)
        }
    }
}

/// Number of tokens; a pair of delimiters counts as two.
fn count_tokens(tokens: TokenStream) -> usize {
    let count_tree = |tree| match tree {
        TokenTree::Group(group) => 2 + count_tokens(group.stream()),
        _ => 1,
    };
    tokens.into_iter().map(count_tree).sum()
}

fn expand(kind: &MacroKind, arguments: TokenStream, item: TokenStream) -> String {
    expand_attribute(kind, arguments, item).to_string()
}

#[test]
fn a_function_of_40_tokens_stays_below_250() {
    assert_eq!(count_tokens(function_of_40_tokens()), 40);
    for kind in [&WORKFLOW, &AGENT] {
        let expanded = count_tokens(expand_attribute(kind, quote!(), function_of_40_tokens()));
        println!("{}: 40 tokens become {expanded}", kind.attribute);
        assert!(expanded <= 250, "{expanded}");
    }
}

#[test]
fn the_usual_arguments_stay_below_350() {
    let arguments =
        quote!(id = run.workflow_id, name = run.name, run_id = run.id, trigger = run.trigger);
    let expanded = count_tokens(expand_attribute(&WORKFLOW, arguments, function_of_40_tokens()));
    println!("with four run-time identities, 40 tokens become {expanded}");
    assert!(expanded <= 350, "{expanded}");
}

#[test]
fn an_invalid_argument_leaves_the_item_unchanged() {
    let item = function_of_40_tokens();
    let expanded = expand(&WORKFLOW, quote!(nmae = 1, id), item.clone());
    assert!(expanded.ends_with(&item.to_string()), "{expanded}");
    assert_eq!(expanded.matches("compile_error").count(), 2);
}

#[test]
fn incomplete_code_expands() {
    let expanded = expand(&AGENT, quote!(), quote!(async fn scan(&self) -> u8 { self. }));
    assert!(!expanded.contains("compile_error") && expanded.contains("self ."), "{expanded}");
}

#[test]
fn literals_are_part_of_the_static_and_need_no_evaluation_at_the_call() {
    let expanded = expand(
        &WORKFLOW,
        quote!(id = "nightly", trigger = "schedule", kind = consumer),
        function_of_40_tokens(),
    );
    assert!(!expanded.contains("open") && !expanded.contains("deferred"), "{expanded}");
    assert!(expanded.contains("workflow (\"nightly\")"), "{expanded}");
}

#[test]
fn a_function_below_another_macro_stays_async() {
    let expanded = expand(
        &WORKFLOW,
        quote!(),
        quote!(
            #[tokio::test]
            async fn sync() {}
        ),
    );
    assert!(expanded.contains("async fn sync ()") && expanded.contains(". await"), "{expanded}");
}

#[test]
fn an_error_in_the_arguments_of_a_block_is_reported_once() {
    let block = quote!(impl X { async fn a(&self) {} async fn b(&self) {} });
    let expanded = expand(&AGENT, quote!(ret(|out| size = out.size)), block);
    // The message contains the method's name: one error for each method.
    assert_eq!(expanded.matches("compile_error").count(), 2);
    let block = quote!(impl X { async fn a(&self) {} async fn b(&self) {} });
    assert_eq!(expand(&AGENT, quote!(timeout = T), block).matches("compile_error").count(), 1);
}

#[test]
fn rustc_still_reports_an_unused_parameter() {
    let report = |arguments, body| {
        let item = quote!(async fn f(used: u32, idle: u32) #body);
        expand(&WORKFLOW, arguments, item).contains("let idle = false")
    };
    assert!(report(quote!(), quote!({ used })));
    assert!(!report(quote!(), quote!({ used + idle })));
    assert!(!report(quote!(), quote!({ println!("{idle}") })), "named in a format string");
    assert!(!report(quote!(fields(idle)), quote!({ used })), "named by an argument");
    assert!(!report(quote!(id = format!("{idle}")), quote!({ used })));
    assert!(!report(quote!(ret(|out| sum = out + idle)), quote!({ used })));
}

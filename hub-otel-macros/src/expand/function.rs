//! Wraps one function according to its shape. `callsite`, `parameters` and `classifier` hold the
//! common parts.

use super::Expansion;
use super::parameters::{Parameters, capture_parameters};
use super::{attributes, classifier, lints, stream};
use crate::item::{Output, Shape, without_impl_trait};
use crate::table::Arg;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, ReturnType, Signature};

/// Wraps the function. `keep_signature`: another macro reads its signature.
pub(super) fn wrap_function(unit: &Expansion<'_>, keep_signature: bool) -> TokenStream {
    let keep_signature = keep_signature || attributes::needs_async(&unit.function.attrs);
    match unit.function.shape(unit.arguments.declared()) {
        Shape::Async => {
            let never = matches!(unit.function.output(), Output::Never);
            if keep_signature || never || unit.arguments.has(Arg::KeepAsync) {
                plain_async(unit)
            } else {
                desugared_async(unit)
            }
        }
        shape @ (Shape::Opaque | Shape::Boxed) => future_returning_fn(unit, shape),
        Shape::AsyncTrait => {
            async_trait(unit).unwrap_or_else(|| future_returning_fn(unit, Shape::Boxed))
        }
        Shape::Stream => stream::stream_returning_fn(unit),
        Shape::Sync => sync_fn(unit, !keep_signature),
    }
}

/// `async fn` → `fn … -> impl Future`: one future around the user's block.
fn desugared_async(unit: &Expansion<'_>) -> TokenStream {
    let Parameters { inputs, captures, moves } = capture_parameters(unit, true);
    let output = match &unit.function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => output.to_token_stream(),
    };
    let callsite = unit.callsite(unit.is_deferred());
    let future = unit.run_call(&unit.unit_future(captures, moves, typed_body(unit)));
    let arrow = quote!(-> impl ::core::future::Future<Output = #output>);
    let sig = Signature { asyncness: None, inputs, ..unit.function.sig.clone() };
    unit.emit_function(&sig, Some(arrow), &quote!(#callsite #future))
}

/// Keeps `async fn`: another macro reads it, its output is `!`, or `#[must_use]` refers to its
/// output.
fn plain_async(unit: &Expansion<'_>) -> TokenStream {
    let Parameters { inputs, captures, moves } = capture_parameters(unit, false);
    let callsite = unit.callsite(unit.is_deferred());
    let future = unit.run_call(&unit.unit_future(captures, moves, typed_body(unit)));
    let sig = Signature { inputs, ..unit.function.sig.clone() };
    unit.emit_function(&sig, None, &quote!(#callsite #future.await))
}

/// Wraps a synchronous function. The unit ends when it returns.
fn sync_fn(unit: &Expansion<'_>, movable: bool) -> TokenStream {
    let reads_value =
        [Arg::Ret, Arg::Err, Arg::None, Arg::Status].iter().any(|arg| unit.arguments.has(*arg));
    if matches!(unit.function.output(), Output::Unnamed) && !reads_value {
        return guarded_fn(unit);
    }
    let Parameters { inputs, captures, .. } = capture_parameters(unit, movable);
    let deferred = unit.is_deferred();
    let (callsite, open, body) =
        (unit.callsite(deferred), unit.open_statement(deferred), unit.body_block());
    let admit = unit.admit_statement();
    let output = closure_output(unit);
    let classify = classifier::classify_closure(unit, unit.function.output());
    let sig = Signature { inputs, ..unit.function.sig.clone() };
    let call = quote!(__hub::call(&__CALLSITE, move || #output { #captures #open #admit #body }, #classify));
    unit.emit_function(&sig, None, &quote!(#callsite #call))
}

/// Keeps the body in place, beside a guard that ends the unit: only the position of the returned
/// value gives a closure its types, in `fn f() -> impl Fn(&str) -> &str { |text| text }`.
fn guarded_fn(unit: &Expansion<'_>) -> TokenStream {
    let deferred = unit.is_deferred();
    let (callsite, open) = (unit.callsite(deferred), unit.open_statement(deferred));
    // Without a block around it, which would hide the returned type from a closure.
    let body = unit.function.body.as_ref().map(Group::stream);
    let guard = Ident::new("__guard", Span::mixed_site());
    let body = quote!(#callsite let #guard = __hub::enter(&__CALLSITE); #open #body);
    unit.emit_function(&unit.function.sig, None, &body)
}

/// Wraps the returned future. The function's code still runs at the call, and the arguments are
/// evaluated there.
fn future_returning_fn(unit: &Expansion<'_>, shape: Shape) -> TokenStream {
    let deferred = unit.is_deferred();
    let (callsite, body) = (unit.callsite(false), unit.body_block());
    let Parameters { inputs, captures, .. } = capture_parameters(unit, false);
    let mut future = call_of_body(unit, shape, &quote!(#captures #body));
    let mut before = TokenStream::new();
    if let Some(expression) = unit.arguments.expression(Arg::Timeout) {
        before.extend(unit.timeout_statement(expression));
        future = unit.wrap_in_timeout(future);
    }
    future = unit.admit_future(future);
    let prepared = deferred.then(|| {
        let prepared = unit.prepare_call();
        let name = Ident::new("__prepared", Span::mixed_site());
        before.extend(quote!(let #name = #prepared;));
        name
    });
    let mut run = match (prepared, unit.function.streamed(unit.arguments.declared())) {
        (Some(prepared), None) => {
            let classify = classifier::classify_closure(unit, Output::Unnamed);
            quote!(__hub::run_prepared(#prepared, #future, #classify))
        }
        (Some(prepared), Some(streamed)) => {
            let closures = stream::streaming_closures(unit, &streamed);
            quote!(__hub::run_prepared_streaming(#prepared, #future, #closures))
        }
        (None, _) => unit.run_of(&future, Output::Unnamed),
    };
    if shape == Shape::Boxed || unit.arguments.has(Arg::Boxed) {
        run = quote!(__hub::boxed(#run));
    }
    let sig = Signature { inputs, ..unit.function.sig.clone() };
    unit.emit_function(&sig, None, &quote!(#callsite #before #run))
}

/// Calls the body of a function that returns a future or a stream: in a closure, so that an early
/// `return` returns it to the wrapper.
///
/// The output of an `impl Future` and the items of an `impl Stream` are named, as the signature
/// names them: `?` in an `async` block has no other type annotation.
pub(super) fn call_of_body(unit: &Expansion<'_>, shape: Shape, body: &TokenStream) -> TokenStream {
    if shape == Shape::Opaque {
        let output = unit.function.outcome(shape).map(without_impl_trait);
        let output = output.map_or_else(|| quote!(_), |output| output.to_token_stream());
        return quote!(__hub::future_of::<#output, _, _>(move || { #body }));
    }
    if shape == Shape::Stream
        && let Some(streamed) = unit.function.streamed(unit.arguments.declared())
        && !streamed.in_result
        && !streamed.is_boxed
    {
        let item = stream::item_type(&streamed);
        return quote!(__hub::stream_of::<#item, _, _>(move || { #body }));
    }
    let output = closure_output(unit);
    quote!((move || #output { #body })())
}

/// Wraps the expansion of an `async fn` by `async_trait`: `{ Box::pin(async move { … }) }`. The
/// unit begins inside that block: the arguments are evaluated on the first poll, as in an `async
/// fn`. Returns `None` for any other body.
fn async_trait(unit: &Expansion<'_>) -> Option<TokenStream> {
    let body = unit.function.body.as_ref()?;
    let trees: Vec<TokenTree> = body.stream().into_iter().collect();
    let (last, path) = trees.split_last()?;
    let is_path = path.iter().all(|tree| matches!(tree, TokenTree::Ident(_)) || is_colon(tree));
    let TokenTree::Group(parentheses) = last else { return None };
    let inside: Vec<TokenTree> = parentheses.stream().into_iter().collect();
    let [TokenTree::Ident(asyncness), TokenTree::Ident(moving), TokenTree::Group(block)] =
        inside.as_slice()
    else {
        return None;
    };
    let pins =
        path.last().is_some_and(|tree| matches!(tree, TokenTree::Ident(name) if name == "pin"));
    if !(is_path
        && pins
        && asyncness == "async"
        && moving == "move"
        && block.delimiter() == Delimiter::Brace)
    {
        return None;
    }
    let callsite = unit.callsite(unit.is_deferred());
    // `async_trait` moves the parameters itself, at the top of the block.
    let none = TokenStream::new();
    let admit = unit.function.outcome(Shape::AsyncTrait).map(|output| unit.admit_output(output));
    let block = block.stream();
    let future = unit.run_call(&unit.unit_future(none.clone(), none, quote!(#admit #block)));
    Some(unit.emit_function(&unit.function.sig, None, &quote!(#callsite __hub::boxed(#future))))
}

fn is_colon(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ':')
}

/// The user's block with its type. `return` in an `async` block has no other type annotation, so
/// that `&String` would not coerce to `&str`.
fn typed_body(unit: &Expansion<'_>) -> TokenStream {
    let (admit, body) = (unit.admit_statement(), unit.body_block());
    match unit.function.output() {
        Output::Type(output) => {
            let output = without_impl_trait(output);
            quote! {
                if false { return __hub::typed::<#output>(); }
                #admit
                #body
            }
        }
        Output::Unit | Output::Unnamed | Output::Never => body,
    }
}

/// `-> T` for the closure around the body, if the type can be written.
pub(super) fn closure_output(unit: &Expansion<'_>) -> TokenStream {
    match unit.function.output() {
        Output::Type(output) => {
            let output = without_impl_trait(output);
            quote!(-> #output)
        }
        Output::Never => unit.function.sig.output.to_token_stream(),
        Output::Unit => quote!(-> ()),
        Output::Unnamed => quote!(),
    }
}

fn timeout_ident() -> Ident {
    Ident::new("__timeout", Span::mixed_site())
}

impl Expansion<'_> {
    /// The user's braces inside a `match`, because rustc warns about unnecessary braces elsewhere.
    pub(super) fn body_block(&self) -> TokenStream {
        let body = &self.function.body;
        quote!(match () { () => #body })
    }

    /// `async move { … }` with the captured parameters, the start of the unit and the body.
    ///
    /// With a timeout, the body is a future of its own, and `moves` moves the parameters into it.
    /// The timeout is evaluated outside of it, because its expression may use the parameters.
    fn unit_future(
        &self,
        captures: TokenStream,
        moves: TokenStream,
        body: TokenStream,
    ) -> TokenStream {
        let open = self.open_statement(self.is_deferred());
        let Some(expression) = self.arguments.expression(Arg::Timeout) else {
            return match self.refusable_item() {
                None => quote!(async move { #captures #open #body }),
                // The wrapper yields the error of a call that is refused.
                Some(item) => quote!(async move {
                    #captures #open
                    if (&&__hub::Refusal::<#item>::new()).hub_otel_admit().is_some() {
                        return __hub::None;
                    }
                    __hub::Some(async move { #moves #body }.await)
                }),
            };
        };
        let timeout = self.timeout_statement(expression);
        let limited = self.wrap_in_timeout(quote!(async move { #moves #body }));
        quote!(async move { #captures #timeout #open #limited.await })
    }

    /// The call of the runtime that runs the future.
    fn run_call(&self, future: &TokenStream) -> TokenStream {
        let run = self.run_of(future, self.function.output());
        if self.arguments.has(Arg::Boxed) { quote!(__hub::boxed(#run)) } else { run }
    }

    /// The same without `boxed`. If the future returns a stream, the unit ends with the stream.
    fn run_of(&self, future: &TokenStream, output: Output<'_>) -> TokenStream {
        match self.function.streamed(self.arguments.declared()) {
            None => {
                let classify = classifier::classify_closure(self, output);
                quote!(__hub::run(&__CALLSITE, #future, #classify))
            }
            Some(streamed) => {
                let closures = stream::streaming_closures(self, &streamed);
                quote!(__hub::run_streaming(&__CALLSITE, #future, #closures))
            }
        }
    }

    /// Statement that starts the unit at the beginning of the body.
    fn open_statement(&self, deferred: bool) -> TokenStream {
        if !deferred {
            return TokenStream::new();
        }
        let unit = Ident::new("__unit", Span::mixed_site());
        let (describe, fields) = (self.dynamic_identity(), self.fields_closure());
        let begin = quote!(#unit #describe.begin(#fields));
        let begin = match self.arguments.expression(Arg::Enabled) {
            Some(condition) => quote!(if #condition { #begin } else { #unit.skip() }),
            None => begin,
        };
        quote!(__hub::open(|#unit| #begin);)
    }

    /// Prepares the unit at the call, for a future or a stream that the user's code creates.
    pub(super) fn prepare_call(&self) -> TokenStream {
        let unit = Ident::new("__unit", Span::mixed_site());
        let (describe, fields) = (self.dynamic_identity(), self.fields_closure());
        let prepare = quote!(__hub::prepare(&__CALLSITE, |#unit| #unit #describe.prepare(#fields)));
        match self.arguments.expression(Arg::Enabled) {
            Some(condition) => quote!(__hub::when(#condition, || #prepare)),
            None => prepare,
        }
    }

    /// Statement that evaluates the timeout.
    pub(super) fn timeout_statement(&self, expression: &Expr) -> TokenStream {
        let timeout = timeout_ident();
        quote!(let #timeout: __hub::Duration = #expression;)
    }

    /// Limits a future or a stream to the value of
    /// [`timeout_statement`](Self::timeout_statement).
    pub(super) fn wrap_in_timeout(&self, future: TokenStream) -> TokenStream {
        // The future gets the argument's span, so that rustc reports an output without an error
        // type there.
        let (timeout, span) = (timeout_ident(), self.timeout_span());
        let future: TokenStream = future
            .into_iter()
            .map(|mut tree| {
                tree.set_span(span);
                tree
            })
            .collect();
        let is_stream = self.function.shape(self.arguments.declared()) == Shape::Stream;
        let limit = if is_stream {
            quote_spanned!(span=> __hub::limit_stream)
        } else {
            quote_spanned!(span=> __hub::limit)
        };
        quote!(#limit(#timeout, #future))
    }

    fn timeout_span(&self) -> Span {
        let argument = self
            .arguments
            .get(Arg::Timeout)
            .map_or_else(Span::call_site, |argument| argument.span());
        Span::call_site().located_at(argument)
    }

    /// Emits the function with another signature and body.
    pub(super) fn emit_function(
        &self,
        sig: &Signature,
        arrow: Option<TokenStream>,
        body: &TokenStream,
    ) -> TokenStream {
        let mut tokens = TokenStream::new();
        let attrs = lints::of_function(&self.function.attrs);
        self.function.head_to_tokens(&attrs, &mut tokens);
        match arrow {
            None => sig.to_tokens(&mut tokens),
            Some(arrow) => {
                let mut head = sig.clone();
                let bounds = head.generics.where_clause.take();
                head.output = ReturnType::Default;
                head.to_tokens(&mut tokens);
                arrow.to_tokens(&mut tokens);
                bounds.to_tokens(&mut tokens);
            }
        }
        let mut block = Group::new(Delimiter::Brace, body.clone());
        block.set_span(Span::call_site());
        block.to_tokens(&mut tokens);
        tokens
    }
}

//! `#[derive(Label)]` and `#[derive(ErrorType)]`: a stable identifier for each variant, fixed at
//! compile time.

use crate::errors::{Errors, nearest_name, quoted_list};
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DataEnum, DeriveInput, Fields, LitStr, Path, Token, Variant};

/// One of the two derives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Derive {
    Label,
    ErrorType,
}

impl Derive {
    fn name(self) -> &'static str {
        match self {
            Self::Label => "Label",
            Self::ErrorType => "ErrorType",
        }
    }

    /// HubOptions of `#[hub(…)]` on a variant, or on a struct, which counts as one variant.
    fn variant_options(self) -> &'static [&'static str] {
        match self {
            Self::Label => &["rename"],
            Self::ErrorType => &["rename", "timed_out", "transparent"],
        }
    }

    /// HubOptions of `#[hub(…)]` on the type.
    fn type_options(self, is_enum: bool) -> Vec<&'static str> {
        let mut options = vec!["crate"];
        if !is_enum {
            options.extend(self.variant_options());
        }
        options
    }
}

/// Parsed options of `#[hub(…)]`.
#[derive(Default)]
struct HubOptions {
    rename: Option<LitStr>,
    timed_out: Option<Ident>,
    transparent: Option<Ident>,
    crate_path: Option<Path>,
}

/// Writes `impl Label for …`.
pub(crate) fn derive_label(input: &DeriveInput) -> TokenStream {
    let errors = Errors::default();
    let options =
        parse_options(Derive::Label, &input.attrs, &Derive::Label.type_options(true), &errors);
    let Data::Enum(data) = &input.data else {
        errors.add(
            &input.ident,
            "`Label` can be derived only for an enum: a label has a closed set of values",
        );
        return errors.into_tokens();
    };
    let runtime = runtime_path(options.crate_path.as_ref());
    let mut seen = Vec::new();
    let arms: TokenStream = data
        .variants
        .iter()
        .map(|variant| {
            if !matches!(variant.fields, Fields::Unit) {
                let message =
                    "a variant of a `Label` cannot hold data: a label has a closed set of values";
                errors.add(&variant.fields, message);
            }
            let options = parse_options(
                Derive::Label,
                &variant.attrs,
                Derive::Label.variant_options(),
                &errors,
            );
            let value = variant_identifier(&variant.ident, &options, &mut seen, &errors);
            let name = &variant.ident;
            quote!(Self::#name { .. } => #runtime::LabelValue::Text(#value),)
        })
        .collect();
    if !errors.is_empty() {
        return errors.into_tokens();
    }
    let (name, (impl_generics, type_generics, bounds)) =
        (&input.ident, input.generics.split_for_impl());
    let body = match_variants(data, arms);
    quote! {
        #[automatically_derived]
        impl #impl_generics #runtime::Label for #name #type_generics #bounds {
            fn label(&self) -> #runtime::LabelValue { #body }
        }
    }
}

/// Writes `impl ErrorType for …`.
pub(crate) fn derive_error_type(input: &DeriveInput) -> TokenStream {
    let errors = Errors::default();
    let is_enum = matches!(input.data, Data::Enum(_));
    let options = parse_options(
        Derive::ErrorType,
        &input.attrs,
        &Derive::ErrorType.type_options(is_enum),
        &errors,
    );
    let runtime = runtime_path(options.crate_path.as_ref());
    let mut seen = Vec::new();
    let (names, timeouts) = match &input.data {
        Data::Enum(data) => {
            let arms = data
                .variants
                .iter()
                .map(|variant| variant_arms(variant, &runtime, &mut seen, &errors));
            let (names, timeouts): (TokenStream, TokenStream) = arms.unzip();
            let names = match_variants(data, names);
            let timeouts = match_variants(data, timeouts);
            (names, timeouts)
        }
        Data::Struct(data) => {
            let (names, timeouts) = match_arms(
                &input.ident,
                &data.fields,
                &options,
                quote!(Self),
                &runtime,
                &mut seen,
                &errors,
            );
            (quote!(match self { #names }), quote!(match self { #timeouts }))
        }
        Data::Union(data) => {
            errors.add(data.union_token, "`ErrorType` can be derived only for an enum or a struct");
            (TokenStream::new(), TokenStream::new())
        }
    };
    if !errors.is_empty() {
        return errors.into_tokens();
    }
    let (name, (impl_generics, type_generics, bounds)) =
        (&input.ident, input.generics.split_for_impl());
    quote! {
        #[automatically_derived]
        impl #impl_generics #runtime::ErrorType for #name #type_generics #bounds {
            fn error_type(&self) -> #runtime::Cow<'static, ::core::primitive::str> { #names }
            fn timed_out(&self) -> ::core::primitive::bool { #timeouts }
            fn error_source(
                &self,
            ) -> ::core::option::Option<&(dyn ::core::error::Error + 'static)> {
                use #runtime::via::*;
                (&&#runtime::ErrorValue(self)).hub_otel_source()
            }
        }
    }
}

fn variant_arms(
    variant: &Variant,
    runtime: &TokenStream,
    seen: &mut Vec<String>,
    errors: &Errors,
) -> (TokenStream, TokenStream) {
    let options = parse_options(
        Derive::ErrorType,
        &variant.attrs,
        Derive::ErrorType.variant_options(),
        errors,
    );
    let name = &variant.ident;
    match_arms(name, &variant.fields, &options, quote!(Self::#name), runtime, seen, errors)
}

/// Match arms of `error_type` and of `timed_out` for one variant, or for a struct.
fn match_arms(
    name: &Ident,
    fields: &Fields,
    options: &HubOptions,
    pattern: TokenStream,
    runtime: &TokenStream,
    seen: &mut Vec<String>,
    errors: &Errors,
) -> (TokenStream, TokenStream) {
    let Some(transparent) = &options.transparent else {
        let value = variant_identifier(name, options, seen, errors);
        let timed_out = options.timed_out.is_some();
        return (
            quote!(#pattern { .. } => #runtime::Cow::Borrowed(#value),),
            quote!(#pattern { .. } => #timed_out,),
        );
    };
    if options.rename.is_some() || options.timed_out.is_some() {
        errors.add(
            transparent,
            "`transparent` excludes `rename` and `timed_out`: both come from the inner error",
        );
    }
    let inner = match fields.iter().next() {
        Some(field) if fields.len() == 1 => match &field.ident {
            Some(name) => quote!(#name: inner),
            None => quote!(0: inner),
        },
        _ => {
            errors.add(transparent, "`transparent` needs exactly one field, the inner error");
            TokenStream::new()
        }
    };
    (
        quote!(#pattern { #inner } => #runtime::ErrorType::error_type(inner),),
        quote!(#pattern { #inner } => #runtime::ErrorType::timed_out(inner),),
    )
}

/// Match over all variants. An enum without variants has to be matched by value.
fn match_variants(data: &DataEnum, arms: TokenStream) -> TokenStream {
    if data.variants.is_empty() { quote!(match *self {}) } else { quote!(match self { #arms }) }
}

/// Identifier of a variant: `rename`, or its name in snake case. Unique in its type.
fn variant_identifier(
    name: &Ident,
    options: &HubOptions,
    seen: &mut Vec<String>,
    errors: &Errors,
) -> LitStr {
    let value = match &options.rename {
        Some(rename) => rename.clone(),
        None => LitStr::new(&snake_case(&name.unraw().to_string()), name.span()),
    };
    let identifier = value.value();
    if identifier.is_empty() || identifier.chars().any(char::is_whitespace) {
        errors.add(
            &value,
            format_args!(
                "invalid identifier `{identifier}`: write a word without whitespace, such as \
                 `rate_limited`"
            ),
        );
    }
    if seen.contains(&identifier) {
        errors.add(
            &value,
            format_args!(
                "duplicate identifier `{identifier}`; set another one with `#[hub(rename = \"…\")]`"
            ),
        );
    }
    seen.push(identifier);
    value
}

fn parse_options(
    derive: Derive,
    attrs: &[Attribute],
    choices: &[&'static str],
    errors: &Errors,
) -> HubOptions {
    let mut options = HubOptions::default();
    for attribute in attrs.iter().filter(|attribute| attribute.path().is_ident("hub")) {
        let parsed =
            attribute.parse_args_with(Punctuated::<HubOption, Token![,]>::parse_terminated);
        match parsed {
            Ok(parsed) => parsed
                .into_iter()
                .for_each(|option| set_option(derive, option, choices, &mut options, errors)),
            Err(error) => errors.push(error),
        }
    }
    options
}

/// One option of `#[hub(…)]` with its value.
struct HubOption {
    name: Ident,
    string: Option<LitStr>,
    path: Option<Path>,
}

impl syn::parse::Parse for HubOption {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        let (mut string, mut path) = (None, None);
        if input.parse::<Option<Token![=]>>()?.is_some() {
            if input.peek(LitStr) {
                string = Some(input.parse()?);
            } else {
                path = Some(input.call(Path::parse_mod_style)?);
            }
        }
        Ok(Self { name, string, path })
    }
}

fn set_option(
    derive: Derive,
    option: HubOption,
    choices: &[&'static str],
    options: &mut HubOptions,
    errors: &Errors,
) {
    let HubOption { name, string, path } = option;
    let word = name.to_string();
    if !choices.contains(&word.as_str()) {
        let expected = quoted_list(choices.iter().copied());
        // Both derives read `#[hub(…)]`: an option of `ErrorType` is no error of `Label` on the
        // same type.
        if derive == Derive::Label && ["timed_out", "transparent"].contains(&word.as_str()) {
            return;
        }
        let suggestion = nearest_name(&word, choices.iter().copied())
            .map_or_else(|| ";".to_owned(), |near| format!("; did you mean `{near}`?"));
        errors.add(
            &name,
            format_args!(
                "unknown option `{word}` of `{}`{suggestion} expected one of {expected}",
                derive.name()
            ),
        );
        return;
    }
    match (word.as_str(), string, path) {
        ("rename", Some(string), _) => {
            reject_duplicate(&name, options.rename.replace(string).is_some(), errors)
        }
        ("rename", None, _) => {
            errors.add(&name, "`rename` takes a string: write `rename = \"identifier\"`")
        }
        ("crate", _, Some(path)) => {
            reject_duplicate(&name, options.crate_path.replace(path).is_some(), errors)
        }
        ("crate", ..) => {
            errors.add(&name, "`crate` takes a path: write `crate = path::to::hub_otel`")
        }
        (_, None, None) if word == "timed_out" => {
            reject_duplicate(&name, options.timed_out.replace(name.clone()).is_some(), errors);
        }
        (_, None, None) => {
            reject_duplicate(&name, options.transparent.replace(name.clone()).is_some(), errors)
        }
        _ => errors.add(&name, format_args!("`{word}` takes no value: write `{word}`")),
    }
}

fn reject_duplicate(name: &Ident, is_duplicate: bool, errors: &Errors) {
    if is_duplicate {
        errors.add(name, format_args!("duplicate option `{name}`; keep one of them"));
    }
}

fn runtime_path(crate_path: Option<&Path>) -> TokenStream {
    match crate_path {
        Some(path) => quote!(#path::__private),
        None => quote!(::hub_otel::__private),
    }
}

/// `RateLimited` → `rate_limited`, `HTTPError` → `http_error`, `Http2Error` → `http2_error`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| letters.get(before));
        let next_is_lower = letters.get(index + 1).is_some_and(|next| next.is_lowercase());
        let starts_word = letter.is_uppercase()
            && before
                .is_some_and(|before| *before != '_' && (!before.is_uppercase() || next_is_lower));
        if starts_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn names_convert_to_snake_case() {
        for (name, snake) in [
            ("RateLimited", "rate_limited"),
            ("HTTPError", "http_error"),
            ("Http2Error", "http2_error"),
            ("Io", "io"),
            ("already_snake", "already_snake"),
            ("IOError", "io_error"),
            ("A", "a"),
        ] {
            assert_eq!(snake_case(name), snake);
        }
    }
}

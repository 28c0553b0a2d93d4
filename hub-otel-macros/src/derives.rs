//! `#[derive(Label)]` and `#[derive(ErrorType)]`: a variant becomes a stable identifier, decided at compile time.

use crate::errors::{Errors, nearest_name, quoted_list};
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DataEnum, DeriveInput, Fields, LitStr, Path, Token, Variant};

/// Which of the two.
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

    /// What `#[hub(…)]` may say on a variant (or on a struct, which is a type of one variant).
    fn on_variant(self) -> &'static [&'static str] {
        match self {
            Self::Label => &["rename"],
            Self::ErrorType => &["rename", "timed_out", "transparent"],
        }
    }

    /// What it may say on the type.
    fn on_type(self, is_enum: bool) -> Vec<&'static str> {
        let mut options = vec!["crate"];
        if !is_enum {
            options.extend(self.on_variant());
        }
        options
    }
}

/// What `#[hub(…)]` says.
#[derive(Default)]
struct Options {
    rename: Option<LitStr>,
    timed_out: Option<Ident>,
    transparent: Option<Ident>,
    root: Option<Path>,
}

/// `impl Label for …`
pub(crate) fn label(input: &DeriveInput) -> TokenStream {
    let errors = Errors::default();
    let options = options(Derive::Label, &input.attrs, &Derive::Label.on_type(true), &errors);
    let Data::Enum(data) = &input.data else {
        errors.at(
            &input.ident,
            "`Label` is for enums of plain variants: a label has a closed set of values",
        );
        return errors.into_tokens();
    };
    let root = runtime(options.root.as_ref());
    let mut seen = Vec::new();
    let arms: TokenStream = data
        .variants
        .iter()
        .map(|variant| {
            if !matches!(variant.fields, Fields::Unit) {
                let message =
                    "a variant of a label holds no data: a label has a closed set of values";
                errors.at(&variant.fields, message);
            }
            let options =
                self::options(Derive::Label, &variant.attrs, Derive::Label.on_variant(), &errors);
            let value = identifier(&variant.ident, &options, &mut seen, &errors);
            let name = &variant.ident;
            quote!(Self::#name { .. } => #root::LabelValue::Text(#value),)
        })
        .collect();
    if !errors.is_empty() {
        return errors.into_tokens();
    }
    let (name, (impl_generics, type_generics, bounds)) =
        (&input.ident, input.generics.split_for_impl());
    let body = body(data, arms);
    quote! {
        #[automatically_derived]
        impl #impl_generics #root::Label for #name #type_generics #bounds {
            fn label(&self) -> #root::LabelValue { #body }
        }
    }
}

/// `impl ErrorType for …`
pub(crate) fn error_type(input: &DeriveInput) -> TokenStream {
    let errors = Errors::default();
    let is_enum = matches!(input.data, Data::Enum(_));
    let options =
        options(Derive::ErrorType, &input.attrs, &Derive::ErrorType.on_type(is_enum), &errors);
    let root = runtime(options.root.as_ref());
    let mut seen = Vec::new();
    let (names, deadlines) = match &input.data {
        Data::Enum(data) => {
            let arms = data
                .variants
                .iter()
                .map(|variant| variant_arms(variant, &root, &mut seen, &errors));
            let (names, deadlines): (TokenStream, TokenStream) = arms.unzip();
            let names = body(data, names);
            let deadlines = body(data, deadlines);
            (names, deadlines)
        }
        Data::Struct(data) => {
            let (names, deadlines) =
                arms(&input.ident, &data.fields, &options, quote!(Self), &root, &mut seen, &errors);
            (quote!(match self { #names }), quote!(match self { #deadlines }))
        }
        Data::Union(data) => {
            errors.at(data.union_token, "`ErrorType` is for enums and structs");
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
        impl #impl_generics #root::ErrorType for #name #type_generics #bounds {
            fn error_type(&self) -> &'static ::core::primitive::str { #names }
            fn timed_out(&self) -> ::core::primitive::bool { #deadlines }
        }
    }
}

fn variant_arms(
    variant: &Variant,
    root: &TokenStream,
    seen: &mut Vec<String>,
    errors: &Errors,
) -> (TokenStream, TokenStream) {
    let options =
        options(Derive::ErrorType, &variant.attrs, Derive::ErrorType.on_variant(), errors);
    let name = &variant.ident;
    arms(name, &variant.fields, &options, quote!(Self::#name), root, seen, errors)
}

/// The arms of `error_type` and of `timed_out` for one variant, or for a struct.
fn arms(
    name: &Ident,
    fields: &Fields,
    options: &Options,
    pattern: TokenStream,
    root: &TokenStream,
    seen: &mut Vec<String>,
    errors: &Errors,
) -> (TokenStream, TokenStream) {
    let Some(transparent) = &options.transparent else {
        let value = identifier(name, options, seen, errors);
        let timed_out = options.timed_out.is_some();
        return (quote!(#pattern { .. } => #value,), quote!(#pattern { .. } => #timed_out,));
    };
    if options.rename.is_some() || options.timed_out.is_some() {
        errors.at(transparent, "`transparent` takes both from the inner error; it stands alone");
    }
    let inner = match fields.iter().next() {
        Some(field) if fields.len() == 1 => match &field.ident {
            Some(name) => quote!(#name: inner),
            None => quote!(0: inner),
        },
        _ => {
            errors.at(transparent, "`transparent` needs exactly one field, the inner error");
            TokenStream::new()
        }
    };
    (
        quote!(#pattern { #inner } => #root::ErrorType::error_type(inner),),
        quote!(#pattern { #inner } => #root::ErrorType::timed_out(inner),),
    )
}

/// `match` of a reference to an enum without variants needs the place itself.
fn body(data: &DataEnum, arms: TokenStream) -> TokenStream {
    if data.variants.is_empty() { quote!(match *self {}) } else { quote!(match self { #arms }) }
}

/// The identifier of a variant: `rename`, else its name in snake case; unique in its type.
fn identifier(name: &Ident, options: &Options, seen: &mut Vec<String>, errors: &Errors) -> LitStr {
    let value = match &options.rename {
        Some(rename) => rename.clone(),
        None => LitStr::new(&snake_case(&name.unraw().to_string()), name.span()),
    };
    let text = value.value();
    if text.is_empty() || text.chars().any(char::is_whitespace) {
        errors.at(&value, "an identifier is a word like `rate_limited`, without blanks");
    }
    if seen.contains(&text) {
        errors.at(&value, format_args!("`{text}` is already another variant's identifier"));
    }
    seen.push(text);
    value
}

fn options(
    derive: Derive,
    attrs: &[Attribute],
    choices: &[&'static str],
    errors: &Errors,
) -> Options {
    let mut options = Options::default();
    for attribute in attrs.iter().filter(|attribute| attribute.path().is_ident("hub")) {
        let parsed = attribute.parse_args_with(Punctuated::<One, Token![,]>::parse_terminated);
        match parsed {
            Ok(parsed) => {
                parsed.into_iter().for_each(|one| take(derive, one, choices, &mut options, errors))
            }
            Err(error) => errors.push(error),
        }
    }
    options
}

/// One option and what follows its name.
struct One {
    name: Ident,
    text: Option<LitStr>,
    path: Option<Path>,
}

impl syn::parse::Parse for One {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        let (mut text, mut path) = (None, None);
        if input.parse::<Option<Token![=]>>()?.is_some() {
            if input.peek(LitStr) {
                text = Some(input.parse()?);
            } else {
                path = Some(input.call(Path::parse_mod_style)?);
            }
        }
        Ok(Self { name, text, path })
    }
}

fn take(
    derive: Derive,
    one: One,
    choices: &[&'static str],
    options: &mut Options,
    errors: &Errors,
) {
    let One { name, text, path } = one;
    let word = name.to_string();
    if !choices.contains(&word.as_str()) {
        let expected = quoted_list(choices.iter().copied());
        // `#[hub(…)]` serves both derives: what the other one reads is not a mistake of this one.
        if derive == Derive::Label && ["timed_out", "transparent"].contains(&word.as_str()) {
            return;
        }
        let hint = nearest_name(&word, choices.iter().copied())
            .map_or_else(|| ";".to_owned(), |near| format!("; did you mean `{near}`?"));
        let place = derive.name();
        errors.at(
            &name,
            format_args!("unknown option `{word}`{hint} `{place}` takes {expected} here"),
        );
        return;
    }
    match (word.as_str(), text, path) {
        ("rename", Some(text), _) => twice(&name, options.rename.replace(text).is_some(), errors),
        ("rename", None, _) => {
            errors.at(&name, "`rename` takes a string: write `rename = \"identifier\"`")
        }
        ("crate", _, Some(path)) => twice(&name, options.root.replace(path).is_some(), errors),
        ("crate", ..) => {
            errors.at(&name, "`crate` takes a path: write `crate = path::to::hub_otel`")
        }
        (_, None, None) if word == "timed_out" => {
            twice(&name, options.timed_out.replace(name.clone()).is_some(), errors);
        }
        (_, None, None) => {
            twice(&name, options.transparent.replace(name.clone()).is_some(), errors)
        }
        _ => errors.at(&name, format_args!("`{word}` takes no value")),
    }
}

fn twice(name: &Ident, given: bool, errors: &Errors) {
    if given {
        errors.at(name, format_args!("`{name}` is given twice; keep one of them"));
    }
}

fn runtime(root: Option<&Path>) -> TokenStream {
    match root {
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
    fn identifiers_are_the_snake_case_that_a_person_would_write() {
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

//! The attributes where nothing that generated code might lean on means what it usually does.

#[no_implicit_prelude]
#[expect(
    dead_code,
    non_camel_case_types,
    non_upper_case_globals,
    unused_macros,
    reason = "names that an expansion could want, there to be in its way"
)]
pub(crate) mod shadowed {
    // The user's own items of names that an expansion could want.
    pub(crate) struct Option;
    pub(crate) struct Result<T>(pub(crate) T);
    pub(crate) struct String;
    pub(crate) struct Box;
    pub(crate) struct Some;
    pub(crate) struct None;
    pub(crate) struct Ok;
    pub(crate) struct Err;
    pub(crate) struct str;
    pub(crate) struct bool_;
    pub(crate) struct Site;
    pub(crate) struct Text;
    pub(crate) struct Duration;
    pub(crate) trait Future {}
    pub(crate) trait Fn {}
    pub(crate) trait FnOnce {}
    pub(crate) trait Send {}
    pub(crate) mod core {}
    pub(crate) mod std {}
    pub(crate) mod alloc {}
    pub(crate) mod hub_otel {}
    pub(crate) mod private {}
    pub(crate) mod __private {}
    pub(crate) const SITE: u32 = 7;
    pub(crate) const value: u32 = 1;
    pub(crate) const closing: u32 = 2;
    pub(crate) const error: u32 = 3;
    pub(crate) const fields: u32 = 4;
    pub(crate) const unit: u32 = 5;
    pub(crate) const hint: u32 = 6;
    macro_rules! panic {
        ($($tokens:tt)*) => {
            ::core::compile_error!("the expansion used a macro of the user's");
        };
    }
    macro_rules! unreachable {
        ($($tokens:tt)*) => {
            ::core::compile_error!("the expansion used a macro of the user's");
        };
    }

    #[::hub_otel::instrument_workflow]
    pub(crate) async fn plain() -> u32 {
        SITE + value + closing + error + fields + unit + hint
    }

    #[::hub_otel::instrument_workflow(
        id = id, name = "n", run_id = number, trigger = id,
        fields(id, number, "k" = %number, d = ?number), labels(yes = true),
        ret(|out| out = *out), span_name = "x", enabled = number < 3,
    )]
    pub(crate) async fn arguments(
        id: &::core::primitive::str,
        number: u32,
    ) -> ::core::result::Result<u32, ::std::string::String> {
        if number == 2 {
            return ::core::result::Result::Err(::std::string::String::new());
        }
        ::core::result::Result::Ok(number)
    }

    #[::hub_otel::instrument_agent(timeout = ::std::time::Duration::from_secs(9))]
    pub(crate) async fn limited() -> ::core::result::Result<u32, ::hub_otel::TimedOut> {
        ::core::result::Result::Ok(1)
    }

    #[::hub_otel::instrument_agent(id = id)]
    pub(crate) fn synchronous(id: u32) -> ::core::option::Option<u32> {
        ::core::option::Option::Some(id)
    }

    #[::hub_otel::instrument_agent(id = id, boxed)]
    pub(crate) fn returns_a_future(id: u32) -> impl ::core::future::Future<Output = u32> {
        async move { id }
    }

    #[derive(::hub_otel::Label)]
    pub(crate) enum Size {
        Small,
    }

    #[derive(::hub_otel::ErrorType)]
    pub(crate) enum Mistake {
        Slip,
    }

    pub(crate) struct Worker;

    #[::hub_otel::instrument_agent]
    impl Worker {
        pub(crate) async fn work(&self) -> u32 {
            1
        }
    }
}

/// Functions that a user's macro writes: its names and the caller's stay apart.
mod by_macro {
    macro_rules! units {
        ($name:ident, $argument:ident: $type:ty, $output:ty, $body:expr) => {
            #[hub_otel::instrument_workflow(id = $argument, fields($argument, twice = $argument * 2))]
            pub(crate) async fn $name($argument: $type, inner: u32) -> $output {
                let value = $body;
                value + inner
            }
        };
    }
    units!(unit, number: u32, u32, number + 1);
    units!(_hidden, _number: u32, u32, 1);

    macro_rules! methods {
        ($type:ident { $($name:ident),* }) => {
            pub(crate) struct $type(pub(crate) u32);
            #[hub_otel::instrument_agent(id = "worker")]
            impl $type {
                $(pub(crate) async fn $name(&self) -> u32 { self.0 })*
            }
        };
    }
    methods!(Worker { first, second });

    /// A body, a type, a visibility and a whole item that arrive in invisible groups.
    macro_rules! groups {
        ($visibility:vis $name:ident $body:block -> $output:ty; $item:item) => {
            #[hub_otel::instrument_workflow]
            $visibility async fn $name() -> $output $body
            #[hub_otel::instrument_workflow]
            $item
        };
    }
    groups!(pub(crate) grouped { Ok(1) } -> Result<u32, String>; pub(crate) async fn whole() -> u32 { 2 });
}

/// The runtime under another name.
mod renamed {
    pub(crate) mod inner {
        pub(crate) use ::hub_otel as telemetry;
    }

    #[::hub_otel::instrument_workflow(crate = inner::telemetry, id = number)]
    pub(crate) async fn renamed(number: u32) -> u32 {
        number
    }

    #[derive(hub_otel::Label)]
    #[hub(crate = inner::telemetry)]
    pub(crate) enum Size {
        Small,
    }
}

#[tokio::test]
async fn nothing_of_the_users_is_taken_for_ours() {
    assert_eq!(shadowed::plain().await, 28);
    assert_eq!(shadowed::arguments("a", 1).await, Ok(1));
    assert_eq!(shadowed::arguments("a", 2).await, Err(String::new()));
    assert!(shadowed::limited().await.is_ok());
    assert_eq!(shadowed::synchronous(1), Some(1));
    assert_eq!(shadowed::returns_a_future(2).await + shadowed::Worker.work().await, 3);
    assert_eq!(hub_otel::Label::label(&shadowed::Size::Small), hub_otel::LabelValue::Text("small"));
    assert_eq!(hub_otel::ErrorType::error_type(&shadowed::Mistake::Slip), "slip");
}

#[tokio::test]
async fn names_of_a_users_macro_stay_apart_from_the_callers() {
    assert_eq!(by_macro::unit(1, 2).await + by_macro::_hidden(1, 2).await, 7);
    assert_eq!(by_macro::grouped().await.unwrap_or(0) + by_macro::whole().await, 3);
    let worker = by_macro::Worker(1);
    assert_eq!(worker.first().await + worker.second().await, 2);
}

#[tokio::test]
async fn the_runtime_is_found_under_another_name() {
    assert_eq!(renamed::renamed(3).await, 3);
    assert_eq!(hub_otel::Label::label(&renamed::Size::Small), hub_otel::LabelValue::Text("small"));
}

//! Propagators of the application, beside W3C's.

use super::run;

#[test]
fn a_propagator_writes_and_reads_wherever_the_trace_context_is() {
    run("propagators::case::beside_w3c", &[("OTEL_LOGS_EXPORTER", "none")]);
}

#[test]
fn without_w3c_the_propagator_alone_carries_the_trace() {
    run(
        "propagators::case::alone",
        &[("OTEL_PROPAGATORS", "none"), ("OTEL_LOGS_EXPORTER", "none")],
    );
}

mod case {
    use hub_otel::otel::opentelemetry::propagation::text_map_propagator::FieldIter;
    use hub_otel::otel::opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
    use hub_otel::otel::opentelemetry::trace::{
        SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
    };
    use hub_otel::otel::opentelemetry::{Context, global};
    use hub_otel::otel::{TelemetryBuilderExt, context_of};
    use hub_otel::propagation::{extract, extract_run, inject, to_env};
    use hub_otel::{Telemetry, workflow};
    use std::collections::HashMap;
    use std::sync::LazyLock;

    /// A value that a propagator of the application reads.
    #[derive(Debug, Clone, PartialEq)]
    struct Tenant(String);

    /// One header: `<trace id>/<span id>/<tenant>`.
    #[derive(Debug)]
    struct OneHeader;

    const HEADER: &str = "x-trace";

    impl TextMapPropagator for OneHeader {
        fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
            let span = context.span().span_context().clone();
            let tenant = context.get::<Tenant>().map_or("none", |tenant| tenant.0.as_str());
            injector.set(HEADER, format!("{}/{}/{tenant}", span.trace_id(), span.span_id()));
        }

        fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
            let names = extractor.keys();
            let Some(value) = extractor.get(HEADER) else {
                assert!(!names.contains(&HEADER), "the names are those of the carrier");
                return context.clone();
            };
            assert!(names.contains(&HEADER), "{names:?}");
            let mut parts = value.split('/');
            let mut next = || parts.next().expect("a part");
            let span = SpanContext::new(
                TraceId::from_hex(next()).expect("an id"),
                SpanId::from_hex(next()).expect("an id"),
                TraceFlags::SAMPLED,
                true,
                TraceState::NONE,
            );
            context.with_remote_span_context(span).with_value(Tenant(next().to_owned()))
        }

        fn fields(&self) -> FieldIter<'_> {
            static FIELDS: LazyLock<Vec<String>> = LazyLock::new(|| vec![HEADER.to_owned()]);
            FieldIter::new(&FIELDS)
        }
    }

    /// A propagator that fails.
    #[derive(Debug)]
    struct Failing;

    impl TextMapPropagator for Failing {
        fn inject_context(&self, _: &Context, _: &mut dyn Injector) {
            panic!("inject");
        }
        fn extract_with_context(&self, _: &Context, _: &dyn Extractor) -> Context {
            panic!("extract");
        }
        fn fields(&self) -> FieldIter<'_> {
            panic!("fields");
        }
    }

    fn install() -> Telemetry {
        Telemetry::builder()
            .propagator(Failing)
            .propagator(OneHeader)
            .install()
            .expect("the install")
    }

    const REMOTE: &str = "0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331/acme";

    #[test]
    #[ignore = "runs in a child process"]
    fn beside_w3c() {
        let _telemetry = install();
        workflow("nightly").call(|| {
            let mut headers = HashMap::new();
            inject(&mut headers);
            let ids: Vec<_> = headers[HEADER].split('/').collect();
            let [trace, span, _] = ids[..] else { panic!("{headers:?}") };
            assert_eq!(headers["traceparent"], format!("00-{trace}-{span}-01"));

            let mut command = std::process::Command::new("worker");
            to_env(&mut command);
            let variables: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
            assert!(variables.iter().any(|name| name == "X_TRACE"), "{variables:?}");
        });
        let headers = HashMap::from([(HEADER.to_owned(), REMOTE.to_owned())]);
        let remote = extract(&headers);
        let span = context_of(&remote).span().span_context().clone();
        assert_eq!(span.span_id().to_string(), "b7ad6b7169203331");
        assert_eq!(context_of(&remote).get::<Tenant>(), None, "only the span is trusted");
        let trusted = extract_run(&headers);
        assert_eq!(context_of(&trusted).get::<Tenant>(), Some(&Tenant("acme".to_owned())));

        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01".to_owned();
        let both = HashMap::from([
            (HEADER.to_owned(), REMOTE.to_owned()),
            ("traceparent".to_owned(), traceparent),
        ]);
        let span = context_of(&extract(&both)).span().span_context().clone();
        assert_eq!(span.span_id().to_string(), "00f067aa0ba902b7", "W3C takes precedence");
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn alone() {
        let _telemetry = install();
        workflow("nightly").call(|| {
            let mut headers = HashMap::new();
            inject(&mut headers);
            assert_eq!(headers.keys().collect::<Vec<_>>(), [HEADER]);
        });
        let headers = HashMap::from([(HEADER.to_owned(), REMOTE.to_owned())]);
        assert!(context_of(&extract(&headers)).span().span_context().is_valid());
        let fields = global::get_text_map_propagator(|propagator| {
            propagator.fields().map(str::to_owned).collect::<Vec<_>>()
        });
        assert_eq!(fields, [HEADER], "the global propagator has it");
    }
}

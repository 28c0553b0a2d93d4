//! Cost of GenAI calls: prices, the sums on the spans of a run, calls without a price.
#![expect(clippy::disallowed_methods, reason = "attributes of another library")]

use crate::gen_ai_metrics::call_span;
use hub_otel::otel::opentelemetry::{KeyValue, Value};
use hub_otel::testing::{Capture, Metrics, capture};
use hub_otel::{Exporter, ModelPrice, Signal, Telemetry, agent, workflow};
use hub_otel_tests::scrape::Scrape;

/// Calls as the providers report them: input with cached tokens, cache read, cache write, output;
/// and their cost by the price lists of September 2026.
const CALLS: [(&str, &str, [i64; 4], &str); 20] = [
    ("openai", "gpt-4o-2024-08-06", [12000, 4000, 0, 850], "0.033500000"),
    ("openai", "gpt-4o-mini", [50000, 0, 0, 1200], "0.008220000"),
    ("openai", "gpt-4.1", [8000, 2048, 0, 512], "0.017024000"),
    ("openai", "gpt-4.1-mini", [100000, 25000, 0, 4000], "0.038900000"),
    ("openai", "gpt-4.1-nano", [1000, 0, 0, 100], "0.000140000"),
    ("openai", "o3", [5000, 1000, 0, 7000], "0.064500000"),
    ("openai", "o4-mini", [3000, 0, 0, 2500], "0.014300000"),
    ("openai", "gpt-5-2025-08-07", [20000, 16000, 0, 3000], "0.037000000"),
    ("openai", "gpt-5-mini", [9999, 0, 0, 333], "0.003165750"),
    ("openai", "text-embedding-3-small", [8191, 0, 0, 0], "0.000163820"),
    ("anthropic", "claude-sonnet-4-5-20250929", [30000, 20000, 5000, 1500], "0.062250000"),
    ("anthropic", "claude-opus-4-1-20250805", [10000, 0, 8000, 2000], "0.330000000"),
    ("anthropic", "claude-haiku-4-5-20251001", [100000, 90000, 0, 700], "0.022500000"),
    ("aws.bedrock", "amazon.nova-pro-v1:0", [40000, 0, 0, 900], "0.034880000"),
    ("gcp.gemini", "gemini-2.5-pro", [60000, 0, 0, 8000], "0.155000000"),
    ("gcp.vertex_ai", "gemini-2.5-flash", [60000, 30000, 0, 8000], "0.029900000"),
    ("mistral_ai", "codestral-2508", [7000, 0, 0, 300], "0.002370000"),
    ("groq", "llama-3.3-70b-versatile", [2000, 0, 0, 500], "0.001575000"),
    ("x_ai", "grok-4-0709", [15000, 5000, 0, 1000], "0.048750000"),
    ("cohere", "command-r7b-12-2024", [4000, 0, 0, 1000], "0.000300000"),
];

fn attributes(provider: &str, model: &str, tokens: [i64; 4]) -> Vec<KeyValue> {
    let [input, read, write, output] = tokens;
    let operation = if model.contains("embedding") { "embeddings" } else { "chat" };
    let mut attributes = vec![
        KeyValue::new("gen_ai.operation.name", operation),
        KeyValue::new("gen_ai.provider.name", provider.to_owned()),
        KeyValue::new("gen_ai.request.model", model.to_owned()),
        KeyValue::new("gen_ai.usage.input_tokens", input),
        KeyValue::new("gen_ai.usage.output_tokens", output),
    ];
    for (key, tokens) in [("cache_read", read), ("cache_creation", write)] {
        if tokens > 0 {
            attributes.push(KeyValue::new(format!("gen_ai.usage.{key}.input_tokens"), tokens));
        }
    }
    attributes
}

fn record(capture: &Capture, attributes: Vec<KeyValue>) {
    call_span(&hub_otel::otel::capture_tracer_provider(capture), attributes);
}

/// Records a call of gpt-4o for 3 cents.
fn three_cents(capture: &Capture) {
    record(capture, attributes("openai", "gpt-4o", [12_000, 0, 0, 0]));
}

fn cost(metrics: &Metrics, labels: &[(&str, &str)]) -> f64 {
    metrics.value("agent.cost", labels)
}

#[test]
fn the_cost_of_recorded_usages_of_twenty_models_is_exact() {
    let capture = capture();
    for (provider, model, tokens, _) in CALLS {
        record(&capture, attributes(provider, model, tokens));
    }
    let (spans, metrics) = (capture.spans(), capture.metrics());
    for ((_, model, tokens, expected), span) in CALLS.iter().zip(spans.iter()) {
        assert_eq!(span.text("gen_ai.request.model"), *model);
        let on_span = span.text("gen_ai.usage.cost").parse::<f64>().expect("a cost");
        let counted = cost(&metrics, &[("model", model), ("source", "priced")]);
        assert_eq!(
            (format!("{on_span:.9}"), format!("{counted:.9}")),
            ((*expected).to_owned(), (*expected).to_owned(),),
            "{model}"
        );
        let counted =
            |kind| metrics.value("agent.tokens", &[("model", model), ("type", kind)]) as i64;
        let [input, _, _, output] = *tokens;
        let output_counted = if output == 0 { 0 } else { counted("output") };
        assert_eq!((counted("input"), output_counted), (input, output), "{model}");
    }
    assert_eq!(metrics.value("agent.cost.unpriced_calls", &[]), 0.0);
    capture.conformance().unwrap();
}

#[test]
fn a_call_without_a_price_is_counted_and_costs_nothing() {
    let capture = capture();
    let tokens = [1_000, 0, 0, 10];
    record(&capture, attributes("openai", "model-of-tomorrow", tokens));
    // Of a known model, from a provider without prices: it may run on one's own machine.
    record(&capture, attributes("ollama", "gpt-4o", tokens));
    // A success without usage has an unknown cost, a failure without usage has none.
    let without_usage = attributes("openai", "gpt-4o", tokens)[..3].to_vec();
    record(&capture, without_usage.clone());
    let failed = [KeyValue::new("error.type", "429")];
    record(&capture, without_usage.into_iter().chain(failed).collect());
    let metrics = capture.metrics();
    assert_eq!(metrics.value("agent.cost.unpriced_calls", &[]), 3.0);
    assert_eq!(metrics.value("agent.cost.unpriced_calls", &[("model", "model-of-tomorrow")]), 1.0);
    assert!(!metrics.table().contains("agent.cost{"), "{}", metrics.table());
    assert!(capture.spans().iter().all(|span| span.text("gen_ai.usage.cost").is_empty()));
    capture.conformance().unwrap();
}

#[test]
fn a_cost_that_the_provider_reports_is_not_calculated() {
    let capture = capture();
    let mut attributes = attributes("openrouter", "gpt-4o", [1_000, 0, 0, 10]);
    attributes.push(KeyValue::new("gen_ai.usage.cost", Value::F64(0.0123)));
    record(&capture, attributes);
    assert_eq!(cost(&capture.metrics(), &[("source", "reported")]), 0.0123);
}

#[tokio::test]
async fn cost_is_summed_on_the_agents_and_the_workflow_of_the_run() {
    let capture = capture();
    workflow("research")
        .run(async {
            three_cents(&capture);
            agent("planner", "plan")
                .run(async {
                    three_cents(&capture);
                    agent("searcher", "search").run(async { three_cents(&capture) }).await;
                })
                .await;
            agent("writer", "write").run(async {}).await;
        })
        .await;
    let costs = capture.spans().sorted().render(|span| {
        let cost = |key| span.text(key);
        let id = ["agent.id", "workflow.id", "gen_ai.request.model"];
        let id = id.map(cost).into_iter().find(|id| !id.is_empty());
        let keys = ["workflow.cost.usd", "agent.cost.usd", "gen_ai.usage.cost"];
        format!("{} {}", id.unwrap_or_default(), keys.map(cost).concat()).trim_end().to_owned()
    });
    insta::assert_snapshot!(costs, @r"
    research 0.09
      planner 0.06
        searcher 0.03
          gpt-4o 0.03
        gpt-4o 0.03
      writer
      gpt-4o 0.03
    ");
    let metrics = capture.metrics();
    assert_eq!(format!("{:.9}", cost(&metrics, &[("workflow_id", "research")])), "0.090000000");
    assert_eq!(cost(&metrics, &[("agent_id", "planner")]), 0.03);
    assert_eq!(cost(&metrics, &[("agent_id", "searcher"), ("workflow_id", "research")]), 0.03);
    capture.conformance().unwrap();
}

#[tokio::test]
#[expect(clippy::async_yields_async, reason = "the call continues after the end of its agent")]
async fn cost_of_a_task_whose_agent_has_ended_is_added_to_the_workflow() {
    let capture = capture();
    workflow("research")
        .run(async {
            let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
            let detached = agent("planner", "plan")
                .run_with(
                    async {
                        use hub_otel::propagation::RunFutureExt;
                        let late = agent("late", "call").run_with(
                            async {
                                receiver.await.unwrap();
                                three_cents(&capture);
                            },
                            |(), _| {},
                        );
                        // Its first poll makes it a child of the planner.
                        let mut late = Box::pin(late.in_current_run());
                        assert!(futures_util::poll!(&mut late).is_pending());
                        late
                    },
                    |_, _| {},
                )
                .await;
            sender.send(()).unwrap();
            detached.await;
        })
        .await;
    let spans = capture.spans();
    assert_eq!(spans.named("workflow.execute")[0].text("workflow.cost.usd"), "0.03");
}

#[test]
fn prices_of_the_application_precede_the_table() {
    let telemetry = Telemetry::builder()
        .env_source(std::iter::empty::<(String, String)>())
        .exporters(Signal::Traces, [])
        .exporters(Signal::Logs, [])
        .exporters(Signal::Metrics, [Exporter::Prometheus])
        .prometheus("127.0.0.1", 0)
        .model_price("in-house", ModelPrice::per_million(1.0, 2.0))
        .price(|call| match call.provider {
            Some("ollama") => Some(0.0),
            Some("broken") => panic!("the price function panics"),
            _ => None,
        })
        .build()
        .unwrap();
    let tracers = hub_otel::otel::tracer_provider(&telemetry);
    let tokens = [1_000_000, 0, 0, 1_000_000];
    for (provider, model) in
        [("gateway", "in-house"), ("ollama", "gpt-4o"), ("openai", "gpt-4o"), ("broken", "unknown")]
    {
        call_span(&tracers, attributes(provider, model, tokens));
    }
    let address = telemetry.metrics_addr().unwrap();
    let scrape = Scrape::of(format!("http://{address}/metrics"));
    telemetry.shutdown_blocking();
    let value = |name: &str, model: &str| {
        scrape.matching(name, &[("model", model)]).map(|sample| sample.value).sum::<f64>()
    };
    assert_eq!(value("agent_cost_total", "in-house"), 3.0);
    // 0 by the function, 12.50 by the table.
    assert_eq!(value("agent_cost_total", "gpt-4o"), 12.5);
    assert_eq!(value("agent_cost_unpriced_calls_total", "unknown"), 1.0);
    let age = scrape.matching("hub_otel_price_table_age_seconds", &[]).next().unwrap();
    assert!(age.value > 0.0, "{}", age.value);
}

//! Both tiers of scale-out/ on Collector 0.159, run by `just stack-full`.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use hub_otel_tests::process::{Process, command};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::{http, poll, ports};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use xtask::files::root;

const TOKEN: &str = "ingest-token-of-this-test";
const START: Duration = Duration::from_secs(60);

fn collector(file: &str, settings: &[(&str, String)]) -> Process {
    let program = root().join(".tools/bin/otelcol-hub-scale-out");
    assert!(
        program.exists(),
        "{} does not exist; run observability/tools/build --scale-out",
        program.display()
    );
    let health = ports::free();
    let mut process = Process::spawn(
        command(program)
            .arg("--config")
            .arg(root().join("observability/scale-out").join(file))
            .env("HUB_COLLECTOR_HEALTH", format!("127.0.0.1:{health}"))
            .env("HUB_COLLECTOR_METRICS_HOST", "127.0.0.1")
            .env("HUB_COLLECTOR_METRICS_PORT", ports::free().to_string())
            .env("ENVIRONMENT", "test")
            .envs(settings.iter().map(|(name, value)| (*name, value.as_str()))),
    );
    process.wait_until_ready(START, &format!("http://127.0.0.1:{health}/"));
    process
}

struct Sampler {
    process: Process,
    address: String,
    tempo: Receiver,
}

fn sampler(folder: &Path, name: &str, metrics: &Receiver) -> Sampler {
    let tempo = Receiver::start();
    let address = format!("127.0.0.1:{}", ports::free());
    // One file per sampler: the authenticator reloads the file on changes, and must not read it
    // empty.
    let token = folder.join(format!("token-{name}"));
    fs::write(&token, TOKEN).expect("written");
    let process = collector(
        "collector-sample.yaml",
        &[
            ("HUB_OTLP_GRPC", address.clone()),
            ("HUB_QUEUE_DIR", folder.join(name).display().to_string()),
            ("HUB_INGEST_TOKEN_FILE", token.display().to_string()),
            ("HUB_TEMPO_GRPC", tempo.address().to_string()),
            ("HUB_PROMETHEUS_OTLP", metrics.endpoint()),
            ("HUB_DECISION_WAIT", "5s".to_owned()),
        ],
    );
    Sampler { process, address, tempo }
}

/// Sends traces of three spans in two requests; every fourth trace has an error.
fn send(url: &str, traces: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let resource =
        json!({"attributes": [{"key": "service.name", "value": {"stringValue": "hub"}}]});
    for part in [0..1, 1..3] {
        let spans: Vec<_> = (0..traces)
            .flat_map(|trace| part.clone().map(move |index: u64| (trace, index)))
            .map(|(trace, index)| {
                json!({
                    // Distributed ids, because the second tier is chosen by a hash of the id.
                    "traceId": format!("{:016x}{:016x}", (trace + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15), trace + 1),
                    "spanId": format!("{:016x}", trace * 10 + index + 1),
                    "name": "workflow.execute",
                    "kind": 1,
                    "startTimeUnixNano": now.to_string(),
                    "endTimeUnixNano": (now + 1_000_000).to_string(),
                    "status": {"code": if trace % 4 == 0 { 2 } else { 1 }},
                    "attributes": [
                        {"key": "http.request.header.authorization", "value": {"stringValue": "Bearer hidden"}},
                        {"key": "workflow.id", "value": {"stringValue": "scan"}},
                    ],
                })
            })
            .collect();
        let body =
            json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]});
        let reply = http::post(format!("{url}/v1/traces"), &body.to_string());
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

#[test]
#[ignore = "needs the Collector 0.159: just stack-full"]
fn complete_traces_reach_one_sampler_which_keeps_errors_and_removes_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let metrics = Receiver::start();
    let samplers = [sampler(folder.path(), "a", &metrics), sampler(folder.path(), "b", &metrics)];
    let http = format!("127.0.0.1:{}", ports::free());
    let balancer = collector(
        "collector-balance.yaml",
        &[
            ("HUB_OTLP_GRPC", format!("127.0.0.1:{}", ports::free())),
            ("HUB_OTLP_HTTP", http.clone()),
            ("HUB_TIER2", format!("[{},{}]", samplers[0].address, samplers[1].address)),
            ("HUB_INGEST_TOKEN", TOKEN.to_owned()),
            ("HUB_PROMETHEUS_OTLP", metrics.endpoint()),
            ("HUB_LOKI_OTLP", metrics.endpoint()),
        ],
    );
    let traces = 80;
    send(&format!("http://{http}"), traces);

    let kept = |sampler: &Sampler| {
        let mut kept: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for span in sampler.tempo.spans() {
            *kept.entry(span.item.trace_id).or_default() += 1;
        }
        kept
    };
    let errors = |sampler: &Sampler| {
        let failed = sampler
            .tempo
            .spans()
            .into_iter()
            .filter(|span| span.item.status.as_ref().is_some_and(|it| it.code == 2));
        failed.map(|span| span.item.trace_id).collect::<std::collections::BTreeSet<_>>().len()
    };
    poll::until(3 * START, || samplers.iter().map(&errors).sum::<usize>() == 20);
    let [first, second] = [&samplers[0], &samplers[1]].map(kept);
    assert!(
        !first.is_empty() && !second.is_empty(),
        "both samplers receive traces: {} and {}",
        first.len(),
        second.len()
    );
    assert!(first.keys().all(|trace| !second.contains_key(trace)), "a trace was split");
    assert!(
        first.values().chain(second.values()).all(|spans| *spans == 3),
        "a trace is incomplete"
    );
    assert!(first.len() + second.len() < 80, "no trace was dropped by sampling");
    for span in samplers.iter().flat_map(|sampler| sampler.tempo.spans()) {
        let hidden = hub_otel_tests::receiver::text(
            &span.item.attributes,
            "http.request.header.authorization",
        );
        assert!(
            hidden.is_none_or(|value| !value.contains("hidden")),
            "a secret arrived: {hidden:?}"
        );
    }
    // The span metrics are computed before sampling.
    poll::until(3 * START, || {
        metrics.metrics().iter().any(|metric| metric.item.name.contains("calls"))
    });
    balancer.assert_no_warnings("the first tier");
    samplers.iter().for_each(|sampler| sampler.process.assert_no_warnings("the second tier"));
}

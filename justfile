# The verbs that CI runs, and the ones that are too long for it. `just --list` shows them.
set shell := ["bash", "-euo", "pipefail", "-c"]

# Every verb of the gate that needs no tool beyond cargo.
default: fmt test clippy doc contract

# rustfmt, without changing anything.
fmt:
    cargo fmt --all --check

# The README's test command.
test:
    cargo test --workspace

# Lints, warnings denied.
clippy:
    cargo clippy --workspace --all-targets -- -D warnings

# Feature sets that users choose, each alone.
features:
    cargo check -p hub-otel --no-default-features
    cargo check -p hub-otel --no-default-features --features enabled
    cargo check -p hub-otel --no-default-features --features enabled,otlp-grpc
    cargo check -p hub-otel --no-default-features --features enabled,otlp-http,logs
    cargo check -p hub-otel --no-default-features --features enabled,prometheus
    cargo check -p hub-otel --all-features

# The API documentation, warnings denied.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# What crates.io would get.
package:
    cargo package -p hub-otel-macros -p hub-otel --allow-dirty

# Bans, licences and sources.
deny:
    cargo deny check bans licenses sources

# The contract's documentation, the dashboards and the rules are what the contract says.
contract:
    cargo run -q -p xtask -- docs --check
    cargo run -q -p xtask -- stack --check

# .env, secrets, the scrape target and the alerting files of the observability stack; then: docker compose up.
stack-init *way:
    observability/init {{way}}

# The environment of a service that runs on the host beside the stack: eval "$(just stack-host)".
@stack-host:
    observability/init host >&2
    observability/init env

# The real Collector, Prometheus and promtool into .tools/bin (needs Go).
stack-tools *arguments:
    observability/tools/build {{arguments}}

# The stack's files: structure, expressions, scripts, Compose's own reader, promtool's checks and unit tests, mutations.
stack-check: stack-tools
    shellcheck observability/init observability/tools/build
    hadolint examples/orchestrator/Dockerfile
    cargo test -p xtask --test structure
    cargo test -p xtask --test tools -- --include-ignored
    @if [ -d ../shared/data/grafana-schema ] && command -v npm >/dev/null; then \
        npm install --silent --no-audit --no-fund --prefix .tools/schemas ajv@8; \
        cp ../shared/tools/validate-dashboards.mjs .tools/schemas/; \
        node .tools/schemas/validate-dashboards.mjs ../shared/data/grafana-schema observability/grafana/dashboards/*.json 2>/dev/null; \
    else echo "skipped: Grafana's JSON schemas are not beside the checkout"; fi

# The stack alive, on the real Collector, Prometheus and Alertmanager: about seven minutes, most of them waiting.
stack-live: stack-tools
    cargo build -p orchestrator
    cargo test -p xtask --test live -- --ignored --nocapture --test-threads=8

# What the gate leaves out: the two-tier Collectors of scale-out/.
stack-full:
    observability/tools/build --scale-out
    cargo test -p xtask --test scale_out -- --ignored --nocapture

# `cargo check` of 400 annotated functions, against plain ones and fastrace's (docs/performance.md).
check-time:
    tests/check-time/run

# The parser of the attributes' arguments against random input, for a minute (nightly, cargo-fuzz).
fuzz seconds="60":
    mkdir -p hub-otel-macros/fuzz/corpus/attribute
    cd hub-otel-macros && cargo +nightly fuzz run attribute fuzz/corpus/attribute fuzz/seeds -- -max_total_time={{seconds}} -max_len=2048 -timeout=10

# What an HTTP request costs under the server layer and under its peers (docs/performance.md).
bench-http:
    tests/bench/http/check

# The whole fault matrix, optimised, row by row, against the bars themselves; prints the figures of docs/reliability.md.
# About fifteen minutes, most of them waiting.
faults *rows:
    cargo test --release -p hub-otel-tests --test faults -- --include-ignored --nocapture --test-threads=1 {{rows}}

# The same faults met by opentelemetry_sdk and opentelemetry-otlp alone: the last column of docs/reliability.md.
faults-baseline *rows:
    cd tests/sdk_baseline && cargo build --release
    cargo test --release -p hub-otel-tests --test sdk_baseline -- --ignored --nocapture --test-threads=1 {{rows}}

# The orchestrator's API, driven by schemathesis from nothing but its own /openapi.json.
schemathesis examples="25":
    examples/orchestrator/fuzz-api {{examples}}

# 10,000 concurrent two-node runs on SQLite, release build; docs/performance.md has the figures.
load-10k:
    examples/orchestrator/bench/load-10k
# What a unit of work costs, held against tests/bench/budgets.txt (needs valgrind).
budgets:
    tests/bench/check

# The same beside code by hand and beside tracing-opentelemetry, as docs/performance.md shows it; a few minutes.
bench:
    tests/bench/check table

# Built without the feature `enabled`, nothing is left but types and deadlines.
disabled:
    cd tests/disabled && cargo test

# What threads share, under a model checker: the library's own files in every order of their steps, or a great many.
shuttle:
    cd tests/shuttle && cargo test --target-dir ../disabled/target

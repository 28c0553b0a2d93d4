# Verbs of the gate, and verbs that are too slow for it. `just --list` shows them.
set shell := ["bash", "-euo", "pipefail", "-c"]

msrv := "1.88"
msrv_sqlx := "1.94"

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
    cargo clippy --workspace --all-targets --features orchestrator/dbos -- -D warnings

# No feature, each feature alone, and all of them, warnings denied (needs cargo-hack). The last line is a set without gRPC.
features:
    cargo hack clippy -p hub-otel --each-feature -- -D warnings
    cargo check -p hub-otel --no-default-features --features enabled,otlp-http,logs

# The minimum Rust versions, as Cargo.toml and README.md state them (installs the toolchains).
msrv:
    grep -q '^rust-version = "{{msrv}}"' Cargo.toml
    grep -q 'minimum Rust version is {{msrv}}, with `sqlx` {{msrv_sqlx}}' README.md
    rustup toolchain install {{msrv}}.0 {{msrv_sqlx}}.0 --profile minimal --no-self-update
    cargo +{{msrv}}.0 check -p hub-otel --features otlp-http,otlp-tls,axum,reqwest,process,testing
    cargo +{{msrv_sqlx}}.0 check -p hub-otel --all-features

# The public API: its difference from api/hub-otel.txt, and types of 0.x dependencies in it.
api: xtask
    target/debug/xtask api

# Writes api/hub-otel.txt, after an intended change of the public API.
api-accept: xtask
    target/debug/xtask api --accept

# Spelling; _typos.toml lists the words that fixtures misspell on purpose.
typos:
    typos

# Packages of npm for tests of the live view, and the types of its page (needs npm).
page:
    npm install --silent --no-audit --no-fund --prefix .tools/page typescript@5 axe-core@4
    .tools/page/node_modules/.bin/tsc -p hub-otel/src/live/page/jsconfig.json

# The pictures of docs/images, from a real orchestrator and a real assistant (needs chromium-driver).
screenshots:
    cargo test -p orchestrator --test http screenshots -- --ignored --nocapture
    cargo test -p assistant --test page screenshots -- --ignored --nocapture
    ls -l docs/images

# The API documentation, warnings denied.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# The packages for crates.io. Cargo keeps unpacked sources of its temporary registry by path and version, so that a
# path that was packaged before would be verified against old macros: every run has a directory of its own.
package:
    #!/usr/bin/env bash
    set -euo pipefail
    mkdir -p target
    directory=$(mktemp -d target/packages.XXXXXX)
    trap 'rm -rf "$directory"' EXIT
    cargo package -p hub-otel-macros -p hub-otel --allow-dirty --target-dir "$directory"

# Bans, licences and sources.
deny:
    cargo deny check bans licenses sources

# Compares the generated documentation, dashboards and rules with the telemetry contract.
contract: xtask
    target/debug/xtask docs --check
    target/debug/xtask stack --check

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
    shellcheck observability/init observability/backup observability/tools/build
    hadolint examples/orchestrator/Dockerfile
    cargo test --workspace --test structure
    cargo test --workspace --test tools -- --include-ignored
    @if [ -d ../shared/data/grafana-schema ] && command -v npm >/dev/null; then \
        npm install --silent --no-audit --no-fund --prefix .tools/schemas ajv@8; \
        cp ../shared/tools/validate-dashboards.mjs .tools/schemas/; \
        node .tools/schemas/validate-dashboards.mjs ../shared/data/grafana-schema observability/grafana/dashboards/*.json 2>/dev/null; \
    else echo "skipped: Grafana's JSON schemas are not beside the checkout"; fi

# target/debug/xtask, as the tests have compiled it: `cargo run` would compile its dependencies with other features.
[private]
xtask:
    cargo test -q --no-run --workspace --test structure

# target/debug/orchestrator and assistant, as the tests have compiled them: `cargo build -p orchestrator` would compile
# the library again, with the features of this one package.
[private]
orchestrator:
    cargo test -q --no-run --workspace --test end_to_end --test pipeline --test runs

# The stack on the real Collector, Prometheus and Alertmanager: about seven minutes, most of them waiting.
stack-live: stack-tools orchestrator
    cargo test --workspace --test stack_live -- --ignored --nocapture --test-threads=8 --skip over_a_day --skip permissive

# A run in the stores of compose.permissive.yaml, and its dashboards, outside the gate: the build takes ten minutes.
stack-permissive:
    observability/tools/build --permissive
    just orchestrator
    cargo test --workspace --test stack_live -- --ignored --nocapture --test-threads=2 --skip pictures permissive

# The pictures of the stack in docs/images: real dashboards after some minutes of load (needs npm and chromium-driver).
stack-pictures:
    observability/tools/build --permissive --pictures
    just orchestrator
    cargo test --workspace --test stack_live -- --ignored --nocapture pictures
    ls -l docs/images

# Every panel over a day of metrics of 20 workflows and agents, on Prometheus with its limits: three minutes.
stack-scale: stack-tools
    cargo test --workspace --test stack_live -- --ignored --nocapture over_a_day

# The two-tier Collectors of scale-out/, outside the gate.
stack-full:
    observability/tools/build --scale-out
    cargo test --workspace --test scale_out -- --ignored --nocapture

# `cargo check` of 400 annotated functions, against plain ones and fastrace's (docs/performance.md).
check-time:
    tests/check-time/run

# The parser of the attributes' arguments against random input, for a minute (nightly, cargo-fuzz).
fuzz seconds="60":
    mkdir -p hub-otel-macros/fuzz/corpus/attribute
    cd hub-otel-macros && cargo +nightly fuzz run attribute fuzz/corpus/attribute fuzz/seeds -- -max_total_time={{seconds}} -max_len=2048 -timeout=10

# Cost of an HTTP request under the server layer and under comparable layers (docs/performance.md).
bench-http:
    tests/bench/http/check

# The whole fault matrix, optimised, row by row, against the bars themselves; prints the figures of docs/reliability.md.
# About fifteen minutes, most of them waiting.
faults *rows:
    cargo test --release -p hub-otel-tests --test faults -- --include-ignored --nocapture --test-threads=1 {{rows}}

# rig, genai, apalis and others: the traces of examples/guides, and the comparison of pipelines. Three hundred crates.
guides:
    cd examples/guides && cargo test --workspace

# The same faults with opentelemetry_sdk and opentelemetry-otlp alone: the last column of docs/reliability.md.
faults-baseline *rows:
    cd tests/sdk_baseline && cargo build --release
    cargo test --release -p hub-otel-tests --test sdk_baseline -- --ignored --nocapture --test-threads=1 {{rows}}

# Requests to the orchestrator's API, generated by schemathesis from /openapi.json.
schemathesis examples="25":
    examples/orchestrator/fuzz-api {{examples}}

# 10,000 concurrent two-node runs on SQLite, release build; docs/performance.md has the figures.
load-10k:
    examples/orchestrator/bench/load-10k

# Throughput and start latency: leases on SQLite, leases and DBOS on PostgreSQL with 1, 2 and 3 processes, release build;
# docs/performance.md has the figures.
throughput *arguments:
    examples/orchestrator/bench/throughput {{arguments}}

# 60 times kill -9 of the orchestrator under load: rows, counted ends, executions. About three minutes.
kill-9:
    cargo test -p orchestrator --test engine kill_nine -- --ignored --nocapture

# The orchestrator with `--engine dbos`: the tests of the default engine and of the API, the guards, and three processes
# under a kill -9, a partition and a rolling restart, each in its short variant. The whole workspace is selected, so that
# the dependencies have the features with which the other tests have compiled them.
dbos:
    cargo test --workspace --features orchestrator/dbos --lib --test engine -- dbos machines
    HUB_TEST_ENGINE=dbos cargo test --workspace --features orchestrator/dbos --test http -- admission:: bench:: cli:: live:: spans:: webhook::

# Three processes on one PostgreSQL, the long variants: kill -9 every two seconds for 10,000 runs, half a minute without
# the database. About seven minutes.
machines:
    cargo test --workspace --features orchestrator/dbos --test engine machines -- --ignored --nocapture --test-threads=1

# The tests that open ports while `cargo run -p orchestrator` serves on its default ports, and the reverse.
side-by-side:
    examples/orchestrator/tests/side-by-side

# Cost of a unit, compared with tests/bench/budgets.txt (needs valgrind).
budgets:
    tests/bench/check

# Cost of a unit beside hand-written code and tracing-opentelemetry, as in docs/performance.md; a few minutes.
bench:
    tests/bench/check table

# A workflow at 50,000 per second, with hub-otel and by hand at once: losses, memory, processor time (docs/performance.md).
panel seconds="60":
    tests/bench/check panel {{seconds}}

# Crates, build time and binary size with and without hub-otel (docs/performance.md); release builds, some minutes.
weight:
    tests/bench/weight/measure

# The library without the feature `enabled`: types and timeouts only.
disabled:
    cd tests/disabled && cargo test

# State shared by threads, under a model checker: all or very many interleavings.
shuttle:
    cd tests/shuttle && cargo test --target-dir ../disabled/target

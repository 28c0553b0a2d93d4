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
    cargo check -p hub-otel --no-default-features --features enabled,grpc
    cargo check -p hub-otel --no-default-features --features enabled,http,logs
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

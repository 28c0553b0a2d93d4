//! The example runs to its end without a Collector and without a network.

#[test]
fn the_example_prints_its_trace_and_exits() {
    hub_otel_tests::example::assert_prints(
        env!("CARGO_BIN_EXE_approval-resume"),
        &[],
        &["\"run_id\":\"run-7\"", "resumed"],
        &["workflow.approval", "SUSPENDED", "agent.execute"],
    );
}

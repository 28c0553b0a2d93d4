//! One log line, delivered twice: in the program's format, and to the Collector with the ids of the
//! current span.

use hub_otel_tests::process::{Process, command};
use hub_otel_tests::receiver::{Receiver, int, text};
use std::time::Duration;

#[test]
fn the_programs_own_lines_stay_and_the_collector_gets_spans_and_records_that_belong_together() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start();
        let mut command = command(env!("CARGO_BIN_EXE_existing-subscriber"));
        command.envs([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
            ("NO_COLOR", "1"),
        ]);
        let mut process = Process::spawn(&mut command);
        let status = process.exit(Duration::from_secs(30));
        let (stdout, stderr) = (process.stdout(), process.stderr());
        assert!(status.success(), "{stdout}\n{stderr}");

        // The program's format on its stream, printed once.
        let lines: Vec<_> =
            stdout.lines().filter(|line| line.contains("logged once, delivered twice")).collect();
        assert_eq!(lines.len(), 1, "{stdout}");
        assert!(lines[0].contains("INFO") && lines[0].contains("existing_subscriber:"), "{stdout}");
        assert!(
            !stderr.contains("delivered twice") && !stderr.contains("subscriber is set already"),
            "{stderr}"
        );
        // Diagnostics of the library are lines of the program's subscriber.
        let complete = "INFO hub_otel::diagnostics: [OpenTelemetry] Shutdown complete\n";
        assert!(stdout.contains(complete) && !stderr.contains("[OpenTelemetry]"), "{stdout}");

        let spans = receiver.spans();
        assert_eq!(spans.len(), 1, "{spans:?}");
        assert_eq!(spans[0].name, "agent.execute");
        assert_eq!(
            text(&spans[0].resource.attributes, "service.name"),
            Some("existing-subscriber")
        );
        let logs = receiver.logs();
        let record =
            logs.iter().find(|log| int(&log.attributes, "answer") == Some(42)).expect("the record");
        assert_eq!(
            (&record.trace_id, &record.span_id),
            (&spans[0].trace_id, &spans[0].span_id),
            "{protocol}"
        );
        assert_eq!(record.severity_text, "INFO");
        // The same ids as in the line.
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (trace_id, span_id) = (hex(&record.trace_id), hex(&record.span_id));
        let ids = format!(" trace_id={trace_id} span_id={span_id}");
        assert!(lines[0].ends_with(&ids), "{ids}: {}", lines[0]);
    }
}

//! Many instances in one process: isolated from each other.

use crate::support::each;
use hub_otel_tests::program::{Program, Transport};
use hub_otel_tests::receiver::{Behaviour, Receiver, text};

#[test]
fn sixty_four_instances_side_by_side_are_isolated() {
    each(0..64_u64, |number| {
        let receiver = Receiver::start();
        let name = format!("service-{number}");
        let transport = Transport::ALL[number as usize % 3];
        let mut program =
            Program::with(&receiver.endpoint(), transport, &[("OTEL_SERVICE_NAME", &name)]);
        // Each has a different number of items, so that a stray item is detected.
        program.emit(20 + number);
        program.stop().assert_delivered_once(&receiver);
        for span in receiver.spans() {
            assert_eq!(text(&span.resource.attributes, "service.name"), Some(name.as_str()));
        }
    });
}

#[test]
fn an_instance_with_a_hanging_collector_does_not_affect_another() {
    let (hung, healthy) = (Receiver::start(), Receiver::start());
    hung.always(Behaviour::Hang);
    let settings = [("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")];
    let mut first = Program::with(&hung.endpoint(), Transport::Grpc, &settings);
    let mut second = Program::start(&healthy.endpoint(), Transport::Grpc);
    first.emit(100);
    second.emit(100);
    second.stop().assert_delivered_once(&healthy);
    let stopped = first.stop();
    assert_eq!(stopped.report.traces.lost(), 100, "{}", stopped.report);
}

//! Panics and hangs on the export thread: only the affected batch or metric is lost.

use crate::support::{DEADLINE, bar, each, figure};
use hub_otel_tests::program::{Program, Transport};
use hub_otel_tests::receiver::{Receiver, Signal};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[test]
fn an_exporter_that_panics_one_time_in_ten_loses_only_those_batches() {
    each(Transport::BOTH, |transport| {
        let receiver = Receiver::start();
        let attempts = AtomicUsize::new(0);
        let builder = hub_otel::Telemetry::builder().before_export(move |_signal| {
            if attempts.fetch_add(1, Ordering::Relaxed) % 10 == 9 {
                panic!("the exporter panics");
            }
        });
        let settings =
            [("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "50"), ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "50")];
        let mut program = Program::build(builder, &receiver.endpoint(), transport, &settings)
            .expect("valid settings");
        program.emit(2_000);
        let start = Instant::now();
        let stopped = program.stop();
        assert!(start.elapsed() <= bar(DEADLINE), "{:?}", start.elapsed());
        stopped.assert_balanced();
        for (part, signal) in
            [(&stopped.report.traces, Signal::Traces), (&stopped.report.logs, Signal::Logs)]
        {
            let account = stopped.account(&receiver, signal);
            // The failed items are the batches of panicking exports. No other item is missing.
            assert_eq!(
                part.failures.get("panic").copied().unwrap_or_default(),
                part.lost(),
                "{}",
                stopped.report
            );
            assert_eq!(account.missing.len() as u64, part.failed, "{}", stopped.report);
            assert_eq!(part.failed % 50, 0, "{}", stopped.report);
            assert_eq!(account.duplicates, 0);
        }
        let failed = stopped.report.traces.failed + stopped.report.logs.failed;
        assert!(failed > 0, "{}", stopped.report);
        figure(&format!("exporter panics 1 in 10, {transport:?}"), &stopped.report);
    });
}

/// Faults of a source of approvals.
#[derive(Debug, Clone, Copy)]
enum Source {
    Panics,
    Hangs,
    BlocksItsThread,
}

#[test]
fn a_source_of_approvals_that_panics_or_hangs_affects_only_its_own_metric() {
    let sources = [Source::Panics, Source::Hangs, Source::BlocksItsThread];
    each(
        sources.iter().flat_map(|source| Transport::BOTH.map(|transport| (*source, transport))),
        |(source, transport)| {
            let receiver = Receiver::start();
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            let runtime = runtime.expect("a runtime");
            let mut program = Program::start(&receiver.endpoint(), transport);
            let (release, blocked) = std::sync::mpsc::channel::<()>();
            let blocked = std::sync::Arc::new(std::sync::Mutex::new(blocked));
            runtime.block_on(async {
                program.telemetry().observe_approvals(move || {
                    let blocked = blocked.clone();
                    async move {
                        match source {
                            Source::Panics => panic!("the source of approvals panics"),
                            Source::Hangs => std::future::pending().await,
                            // Until the test drops the sender.
                            Source::BlocksItsThread => {
                                let _ = blocked.lock().expect("one caller").recv();
                            }
                        }
                        Vec::new()
                    }
                });
            });
            program.emit(100);
            let start = Instant::now();
            let flushed = program.telemetry().flush_blocking();
            assert!(start.elapsed() <= bar(DEADLINE), "{:?}", start.elapsed());
            assert_eq!((flushed.traces.ok, flushed.logs.ok), (100, 100), "{flushed}");
            program.emit(100);
            program.stop().assert_delivered_once(&receiver);
            assert_eq!(receiver.latest_sum("workflow.approval.pending"), 0.0);
            drop(release);
        },
    );
}

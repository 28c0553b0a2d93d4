//! Rejections by the Collector: exactly the retries that OTLP requires.

use crate::support::{assert_in_time, bar, each, figure};
use hub_otel_tests::poll;
use hub_otel_tests::program::{Program, Transport};
use hub_otel_tests::receiver::{Behaviour, Code, Receiver, Signal};
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

const ITEMS: u64 = 50;

/// The expected handling of a rejected request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    TriedAgain,
    Failed(&'static str),
}

/// Rejects one request per signal and accepts the next.
fn meets(refusal: &Behaviour, transport: Transport, then: Then) {
    let receiver = Receiver::start();
    for signal in Signal::ALL {
        receiver.script(signal, [refusal.clone()]);
    }
    // Everything is exported by the shutdown, so that each signal has one request.
    let settings = [
        ("OTEL_METRIC_EXPORT_INTERVAL", "600000"),
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "600000"),
    ];
    let mut program = Program::with(&receiver.endpoint(), transport, &settings);
    program.emit(ITEMS);
    let stopped = program.stop();
    stopped.assert_balanced();
    assert_in_time(&stopped);
    match then {
        Then::TriedAgain => {
            stopped.assert_delivered_once(&receiver);
            for signal in Signal::ALL {
                assert_eq!(receiver.attempts(signal), 2, "{refusal:?} {signal:?}");
            }
        }
        Then::Failed(reason) => {
            let expected = std::iter::once((reason.to_owned(), ITEMS)).collect();
            for part in [&stopped.report.traces, &stopped.report.logs] {
                assert_eq!(
                    (part.failed, &part.failures),
                    (ITEMS, &expected),
                    "{refusal:?} {}",
                    stopped.report
                );
            }
            assert_eq!(
                stopped.report.metrics.failed, stopped.report.metrics.finished,
                "{refusal:?}"
            );
            for signal in Signal::ALL {
                assert_eq!(receiver.attempts(signal), 1, "{refusal:?} {signal:?}");
                assert_eq!(receiver.stored(signal), 0, "{refusal:?} {signal:?}");
            }
        }
    }
}

#[test]
fn http_statuses_are_retried_as_otlp_requires() {
    use Then::{Failed, TriedAgain};
    let statuses = [
        (400, Failed("http_400")),
        (401, Failed("http_401")),
        (403, Failed("http_403")),
        (404, Failed("http_404")),
        (413, Failed("http_413")),
        (500, Failed("http_500")),
        (429, TriedAgain),
        (502, TriedAgain),
        (503, TriedAgain),
        (504, TriedAgain),
    ];
    each(
        statuses.into_iter().flat_map(|case| Transport::ALL.map(|transport| (transport, case))),
        |case| {
            let (transport, (status, then)) = case;
            meets(&Behaviour::status(status), transport, then);
            // The page of a proxy is no gRPC frame.
            meets(&Behaviour::Page(status), transport, then);
        },
    );
}

#[test]
fn a_delay_requested_by_a_proxy_of_grpc_is_honoured() {
    let pause = pause_after(Behaviour::retry_after(503, "2"), Transport::Grpc);
    assert!(pause >= Duration::from_secs(2), "{pause:?}");
    assert!(pause <= bar(Duration::from_secs(4)), "{pause:?}");
}

#[test]
fn a_page_with_status_200_is_retried_five_times_and_is_no_delivery() {
    each(Transport::ALL, |transport| {
        let receiver = Receiver::start();
        for signal in Signal::ALL {
            receiver.script(signal, [Behaviour::Page(200), Behaviour::Page(200)]);
        }
        let settings = [("OTEL_METRIC_EXPORT_INTERVAL", "600000")];
        let mut program = Program::with(&receiver.endpoint(), transport, &settings);
        program.emit(ITEMS);
        program.stop().assert_delivered_once(&receiver);

        receiver.clear();
        receiver.always(Behaviour::Page(200));
        let mut program = Program::with(&receiver.endpoint(), transport, &settings);
        program.emit(ITEMS);
        poll::until(bar(Duration::from_secs(20)), || {
            let report = program.report();
            report.traces.failed == ITEMS && report.logs.failed == ITEMS
        });
        let stopped = program.stop();
        stopped.assert_balanced();
        let expected = std::iter::once(("reply_unreadable".to_owned(), ITEMS)).collect();
        for (part, signal) in
            [(&stopped.report.traces, Signal::Traces), (&stopped.report.logs, Signal::Logs)]
        {
            assert_eq!(part.failures, expected, "{}", stopped.report);
            assert_eq!(receiver.attempts(signal), 5, "{transport:?} {signal:?}");
        }
    });
}

#[test]
fn invalid_status_details_are_ignored_and_the_code_decides() {
    for in_trailers in [false, true] {
        let refusal = |code| Behaviour::InvalidDetails { code, in_trailers };
        meets(&refusal(Code::Unavailable), Transport::Grpc, Then::TriedAgain);
        // The retry delay is unknown.
        let then = Then::Failed("grpc_resource_exhausted");
        meets(&refusal(Code::ResourceExhausted), Transport::Grpc, then);
    }
}

#[test]
fn grpc_codes_are_retried_as_otlp_requires_with_and_without_retry_info() {
    use Then::{Failed, TriedAgain};
    let codes = [
        (Code::Cancelled, TriedAgain),
        (Code::Unknown, Failed("grpc_unknown")),
        (Code::InvalidArgument, Failed("grpc_invalid_argument")),
        (Code::DeadlineExceeded, TriedAgain),
        (Code::NotFound, Failed("grpc_not_found")),
        (Code::AlreadyExists, Failed("grpc_already_exists")),
        (Code::PermissionDenied, Failed("grpc_permission_denied")),
        (Code::ResourceExhausted, Failed("grpc_resource_exhausted")),
        (Code::FailedPrecondition, Failed("grpc_failed_precondition")),
        (Code::Aborted, TriedAgain),
        (Code::OutOfRange, TriedAgain),
        (Code::Unimplemented, Failed("grpc_unimplemented")),
        (Code::Internal, Failed("grpc_internal")),
        (Code::Unavailable, TriedAgain),
        (Code::DataLoss, TriedAgain),
        (Code::Unauthenticated, Failed("grpc_unauthenticated")),
    ];
    each(codes, |(code, then)| meets(&Behaviour::code(code), Transport::Grpc, then));
    each(codes, |(code, then)| {
        // RetryInfo makes exactly one code retryable.
        let then = if code == Code::ResourceExhausted { TriedAgain } else { then };
        meets(&Behaviour::retry_info(code, Duration::from_millis(300)), Transport::Grpc, then);
    });
}

#[test]
fn a_partial_success_is_counted_and_never_retried() {
    each(Transport::ALL, |transport| {
        let receiver = Receiver::start();
        for signal in Signal::ALL {
            receiver
                .script(signal, [Behaviour::Partial { rejected: 7, message: "seven too many" }]);
        }
        let mut program = Program::with(
            &receiver.endpoint(),
            transport,
            &[("OTEL_METRIC_EXPORT_INTERVAL", "600000")],
        );
        program.emit(ITEMS);
        let stopped = program.stop();
        stopped.assert_balanced();
        for (part, signal) in
            [(&stopped.report.traces, Signal::Traces), (&stopped.report.logs, Signal::Logs)]
        {
            assert_eq!(
                (part.ok, part.rejected, part.lost()),
                (ITEMS - 7, 7, 7),
                "{}",
                stopped.report
            );
            assert_eq!(stopped.account(&receiver, signal).missing.len(), 7);
            assert_eq!(receiver.attempts(signal), 1);
        }
        // A push may have fewer points than are rejected: then all of them are.
        let metrics = &stopped.report.metrics;
        assert_eq!(metrics.rejected, metrics.finished.min(7), "{}", stopped.report);
        assert_eq!(receiver.attempts(Signal::Metrics), 1);
    });
}

/// Returns the delay between a rejection and the retry of the same items.
fn pause_after(refusal: Behaviour, transport: Transport) -> Duration {
    let receiver = Receiver::start();
    receiver.script(Signal::Traces, [refusal]);
    let mut program = Program::start(&receiver.endpoint(), transport);
    program.emit(ITEMS);
    poll::until(Duration::from_secs(30), || receiver.attempts(Signal::Traces) >= 2);
    let at: Vec<_> = receiver
        .requests()
        .iter()
        .filter(|request| request.signal == Signal::Traces)
        .map(|request| request.at)
        .collect();
    program.stop().assert_delivered_once(&receiver);
    at[1] - at[0]
}

#[test]
fn a_delay_requested_by_the_collector_is_honoured() {
    let in_three_seconds = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3));
    let cases = [
        ("2 s", Behaviour::retry_after(503, "2"), Transport::Http, 2.0),
        ("2 s", Behaviour::retry_after(429, "2"), Transport::Json, 2.0),
        // A date has no fraction of a second.
        ("a date", Behaviour::retry_after(503, in_three_seconds), Transport::Http, 1.5),
        (
            "2 s",
            Behaviour::retry_info(Code::Unavailable, Duration::from_secs(2)),
            Transport::Grpc,
            2.0,
        ),
        (
            "2 s",
            Behaviour::retry_info(Code::ResourceExhausted, Duration::from_secs(2)),
            Transport::Grpc,
            2.0,
        ),
    ];
    each(cases, |(what, refusal, transport, least)| {
        let pause = pause_after(refusal, transport);
        figure(
            &format!("Retry-After {what}, {transport:?}"),
            format!("tried again after {pause:?}"),
        );
        assert!(pause >= Duration::from_secs_f64(least), "{pause:?}");
        assert!(pause <= bar(Duration::from_secs(4)), "{pause:?}");
    });
}

#[test]
fn an_invalid_delay_is_replaced_by_the_backoff() {
    each(
        ["soon", "-1", "1e9", "", "18446744073709551616", "Thu, 99 Foo 2026 00:00:00 GMT"],
        |garbage| {
            let pause = pause_after(Behaviour::retry_after(503, garbage), Transport::Http);
            assert!(pause <= bar(Duration::from_secs(2)), "{garbage:?}: {pause:?}");
        },
    );
}

#[test]
fn a_delay_of_an_hour_is_a_counted_drop() {
    let hour = Duration::from_secs(3600);
    let cases = [
        (Behaviour::retry_after(503, "3600"), Transport::Http),
        (Behaviour::retry_after(429, "3600"), Transport::Json),
        (Behaviour::retry_info(Code::Unavailable, hour), Transport::Grpc),
    ];
    each(cases, |(refusal, transport)| {
        let receiver = Receiver::start();
        for signal in Signal::ALL {
            receiver.script(signal, [refusal.clone()]);
        }
        let mut program = Program::with(
            &receiver.endpoint(),
            transport,
            &[("OTEL_METRIC_EXPORT_INTERVAL", "600000")],
        );
        program.emit(ITEMS);
        let stopped = program.stop();
        stopped.assert_balanced();
        for part in [&stopped.report.traces, &stopped.report.logs] {
            assert_eq!(
                part.dropped.get("retry_after_too_long"),
                Some(&ITEMS),
                "{}",
                stopped.report
            );
        }
        assert!(Signal::ALL.iter().all(|signal| receiver.attempts(*signal) == 1));
    });
}

#[test]
fn seven_refusals_in_ten_lose_nothing() {
    each(Transport::ALL, |transport| {
        let receiver = Receiver::start();
        // Seven in ten, spread by a fixed sequence, per signal.
        let mut seen: HashMap<Signal, usize> = HashMap::new();
        receiver.decide(move |request| {
            let number = seen.entry(request.signal).or_default();
            *number += 1;
            let refused = *number * 7 % 10 < 7;
            let status = [429, 502, 503, 504][*number % 4];
            match transport {
                _ if !refused => Behaviour::Accept,
                Transport::Grpc => Behaviour::code(Code::Unavailable),
                Transport::Http | Transport::Json => Behaviour::status(status),
            }
        });
        let settings =
            [("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100"), ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "100")];
        let mut program = Program::with(&receiver.endpoint(), transport, &settings);
        let start = Instant::now();
        program.emit(1_500);
        poll::until(bar(Duration::from_secs(60)), || {
            let report = program.report();
            report.traces.ok == 1_500 && report.logs.ok == 1_500
        });
        figure(
            &format!("70 % refused, {transport:?}"),
            format!("0 missing of 1,500 spans and 1,500 records after {:?}", start.elapsed()),
        );
        receiver.always(Behaviour::Accept);
        program.stop().assert_delivered_once(&receiver);
    });
}

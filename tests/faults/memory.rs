//! Memory limits, measured in a separate process.

use crate::children::{growth, printed, start, start_with};
use crate::support::{each, figure};
use hub_otel_tests::ports::BlackHole;
use hub_otel_tests::process::Process;
use hub_otel_tests::program::Transport;
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::scrape::Scrape;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;

#[test]
fn ten_thousand_attributes_of_a_mebibyte_stay_within_96_mib() {
    let hole = BlackHole::new();
    let receiver = Receiver::counting();
    let places = [("black hole", hole.endpoint()), ("receiver", receiver.endpoint())];
    let cases = places
        .into_iter()
        .flat_map(|place| Transport::BOTH.map(|transport| (place.clone(), transport)));
    each(cases, |((what, endpoint), transport)| {
        let mut child = start("large", &endpoint, transport, &["10000"]);
        let more = growth(&mut child);
        figure(
            &format!("10,000 × 1 MiB attributes, {what}, {transport:?}"),
            format!("RSS +{} MiB", more / MIB),
        );
        assert!(more <= 96 * MIB, "{what}: +{} MiB\n{}", more / MIB, child.stdout());
        assert!(child.stdout().contains("traces: 10010 finished"), "{}", child.stdout());
    });
}

fn label_sets(sets: u64) {
    let receiver = Receiver::start();
    let pulled = [("OTEL_METRICS_EXPORTER", "prometheus"), ("OTEL_EXPORTER_PROMETHEUS_PORT", "0")];
    let mut child =
        start_with("labels", &receiver.endpoint(), Transport::Grpc, &[&sets.to_string()], &pulled);
    let line = child.line(Duration::from_secs(300), "metrics ");
    let scrape = Scrape::of(line.trim_start_matches("metrics "));
    child.terminate();
    let more = growth(&mut child);
    let mut overflows = 0;
    for number in 0..10 {
        let name = format!("labels_{number}_total");
        assert_eq!(scrape.value(&name, &[]), Some(sets as f64), "{name}");
        let overflow = scrape.value(&name, &[("otel_metric_overflow", "true")]).unwrap_or_default();
        assert!(overflow > 0.0, "{name}");
        overflows += overflow as u64;
    }
    figure(
        &format!("{sets} label sets × 10 instruments"),
        format!("RSS +{} MiB, sums exact, {overflows} counted in overflow series", more / MIB),
    );
    assert!(more <= 32 * MIB, "+{} MiB", more / MIB);
}

#[test]
fn twenty_thousand_label_sets_on_ten_instruments_stay_within_32_mib_and_sum_up() {
    label_sets(20_000);
}

#[test]
#[ignore = "minutes without optimisation: `just faults`"]
fn a_million_label_sets_on_ten_instruments_stay_within_32_mib_and_sum_up() {
    label_sets(1_000_000);
}

/// Samples the memory of a program that sends at a constant rate and prints its slope. Excludes the
/// pages of the executable, which the system maps and unmaps at any time.
fn soak(rate: u64, seconds: u64) {
    each(Transport::BOTH, |transport| {
        let receiver = Receiver::counting();
        let mut child = start(
            "paced",
            &receiver.endpoint(),
            transport,
            &[&rate.to_string(), &seconds.to_string()],
        );
        let samples = sample(&child, Duration::from_secs(seconds));
        let (mean, slope) = line(&samples);
        figure(
            &format!("soak, {seconds} s at {rate} spans/s, {transport:?}"),
            format!("mean {:.1} MiB, slope {slope:+.3} MiB/min", mean / MIB as f64),
        );
        assert!(child.exit(Duration::from_secs(120)).success());
        assert_eq!(receiver.distinct_spans() as u64, rate * seconds);
        assert_eq!(printed(&child, "traces"), rate * seconds);
        if seconds >= 300 {
            assert!(slope < 1.0, "{slope} MiB a minute");
        }
    });
}

/// Samples the allocated bytes of the child over time. Omits the first tenth, which fills buffers.
fn sample(child: &Process, time: Duration) -> Vec<(f64, f64)> {
    let start = Instant::now();
    let mut samples = Vec::new();
    while start.elapsed() < time {
        // The interval of the samples: nothing is awaited.
        std::thread::sleep(Duration::from_secs(1).min(time / 20));
        if start.elapsed() > time / 10 {
            samples.push((start.elapsed().as_secs_f64(), child.anonymous_bytes() as f64));
        }
    }
    samples
}

/// The mean of the samples, and the slope of the line through them in MiB a minute.
fn line(samples: &[(f64, f64)]) -> (f64, f64) {
    let count = samples.len() as f64;
    let (mean_x, mean_y) = samples
        .iter()
        .fold((0.0, 0.0), |(x, y), (time, bytes)| (x + time / count, y + bytes / count));
    let (over, under) = samples.iter().fold((0.0, 0.0), |(over, under), (time, bytes)| {
        (over + (time - mean_x) * (bytes - mean_y), under + (time - mean_x).powi(2))
    });
    (mean_y, over / under * 60.0 / MIB as f64)
}

#[test]
fn a_short_soak_loses_nothing() {
    soak(2_000, 6);
}

#[test]
#[ignore = "five minutes: `just faults`"]
fn a_soak_of_five_minutes_loses_nothing_and_does_not_grow() {
    soak(2_000, 300);
}

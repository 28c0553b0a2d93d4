//! The series of the metrics of units at one moment. Label sets that are one series of a metric are
//! added up: two triggers of a workflow share its durations.

use crate::metrics::cells::Durations;
use crate::metrics::instruments::overflow_label;
use crate::metrics::series::LabelSet;
use crate::metrics::values::CounterByValue;
use crate::semconv::attribute::label;
use crate::semconv::{Metric, kv, metric};
use crate::status::UnitStatus;
use crate::unit_kind::UnitKind;
use opentelemetry::KeyValue;

/// A metric that is counted in label sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitMetric {
    Duration(UnitKind),
    Errors(UnitKind),
    Retries,
    Runs(UnitKind),
    Active,
}

impl UnitMetric {
    pub(crate) const ALL: [Self; 8] = [
        Self::Duration(UnitKind::Agent),
        Self::Errors(UnitKind::Agent),
        Self::Retries,
        Self::Runs(UnitKind::Agent),
        Self::Duration(UnitKind::Workflow),
        Self::Errors(UnitKind::Workflow),
        Self::Runs(UnitKind::Workflow),
        Self::Active,
    ];

    pub(crate) fn definition(self) -> &'static Metric {
        use UnitKind::Workflow;
        match self {
            Self::Duration(Workflow) => &metric::WORKFLOW_DURATION,
            Self::Duration(_) => &metric::AGENT_DURATION,
            Self::Errors(Workflow) => &metric::WORKFLOW_ERRORS,
            Self::Errors(_) => &metric::AGENT_ERRORS,
            Self::Retries => &metric::AGENT_RETRIES,
            Self::Runs(Workflow) => &metric::WORKFLOW_RUNS,
            Self::Runs(_) => &metric::AGENT_RUNS,
            Self::Active => &metric::WORKFLOWS_ACTIVE,
        }
    }
}

/// The value of one series.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SeriesValue<'a> {
    Count(u64),
    InFlight(i64),
    #[cfg_attr(
        not(any(feature = "prometheus", feature = "live")),
        expect(dead_code, reason = "read by /metrics and by the live view")
    )]
    Durations(&'a Durations),
}

/// The function that gets each series: labels and value.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[KeyValue], SeriesValue<'_>);

/// The label sets of one instance, sorted.
pub(crate) struct Snapshot<'a> {
    workflows: Vec<&'a LabelSet>,
    agents: Vec<&'a LabelSet>,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(
        workflows: impl Iterator<Item = &'a LabelSet>,
        agents: impl Iterator<Item = &'a LabelSet>,
    ) -> Self {
        let sorted = |mut sets: Vec<&'a LabelSet>| {
            sets.sort_unstable_by(|one, other| one.compare(other));
            sets
        };
        Self { workflows: sorted(workflows.collect()), agents: sorted(agents.collect()) }
    }

    /// Calls `visit` with each series of `metric`, in the order of the ids.
    pub(crate) fn visit(&self, metric: UnitMetric, visit: Visit<'_>) {
        let agents = UnitKind::Agent;
        match metric {
            UnitMetric::Runs(kind) => self.visit_runs(kind, visit),
            UnitMetric::Duration(kind) => self.visit_durations(kind, visit),
            UnitMetric::Errors(kind) => {
                self.visit_values(kind, label::ERROR_TYPE, |set| &set.errors, visit);
            }
            UnitMetric::Retries => {
                self.visit_values(agents, label::REASON, |set| &set.retries, visit);
            }
            UnitMetric::Active => self.visit_active(visit),
        }
    }

    fn sets(&self, kind: UnitKind) -> &[&'a LabelSet] {
        match kind {
            UnitKind::Workflow => &self.workflows,
            UnitKind::Agent => &self.agents,
            // Calls have metrics of their own.
            UnitKind::Llm | UnitKind::Tool => &[],
        }
    }

    fn visit_runs(&self, kind: UnitKind, visit: Visit<'_>) {
        let mut labels = Vec::new();
        for group in self.sets(kind).chunk_by(|one, other| one.has_runs_of(other)) {
            for statuses in statuses_of(group[0]) {
                let ended = |set: &&LabelSet| statuses.iter().map(|it| set.ended(*it)).sum::<u64>();
                let (count, set) = (group.iter().map(ended).sum(), group[0]);
                if count > 0 || set.declares(statuses[0]) {
                    labels.clear();
                    set.run_labels(statuses[0], &mut labels);
                    visit(&labels, SeriesValue::Count(count));
                }
            }
        }
    }

    fn visit_durations(&self, kind: UnitKind, visit: Visit<'_>) {
        let (mut labels, mut ended) = (Vec::new(), Durations::default());
        for group in self.sets(kind).chunk_by(|one, other| one.has_durations_of(other)) {
            for statuses in statuses_of(group[0]) {
                ended.clear();
                for status in statuses {
                    group.iter().for_each(|set| set.add_durations(*status, &mut ended));
                }
                if ended.count() > 0 {
                    labels.clear();
                    group[0].duration_labels(statuses[0], &mut labels);
                    visit(&labels, SeriesValue::Durations(&ended));
                }
            }
        }
    }

    fn visit_values(
        &self,
        kind: UnitKind,
        key: &'static str,
        counters: fn(&LabelSet) -> &CounterByValue,
        visit: Visit<'_>,
    ) {
        let (mut counts, mut overflow) = (Vec::new(), 0);
        for group in self.sets(kind).chunk_by(|one, other| one.has_id_of(other)) {
            counts.clear();
            overflow += group.iter().map(|set| counters(set).read(&mut counts)).sum::<u64>();
            if group[0].overflowing {
                overflow += counts.iter().map(|(_, count)| count).sum::<u64>();
                continue;
            }
            counts.sort_unstable_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
            for alike in counts.chunk_by(|(one, _), (other, _)| one == other) {
                let labels = [group[0].id_label(), kv(key, alike[0].0.clone())];
                let count = alike.iter().map(|(_, count)| count).sum();
                visit(&labels, SeriesValue::Count(count));
            }
        }
        if overflow > 0 {
            visit(&[overflow_label()], SeriesValue::Count(overflow));
        }
    }

    fn visit_active(&self, visit: Visit<'_>) {
        for group in self.workflows.chunk_by(|one, other| one.has_id_of(other)) {
            let active = group.iter().filter_map(|set| set.active());
            if let Some(active) = active.reduce(|sum, active| sum + active) {
                visit(&[group[0].id_label()], SeriesValue::InFlight(active));
            }
        }
    }
}

/// Returns the statuses of each series of `set`: one each, or all in the overflow series.
fn statuses_of(set: &LabelSet) -> std::slice::Chunks<'static, UnitStatus> {
    const ALL: &[UnitStatus] = &UnitStatus::ALL;
    ALL.chunks(if set.overflowing { ALL.len() } else { 1 })
}

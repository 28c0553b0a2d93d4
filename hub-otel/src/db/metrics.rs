//! The database client's instrument, and a cache of statements: their summaries and series.

use crate::db::connections;
use crate::db::summary::Summary;
use crate::db::system::System;
use crate::instance::Instance;
use crate::metrics::instruments;
use crate::semconv::{attribute as a, kv, metric};
use opentelemetry::KeyValue;
use opentelemetry::metrics::BoundHistogram;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::Meter;
use rustc_hash::FxBuildHasher;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

/// The size of the cache. Most programs have fewer statements; one that builds SQL at run time must
/// not make the cache grow without a bound.
const MAX_STATEMENTS: usize = 1024;
/// Longer statements are summarised on each call and not cached.
const MAX_CACHED_BYTES: usize = 8 * 1024;

pub(crate) struct DbMetrics {
    pub(super) duration: Histogram<f64>,
    statements: RwLock<HashMap<Box<str>, Arc<Statement>, FxBuildHasher>>,
}

/// A statement's summary, and the series of its successful operations.
pub(super) struct Statement {
    pub(super) summary: Summary,
    /// Of the first database that executed it. `None` for a statement that is not cached.
    series: Option<OnceLock<(Arc<System>, BoundHistogram<f64>)>>,
}

impl Statement {
    /// Creates a statement that is not cached.
    pub(super) fn of(sql: &str) -> Self {
        Self { summary: Summary::of(sql), series: None }
    }

    /// Appends the labels that all operations have.
    pub(super) fn push_labels(&self, system: &System, labels: &mut Vec<KeyValue>) {
        labels.extend(system.attributes.iter().cloned());
        let Summary { operation, collection, text } = &self.summary;
        labels.extend(operation.clone().map(|operation| kv(a::DB_OPERATION_NAME, operation)));
        labels.extend(collection.clone().map(|collection| kv(a::DB_COLLECTION_NAME, collection)));
        labels.extend(text.clone().map(|text| kv(a::DB_QUERY_SUMMARY, text)));
    }
}

impl Instance {
    pub(crate) fn db(&self) -> &DbMetrics {
        self.extensions.get_or_init(|| {
            connections::register(self);
            DbMetrics::new(&self.meter)
        })
    }
}

impl DbMetrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            duration: instruments::build_histogram(meter, &metric::DB_CLIENT_OPERATION_DURATION),
            statements: RwLock::default(),
        }
    }

    /// Returns the statement `sql`, from the cache if it is there.
    pub(super) fn statement(&self, sql: &str) -> Arc<Statement> {
        let statements = self.statements.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = statements.get(sql) {
            return statement.clone();
        }
        drop(statements);
        let mut statement = Statement::of(sql);
        if sql.len() <= MAX_CACHED_BYTES {
            let mut statements = self.statements.write().unwrap_or_else(PoisonError::into_inner);
            if statements.len() < MAX_STATEMENTS {
                statement.series = Some(OnceLock::new());
                let statement = Arc::new(statement);
                return statements.entry(sql.into()).or_insert(statement).clone();
            }
        }
        Arc::new(statement)
    }

    /// Records a successful operation.
    pub(super) fn record(&self, system: &Arc<System>, statement: &Statement, duration: Duration) {
        let labels = || {
            let mut labels = Vec::new();
            statement.push_labels(system, &mut labels);
            labels
        };
        let series = statement.series.as_ref();
        let series = series.map(|series| {
            series.get_or_init(|| (Arc::clone(system), self.duration.bind(&labels())))
        });
        match series {
            Some((bound, series)) if Arc::ptr_eq(bound, system) => {
                series.record(duration.as_secs_f64());
            }
            _ => self.duration.record(duration.as_secs_f64(), &labels()),
        }
    }
}

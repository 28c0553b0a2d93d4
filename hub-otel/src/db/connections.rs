//! Connections of named pools: `db.client.connection.count` and `db.client.connection.max`.
//!
//! The list of pools belongs to the process, not to an instance: a pool can be older than the
//! telemetry that exports it. It does not keep a pool alive.

use crate::instance::Instance;
use crate::instrumentation::InstanceSource;
use crate::metrics::instruments;
use crate::per_process::PerProcess;
use crate::semconv::value::connection_state::{IDLE, USED};
use crate::semconv::{attribute as a, kv, metric};
use opentelemetry::Context;
use opentelemetry::metrics::AsyncInstrument;
use sqlx::{Database, Pool};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

static POOLS: PerProcess<Mutex<Vec<Weak<dyn NamedPool>>>> = PerProcess::new();

/// A pool whose connections are exported under its name.
pub(super) trait NamedPool: Send + Sync {
    fn name(&self) -> &str;
    /// Returns the instance that exports the pool.
    fn instance(&self) -> Option<Arc<Instance>>;
    /// Counts the connections. `None` if the pool is closed.
    fn count(&self) -> Option<Connections>;
}

/// Numbers of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Connections {
    idle: i64,
    used: i64,
    max: i64,
}

struct SqlxPool<DB: Database> {
    pool: Pool<DB>,
    name: String,
    source: InstanceSource,
}

impl<DB: Database> NamedPool for SqlxPool<DB> {
    fn name(&self) -> &str {
        &self.name
    }

    fn instance(&self) -> Option<Arc<Instance>> {
        exporting(&self.source)
    }

    fn count(&self) -> Option<Connections> {
        if self.pool.is_closed() {
            return None;
        }
        // The size is read last: a connection that is opened in between counts as used.
        let idle = i64::try_from(self.pool.num_idle()).unwrap_or(i64::MAX);
        let used = (i64::from(self.pool.size()) - idle).max(0);
        Some(Connections { idle, used, max: self.pool.options().get_max_connections().into() })
    }
}

/// Exports the connections of a pool, as long as the returned value lives.
pub(super) fn observe<DB: Database>(
    pool: &Pool<DB>,
    name: String,
    source: &InstanceSource,
) -> Arc<dyn NamedPool> {
    let named: Arc<dyn NamedPool> =
        Arc::new(SqlxPool { pool: pool.clone(), name, source: source.clone() });
    let mut pools = POOLS.get().lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|pool| pool.strong_count() > 0);
    pools.push(Arc::downgrade(&named));
    drop(pools);
    if let Some(instance) = exporting(source) {
        // Registers the instruments.
        instance.db();
    }
    named
}

/// Returns the instance that exports a pool. A pool belongs to no request, so that an instance in
/// the current context does not matter.
fn exporting(source: &InstanceSource) -> Option<Arc<Instance>> {
    let _no_request = Context::new().attach();
    source.resolve()
}

/// Registers the instruments of all named pools that record into `instance`.
pub(super) fn register(instance: &Instance) {
    let id = instance.id;
    instruments::observe_i64_up_down_counter(
        &instance.meter,
        &metric::DB_CLIENT_CONNECTION_COUNT,
        move |observer: &dyn AsyncInstrument<i64>| {
            for (name, connections) in count_of(id) {
                for (state, count) in [(IDLE, connections.idle), (USED, connections.used)] {
                    let state = kv(a::DB_CLIENT_CONNECTION_STATE, state);
                    let name = kv(a::DB_CLIENT_CONNECTION_POOL_NAME, name.clone());
                    observer.observe(count, &[name, state]);
                }
            }
        },
    );
    instruments::observe_i64_up_down_counter(
        &instance.meter,
        &metric::DB_CLIENT_CONNECTION_MAX,
        move |observer: &dyn AsyncInstrument<i64>| {
            for (name, connections) in count_of(id) {
                let name = kv(a::DB_CLIENT_CONNECTION_POOL_NAME, name);
                observer.observe(connections.max, &[name]);
            }
        },
    );
}

/// Counts the connections of an instance's pools by name. Those of pools with the same name are
/// added.
fn count_of(instance: u64) -> BTreeMap<String, Connections> {
    let pools = POOLS.get().lock().unwrap_or_else(PoisonError::into_inner);
    let living: Vec<_> = pools.iter().filter_map(Weak::upgrade).collect();
    // A pool can be dropped here, and its destructor must not find the list locked.
    drop(pools);
    let mut counted: BTreeMap<String, Connections> = BTreeMap::new();
    for pool in living {
        if pool.instance().is_none_or(|exports| exports.id != instance) {
            continue;
        }
        if let Some(Connections { idle, used, max }) = pool.count() {
            let sum = counted.entry(pool.name().to_owned()).or_default();
            sum.idle += idle;
            sum.used += used;
            sum.max += max;
        }
    }
    counted
}

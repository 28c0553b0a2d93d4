//! Which database, and where: read once from the pool's options, without user and password.

use crate::semconv::{attribute as a, kv};
use opentelemetry::KeyValue;
use sqlx::ConnectOptions;
use sqlx::Database;
use sqlx::Pool;
use std::sync::Arc;

/// `db.system.name`, `server.address`, `server.port`, `db.namespace`.
#[derive(Debug)]
pub(super) struct System {
    pub(super) name: &'static str,
    /// What a span is named after where its statement has no summary (database spans, "Name").
    pub(super) target: String,
    pub(super) attributes: Vec<KeyValue>,
}

impl System {
    pub(super) fn of<DB: Database>(pool: &Pool<DB>) -> Arc<Self> {
        let (name, usual_port) = match DB::NAME {
            "PostgreSQL" => ("postgresql", Some(5432)),
            "MySQL" => ("mysql", Some(3306)),
            "SQLite" => ("sqlite", None),
            _ => ("other_sql", None),
        };
        let mut attributes = vec![kv(a::DB_SYSTEM_NAME, name)];
        let mut target = name.to_owned();
        // Only these two build a URL from their options, and only theirs has a server in it.
        if matches!(name, "postgresql" | "mysql") {
            let url = pool.connect_options().to_url_lossy();
            if let Some(host) = url.host_str() {
                attributes.push(kv(a::SERVER_ADDRESS, host.to_owned()));
                host.clone_into(&mut target);
            }
            // Asked for only where it is not the usual one (database spans, `server.port`).
            if let Some(port) = url.port().filter(|port| Some(*port) != usual_port) {
                attributes.push(kv(a::SERVER_PORT, i64::from(port)));
                target.push_str(&format!(":{port}"));
            }
            let database = url.path().trim_start_matches('/');
            if !database.is_empty() {
                attributes.push(kv(a::DB_NAMESPACE, database.to_owned()));
                database.clone_into(&mut target);
            }
        }
        Arc::new(Self { name, target, attributes })
    }
}

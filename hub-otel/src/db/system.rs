//! Database system, server and namespace, read once from the options of a pool.

use crate::semconv::value::db_system;
use crate::semconv::{attribute as a, kv};
use opentelemetry::KeyValue;
use sqlx::ConnectOptions;
use sqlx::Connection;
use sqlx::Database;
use sqlx::Pool;
use std::sync::Arc;

/// `db.system.name`, `server.address`, `server.port`, `db.namespace`. Never user and password.
#[derive(Debug)]
pub(super) struct System {
    pub(super) name: &'static str,
    /// The name of a span whose statement has no summary (database spans, "Name").
    pub(super) target: String,
    pub(super) attributes: Vec<KeyValue>,
}

impl System {
    pub(super) fn of<DB: Database>(pool: &Pool<DB>) -> Arc<Self> {
        Self::of_options::<DB>(&pool.connect_options())
    }

    pub(super) fn of_options<DB: Database>(
        options: &<DB::Connection as Connection>::Options,
    ) -> Arc<Self> {
        let (name, default_port) = match DB::NAME {
            "PostgreSQL" => (db_system::POSTGRESQL, Some(5432)),
            "MySQL" => (db_system::MYSQL, Some(3306)),
            "SQLite" => (db_system::SQLITE, None),
            _ => (db_system::OTHER_SQL, None),
        };
        let mut attributes = vec![kv(a::DB_SYSTEM_NAME, name)];
        let mut target = name.to_owned();
        // The URL of the other systems has no server in it, and may have a file's path.
        if matches!(name, db_system::POSTGRESQL | db_system::MYSQL) {
            let url = options.to_url_lossy();
            if let Some(host) = url.host_str() {
                attributes.push(kv(a::SERVER_ADDRESS, host.to_owned()));
                host.clone_into(&mut target);
            }
            // Required only if it is not the default port (database spans, `server.port`).
            if let Some(port) = url.port().filter(|port| Some(*port) != default_port) {
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

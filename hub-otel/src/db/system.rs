//! Which database, and where: read once from the pool's options, without user and password.

use crate::contract::{attribute as a, kv};
use opentelemetry::KeyValue;
use sqlx::{ConnectOptions, Database, Pool};
use std::sync::Arc;

/// `db.system.name`, `server.address`, `server.port`, `db.namespace`.
#[derive(Debug)]
pub(super) struct System {
    pub(super) name: &'static str,
    pub(super) attributes: Vec<KeyValue>,
}

impl System {
    pub(super) fn of<DB: Database>(pool: &Pool<DB>) -> Arc<Self> {
        let name = match DB::NAME {
            "PostgreSQL" => "postgresql",
            "MySQL" => "mysql",
            "SQLite" => "sqlite",
            _ => "other_sql",
        };
        let mut attributes = vec![kv(a::DB_SYSTEM_NAME, name)];
        // Only these two build a URL from their options, and only theirs has a server in it.
        if matches!(name, "postgresql" | "mysql") {
            let url = pool.connect_options().to_url_lossy();
            if let Some(host) = url.host_str() {
                attributes.push(kv(a::SERVER_ADDRESS, host.to_owned()));
            }
            if let Some(port) = url.port() {
                attributes.push(kv(a::SERVER_PORT, i64::from(port)));
            }
            let database = url.path().trim_start_matches('/');
            if !database.is_empty() {
                attributes.push(kv(a::DB_NAMESPACE, database.to_owned()));
            }
        }
        Arc::new(Self { name, attributes })
    }
}

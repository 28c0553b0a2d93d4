//! The engine that executes the runs.

use super::args::{EngineName, ServeArgs};
use super::database::Database;
use crate::engine::Durability;
use crate::terminal::Problem;
use hub_otel::TelemetryBuilder;

/// Chooses the engine, before anything is opened.
pub(super) fn choose(args: &ServeArgs, database: &Database) -> Result<Durability, Problem> {
    match (args.engine, database) {
        (EngineName::Leases, _) => Ok(Durability::Leases),
        (EngineName::Dbos, Database::File(_)) => Err(Problem::usage_text(
            "--engine dbos requires a PostgreSQL database; set --database-url".to_owned(),
        )),
        #[cfg(feature = "dbos")]
        (EngineName::Dbos, Database::Postgres { url, .. }) => {
            use secrecy::ExposeSecret as _;
            Ok(Durability::Dbos(crate::engine::DbosOptions {
                database_url: url.expose_secret().into(),
                slots: args.slots,
                poll: args.poll,
            }))
        }
        #[cfg(not(feature = "dbos"))]
        (EngineName::Dbos, Database::Postgres { .. }) => Err(Problem::usage_text(
            "--engine dbos is not part of this build; build it with `--features dbos`".to_owned(),
        )),
    }
}

/// Excludes the spans of DBOS, which are as long as the process or repeat the segments.
pub(super) fn filter_spans(builder: TelemetryBuilder, args: &ServeArgs) -> TelemetryBuilder {
    match args.engine {
        EngineName::Leases => builder,
        EngineName::Dbos => builder.span_filter(format!("{},dbos=off", args.span_filter)),
    }
}

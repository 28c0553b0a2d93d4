//! The orchestrator as a process: real HTTP, a real database file, a real OTLP receiver, and
//! failures of each.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

/// Runs tests with a PostgreSQL database, and with the engine DBOS.
macro_rules! on_several_machines {
    ($($name:ident),* $(,)?) => {
        #[cfg(feature = "dbos")]
        mod dbos {
            $(#[test]
            fn $name() {
                if let Some(home) = crate::server::Home::dbos() {
                    super::$name(home);
                }
            })*
        }
        mod postgres {
            $(#[test]
            fn $name() {
                if let Some(home) = crate::server::Home::postgres() {
                    super::$name(home);
                }
            })*
        }
    };
}

/// Runs tests with a database file, with a PostgreSQL database, and with the engine DBOS.
macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name(crate::server::Home::new());
            })*
        }
        on_several_machines!($($name),*);
    };
}

mod api;
mod approvals;
mod balancer;
mod clocks;
#[cfg(feature = "dbos")]
mod dbos;
mod disk;
mod durable;
mod executions;
mod kill_nine;
mod live_view;
#[cfg(feature = "dbos")]
mod machines;
mod panics;
mod postgres;
mod queue;
mod races;
mod requests;
mod retention;
mod server;
mod startup;
mod trace_snapshot;
mod traces;
mod two_servers;

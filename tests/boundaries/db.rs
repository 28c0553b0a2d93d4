//! Databases: SQLite in a file and PostgreSQL on a free port.

mod postgres;
mod sqlite;

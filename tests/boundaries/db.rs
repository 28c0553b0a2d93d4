//! Databases: SQLite in a file and PostgreSQL on a free port.

mod connections;
mod postgres;
mod sqlite;

//! Databases: the same promises for SQLite in a file and PostgreSQL on a port.

mod postgres;
mod sqlite;

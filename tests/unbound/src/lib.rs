//! Nothing: see tests/behaviour.rs.

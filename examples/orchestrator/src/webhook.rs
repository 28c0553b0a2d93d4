//! Receives Grafana's alerts and starts a run of the workflow `alert-notification` per incident.
//!
//! [`payload`] parses the body, [`auth`] checks the credentials, [`incident`] normalizes the
//! alerts, and [`route`] stores the runs. The store deduplicates incidents, in the transaction that
//! stores the run.

pub mod auth;
pub mod incident;
pub mod payload;
pub mod route;

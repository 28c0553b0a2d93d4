//! Takes Grafana's alerts, and makes each incident a run of the workflow `alert-notification`.
//!
//! [`payload`] reads what came, [`auth`] decides whether to believe it, [`incident`] says what it means, and [`route`]
//! stores it. Which alert is news and which was said before is the store's to decide, in the transaction that keeps the
//! run.

pub mod auth;
pub mod incident;
pub mod payload;
pub mod route;

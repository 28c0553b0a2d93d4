//! One outcome per started call, right parents, right numbers: what a user sees of an annotated function.

mod approvals;
mod between_processes;
mod concurrent;
mod deadlines;
mod declared;
mod inert;
mod judged;
mod labels;
mod late_facts;
mod outcomes;
mod parents;
mod segments;
mod shared;
mod tracing_crate;

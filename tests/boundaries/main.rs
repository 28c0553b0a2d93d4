//! The boundaries, against real peers over TCP: what a request, a call or a statement leaves behind, as a tree of spans and
//! a table of metrics.

mod guide;
mod process;
mod support;

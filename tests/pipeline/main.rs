//! From `init` to the Collector: the environment, the wire, `/metrics`, the guard, in whatever runtime it lives.

mod child;
mod console;
mod environment;
mod kit;
mod listener;
mod no_feedback_loop;
mod overflow;
mod redaction;
mod resource;
mod runtimes;
mod scrape;
mod shutdown_message;
mod variables;
mod wire;

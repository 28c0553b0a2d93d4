//! The export pipeline from `init` to the Collector: environment, wire, `/metrics`, shutdown,
//! runtimes.

mod certificates;
mod child;
mod console;
mod environment;
mod install;
mod kit;
mod last_scrape;
mod lenient;
mod listener;
mod no_feedback_loop;
mod open_units;
mod overflow;
mod own_instruments;
mod redaction;
mod resource;
mod runtimes;
mod scrape;
mod shutdown_message;
mod signals;
mod stderr;
mod thread_ends;
mod variables;
mod wire;
mod wrong_port;

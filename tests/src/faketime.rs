//! Processes whose clock is wrong, by libfaketime.

use crate::postgres;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// Adds a difference, such as `+90s`, to the clock of a command. Its timers are right.
///
/// Returns `None`, with a message on stderr, if Debian's package `faketime` is not installed.
///
/// # Panics
/// If it is not installed, and the tests on PostgreSQL are required.
pub fn set_clock<'a>(command: &'a mut Command, difference: &str) -> Option<&'a mut Command> {
    let Some(library) = library() else {
        let required = postgres::REQUIRED;
        assert!(!postgres::is_required(), "libfaketime is missing, and {required} requires it");
        // Not by `eprintln`, whose output the test harness hides if the test succeeds.
        let _ = std::io::stderr().write_all(b"skipped: faketime\n");
        return None;
    };
    Some(
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME", difference)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    )
}

/// Finds the library for programs with threads.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    libraries.find(|library| library.exists())
}

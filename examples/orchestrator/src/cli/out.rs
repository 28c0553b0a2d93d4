//! What goes to stdout: ids and results, one a line, for the next command of a pipe.

use std::io::Write as _;

/// Writes a line; a reader that has gone away is no failure of ours.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

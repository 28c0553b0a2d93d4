//! Why the server did not start: one line on stderr, and the exit code that goes with it.

use crate::cli::Exit;
use std::error::Error;
use std::io::Write;

/// Why the server did not start.
#[derive(Debug)]
pub(super) struct Problem {
    exit: Exit,
    text: String,
}

impl Problem {
    /// The command line or the environment is wrong.
    pub(super) fn usage(error: impl Error) -> Self {
        Self { exit: Exit::Usage, text: with_causes(&error) }
    }

    pub(super) fn usage_text(text: String) -> Self {
        Self { exit: Exit::Usage, text }
    }

    /// Something else than the command line is wrong.
    pub(super) fn failure(text: String) -> Self {
        Self { exit: Exit::Failed, text }
    }

    pub(super) fn failure_of(error: impl Error) -> Self {
        Self::failure(with_causes(&error))
    }

    /// Says it, and what the process ends with.
    pub(super) fn report(self) -> Exit {
        // A closed stderr is no reason to answer with another code.
        drop(writeln!(std::io::stderr(), "error: {}", self.text));
        self.exit
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some errors repeat their cause in their own text.
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

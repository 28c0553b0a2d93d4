//! What a command ends with, for the shell that started it.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked to do.
    Success,
    /// A run failed, a check failed, or the server said no.
    Failed,
    /// The command line or the environment was wrong.
    Usage,
    /// The time that was given to it ran out.
    TimedOut,
}

impl Exit {
    /// The number that the shell sees.
    pub fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::TimedOut => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// Why a command did not do it: a line on stderr, and the exit code that goes with it.
#[derive(Debug)]
pub struct Problem {
    exit: Exit,
    text: String,
}

impl Problem {
    /// The command line or the environment is wrong.
    pub fn usage(error: impl Error) -> Self {
        Self { exit: Exit::Usage, ..error.into() }
    }

    /// The same, in words of its own.
    pub fn usage_text(text: String) -> Self {
        Self { exit: Exit::Usage, text }
    }

    /// Something else than the command line is wrong.
    pub fn failure(text: String) -> Self {
        Self { exit: Exit::Failed, text }
    }

    /// Says it, and what the process ends with.
    pub fn report(self) -> Exit {
        // A closed stderr is no reason to answer with another code.
        drop(writeln!(std::io::stderr(), "error: {}", self.text));
        self.exit
    }
}

impl<E: Error> From<E> for Problem {
    /// A failure, with its causes.
    fn from(error: E) -> Self {
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
        Self::failure(text)
    }
}

//! Output of a command: results on stdout, errors on stderr, the exit code.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

/// Exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Success,
    /// A run failed, a check failed, or the server returned an error.
    Failed,
    /// Wrong command line or environment.
    Usage,
    /// Timeout.
    TimedOut,
}

impl Exit {
    /// The exit code as a number.
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

/// Failure of a command: a line on stderr and an exit code.
#[derive(Debug)]
pub struct Problem {
    exit: Exit,
    text: String,
}

impl Problem {
    /// Wrong command line or environment.
    pub fn usage(error: impl Error) -> Self {
        Self { exit: Exit::Usage, ..error.into() }
    }

    /// Wrong command line or environment, with a text.
    pub fn usage_text(text: String) -> Self {
        Self { exit: Exit::Usage, text }
    }

    /// Any other failure.
    pub fn failure(text: String) -> Self {
        Self { exit: Exit::Failed, text }
    }

    /// Prints the error on stderr. Returns the exit code.
    pub fn report(self) -> Exit {
        print_message(&format!("error: {}", self.text));
        self.exit
    }
}

impl<E: Error> From<E> for Problem {
    /// A failure with the causes of the error.
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            let cause = error.to_string();
            // Some errors contain the text of their cause.
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
            source = error.source();
        }
        Self::failure(text)
    }
}

/// Prints a line on stdout: ids and results, for the next command of a pipe. Ignores a closed pipe.
pub fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", escape(line));
}

/// Prints a message on stderr. A closed stderr does not change the exit code.
pub fn print_message(text: &str) {
    text.lines().for_each(|line| drop(writeln!(std::io::stderr(), "{}", escape(line))));
}

/// Escapes control characters except the separator of columns: texts of a server or a file must
/// neither add lines nor control the terminal.
fn escape(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len());
    for character in line.chars() {
        if character.is_control() && character != '\t' {
            escaped.extend(character.escape_debug());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

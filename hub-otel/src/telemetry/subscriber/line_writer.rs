//! The writer of log lines on stderr.

use crate::export::stderr;
use crate::semconv::SCOPE;
use std::io;
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// Creates a writer per line. The application's own lines are written by the thread that logs them,
/// which waits for stderr as with any subscriber. Lines of this crate, about units or from its
/// threads, must not wait: they are queued.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineWriter;

/// The writer of one line.
pub(super) enum Line {
    Direct(io::Stderr),
    Queued(Vec<u8>),
}

impl MakeWriter<'_> for LineWriter {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        if stderr::is_own_thread() { Line::Queued(Vec::new()) } else { Line::Direct(io::stderr()) }
    }

    fn make_writer_for(&self, metadata: &Metadata<'_>) -> Line {
        if metadata.target() == SCOPE { Line::Queued(Vec::new()) } else { self.make_writer() }
    }
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Direct(stderr) => stderr.write(bytes),
            Self::Queued(line) => line.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Self::Queued(line) = self {
            stderr::print(std::mem::take(line));
        }
    }
}

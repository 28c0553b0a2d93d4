//! The lines of a stream of server-sent events, cut out of its chunks.
//!
//! One line is kept at most, up to a limit. A longer one is skipped.

use std::mem::take;

/// The limit of one line.
const MAX_LINE: usize = 512 * 1024;

/// The unfinished line at the end of the chunks so far.
#[derive(Debug, Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
    /// The line is over the limit: the rest of it is skipped.
    is_skipped: bool,
}

impl Lines {
    /// Calls `data` with the value of each `data` field that ends in `chunk`.
    pub(super) fn read(&mut self, chunk: &[u8], mut data: impl FnMut(&[u8])) {
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, next) = (&rest[..end], &rest[end + 1..]);
            rest = next;
            let is_skipped = take(&mut self.is_skipped);
            if self.unfinished.is_empty() {
                if !is_skipped && line.len() <= MAX_LINE {
                    call_with_data(line, &mut data);
                }
                continue;
            }
            let mut whole = take(&mut self.unfinished);
            if !is_skipped && whole.len() + line.len() <= MAX_LINE {
                whole.extend_from_slice(line);
                call_with_data(&whole, &mut data);
            }
            // The next line uses the same memory.
            whole.clear();
            self.unfinished = whole;
        }
        if self.is_skipped || self.unfinished.len() + rest.len() > MAX_LINE {
            self.is_skipped = self.is_skipped || !rest.is_empty();
            self.unfinished = Vec::new();
        } else {
            self.unfinished.extend_from_slice(rest);
        }
    }
}

/// Calls `data` with the value of a `data` field.
fn call_with_data(line: &[u8], data: &mut impl FnMut(&[u8])) {
    if let Some(value) = line.strip_prefix(b"data:") {
        data(value.strip_prefix(b" ").unwrap_or(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for chunk in chunks {
            lines.read(chunk, |data| found.push(String::from_utf8_lossy(data).into_owned()));
        }
        found
    }

    #[test]
    fn data_is_found_wherever_the_chunks_are_cut() {
        let text = b": comment\r\nevent: x\r\ndata: one\r\n\r\ndata:two\n\ndata: three\r\rid: 7\n";
        let expected = ["one", "two", "three"];
        assert_eq!(all(&[text]), expected);
        assert_eq!(all(&text.chunks(1).collect::<Vec<_>>()), expected);
        for cut in 0..text.len() {
            assert_eq!(all(&[&text[..cut], &text[cut..]]), expected, "{cut}");
        }
        assert!(all(&[b"data: unfinished"]).is_empty());
    }

    #[test]
    fn a_line_over_the_limit_is_skipped_and_not_kept() {
        let long = vec![b'x'; MAX_LINE];
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for chunk in [b"data: ", &long[..], &long, b"\ndata: next\n"] {
            lines.read(chunk, |data| found.push(data.to_vec()));
            assert!(lines.unfinished.capacity() <= 2 * MAX_LINE);
        }
        assert_eq!(found, [b"next"]);
    }
}

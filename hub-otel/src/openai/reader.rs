//! Reads the facts of a response while its bytes pass.

use crate::contain::contain;
use crate::openai::content::Output;
use crate::openai::facts::{Facts, Seen};
use crate::openai::sse::Lines;
use crate::unit::current::{Current, current};
use bytes::{Buf, Bytes};
use http_types::HeaderMap;
use http_types::header::CONTENT_TYPE;
use std::borrow::Cow;

/// The limit of a JSON body: facts of a larger one are not read.
pub(super) const MAX_JSON: usize = 8 * 1024 * 1024;

/// The reader of one response.
#[derive(Debug)]
pub(super) struct ResponseReader {
    facts: Facts,
    /// `None` without the consent to content, and when it was recorded.
    output: Option<Output>,
    format: Format,
    has_data: bool,
    pub(super) error_type: Option<Cow<'static, str>>,
    /// The response is complete, although its body may continue.
    pub(super) is_complete: bool,
}

#[derive(Debug)]
enum Format {
    /// The chunks so far, which share the client's memory.
    Json {
        chunks: Vec<Bytes>,
        length: usize,
    },
    Events(Lines),
    /// Not read.
    Other,
}

impl ResponseReader {
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().trim_start().to_ascii_lowercase();
        let format = match () {
            () if content_type.starts_with("text/event-stream") => Format::Events(Lines::default()),
            () if content_type.contains("json") => Format::Json { chunks: Vec::new(), length: 0 },
            () => Format::Other,
        };
        Self {
            facts: Facts::default(),
            output: current().captures_content().then(Output::default),
            format,
            has_data: false,
            error_type: None,
            is_complete: false,
        }
    }

    /// Reads a chunk, inside of the call.
    pub(super) fn read(&mut self, chunk: &Bytes) {
        let is_first = !chunk.is_empty() && !std::mem::replace(&mut self.has_data, true);
        match &mut self.format {
            Format::Other => {}
            Format::Json { chunks, length } => {
                *length += chunk.len();
                if *length > MAX_JSON {
                    self.format = Format::Other;
                } else {
                    chunks.push(chunk.clone());
                }
            }
            Format::Events(lines) => {
                let call = current();
                if is_first {
                    call.first_chunk();
                }
                let mut events = Vec::new();
                lines.read(chunk, |data| {
                    if let Some(output) = &mut self.output {
                        contain(|| output.add(data));
                    }
                    events.push(read_event(&mut self.facts, data, &call));
                });
                events.into_iter().for_each(|seen| self.note(seen));
            }
        }
    }

    /// Reads the facts of a body that has ended.
    pub(super) fn finish(&mut self) {
        if let Format::Json { chunks, .. } = &mut self.format {
            let chunks = std::mem::take(chunks);
            let seen = match &chunks[..] {
                [only] => self.record_whole(only),
                many => {
                    let mut whole = Vec::with_capacity(many.iter().map(Buf::remaining).sum());
                    many.iter().for_each(|chunk| whole.extend_from_slice(chunk));
                    self.record_whole(&whole)
                }
            };
            self.note(seen);
        }
        self.record_output();
    }

    fn record_whole(&mut self, json: &[u8]) -> Seen {
        if let Some(output) = &mut self.output {
            contain(|| output.add(json));
        }
        record(&mut self.facts, json, &current())
    }

    /// Records the content, once.
    fn record_output(&mut self) {
        if let Some(output) = self.output.take() {
            contain(|| output.record(&current()));
        }
    }

    fn note(&mut self, seen: Seen) {
        self.is_complete |= seen.is_last;
        if self.is_complete {
            self.record_output();
        }
        if self.error_type.is_none() {
            self.error_type = seen.error_type;
        }
    }
}

fn read_event(facts: &mut Facts, data: &[u8], call: &Current) -> Seen {
    match data.trim_ascii() {
        b"[DONE]" => Seen { is_last: true, error_type: None },
        json => record(facts, json, call),
    }
}

fn record(facts: &mut Facts, json: &[u8], call: &Current) -> Seen {
    contain(|| facts.record(json, call)).unwrap_or_default()
}

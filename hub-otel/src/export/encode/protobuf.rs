//! A writer of the protobuf wire format, for the fields that OTLP spans and log records use.
//!
//! Fields are written in the order of the calls. Like prost, it omits fields with the default
//! value, except in the `required_` methods (for members of a `oneof`), and writes each length in
//! the shortest form: the bytes equal prost's if the caller writes the fields in ascending order.
//!
//! <https://protobuf.dev/programming-guides/encoding/>

use prost::Message;

/// Wire types of the protobuf encoding.
#[derive(Debug, Clone, Copy)]
enum WireType {
    Varint = 0,
    Fixed64 = 1,
    LengthDelimited = 2,
    Fixed32 = 5,
}

/// The position of the first byte of a nested message.
#[derive(Debug)]
#[must_use = "`end_message` writes the length"]
pub(super) struct MessageStart(usize);

/// A buffer to which fields are appended.
#[derive(Debug, Default)]
pub(super) struct ProtobufWriter {
    bytes: Vec<u8>,
}

impl ProtobufWriter {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn push_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(low_seven_bits(value) | 0x80);
            value >>= 7;
        }
        self.bytes.push(low_seven_bits(value));
    }

    fn push_tag(&mut self, field: u32, wire_type: WireType) {
        self.push_varint(u64::from(field << 3 | wire_type as u32));
    }

    /// Writes a string, also if it is empty.
    pub(super) fn required_string(&mut self, field: u32, text: &str) {
        self.required_bytes(field, text.as_bytes());
    }

    pub(super) fn string(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.required_string(field, text);
        }
    }

    /// Writes bytes, also if there are none.
    pub(super) fn required_bytes(&mut self, field: u32, bytes: &[u8]) {
        self.push_tag(field, WireType::LengthDelimited);
        self.push_varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes a nested message of prost.
    pub(super) fn message(&mut self, field: u32, message: &impl Message) {
        self.push_tag(field, WireType::LengthDelimited);
        self.push_varint(message.encoded_len() as u64);
        message.encode_raw(&mut self.bytes);
    }

    /// Writes an array of bytes that is not empty.
    pub(super) fn byte_array<const N: usize>(&mut self, field: u32, bytes: [u8; N]) {
        self.push_tag(field, WireType::LengthDelimited);
        self.push_varint(N as u64);
        self.bytes.extend_from_slice(&bytes);
    }

    /// Writes an integer as a varint, also if it is zero. Negative numbers take ten bytes.
    pub(super) fn required_int64(&mut self, field: u32, value: i64) {
        self.push_tag(field, WireType::Varint);
        self.push_varint(value.cast_unsigned());
    }

    pub(super) fn uint32(&mut self, field: u32, value: u32) {
        if value != 0 {
            self.required_int64(field, i64::from(value));
        }
    }

    /// Writes a double, also if it is zero.
    pub(super) fn required_double(&mut self, field: u32, value: f64) {
        self.push_tag(field, WireType::Fixed64);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn fixed64(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.push_tag(field, WireType::Fixed64);
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }

    pub(super) fn fixed32(&mut self, field: u32, value: u32) {
        if value != 0 {
            self.push_tag(field, WireType::Fixed32);
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// Begins a nested message, which [`end_message`](Self::end_message) ends.
    ///
    /// The length precedes the message and is unknown until the message is written. One byte is
    /// reserved for it; a message of 128 bytes or more is moved by the further bytes of its length.
    pub(super) fn begin_message(&mut self, field: u32) -> MessageStart {
        self.push_tag(field, WireType::LengthDelimited);
        self.bytes.push(0);
        MessageStart(self.bytes.len())
    }

    /// Ends a nested message: writes its length before it.
    pub(super) fn end_message(&mut self, MessageStart(begin): MessageStart) {
        let end = self.bytes.len();
        let length = (end - begin) as u64;
        let extra = varint_length(length) - 1;
        if extra > 0 {
            self.bytes.resize(end + extra, 0);
            self.bytes.copy_within(begin..end, begin + extra);
        }
        let mut rest = length;
        for byte in &mut self.bytes[begin - 1..begin + extra] {
            *byte = low_seven_bits(rest) | 0x80;
            rest >>= 7;
        }
        self.bytes[begin - 1 + extra] &= 0x7f;
    }
}

/// Returns the number of bytes of `value` as a varint.
fn varint_length(value: u64) -> usize {
    (u64::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

/// Returns the seven lowest bits of `value`.
fn low_seven_bits(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::encoding::{encode_varint, encoded_len_varint};

    #[test]
    fn varints_equal_those_of_prost() {
        for value in (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit]).chain([u64::MAX]) {
            let mut writer = ProtobufWriter::default();
            writer.push_varint(value);
            let mut expected = Vec::new();
            encode_varint(value, &mut expected);
            assert_eq!(writer.bytes, expected, "{value}");
            assert_eq!(varint_length(value), encoded_len_varint(value), "{value}");
        }
    }

    #[test]
    fn the_length_of_a_message_takes_one_to_three_bytes() {
        for length in [0, 1, 125, 126, 127, 128, 16_381, 16_382, 20_000] {
            let text = "x".repeat(length);
            let mut writer = ProtobufWriter::default();
            let message = writer.begin_message(3);
            writer.required_string(1, &text);
            writer.end_message(message);
            let mut expected = vec![3 << 3 | 2];
            encode_varint((1 + encoded_len_varint(length as u64) + length) as u64, &mut expected);
            expected.push(1 << 3 | 2);
            encode_varint(length as u64, &mut expected);
            expected.extend(text.bytes());
            assert_eq!(writer.bytes, expected, "{length}");
        }
    }
}

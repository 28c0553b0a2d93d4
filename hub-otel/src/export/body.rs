//! Bodies of OTLP over HTTP that another program wrote: media type and compression.

use http_types::header::HeaderValue;
use std::io::Read;

/// Returns the media type in lower case, without parameters. Empty if there is none.
pub(crate) fn media_type(content_type: Option<&HeaderValue>) -> String {
    let value = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The error of a body that cannot be decompressed.
#[derive(Debug)]
pub(crate) enum Undecodable {
    /// Over the limit.
    TooLarge,
    /// Not in the encoding that the header names.
    Invalid(String),
    /// In an encoding that is not supported.
    Unsupported(String),
}

/// Decompresses a body up to `max` bytes. Encodings are applied in the listed order, and compared
/// without case (RFC 9110, "Content-Encoding").
pub(crate) fn decompress(
    body: &[u8],
    encodings: Option<&HeaderValue>,
    max: usize,
) -> Result<Vec<u8>, Undecodable> {
    let encodings = encodings.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut body = body.to_vec();
    for encoding in encodings.rsplit(',').map(|encoding| encoding.trim().to_ascii_lowercase()) {
        let mut decompressed = Vec::new();
        let limit = max as u64 + 1;
        match encoding.as_str() {
            "" | "identity" => continue,
            "gzip" | "x-gzip" => flate2::read::MultiGzDecoder::new(body.as_slice())
                .take(limit)
                .read_to_end(&mut decompressed),
            #[cfg(feature = "otlp-http")]
            "zstd" => zstd::stream::read::Decoder::new(body.as_slice())
                .and_then(|decoder| decoder.take(limit).read_to_end(&mut decompressed)),
            _ => return Err(Undecodable::Unsupported(encoding)),
        }
        .map_err(|_| Undecodable::Invalid(encoding))?;
        if decompressed.len() > max {
            return Err(Undecodable::TooLarge);
        }
        body = decompressed;
    }
    Ok(body)
}

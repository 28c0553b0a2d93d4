//! The header `traceparent` in its fixed form (W3C Trace Context, "traceparent Header").
//!
//! Not the SDK's propagator: it splits the header into a list and looks up each header anew, at ten
//! times the cost, and accepts ids that are too short.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The length of version 00: `00-{32 digits}-{16 digits}-{2 digits}`.
const LENGTH: usize = 55;

/// Returns the caller's span. `tracestate` is read only if `traceparent` is valid, and left out if
/// it is not.
pub(crate) fn parse<S: AsRef<str>>(
    traceparent: &str,
    tracestate: impl FnOnce() -> Option<S>,
) -> Option<SpanContext> {
    let header = traceparent.trim().as_bytes();
    let (fields, rest) = header.split_at_checked(LENGTH)?;
    let version = hex(&fields[..2])?;
    // A later version may have more fields, behind another dash. 255 is not a version.
    let is_known = match version {
        0 => rest.is_empty(),
        255 => false,
        _ => rest.is_empty() || rest[0] == b'-',
    };
    let has_dashes = [2, 35, 52].iter().all(|index| fields[*index] == b'-');
    if !is_known || !has_dashes {
        return None;
    }
    let (high, low) = (hex(&fields[3..19])?, hex(&fields[19..35])?);
    let trace_id = TraceId::from(u128::from(high) << 64 | u128::from(low));
    let span_id = SpanId::from(hex(&fields[36..52])?);
    let flags = TraceFlags::new(u8::try_from(hex(&fields[53..55])?).ok()?);
    if trace_id == TraceId::INVALID || span_id == SpanId::INVALID {
        return None;
    }
    let state = tracestate().and_then(|state| state.as_ref().parse::<TraceState>().ok());
    // Other flags are reserved: they are not passed on.
    let flags = flags & TraceFlags::SAMPLED;
    Some(SpanContext::new(trace_id, span_id, flags, true, state.unwrap_or_default()))
}

/// Returns the number of at most 16 lower-case hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry::trace::TraceContextExt;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use std::collections::HashMap;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn by_sdk(traceparent: &str, tracestate: &str) -> Option<SpanContext> {
        let headers: HashMap<String, String> =
            [("traceparent", traceparent), ("tracestate", tracestate)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        let context = TraceContextPropagator::new().extract(&headers);
        let span = context.span().span_context().clone();
        span.is_valid().then_some(span)
    }

    #[test]
    fn the_result_is_that_of_the_sdk() {
        for traceparent in [
            VALID,
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00 ",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes-next",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "",
            "-",
        ] {
            for tracestate in ["vendor=1,other=2", "no member", ""] {
                let own = parse(traceparent, || Some(tracestate));
                assert_eq!(own, by_sdk(traceparent, tracestate), "{traceparent} {tracestate}");
            }
        }
    }

    #[test]
    fn the_fixed_form_is_required_where_the_sdk_is_lenient() {
        for traceparent in [
            "00-af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-01",
        ] {
            assert_eq!(parse(traceparent, || None::<&str>), None, "{traceparent}");
        }
    }
}

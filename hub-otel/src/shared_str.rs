//! Strings that spans and metric series share.

use opentelemetry::StringValue;
use std::sync::Arc;

/// Copies `string` into a reference-counted value, so that later clones do not allocate.
pub(crate) fn share_str(string: &str) -> StringValue {
    StringValue::from(Arc::<str>::from(string))
}

//! Creation of attributes.

use opentelemetry::{Key, KeyValue, Value};

/// Creates an attribute. The key is a constant of this contract or a name given by the user.
///
/// `clippy.toml` disallows `KeyValue::new` in all other places.
#[expect(clippy::disallowed_methods, reason = "the only permitted use of `KeyValue::new`")]
#[cfg_attr(
    not(feature = "sdk"),
    expect(unreachable_pub, reason = "public in `otel`, which needs the SDK")
)]
pub fn kv(key: impl Into<Key>, value: impl Into<Value>) -> KeyValue {
    KeyValue::new(key, value)
}

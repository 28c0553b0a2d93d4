//! Values that other modules attach to an [`Instance`](crate::instance::Instance), one per type.
//!
//! Each boundary registers its own instruments here, so that `instance.rs` depends on no boundary.

use std::any::Any;
use std::sync::OnceLock;

/// Append-only list of values with distinct types. Reads take no lock.
#[derive(Default)]
pub(crate) struct Extensions {
    first: OnceLock<Box<Node>>,
}

struct Node {
    value: Box<dyn Any + Send + Sync>,
    next: Extensions,
}

impl Extensions {
    /// Returns the value of type `T`; the first call creates it.
    ///
    /// `create` must not access the same list: `OnceLock` does not support recursive
    /// initialisation.
    pub(crate) fn get_or_init<T: Any + Send + Sync>(&self, mut create: impl FnMut() -> T) -> &T {
        let mut list = self;
        loop {
            // A concurrent call may fill this node with another type. The search then continues.
            let node = list.first.get_or_init(|| {
                Box::new(Node { value: Box::new(create()), next: Extensions::default() })
            });
            if let Some(value) = node.value.downcast_ref::<T>() {
                return value;
            }
            list = &node.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_created_once() {
        let extensions = Extensions::default();
        assert_eq!(*extensions.get_or_init(|| 1_u8), 1);
        assert_eq!(*extensions.get_or_init(|| "first"), "first");
        assert_eq!(*extensions.get_or_init(|| 2_u8), 1);
        assert_eq!(*extensions.get_or_init(|| "second"), "first");
    }
}

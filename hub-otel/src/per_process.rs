//! A value per process, for threads and locks that a forked child cannot use.

use std::sync::OnceLock;

/// A value that is created at first use, and once more in each forked child: threads of the parent
/// do not exist there, and a lock may be held by one of them.
pub(crate) struct PerProcess<T: 'static> {
    first: OnceLock<ProcessNode<T>>,
}

struct ProcessNode<T> {
    pid: u32,
    value: T,
    /// The value of a forked child.
    next: OnceLock<Box<ProcessNode<T>>>,
}

impl<T: Default> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self { first: OnceLock::new() }
    }

    /// Returns the value of this process.
    pub(crate) fn get(&'static self) -> &'static T {
        let pid = std::process::id();
        let new = || ProcessNode { pid, value: T::default(), next: OnceLock::new() };
        let mut node = self.first.get_or_init(new);
        while node.pid != pid {
            node = node.next.get_or_init(|| Box::new(new()));
        }
        &node.value
    }
}

//! The runtime of the harness, independent of the threads that a test blocks.

use std::future::Future;
use std::sync::LazyLock;
use tokio::runtime::{Builder, Handle, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("harness")
        .enable_all()
        .build()
        .expect("the harness's runtime starts")
});

/// Returns the runtime of the harness.
pub(crate) fn handle() -> &'static Handle {
    RUNTIME.handle()
}

/// Runs `future` on the runtime of the harness and blocks the thread until it completes. Allowed
/// inside any runtime.
pub(crate) fn block_on<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    handle().spawn(async move {
        let _gone = sender.send(future.await);
    });
    receiver.recv().expect("the future ran to its end")
}

/// A task that is aborted when dropped.
#[derive(Debug)]
pub(crate) struct Task(tokio::task::JoinHandle<()>);

impl Task {
    pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(handle().spawn(future))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

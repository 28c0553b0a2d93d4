//! The runtime that the harness runs on, so that it answers whatever the test does to its own
//! threads.

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

/// The harness's runtime.
pub(crate) fn handle() -> &'static Handle {
    RUNTIME.handle()
}

/// Runs `future` on the harness's runtime and blocks this thread until it is done; allowed inside
/// any runtime.
pub(crate) fn block_on<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    handle().spawn(async move {
        let _gone = sender.send(future.await);
    });
    receiver.recv().expect("the future ran to its end")
}

/// A task that ends with its owner.
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

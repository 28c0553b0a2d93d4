//! The functions of the user under any pipeline of `tracing`.

use crate::{Kind, rename};
use apalis::layers::tracing::{DefaultMakeSpan, TraceLayer};
use apalis::prelude::*;
use std::time::Duration;

/// The function of the user.
#[tracing::instrument(skip_all)]
pub async fn user<F: Future>(work: F) -> F::Output {
    work.await
}

#[tracing::instrument(skip_all)]
async fn send(queue: &mut MemoryStorage<u8>) {
    queue.push(1).await.expect("a queue in memory");
}

/// Sends a job and runs the worker.
pub async fn job(kind: Kind) {
    let mut queue = MemoryStorage::new();
    send(&mut queue).await;
    let layer =
        TraceLayer::new().make_span_with(DefaultMakeSpan::new().level(tracing::Level::INFO));
    let worker = WorkerBuilder::new("worker").backend(queue).layer(layer).build(
        move |_: u8, worker: WorkerContext| async move {
            user(rename(kind)).await;
            worker.stop()
        },
    );
    let _dropped = tokio::time::timeout(Duration::from_millis(200), worker.run()).await;
}

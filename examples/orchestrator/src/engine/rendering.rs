//! Rendering of a node's input outside of the async workers, with a deadline.

use super::progress::Progress;
use crate::domain::Node;
use crate::template;
use serde_json::{Map, Value};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Maximum duration of a rendering. Its thread ends later, when the fuel is used.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of renderings at the same time, those that exceeded the deadline included.
const MAX_RENDERINGS: usize = 4;

static SLOTS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MAX_RENDERINGS)));

/// Renders the input of a node. The error is the reason.
pub(super) async fn render(
    node: &Node,
    progress: &Progress<'_>,
    context: &Map<String, Value>,
) -> Result<Value, String> {
    if !template::has_templates(&node.input) {
        return Ok(node.input.clone());
    }
    let slot = Arc::clone(&SLOTS).acquire_owned().await.map_err(|error| error.to_string())?;
    let (input, variables) = (node.input.clone(), progress.variables(context));
    let rendering = tokio::task::spawn_blocking(move || {
        let _slot = slot;
        template::render(&input, &variables)
    });
    match tokio::time::timeout(TIMEOUT, rendering).await {
        Ok(Ok(rendered)) => rendered.map_err(|error| error.to_string()),
        Ok(Err(_)) => Err("the rendering of the templates failed".to_owned()),
        Err(_) => Err(format!("the templates render longer than {} s", TIMEOUT.as_secs())),
    }
}

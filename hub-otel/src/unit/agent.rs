//! Agents without the macro.

use crate::unit::builder::prelude::*;
use crate::unit_kind::UnitKind;

/// One logical execution of an agent, all attempts included, where there is no function to annotate.
///
/// `id` and `action` are metric labels: stable slugs, never generated ids.
///
/// ```
/// # async fn ask() -> Result<String, std::io::Error> { Ok(String::new()) }
/// # async fn example() -> Result<(), std::io::Error> {
/// let answer = hub_otel::agent("planner", "plan").field("model", "m-1").run(ask()).await?;
/// # Ok(()) }
/// ```
pub fn agent(id: impl Into<String>, action: impl Into<String>) -> Agent {
    let mut draft = Draft::new(UnitKind::Agent);
    draft.map(|opening| opening.id(Text::Owned(id.into())).action(Text::Owned(action.into())));
    Agent { draft }
}

/// An agent's execution that is being described. See [`agent`].
#[must_use = "nothing happens before `run` or `call`"]
pub struct Agent {
    draft: Draft,
}

impl Agent {
    common!();
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").finish_non_exhaustive()
    }
}

//! Where a boundary records: the telemetry that travels in the context, else the one it was given, else the installed one.

use crate::instance;
use crate::instance::{Instance, Travel};
use opentelemetry::Context;
use std::fmt;
use std::sync::Arc;

/// Looked up per request, so that a layer built before `install` works after it.
#[derive(Clone, Default)]
pub(crate) struct Target(Option<Arc<Given>>);

/// An instance that the boundary brings along.
struct Given {
    instance: Arc<Instance>,
    _travel: Travel,
}

impl Target {
    /// This instance, where no other travels in the context.
    pub(crate) fn given(instance: Arc<Instance>) -> Self {
        Self(Some(Arc::new(Given { instance, _travel: Travel::begin() })))
    }

    /// What travels in the context where the boundary is made, for tasks that inherit nothing from there.
    pub(crate) fn here() -> Self {
        if !instance::in_use() {
            return Self(None);
        }
        let travelling = |context: &Context| {
            instance::travels_in(context).then(|| instance::of(context)).flatten()
        };
        Context::map_current(travelling).map_or(Self(None), Self::given)
    }

    /// The instance to record into, if there is one.
    pub(crate) fn resolve(&self) -> Option<Arc<Instance>> {
        match &self.0 {
            None => instance::current(),
            Some(given) => Context::map_current(|context| {
                if instance::travels_in(context) {
                    instance::of(context)
                } else {
                    Some(given.instance.clone())
                }
            }),
        }
    }

    /// The current context, in which what the boundary calls finds the same instance.
    #[cfg(feature = "axum")]
    pub(crate) fn context(&self) -> Context {
        Context::map_current(|context| match &self.0 {
            Some(given) if !instance::travels_in(context) => {
                instance::carried(context, &given.instance)
            }
            _ => context.clone(),
        })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Target(given)" } else { "Target(current)" })
    }
}

//! Components with their names, and the report of a panic in one.

use crate::contain::contain;
use crate::export::diagnostics::Diagnostics;
use std::sync::{Arc, LazyLock};

/// A component with the name of its type, for reports.
pub(crate) struct Named<C> {
    pub(crate) name: Arc<str>,
    pub(crate) component: C,
}

impl<C> Named<C> {
    pub(crate) fn new(name: &str, component: C) -> Self {
        Self { name: name.into(), component }
    }

    /// Calls the component. Reports the first panic and returns `None` for each.
    pub(crate) fn call<R>(&self, code: impl FnOnce(&C) -> R) -> Option<R> {
        let result = contain(|| code(&self.component));
        if result.is_none() {
            report_panic(&self.name);
        }
        result
    }

    /// Does what [`call`](Self::call) does, with exclusive access.
    pub(crate) fn call_mut<R>(&mut self, code: impl FnOnce(&mut C) -> R) -> Option<R> {
        let result = contain(|| code(&mut self.component));
        if result.is_none() {
            report_panic(&self.name);
        }
        result
    }
}

/// Returns the path of the type of a component, without generic arguments.
pub(crate) fn name_of<T>(_: &T) -> &'static str {
    let name = std::any::type_name::<T>();
    name.split_once('<').map_or(name, |(path, _)| path)
}

/// Reports a panic of a component, once per name in a process.
#[cold]
pub(crate) fn report_panic(name: &str) {
    static REPORTED: LazyLock<Diagnostics> = LazyLock::new(Diagnostics::default);
    REPORTED.log_once(name, &format!("{name} panicked: telemetry continues without this call"));
}

/// Gives each exporter a name of its own: the second one of a type gets `#2`.
pub(crate) fn number_equal_names<C>(exporters: &mut [Named<C>]) {
    for index in (0..exporters.len()).rev() {
        let name = Arc::clone(&exporters[index].name);
        let earlier = exporters[..index].iter().filter(|other| other.name == name).count();
        if earlier > 0 {
            exporters[index].name = format!("{name}#{}", earlier + 1).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exporters_of_one_type_have_different_names() {
        let names =
            [name_of(&Some(1)), name_of(&Box::new(1)), name_of(&Some("")), name_of(&Some(2))];
        let mut exporters: Vec<_> = names.into_iter().map(|name| Named::new(name, ())).collect();
        number_equal_names(&mut exporters);
        let names: Vec<&str> = exporters.iter().map(|exporter| &*exporter.name).collect();
        assert_eq!(
            names,
            [
                "core::option::Option",
                "alloc::boxed::Box",
                "core::option::Option#2",
                "core::option::Option#3"
            ]
        );
    }
}

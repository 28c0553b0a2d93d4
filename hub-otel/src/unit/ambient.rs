//! `tracing` span of a unit, or of an HTTP request, for code that uses `Span::current()`:
//! `.in_current_span()`, explicit parents, libraries that adopt the current span.
//!
//! Opened only where the layer that exports `tracing` spans is part of the subscriber: the layer
//! makes the span stand for the unit's own one. Without that layer the cost is one atomic load per
//! unit and poll.

#[cfg(feature = "tracing")]
pub(crate) use exporting::{AmbientSpan, enable, is_unit};

#[cfg(not(feature = "tracing"))]
pub(crate) use inert::AmbientSpan;

#[cfg(feature = "tracing")]
mod exporting {
    use crate::contain::contain;
    use crate::export::diagnostics::write_line;
    use crate::semconv::{REQUEST_SPAN, SCOPE, UNIT_SPAN};
    use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
    use tracing::level_filters::LevelFilter;
    use tracing::{Dispatch, Metadata, Span, dispatcher};

    /// Returns whether a subscriber contains the exporting layer. Unset while no such layer exists.
    static HAS_LAYER: OnceLock<fn(&Dispatch) -> bool> = OnceLock::new();

    /// Makes units open spans in subscribers for which `has_layer` returns `true`.
    pub(crate) fn enable(has_layer: fn(&Dispatch) -> bool) {
        HAS_LAYER.get_or_init(|| has_layer);
    }

    /// Returns whether a call site is one of the spans that stand for those of units and requests.
    pub(crate) fn is_unit(metadata: &Metadata<'_>) -> bool {
        metadata.target() == SCOPE
            && metadata.is_span()
            && [UNIT_SPAN, REQUEST_SPAN].contains(&metadata.name())
    }

    /// The `tracing` span of one unit or request. Panics of the application's layers do not reach
    /// the program.
    #[derive(Default)]
    pub(crate) struct AmbientSpan(OnceLock<Box<Mutex<Option<Arc<Span>>>>>);

    impl AmbientSpan {
        /// Opens and enters the span, if the current subscriber exports spans. The unit's context
        /// is attached.
        #[inline]
        pub(crate) fn open(&self) {
            // At the level that no filter by level disables; nothing prints it.
            self.open_with(|| tracing::error_span!(target: SCOPE, UNIT_SPAN));
        }

        /// Does what [`open`](Self::open) does for the span of an HTTP request, which is the
        /// current one.
        #[cfg(feature = "axum")]
        pub(crate) fn open_request(&self) {
            self.open_with(|| tracing::error_span!(target: SCOPE, REQUEST_SPAN));
        }

        #[inline]
        fn open_with(&self, new: fn() -> Span) {
            // The span is at the level that only `off` disables.
            if let Some(has_layer) = HAS_LAYER.get()
                && LevelFilter::current() != LevelFilter::OFF
            {
                self.open_where(*has_layer, new);
            }
        }

        #[cold]
        fn open_where(&self, has_layer: fn(&Dispatch) -> bool, new: fn() -> Span) {
            contain(|| {
                if !dispatcher::get_default(has_layer) {
                    return;
                }
                let span = new();
                if span.is_disabled() {
                    report_filter();
                } else {
                    self.0.get_or_init(|| Box::new(Mutex::new(Some(Arc::new(span)))));
                    self.enter();
                }
            });
        }

        #[inline]
        pub(crate) fn is_open(&self) -> bool {
            self.0.get().is_some()
        }

        /// Enters the span on this thread.
        #[cold]
        pub(crate) fn enter(&self) {
            self.with_span(|span| span.with_subscriber(|(id, dispatch)| dispatch.enter(id)));
        }

        /// Leaves the span on this thread.
        #[inline]
        pub(crate) fn exit(&self) {
            if self.is_open() {
                self.with_span(|span| span.with_subscriber(|(id, dispatch)| dispatch.exit(id)));
            }
        }

        /// Closes the span, unless other code holds it.
        #[inline]
        pub(crate) fn close(&self) {
            if let Some(span) = self.0.get() {
                let span = span.lock().unwrap_or_else(PoisonError::into_inner).take();
                contain(|| drop(span));
            }
        }

        #[cold]
        fn with_span(&self, with: impl FnOnce(&Span) -> Option<()>) {
            let span = self.0.get().and_then(|span| {
                // Not locked while the subscriber runs.
                span.lock().unwrap_or_else(PoisonError::into_inner).clone()
            });
            if let Some(span) = span {
                contain(|| {
                    with(&span);
                    drop(span);
                });
            }
        }
    }

    /// Reports a filter of the application that disables the spans of units, once.
    fn report_filter() {
        static REPORTED: Once = Once::new();
        REPORTED.call_once(|| {
            write_line(&format!(
                "a filter of the `tracing` subscriber disables the target `{SCOPE}`: spans and \
                 spawned tasks inside workflows and agents start traces of their own; add \
                 `{SCOPE}=error` to the filter, or apply the filter to one layer only, with \
                 `Layer::with_filter`"
            ));
        });
    }
}

#[cfg(not(feature = "tracing"))]
mod inert {
    /// No span: the feature `tracing` is off.
    #[derive(Default)]
    pub(crate) struct AmbientSpan {}

    impl AmbientSpan {
        #[inline]
        pub(crate) fn open(&self) {}

        #[cfg(feature = "axum")]
        pub(crate) fn open_request(&self) {}

        #[inline]
        pub(crate) fn is_open(&self) -> bool {
            false
        }

        #[inline]
        pub(crate) fn enter(&self) {}

        #[inline]
        pub(crate) fn exit(&self) {}

        #[inline]
        pub(crate) fn close(&self) {}
    }
}

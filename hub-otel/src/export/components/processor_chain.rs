//! Processors of the application for one signal, called until the shutdown.

use crate::export::components::named::Named;
use opentelemetry_sdk::error::OTelSdkResult;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// The processors, called in the order of the builder's calls.
pub(crate) struct ProcessorChain<P: ?Sized> {
    processors: Vec<Named<Box<P>>>,
    /// Set by the shutdown: the processors are not called any more.
    is_shut_down: AtomicBool,
}

impl<P: ?Sized> ProcessorChain<P> {
    pub(crate) fn new(
        mut processors: Vec<Named<Box<P>>>,
        set_resource: impl Fn(&mut Box<P>),
    ) -> Self {
        for processor in &mut processors {
            processor.call_mut(&set_resource);
        }
        Self { processors, is_shut_down: AtomicBool::new(false) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.processors.is_empty()
    }

    /// Returns the processors before the shutdown, none after it.
    pub(crate) fn active(&self) -> &[Named<Box<P>>] {
        if self.is_shut_down.load(SeqCst) { &[] } else { &self.processors }
    }

    /// Calls `force_flush` with each active processor.
    ///
    /// # Errors
    /// The first error of a processor. The later ones are called all the same.
    pub(crate) fn force_flush(
        &self,
        force_flush: impl Fn(&Box<P>) -> OTelSdkResult,
    ) -> OTelSdkResult {
        let flush = |processor: &Named<Box<P>>| processor.call(&force_flush);
        let results: Vec<_> = self.active().iter().filter_map(flush).collect();
        results.into_iter().collect()
    }

    /// Calls `shut_down` with each processor, the first time that it is called.
    pub(crate) fn shut_down(&self, shut_down: impl Fn(&Box<P>) -> OTelSdkResult) {
        if !self.is_shut_down.swap(true, SeqCst) {
            for processor in &self.processors {
                processor.call(&shut_down);
            }
        }
    }
}

impl<P: ?Sized> Default for ProcessorChain<P> {
    fn default() -> Self {
        Self { processors: Vec::new(), is_shut_down: AtomicBool::new(false) }
    }
}

impl<P: ?Sized> std::fmt::Debug for ProcessorChain<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.processors.iter().map(|processor| &processor.name);
        f.debug_list().entries(names).finish()
    }
}

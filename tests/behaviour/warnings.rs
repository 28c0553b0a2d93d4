//! Warnings of the library, as events of `tracing`.

use std::sync::{Arc, Mutex, PoisonError};

/// Collects the fields of the warnings by one name.
#[derive(Clone)]
pub(crate) struct Events {
    name: &'static str,
    texts: Arc<Mutex<Vec<String>>>,
}

impl Events {
    pub(crate) fn of(name: &'static str) -> Self {
        Self { name, texts: Arc::default() }
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.texts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{}={value:?} ", field.name()).replace('"', "");
            }
        }
        if event.metadata().name() == self.name {
            assert_eq!(*event.metadata().level(), tracing::Level::WARN);
            let mut text = Text(String::new());
            event.record(&mut text);
            self.texts.lock().unwrap_or_else(PoisonError::into_inner).push(text.0);
        }
    }
}

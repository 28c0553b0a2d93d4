//! The callbacks of the application's observable instruments, run outside of the SDK's collection.
//!
//! The SDK calls them while it holds the lock of all instruments: a panic would end all metrics,
//! and a callback that blocks would block the creation of instruments. A collection therefore first
//! runs the callbacks on separate threads, and the SDK repeats the observations of the last run. A
//! callback that panics or hangs loses its own metric only.

use crate::export::diagnostics::Diagnostics;
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::metrics::AsyncInstrument;
use opentelemetry::metrics::Callback;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The time limit of all callbacks of one collection.
pub(crate) const BUDGET: Duration = Duration::from_secs(5);
/// The same during shutdown.
pub(crate) const BUDGET_AT_SHUTDOWN: Duration = Duration::from_secs(1);
/// The time after which the callbacks behind a slow one run on another thread.
const PATIENCE: Duration = Duration::from_millis(500);
/// The limit of threads with a callback. At the limit, no callback is run.
const MAX_THREADS: usize = 8;
/// The age up to which observations of a slow callback are repeated.
const MAX_AGE: Duration = Duration::from_secs(60);
/// The limit of observations of one callback. The SDK keeps 2,000 label sets of an instrument.
const MAX_OBSERVATIONS: usize = 10_000;

/// The callbacks of one instance.
#[derive(Default)]
pub(crate) struct Observers {
    callbacks: Mutex<Vec<Arc<dyn ObserverCallback>>>,
    /// One collection runs the callbacks at a time.
    turn: tokio::sync::Mutex<()>,
    threads: Arc<AtomicUsize>,
    diagnostics: Arc<Diagnostics>,
}

/// A callback of any type of number.
trait ObserverCallback: Send + Sync {
    fn instrument(&self) -> &str;
    fn is_running(&self) -> bool;
    /// Runs the callback, unless it is running. Returns the failure to report.
    fn run(&self) -> Option<CallbackFailure>;
}

/// A failure of one run.
#[derive(Debug, Clone, Copy)]
enum CallbackFailure {
    Panicked,
    /// Over [`MAX_OBSERVATIONS`].
    TooManyObservations,
}

/// One callback with its last observations.
pub(crate) struct Observer<T> {
    instrument: String,
    callback: Callback<T>,
    last: Mutex<LastRun<T>>,
}

struct LastRun<T> {
    is_running: bool,
    ended: Option<Instant>,
    observations: Vec<(T, Vec<KeyValue>)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Copy> Observer<T> {
    /// Repeats the observations of the last run.
    pub(crate) fn repeat(&self, instrument: &dyn AsyncInstrument<T>) {
        let last = lock(&self.last);
        if last.ended.is_some_and(|ended| ended.elapsed() <= MAX_AGE) {
            for (value, attributes) in &last.observations {
                instrument.observe(*value, attributes);
            }
        }
    }
}

impl<T: Copy + Send + Sync> ObserverCallback for Observer<T> {
    fn instrument(&self) -> &str {
        &self.instrument
    }

    fn is_running(&self) -> bool {
        lock(&self.last).is_running
    }

    fn run(&self) -> Option<CallbackFailure> {
        if std::mem::replace(&mut lock(&self.last).is_running, true) {
            return None;
        }
        let buffer = ObservationBuffer(Mutex::default(), AtomicBool::new(false));
        let result = catch_unwind(AssertUnwindSafe(|| (self.callback)(&buffer)));
        let mut last = lock(&self.last);
        last.is_running = false;
        last.ended = Some(Instant::now());
        last.observations = match result {
            Ok(()) => std::mem::take(&mut *lock(&buffer.0)),
            Err(_) => Vec::new(),
        };
        drop(last);
        let Err(payload) = result else {
            return buffer.1.load(SeqCst).then_some(CallbackFailure::TooManyObservations);
        };
        // The destructor of a payload may panic as well.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(payload)));
        Some(CallbackFailure::Panicked)
    }
}

/// Collects the observations of one run, up to the limit. The flag is set beyond it.
struct ObservationBuffer<T>(Mutex<Vec<(T, Vec<KeyValue>)>>, AtomicBool);

impl<T: Copy + Send + Sync> AsyncInstrument<T> for ObservationBuffer<T> {
    fn observe(&self, measurement: T, attributes: &[KeyValue]) {
        let mut observations = lock(&self.0);
        if observations.len() < MAX_OBSERVATIONS {
            observations.push((measurement, attributes.to_vec()));
        } else {
            self.1.store(true, SeqCst);
        }
    }
}

impl Observers {
    pub(crate) fn new(diagnostics: Arc<Diagnostics>) -> Arc<Self> {
        Arc::new(Self { diagnostics, ..Self::default() })
    }

    /// Adds a callback of `instrument`.
    pub(crate) fn add<T: Copy + Send + Sync + 'static>(
        &self,
        instrument: &str,
        callback: Callback<T>,
    ) -> Arc<Observer<T>> {
        let last = LastRun { is_running: false, ended: None, observations: Vec::new() };
        let observer = Arc::new(Observer {
            instrument: instrument.to_owned(),
            callback,
            last: Mutex::new(last),
        });
        lock(&self.callbacks).push(Arc::clone(&observer) as Arc<dyn ObserverCallback>);
        observer
    }

    /// Runs all callbacks, at most for `budget`. Those that are running since an earlier collection
    /// are left out.
    pub(crate) async fn run_all(&self, budget: Duration) {
        let deadline = Instant::now() + budget;
        let _turn = self.turn.lock().await;
        let idle: VecDeque<_> = lock(&self.callbacks)
            .iter()
            .filter(|callback| !callback.is_running())
            .cloned()
            .collect();
        if idle.is_empty() {
            return;
        }
        let mut unfinished = idle.len();
        let started: Vec<_> = idle.iter().cloned().collect();
        let waiting = Arc::new(Mutex::new(idle));
        let (ended, mut ends) = mpsc::unbounded_channel();
        let mut has_thread = self.start_thread(&waiting, &ended);
        while unfinished > 0 && has_thread {
            let remaining = deadline.saturating_duration_since(Instant::now());
            match timeout(remaining.min(PATIENCE), ends.recv()).await {
                Ok(_) => unfinished -= 1,
                Err(_) if Instant::now() >= deadline => break,
                Err(_) if lock(&waiting).is_empty() => {}
                Err(_) => has_thread = self.start_thread(&waiting, &ended),
            }
        }
        // A thread whose callback returns later finds nothing more to run.
        lock(&waiting).clear();
        for callback in started.iter().filter(|callback| callback.is_running()) {
            let name = callback.instrument();
            self.diagnostics.log_once(
                &format!("callback late {name}"),
                &format!(
                    "the callback of the instrument `{name}` did not return within {budget:?}: its \
                     metric is not exported until it returns; do not block in callbacks"
                ),
            );
        }
    }

    /// Starts a thread that runs the waiting callbacks. Returns whether it was started.
    fn start_thread(
        &self,
        waiting: &Arc<Mutex<VecDeque<Arc<dyn ObserverCallback>>>>,
        ended: &mpsc::UnboundedSender<()>,
    ) -> bool {
        let slot = ThreadSlot(Arc::clone(&self.threads));
        let is_full = self.threads.fetch_add(1, SeqCst) >= MAX_THREADS;
        let (waiting, ended) = (Arc::clone(waiting), ended.clone());
        let diagnostics = Arc::clone(&self.diagnostics);
        let run = move || {
            let _slot = slot;
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            loop {
                let Some(callback) = lock(&waiting).pop_front() else { return };
                if let Some(failure) = callback.run() {
                    report(&diagnostics, callback.instrument(), failure);
                }
                let _ = ended.send(());
            }
        };
        let builder = std::thread::Builder::new().name("hub-otel-observe".to_owned());
        // At the limit `run` is dropped, which frees its slot.
        let is_started = !is_full && builder.spawn(run).is_ok();
        if !is_started {
            self.diagnostics.log_once(
                "callbacks not run",
                "the callbacks of observable instruments are not run: too many of them do not \
                 return, or no thread can be started",
            );
        }
        is_started
    }
}

fn report(diagnostics: &Diagnostics, instrument: &str, failure: CallbackFailure) {
    let message = match failure {
        CallbackFailure::Panicked => {
            "panicked: its metric is not exported until a call succeeds".to_owned()
        }
        CallbackFailure::TooManyObservations => {
            format!("observed more than {MAX_OBSERVATIONS} values: further ones are not exported")
        }
    };
    diagnostics.log_once(
        &format!("callback {failure:?} {instrument}"),
        &format!("the callback of the instrument `{instrument}` {message}"),
    );
}

/// One of [`MAX_THREADS`]. Freed on drop.
struct ThreadSlot(Arc<AtomicUsize>);

impl Drop for ThreadSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

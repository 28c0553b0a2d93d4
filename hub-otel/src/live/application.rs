//! Contributions of the application to the live view: approvals, decisions, cancellations.

use opentelemetry::Context;
use opentelemetry::trace::FutureExt as _;
use serde::Serialize;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::runtime::Handle;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type List = Arc<dyn Fn() -> BoxFuture<Vec<Approval>> + Send + Sync>;
type Decide = Arc<dyn Fn(Decision) -> BoxFuture<Result<(), String>> + Send + Sync>;
type Cancel = Arc<dyn Fn(String) -> BoxFuture<Result<(), String>> + Send + Sync>;

/// An approval that waits for a decision, as the application stores it.
///
/// ```
/// use hub_otel::live::Approval;
/// use std::time::SystemTime;
///
/// let approval = Approval::new("approval-1", "run-7", SystemTime::now())
///     .workflow("patch-with-approval")
///     .subject("patcher · apply")
///     .input(r#"{"changes": 3}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    pub(super) id: String,
    pub(super) run: String,
    pub(super) since: SystemTime,
    pub(super) workflow: String,
    pub(super) subject: String,
    pub(super) input: String,
}

impl Approval {
    /// Creates an approval of a run that waits since a time.
    pub fn new(id: impl Into<String>, run_id: impl Into<String>, since: SystemTime) -> Self {
        Self {
            id: id.into(),
            run: run_id.into(),
            since,
            workflow: String::new(),
            subject: String::new(),
            input: String::new(),
        }
    }

    /// Sets the name of the workflow.
    #[must_use]
    pub fn workflow(mut self, name: impl Into<String>) -> Self {
        self.workflow = name.into();
        self
    }

    /// Sets a short description of the action that waits.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Sets the input of the action, as text or JSON. It is shown as it is: redact it before.
    #[must_use]
    pub fn input(mut self, input: impl Into<String>) -> Self {
        self.input = input.into();
        self
    }
}

/// A decision that a person made on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// Id of the approval.
    pub id: String,
    /// `true` to approve, `false` to reject.
    pub is_approved: bool,
    /// Name of the person. Not authenticated: the page lets its user enter it.
    pub by: String,
}

/// Contributions of an application to the live view. Registered by
/// [`Telemetry::live_application`](crate::Telemetry::live_application).
///
/// Without a handler the page shows no button for the action. Each handler runs on the tokio
/// runtime that it was registered on, and its error text is shown on the page.
///
/// ```
/// use hub_otel::live::{Application, Approval};
///
/// # async fn pending() -> Vec<Approval> { Vec::new() }
/// # async fn store(id: &str, approved: bool) -> Result<(), std::io::Error> { Ok(()) }
/// let application = Application::new()
///     .hint("curl -X POST http://127.0.0.1:9002/api/workflows/review/trigger")
///     .approvals(pending)
///     .decide(|decision| async move {
///         store(&decision.id, decision.is_approved).await.map_err(|error| error.to_string())
///     });
/// ```
#[derive(Clone, Default)]
pub struct Application {
    pub(super) hint: Option<String>,
    pub(super) approvals: Option<List>,
    pub(super) decide: Option<Decide>,
    pub(super) cancel: Option<Cancel>,
    pub(super) runtime: Option<Handle>,
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("hint", &self.hint).finish_non_exhaustive()
    }
}

impl Application {
    /// Creates contributions without any handler.
    #[must_use]
    pub fn new() -> Self {
        Self { runtime: Handle::try_current().ok(), ..Self::default() }
    }

    /// Sets a command that starts a run, shown while there is none.
    #[must_use]
    pub fn hint(mut self, command: impl Into<String>) -> Self {
        self.hint = Some(command.into());
        self
    }

    /// Sets the list of the stored approvals that wait. Called every few seconds while a page is
    /// open. Approvals that wait by [`approval::wait`](crate::approval::wait) are listed without
    /// it.
    #[must_use]
    pub fn approvals<F, A>(mut self, list: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Vec<Approval>> + Send + 'static,
    {
        self.approvals = Some(Arc::new(move || Box::pin(list())));
        self
    }

    /// Sets the handler of decisions.
    #[must_use]
    pub fn decide<F, A>(mut self, decide: F) -> Self
    where
        F: Fn(Decision) -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.decide = Some(Arc::new(move |decision| Box::pin(decide(decision))));
        self
    }

    /// Sets the handler that cancels a run by its id.
    #[must_use]
    pub fn cancel<F, A>(mut self, cancel: F) -> Self
    where
        F: Fn(String) -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.cancel = Some(Arc::new(move |run| Box::pin(cancel(run))));
        self
    }

    /// Runs a handler on the application's runtime. A panic there is its error.
    async fn run<T: Send + 'static>(&self, work: BoxFuture<T>) -> Result<T, String> {
        let Some(runtime) = &self.runtime else {
            return Err("the handler was created outside of a tokio runtime".to_owned());
        };
        runtime.spawn(work).await.map_err(|error| format!("the handler failed: {error}"))
    }

    pub(super) async fn list(&self) -> Result<Vec<Approval>, String> {
        match &self.approvals {
            // Called every few seconds: its spans would fill the traces of the application.
            Some(list) => {
                let suppressed = Context::new().with_telemetry_suppressed();
                self.run(Box::pin(list().with_context(suppressed))).await
            }
            None => Ok(Vec::new()),
        }
    }

    /// `None` without a handler.
    pub(super) async fn decide_now(&self, decision: Decision) -> Option<Result<(), String>> {
        let decide = self.decide.as_ref()?;
        Some(self.run(decide(decision)).await.and_then(|result| result))
    }

    /// `None` without a handler.
    pub(super) async fn cancel_now(&self, run: String) -> Option<Result<(), String>> {
        let cancel = self.cancel.as_ref()?;
        Some(self.run(cancel(run)).await.and_then(|result| result))
    }
}

/// An approval as the page gets it.
#[derive(Debug, Serialize)]
pub(super) struct ApprovalJson {
    id: String,
    run: String,
    since: u64,
    workflow: String,
    subject: String,
    input: String,
}

impl From<Approval> for ApprovalJson {
    fn from(approval: Approval) -> Self {
        let Approval { id, run, since, workflow, subject, input } = approval;
        let input = super::row::cut(&input, 16_384);
        Self { id, run, since: super::row::micros(since), workflow, subject, input }
    }
}

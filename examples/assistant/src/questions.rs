//! Approvals by the user: on the terminal or on the page of the live view, the first answer counts.

use hub_otel::current;
use hub_otel::live::{Application, Approval};
use std::collections::HashMap;
use std::future::pending;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::{mpsc, oneshot};

/// The questions without an answer.
pub(crate) struct Questions {
    open: Mutex<HashMap<String, Question>>,
    /// Lines of the terminal.
    lines: tokio::sync::Mutex<mpsc::Receiver<String>>,
    has_page: bool,
}

struct Question {
    approval: Approval,
    answer: oneshot::Sender<bool>,
}

impl Questions {
    pub(crate) fn new(has_page: bool) -> Arc<Self> {
        let (sender, lines) = mpsc::channel(1);
        // A thread of its own: tokio's stdin would keep the runtime alive until the next line.
        std::thread::spawn(move || {
            let lines = std::io::stdin().lines().map_while(Result::ok);
            lines.take_while(|line| sender.blocking_send(line.clone()).is_ok()).for_each(drop);
        });
        Arc::new(Self { open: Mutex::default(), lines: tokio::sync::Mutex::new(lines), has_page })
    }

    /// Returns whether the user approves that a text is written to a file.
    pub(crate) async fn approves(&self, id: &str, file: &str, text: &str) -> bool {
        let (answer, answered) = oneshot::channel();
        let run = current().run_id().unwrap_or_default();
        let approval =
            Approval::new(id, run, SystemTime::now()).subject(format!("write {file}")).input(text);
        self.with_open(|open| open.insert(id.to_owned(), Question { approval, answer }));
        let page = if self.has_page { ", or on the page" } else { "" };
        show(&format!("\n{text}\nWrite this to {file}? [y/N{page}] "));
        let is_approved = tokio::select! {
            line = self.line() => line.trim() == "y",
            answer = answered => answer.unwrap_or(false),
        };
        self.with_open(|open| open.remove(id));
        is_approved
    }

    /// Returns the next line of the terminal. Without a terminal, a page replies in its place.
    pub(crate) async fn line(&self) -> String {
        match self.lines.lock().await.recv().await {
            Some(line) => line,
            None if self.has_page => pending().await,
            None => String::new(),
        }
    }

    /// Returns the part of the application that the page shows.
    pub(crate) fn application(self: &Arc<Self>) -> Application {
        let (list, decide) = (Arc::clone(self), Arc::clone(self));
        Application::new()
            .approvals(move || {
                let approvals = list.with_open(|open| {
                    open.values().map(|question| question.approval.clone()).collect()
                });
                async { approvals }
            })
            .decide(move |decision| {
                let question = decide.with_open(|open| open.remove(&decision.id));
                async move {
                    let question = question.ok_or("the write is already decided")?;
                    // The run may have ended meanwhile.
                    let sent = question.answer.send(decision.is_approved);
                    sent.map_err(|_| "the run has ended".to_owned())
                }
            })
    }

    fn with_open<T>(&self, act: impl FnOnce(&mut HashMap<String, Question>) -> T) -> T {
        act(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[expect(clippy::print_stdout, reason = "the program's output")]
fn show(text: &str) {
    print!("{text}");
    // A closed pipe ends the output, not the run.
    let _closed = std::io::stdout().flush();
}

//! An agent that replies to questions about a folder: chat loop, tools, a sub-agent, streaming,
//! retries, approval before a write, and a budget.
//!
//! - `openai.rs`: calls of a model, `#[instrument_llm]`, plain and streamed, with their usage.
//! - `tools.rs`: `#[instrument_tool]`; a write waits for an approval.
//! - `agent.rs`: the workflow with its budget, the loop, and the sub-agent.
//! - `questions.rs`: approvals on the terminal and on the page of the live view.
//! - `script.rs`: replies of the scripted server that takes the place of a provider.
//!
//! Run: `cargo run -p assistant` needs neither a key nor a network and prints the trace on stderr.
//! With `OPENAI_API_KEY` and, for another provider, `OPENAI_BASE_URL` it calls the provider:
//! `cargo run -p assistant -- --folder ~/notes "Which notes mention owls?"`.

mod agent;
mod error;
mod openai;
mod questions;
mod script;
mod tools;

use crate::agent::{Assistant, Limits};
use crate::openai::OpenAi;
use crate::questions::Questions;
use crate::tools::{Folder, Permission};
use clap::Parser;
use hub_otel::{Exporter, Signal, Telemetry, TelemetryBuilder};
use scripted_openai::Server;
use std::error::Error;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, Parser)]
struct Args {
    /// The question.
    #[arg(default_value = "Summarize these notes in one sentence and write it into summary.md.")]
    question: String,
    /// The folder. Default: a temporary one with three notes.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Base URL of an OpenAI-compatible API. Default: OpenAI's with a key, else a scripted server.
    #[arg(long, env = "OPENAI_BASE_URL")]
    base_url: Option<String>,
    /// Key of the API.
    #[arg(long, env = "OPENAI_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Model.
    #[arg(long, env = "OPENAI_MODEL", default_value = "gpt-4o-mini")]
    model: String,
    /// Approves every write without a question. On with the scripted server and without a page.
    #[arg(long)]
    yes: bool,
    /// Address of the live view, whose page also approves writes. The program ends with Enter or
    /// Ctrl+C. On a terminal the default is a free port, otherwise there is no page.
    #[arg(long, value_name = "ADDR")]
    live: Option<SocketAddr>,
    /// Exports traces, log records and metrics to a Collector, as the OTEL_ variables set it.
    #[arg(long)]
    otlp: bool,
    #[command(flatten)]
    limits: Limits,
}

impl Args {
    /// The trace goes to stderr, with `--otlp` to a Collector too.
    fn telemetry(&self) -> TelemetryBuilder {
        let builder = Telemetry::builder().default_service_name("assistant");
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let address = self.live.or_else(|| std::io::stdin().is_terminal().then_some(any_port));
        let builder = match address {
            Some(address) => builder.live(address.to_string()),
            None => builder,
        };
        if self.otlp {
            // Pushed: a run is over before a scrape.
            return builder
                .exporters(Signal::Traces, [Exporter::Console, Exporter::Otlp])
                .exporters(Signal::Metrics, [Exporter::Otlp]);
        }
        builder
            .exporters(Signal::Traces, [Exporter::Console])
            .exporters(Signal::Logs, [])
            .prometheus("127.0.0.1", 0)
    }

    /// Returns the API, and the scripted server in its place.
    async fn api(&self) -> std::io::Result<(OpenAi, Option<Server>)> {
        let url = match (&self.base_url, &self.api_key) {
            (Some(url), _) => url.clone(),
            (None, Some(_)) => "https://api.openai.com/v1".to_owned(),
            (None, None) => {
                let server = Server::start(script::replies()).await?;
                let api = OpenAi::new(server.url(), "scripted", &self.model);
                return Ok((api, Some(server)));
            }
        };
        Ok((OpenAi::new(url, self.api_key.as_deref().unwrap_or_default(), &self.model), None))
    }
}

/// Writes the notes of the demonstration.
fn write_notes(folder: &Path) -> std::io::Result<()> {
    std::fs::write(
        folder.join("heron.md"),
        "A grey heron stood by the pond at dawn, wings 1.9 m.\n",
    )?;
    std::fs::write(
        folder.join("owl.md"),
        "Two tawny owls called from the oak. One carried a vole.\n",
    )?;
    std::fs::write(folder.join("todo.md"), "Repair the nest box before March.\n")
}

/// Prints what runs, before the lines of the telemetry.
#[expect(clippy::print_stdout, reason = "the program's output")]
fn introduce(args: &Args, folder: &Path, is_scripted: bool) {
    if is_scripted {
        println!(
            "No key is set: a scripted server on this machine replies, alike to every question."
        );
    }
    println!("Question: {}", args.question);
    let note = if args.folder.is_none() { " (deleted at the end)" } else { "" };
    println!("Folder: {}{note}", folder.display());
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the program's output")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    let telemetry = args.telemetry().install()?;
    let page = telemetry.live_url();
    let questions = Questions::new(page.is_some());
    telemetry.live_application(questions.application());
    let demonstration = tempfile::tempdir()?;
    write_notes(demonstration.path())?;
    let (openai, server) = args.api().await?;
    let is_given = args.yes || (server.is_some() && page.is_none());
    let permission =
        if is_given { Permission::Given } else { Permission::Asked(Arc::clone(&questions)) };
    let folder = args.folder.as_deref().unwrap_or(demonstration.path());
    introduce(&args, folder, server.is_some());
    let assistant =
        Assistant { openai, folder: Folder::new(folder, permission)?, limits: args.limits };

    let reply = assistant.run(&args.question).await;
    println!();
    if let Some(account) = server.map(|server| server.account()) {
        let usage = account.usage;
        println!(
            "the server counted {} calls, {} failed, {} tokens in, {} out",
            account.calls, account.failed, usage.input, usage.output
        );
    }
    let is_error = reply.is_err();
    if let Err(error) = reply {
        eprintln!("error: {error}");
    }
    if let Some(page) = page {
        println!("the run is on {page}; Enter or Ctrl+C ends the program");
        tokio::select! {
            _ = questions.line() => {}
            () = hub_otel::shutdown_signal() => {}
        }
    }
    telemetry.shutdown().await;
    Ok(if is_error { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

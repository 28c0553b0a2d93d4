//! An orchestrator process with a temporary folder and free ports.

use std::time::Duration;

use hub_otel_tests::postgres::Cluster;
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::scrape::Scrape;
use hub_otel_tests::{poll, ports};
use serde_json::{Value, json};

/// Timeout of every wait, long enough for a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// The process. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    command: std::process::Command,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) url: String,
    pub(crate) metrics: String,
    pub(crate) http: reqwest::Client,
    token: Option<String>,
}

impl Server {
    /// Starts a server with further environment variables, and waits until it is ready.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("scanned")).unwrap();
        std::fs::write(folder.path().join("scanned/clean.txt"), "nothing here\n").unwrap();
        let (port, metrics) = (ports::free(), ports::free());
        let mut server = command(env!("CARGO_BIN_EXE_orchestrator"));
        server
            .current_dir(folder.path())
            .args(["serve", "--bind", &format!("127.0.0.1:{port}"), "--scan-root", "scanned"])
            .env("OTEL_EXPORTER_PROMETHEUS_PORT", metrics.to_string())
            .env("OTEL_TRACES_EXPORTER", "none")
            .env("OTEL_LOGS_EXPORTER", "none")
            .envs(engine().await)
            .envs(variables.iter().copied());
        let process = Process::spawn(&mut server);
        let token = variables
            .iter()
            .find(|(name, _)| *name == "HUB_API_TOKEN")
            .map(|(_, token)| (*token).to_owned());
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let metrics = format!("http://127.0.0.1:{metrics}/metrics");
        let server = Self { process, command: server, folder, url, metrics, http, token };
        server.ready().await;
        server
    }

    /// Starts the process again after its end, with the same arguments.
    pub(crate) async fn start_again(&mut self) {
        self.process = Process::spawn(&mut self.command);
        self.ready().await;
    }

    async fn ready(&self) {
        poll::until_async(TIMEOUT, async || {
            let answer = self.http.get(format!("{}/health/ready", self.url)).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    /// POSTs JSON to a path of the API.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let mut request = self.http.post(format!("{}{path}", self.url)).json(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        send(request).await
    }

    /// Triggers a run of a workflow. Returns its id.
    pub(crate) async fn trigger(&self, workflow: &str, context: &Value) -> String {
        let path = format!("/api/workflows/{workflow}/trigger");
        let (status, reply) = self.post(&path, &json!({ "contextJson": context })).await;
        assert_eq!(status, 202, "{reply}");
        reply["workflowRunId"].as_str().unwrap().to_owned()
    }

    /// Prepares a client command for this server.
    pub(crate) fn client(&self, arguments: &[&str]) -> std::process::Command {
        let mut client = command(env!("CARGO_BIN_EXE_orchestrator"));
        client
            .current_dir(self.folder.path())
            .args(arguments)
            .args(["--url", &self.url])
            .env("NO_PROXY", "*");
        if let Some(token) = &self.token {
            client.env("HUB_API_TOKEN", token);
        }
        client
    }

    /// Runs a client command to its end. Returns exit code, stdout and stderr.
    pub(crate) async fn command(&self, arguments: &[&str]) -> (i32, String, String) {
        run_to_end(self.client(arguments)).await
    }

    /// Prepares a load test of this server.
    pub(crate) fn bench(&self, arguments: &[&str]) -> std::process::Command {
        let mut bench = command(env!("CARGO_BIN_EXE_orchestrator-bench"));
        bench
            .current_dir(self.folder.path())
            .args(arguments)
            .args(["--url", &self.url])
            .env("NO_PROXY", "*");
        bench
    }

    /// GETs a path of the API.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let mut request = self.http.get(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        send(request).await
    }

    /// Sends a body to the webhook.
    pub(crate) async fn webhook(
        &self,
        method: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self
            .http
            .request(method, format!("{}/api/webhooks/grafana", self.url))
            .body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request).await
    }

    /// Waits for the end of a run. Returns the run.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        poll::until_async(TIMEOUT, async || {
            let (status, run) = self.get(&format!("/api/runs/{id}")).await;
            assert_eq!(status, 200, "{run}");
            let waits =
                matches!(run["status"].as_str(), Some("PENDING" | "RUNNING" | "WAITING_APPROVAL"));
            (!waits).then_some(run)
        })
        .await
    }

    /// Lists the runs of a workflow, newest first.
    pub(crate) async fn runs(&self, workflow: &str) -> Vec<Value> {
        let (status, page) = self.get(&format!("/api/workflows/{workflow}/runs?limit=100")).await;
        assert_eq!(status, 200, "{page}");
        page["runs"].as_array().unwrap().clone()
    }

    /// Scrapes `/metrics`.
    pub(crate) async fn scrape(&self) -> Scrape {
        Scrape::parse(&self.http.get(&self.metrics).send().await.unwrap().text().await.unwrap())
            .unwrap()
    }
}

/// Engine of all tests of this target: `dbos`, or leases on a file.
const ENGINE: &str = "HUB_TEST_ENGINE";

/// The variables of the engine, with a new database.
async fn engine() -> Vec<(&'static str, String)> {
    #[expect(clippy::disallowed_methods, reason = "a switch of the gate, not of the library")]
    let engine = std::env::var(ENGINE).ok();
    let Some(engine) = engine else { return Vec::new() };
    let cluster = Cluster::shared().unwrap();
    let database = cluster.create_database().await;
    vec![("HUB_ENGINE", engine), ("HUB_DATABASE_URL", database), ("HUB_POLL", "20ms".to_owned())]
}

/// Runs a command to its end. Returns exit code, stdout and stderr.
pub(crate) async fn run_to_end(mut command: std::process::Command) -> (i32, String, String) {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

async fn send(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

//! Perses with the shipped configuration, dashboards and variables.

use crate::stack::{START, tool};
use hub_otel_tests::process::{Process, command};
use hub_otel_tests::{http, poll};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use xtask::files::root;

/// Path of the list of dashboards.
const DASHBOARDS: &str = "/api/v1/projects/commandcenter/dashboards";

/// Perses.
pub(crate) struct Perses {
    /// Its process.
    pub(crate) process: Process,
    /// URL of its page and its API.
    pub(crate) url: String,
    _folder: TempDir,
}

/// Program, and folder of its plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    /// The version of compose.permissive.yaml, without its page.
    Shipped,
    /// An older version with its page: the newest one whose packages npm serves.
    WithPage,
}

/// Addresses that the shipped files contain, and those of the test.
pub(crate) struct Addresses<'a> {
    pub(crate) port: u16,
    pub(crate) prometheus: &'a str,
    pub(crate) traces: &'a str,
    pub(crate) logs: &'a str,
}

/// Number of the complete JSON documents in a folder.
fn written_documents(folder: &Path) -> usize {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let documents = files.filter_map(|file| fs::read(file.path()).ok());
    documents.filter(|document| serde_json::from_slice::<Value>(document).is_ok()).count()
}

impl Perses {
    /// URL of the project of the dashboards.
    pub(crate) fn project(port: u16) -> String {
        format!("http://127.0.0.1:{port}/projects/commandcenter")
    }

    /// Starts it with its data and a copy of the provisioned files in a folder.
    pub(crate) fn start(data: &Path, edition: Edition, addresses: &Addresses<'_>) -> Self {
        let shipped = root().join("observability/perses");
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("provisioned");
        fs::create_dir_all(&copy).expect("a folder");
        for file in fs::read_dir(shipped.join("provisioning")).expect("files") {
            let file = file.expect("an entry");
            let text = fs::read_to_string(file.path()).expect("a file");
            let text = text
                .replace("http://prometheus:9090", addresses.prometheus)
                .replace("http://localhost:16686", addresses.traces)
                .replace("http://localhost:9428", addresses.logs);
            fs::write(copy.join(file.file_name()), text).expect("written");
        }
        let text = fs::read_to_string(shipped.join("config.yaml")).expect("a configuration");
        // Temporary folders have capital letters.
        let text = text
            .replace("extension: json", "extension: json, case_sensitive: true")
            .replace("folder: /perses", &format!("folder: {}", data.display()))
            .replace("/etc/perses/provisioning", &copy.display().to_string())
            .replace("/etc/perses/dashboards", &shipped.join("dashboards").display().to_string());
        let (program, plugins, key) = match edition {
            Edition::Shipped => ("perses", "perses-plugins", "archive_paths"),
            Edition::WithPage => ("perses-with-page", "perses-page-plugins", "archive_path"),
        };
        // Its image has archives of the plugins, here they are unpacked.
        let archives = folder.path().join("archives");
        fs::create_dir_all(&archives).expect("a folder");
        let archives = archives.display().to_string();
        let archives =
            if edition == Edition::Shipped { json!([archives]) } else { json!(archives) };
        let plugins = json!({"path": tool(plugins), key: archives});
        let text = format!("{text}plugin: {plugins}\n");
        let configuration = folder.path().join("config.yaml");
        fs::write(&configuration, text).expect("written");
        let port = addresses.port;
        let mut process = Process::spawn(
            command(tool(program))
                .arg(format!("--config={}", configuration.display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .current_dir(folder.path())
                .env("HOME", folder.path()),
        );
        let url = format!("http://127.0.0.1:{port}");
        process.wait_until_ready(START, &format!("{url}/api/v1/health"));
        let started = Self { process, url, _folder: folder };
        // The files are read after the start. A list that is requested while one of its entries is
        // written is an error in the log.
        let written = data.join("dashboards/commandcenter");
        poll::until(START, || written_documents(&written) == 7);
        let boards = format!("{}{DASHBOARDS}", started.url);
        poll::until(START, || {
            let reply = http::get(&boards);
            reply.status == 200 && reply.json().as_array().is_some_and(|list| list.len() == 7)
        });
        started
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let reply = http::get(format!("{}{path}", self.url));
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.json()
    }

    /// Returns a dashboard.
    pub(crate) fn dashboard(&self, name: &str) -> Value {
        self.get(&format!("{DASHBOARDS}/{name}"))
    }

    /// Returns the link of a panel with its variables replaced, as the page shows it.
    pub(crate) fn link(&self, panel: &Value, name: &str, service: &str) -> String {
        let links = panel["spec"]["links"].as_array().expect("links");
        let link = links.iter().find(|link| link["name"] == name).expect("the link");
        let mut url = link["url"].as_str().expect("a URL").to_owned();
        for variable in self.get("/api/v1/globalvariables").as_array().expect("variables") {
            let name = variable["metadata"]["name"].as_str().expect("a name");
            let value = variable["spec"]["spec"]["value"].as_str().expect("a value");
            url = url.replace(&format!("${name}"), value);
        }
        url.replace("${service:pipe}", service).replace("$service", service)
    }
}

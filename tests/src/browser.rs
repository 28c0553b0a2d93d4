//! A headless Chromium for tests of pages.
//!
//! Without `chromedriver` a test prints `skipped: browser`; with HUB_REQUIRE_BROWSER=1 it fails.

use crate::{poll, ports};
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

/// Timeout of every wait, long enough for a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Folder of the npm packages that `just page` installs.
const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/page/node_modules");

/// One browser per process: several at once are slower than one after the other.
static ONE: Mutex<()> = Mutex::const_new(());

/// A browser with one page. Ended when dropped.
#[derive(Debug)]
pub struct Browser {
    /// The WebDriver session.
    pub page: Client,
    driver: Child,
    port: u16,
    _one: MutexGuard<'static, ()>,
}

#[expect(clippy::disallowed_methods, reason = "the gate's own switch, not the library's")]
fn is_required() -> bool {
    std::env::var_os("HUB_REQUIRE_BROWSER").is_some_and(|value| value == "1")
}

fn skip(what: &str) {
    assert!(!is_required(), "{what} is missing, and HUB_REQUIRE_BROWSER requires it");
    // Past the test harness, which keeps the output of a test that passes.
    let _ = std::io::stderr().write_all(format!("skipped: {what}\n").as_bytes());
}

impl Browser {
    /// Starts a browser. `None`, with a line on stderr, where it is not installed.
    ///
    /// # Panics
    /// If it does not start, or is missing and required.
    pub async fn start(width: u32, height: u32) -> Option<Self> {
        let one = ONE.lock().await;
        let version = Command::new("chromedriver").arg("--version").stdout(Stdio::null()).status();
        if version.is_err() {
            skip("browser");
            return None;
        }
        let port = ports::free();
        // A browser reserves more address space than a limit for compilers permits.
        let script = "ulimit -Sv unlimited 2>/dev/null; exec chromedriver \"$@\"";
        let spawned = Command::new("sh")
            .args(["-c", script, "sh"])
            .args([format!("--port={port}"), "--log-level=OFF".to_owned()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let driver = spawned.expect("a shell");
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-proxy-server".to_owned(),
            format!("--window-size={width},{height}"),
        ];
        let capabilities = json!({ "goog:chromeOptions": { "args": arguments } });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let url = format!("http://127.0.0.1:{port}");
        let page = poll::until_async(TIMEOUT, async || {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(capabilities.clone()).connect(&url).await.ok()
        })
        .await;
        Some(Self { page, driver, port, _one: one })
    }

    /// Runs a script and returns its result.
    ///
    /// # Panics
    /// If the script fails.
    pub async fn run(&self, script: &str) -> Value {
        self.page.execute(script, Vec::new()).await.expect("a script that does not fail")
    }

    /// Waits until a script returns `true`.
    ///
    /// # Panics
    /// If it does not within [`TIMEOUT`]. The message contains the text of the page.
    pub async fn wait(&self, script: &str) {
        let deadline = std::time::Instant::now() + TIMEOUT;
        while self.run(script).await != Value::Bool(true) {
            let text = self.run("return document.body.innerText").await;
            assert!(
                std::time::Instant::now() < deadline,
                "not within {TIMEOUT:?}: {script}\n{text}"
            );
            // The poll interval.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the page shows a text.
    ///
    /// # Panics
    /// If it does not within [`TIMEOUT`].
    pub async fn wait_for_text(&self, text: &str) {
        let text = Value::from(text);
        self.wait(&format!("return document.body.innerText.includes({text})")).await;
    }

    /// Clicks the first element of a selector that contains a text, once there is one.
    ///
    /// # Panics
    /// If there is none within [`TIMEOUT`].
    pub async fn click(&self, selector: &str, text: &str) {
        let (selector, text) = (Value::from(selector), Value::from(text));
        self.wait(&format!(
            "const found = [...document.querySelectorAll({selector})]
                .find((element) => element.textContent.includes({text}) && !element.disabled);
             found?.click();
             return found !== undefined;"
        ))
        .await;
    }

    /// Presses keys, one more at a time, and releases them in the reverse order: a character, or a
    /// modifier and a key. They go to the element with the focus.
    ///
    /// # Panics
    /// If the browser refuses.
    pub async fn press(&self, keys: &[char]) {
        let down = keys.iter().map(|value| KeyAction::Down { value: *value });
        let up = keys.iter().rev().map(|value| KeyAction::Up { value: *value });
        let actions = KeyActions::new("keyboard".to_owned());
        let actions = down.chain(up).fold(actions, KeyActions::then);
        self.page.perform_actions(actions).await.expect("keys");
    }

    /// Enters a text into the element with the focus.
    ///
    /// # Panics
    /// If the browser refuses.
    pub async fn type_text(&self, text: &str) {
        for character in text.chars() {
            self.press(&[character]).await;
        }
    }

    /// Sets the size of the page and its colour scheme, `light` or `dark`.
    ///
    /// # Panics
    /// If the browser refuses.
    pub async fn emulate(&self, width: u32, height: u32, scheme: &str) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    async fn devtools(&self, name: &'static str, parameters: Value) {
        let command = DevTools { name, parameters };
        self.page.issue_cmd(command).await.expect("a command of the browser");
    }

    /// Returns the violations of the accessibility rules of axe-core. `None` where it is not
    /// installed.
    ///
    /// # Panics
    /// If it is missing and required.
    pub async fn violations(&self) -> Option<Vec<String>> {
        let path: PathBuf = [PACKAGES, "axe-core", "axe.min.js"].iter().collect();
        let Ok(source) = std::fs::read_to_string(path) else {
            skip("axe-core");
            return None;
        };
        self.run(&source).await;
        let script = "const done = arguments[arguments.length - 1];
             axe.run(document, { resultTypes: ['violations'] }).then((result) => done(
                result.violations.map((violation) => `${violation.id}: ${violation.nodes.map(
                    (node) => `${node.target} ${node.failureSummary}`).join('; ')}`)));";
        let found = self.page.execute_async(script, Vec::new()).await.expect("axe runs");
        let found = found.as_array().expect("a list").iter();
        Some(found.map(|violation| violation.as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Returns the page as PNG.
    ///
    /// # Panics
    /// If the browser is gone.
    pub async fn screenshot(&self) -> Vec<u8> {
        self.page.screenshot().await.expect("a picture")
    }

    /// Ends the session.
    pub async fn close(self) {
        drop(self.page.clone().close().await);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browsers by this request only, also after a test that failed.
        let request = format!("GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port);
        if let Ok(mut driver) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _gone = driver.set_read_timeout(Some(Duration::from_secs(10)));
            let _gone = driver.write_all(request.as_bytes());
            let _ended = driver.read_to_end(&mut Vec::new());
        }
        let _gone = self.driver.kill();
        let _gone = self.driver.wait();
    }
}

/// A command of the DevTools protocol.
#[derive(Debug)]
struct DevTools {
    name: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({ "cmd": self.name, "params": self.parameters });
        (http::Method::POST, Some(body.to_string()))
    }
}

//! A child process whose output can be awaited; killed when dropped.

use crate::{http, poll};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A running child; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

type Lines = Arc<Mutex<String>>;

/// Creates a command with an empty environment: OTEL_ variables of the developer have no effect.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env_clear();
    command
}

/// Starts `command` with pipes as its output.
#[track_caller]
fn start(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

impl Process {
    /// Starts `command` and collects its output.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = start(command);
        let stdout = follow(child.stdout.take().expect("piped"));
        let stderr = follow(child.stderr.take().expect("piped"));
        Self { child, stdout, stderr }
    }

    /// Starts `command` with a pipe as stderr that is never read. Collects the standard output.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn spawn_with_unread_stderr(command: &mut Command) -> Self {
        let mut child = start(command);
        let stdout = follow(child.stdout.take().expect("piped"));
        Self { child, stdout, stderr: Lines::default() }
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the standard output so far.
    ///
    /// # Panics
    /// Never: the lock is not poisoned.
    pub fn stdout(&self) -> String {
        self.stdout.lock().expect("not poisoned").clone()
    }

    /// Returns the standard error so far.
    ///
    /// # Panics
    /// Never: the lock is not poisoned.
    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("not poisoned").clone()
    }

    /// Waits for a line that contains `needle` on either stream. Returns the line.
    ///
    /// # Panics
    /// If `within` has passed. The message contains the output.
    #[track_caller]
    pub fn line(&self, within: Duration, needle: &str) -> String {
        let find = |text: &str| text.lines().find(|line| line.contains(needle)).map(str::to_owned);
        let missing = || format!("no line with {needle:?}");
        wait(within, [&self.stdout, &self.stderr], missing, || {
            find(&self.stdout()).or_else(|| find(&self.stderr()))
        })
    }

    /// Waits until `url` returns status 200.
    ///
    /// # Panics
    /// If the process exits before, or `within` has passed. The message contains the output.
    #[track_caller]
    pub fn wait_until_ready(&mut self, within: Duration, url: &str) {
        let (child, outputs) = (&mut self.child, [&self.stdout, &self.stderr]);
        let not_ready = || format!("{url} does not return status 200");
        wait(within, outputs, not_ready, || {
            let ended = !matches!(child.try_wait(), Ok(None));
            assert!(!ended, "the process exited: {}\n{}", not_ready(), text_of(outputs));
            http::try_send(http::Method::GET, url, &[], "")
                .is_ok_and(|reply| reply.status == 200)
                .then_some(())
        });
    }

    /// Asserts that the output contains no line about an error or a deprecated setting.
    ///
    /// # Panics
    /// If a line contains `deprecated`, `unknown` or `error`.
    #[track_caller]
    pub fn assert_no_warnings(&self, name: &str) {
        let log = format!("{}\n{}", self.stdout(), self.stderr());
        for line in log.lines() {
            let lower = line.to_lowercase();
            let bad = ["deprecated", "unknown", "error"].iter().any(|word| lower.contains(word));
            assert!(!bad, "{name}: {line}");
        }
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGINT.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends SIGKILL.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // Fails if the process has exited, which is the desired state.
        let _gone = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Returns whether the process is running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the exit of the process.
    ///
    /// # Panics
    /// If `within` has passed. The message contains the output.
    #[track_caller]
    pub fn exit(&mut self, within: Duration) -> ExitStatus {
        let (child, outputs) = (&mut self.child, [&self.stdout, &self.stderr]);
        let status = wait(
            within,
            outputs,
            || "still running".to_owned(),
            || child.try_wait().ok().flatten(),
        );
        // The reader threads end at the end of the pipes, after the last line is stored.
        poll::until(Duration::from_secs(5), || {
            outputs.iter().all(|lines| Arc::strong_count(lines) == 1)
        });
        status
    }

    /// Returns the resident memory in bytes (VmRSS).
    pub fn resident_bytes(&self) -> u64 {
        status_bytes(&self.id().to_string(), "VmRSS:")
    }

    /// Returns the anonymous memory in bytes (RssAnon), which excludes mapped files such as the
    /// executable.
    pub fn anonymous_bytes(&self) -> u64 {
        status_bytes(&self.id().to_string(), "RssAnon:")
    }

    /// Returns the peak of the resident memory in bytes (VmHWM).
    pub fn peak_bytes(&self) -> u64 {
        status_bytes(&self.id().to_string(), "VmHWM:")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Calls `probe` until it returns a value. Panics with `what` and the output at the deadline.
#[track_caller]
fn wait<T>(
    within: Duration,
    outputs: [&Lines; 2],
    what: impl Fn() -> String,
    mut probe: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(start.elapsed() < within, "{} within {within:?}\n{}", what(), text_of(outputs));
        // The poll interval.
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn text_of(outputs: [&Lines; 2]) -> String {
    let [stdout, stderr] = outputs.map(|lines| lines.lock().expect("not poisoned").clone());
    format!("stdout:\n{stdout}\nstderr:\n{stderr}")
}

/// Returns the resident memory of this process in bytes.
pub fn own_resident_bytes() -> u64 {
    status_bytes("self", "VmRSS:")
}

/// Returns the peak of the resident memory of this process in bytes.
pub fn own_peak_bytes() -> u64 {
    status_bytes("self", "VmHWM:")
}

fn status_bytes(process: &str, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default()
        * 1024
}

fn follow(stream: impl Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let sink = lines.clone();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            sink.lock().expect("not poisoned").push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    lines
}

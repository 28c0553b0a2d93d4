//! One throw-away PostgreSQL.

use hub_otel::db::Db;
use hub_otel_tests::{poll, ports};
use sqlx::Postgres;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Started, and stopped with the test.
pub(crate) struct Cluster {
    server: std::sync::Mutex<Child>,
    pub(crate) port: u16,
    _folder: TempDir,
}

impl Cluster {
    /// `None`, with a word on stderr, where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(!is_required(), "initdb is missing, and HUB_REQUIRE_POSTGRES requires it");
            // Past the test harness, which keeps what a test that passes prints.
            let _ = std::io::stderr().write_all(b"skipped: postgres\n");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let data = folder.path().join("data");
        let made = as_postgres(&programs.join("initdb"))
            .args([
                "--auth=trust",
                "--username=postgres",
                "--no-sync",
                "--no-locale",
                "--encoding=UTF8",
                "-D",
            ])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb");
        let port = ports::free();
        let server = as_postgres(&programs.join("postgres"))
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
                "shared_buffers=8MB",
            ])
            .args(["-c", "unix_socket_directories=", "-p", &port.to_string(), "-D"])
            .arg(&data)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let cluster = Self { server: server.into(), port, _folder: folder };
        poll::until(Duration::from_secs(30), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(cluster)
    }

    /// As a crash would: no goodbye to the clients.
    pub(crate) fn kill(&self) {
        let mut server = self.server.lock().unwrap();
        // SIGQUIT: the postmaster takes its children along.
        let pid = rustix::process::Pid::from_child(&server);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        let _ = server.wait();
    }

    /// Waits until the server runs a statement that begins so.
    pub(crate) async fn until_running(&self, statement: &str, db: &Db<Postgres>) {
        poll::until_async(Duration::from_secs(10), async || {
            let found: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND starts_with(query, $1)",
            )
            .bind(statement)
            .fetch_one(db.untraced())
            .await
            .unwrap();
            found > 0
        })
        .await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `1`: a machine without PostgreSQL is a failure.
pub(crate) const REQUIRED: &str = "HUB_REQUIRE_POSTGRES";
/// A folder with PostgreSQL's programs, in place of those where they usually are.
pub(crate) const PROGRAMS: &str = "HUB_POSTGRES_BIN";

#[expect(clippy::disallowed_methods, reason = "the gate's own switches, not the library's")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

fn is_required() -> bool {
    variable(REQUIRED).is_some_and(|value| value == "1")
}

/// Finds the programs by the environment, in the folder of Debian or in PATH.
fn programs() -> Option<PathBuf> {
    if let Some(folder) = variable(PROGRAMS).map(PathBuf::from) {
        return Some(folder).filter(|folder| folder.join("initdb").exists());
    }
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.extend(["/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    folders.into_iter().rev().find(|folder| folder.join("initdb").exists())
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"])
        .arg(program)
        .current_dir("/");
    command
}

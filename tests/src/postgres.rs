//! Throw-away PostgreSQL servers: the programs of the system, a temporary folder, a free port.
//!
//! Without `initdb` a test prints `skipped: postgres`; with `HUB_REQUIRE_POSTGRES=1` it fails.

use crate::{poll, ports};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use tempfile::TempDir;

/// `1`: a machine without PostgreSQL fails the test.
pub const REQUIRED: &str = "HUB_REQUIRE_POSTGRES";
/// Folder of PostgreSQL's programs, instead of the usual ones.
pub const PROGRAMS: &str = "HUB_POSTGRES_BIN";

/// Password of the user `postgres`.
pub const PASSWORD: &str = "c4n4ry";

/// Runs the server until its standard input ends, which it does however the test program ends, and
/// removes the folder. SIGQUIT ends the children of the server, without a message to its clients.
const GUARDED: &str = r#"folder=$1; shift
"$@" & server=$!
cat
kill -QUIT $server
wait $server
rm -rf "$folder""#;

/// A server, stopped when it is dropped or the test program ends.
#[derive(Debug)]
pub struct Cluster {
    guard: Mutex<Child>,
    port: u16,
    databases: AtomicUsize,
}

impl Cluster {
    /// Starts a server. Returns `None`, with a message on stderr, if PostgreSQL is not installed.
    ///
    /// # Panics
    /// If PostgreSQL is required and not installed, or does not start.
    pub fn start() -> Option<Self> {
        Self::start_with("trust")
    }

    /// Starts a server that requires the password of [`Self::url`], by SCRAM. `None` as
    /// [`Self::start`].
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_with_password() -> Option<Self> {
        Self::start_with("scram-sha-256")
    }

    fn start_with(authentication: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(!is_required(), "initdb is missing, and {REQUIRED} requires it");
            // Not by `eprintln`, whose output the test harness hides if the test succeeds.
            let _ = std::io::stderr().write_all(b"skipped: postgres\n");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let all = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), all).expect("permissions");
        let data = folder.path().join("data");
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).expect("a file");
        let initdb = as_postgres(&programs.join("initdb"))
            .args(["--username=postgres", "--no-sync", "--no-locale", "--encoding=UTF8"])
            .arg(format!("--auth={authentication}"))
            .arg("--pwfile")
            .arg(&password)
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(initdb.expect("initdb").success(), "initdb");
        let port = ports::free();
        let mut server = as_postgres(&programs.join("postgres"));
        server
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "shared_buffers=16MB", "-c", "max_connections=200"])
            .args(["-c", "unix_socket_directories=", "-p", &port.to_string(), "-D"])
            .arg(&data);
        let guard = guarded(folder, &server);
        let cluster = Self { guard: guard.into(), port, databases: AtomicUsize::new(0) };
        poll::until(Duration::from_secs(30), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(cluster)
    }

    /// Returns the server that the tests of this program share, or `None` as [`Self::start`].
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of a database, with the password.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Panics
    /// If the server fails.
    pub async fn create_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        // Refused while the server starts.
        let mut connection = poll::until_async(Duration::from_secs(30), async || {
            PgConnection::connect(&self.url("postgres")).await.ok()
        })
        .await;
        let create = sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")));
        create.execute(&mut connection).await.expect("a database");
        connection.close().await.expect("a closed connection");
        self.url(&name)
    }

    /// Stops the server as a crash does: the connections are closed without a message.
    ///
    /// # Panics
    /// If the server cannot be awaited.
    pub fn kill(&self) {
        let mut guard = self.guard.lock().expect("not poisoned");
        drop(guard.stdin.take());
        guard.wait().expect("the server");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

fn guarded(folder: TempDir, server: &Command) -> Child {
    Command::new("sh")
        .args(["-c", GUARDED, "guard"])
        .arg(folder.keep())
        .arg(server.get_program())
        .args(server.get_args())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh")
}

#[expect(clippy::disallowed_methods, reason = "switches of the gate, not of the library")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

pub(crate) fn is_required() -> bool {
    variable(REQUIRED).is_some_and(|value| value == "1")
}

/// Finds the programs by the environment, in the folder of Debian or in the usual folders.
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

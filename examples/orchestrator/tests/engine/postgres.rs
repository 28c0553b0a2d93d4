//! Servers on PostgreSQL: start, failures of the database, and a network that is interrupted.

use crate::server::{Home, Server, TIMEOUT, fault, is_terminal};
use hub_otel_tests::http;
use hub_otel_tests::poll;
use hub_otel_tests::ports::Closed;
use hub_otel_tests::postgres::{Cluster, PASSWORD};
use hub_otel_tests::process::Process;
use hub_otel_tests::proxy::{Link, Proxy};
use hub_otel_tests::receiver::Receiver;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

fn execute(url: &str, sql: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// The exit code and the output of a server that does not start.
fn fails(url: &str, arguments: &[&str]) -> (i32, String) {
    let home = Home::with_database(url.to_owned());
    let mut process = Process::spawn(&mut home.command(arguments));
    let code = process.exit(TIMEOUT).code().unwrap();
    let output = process.stdout() + &process.stderr();
    assert!(!output.contains(PASSWORD), "{output}");
    (code, output)
}

#[test]
fn a_database_that_cannot_be_used_is_named_with_the_remedy_and_without_its_password() {
    let fails_with = |url: &str, arguments: &[&str], code: i32, words: &[&str]| {
        let (exit, output) = fails(url, arguments);
        assert_eq!(exit, code, "{url}: {output}");
        for word in words {
            assert!(output.contains(word), "{url}: {word} is not in: {output}");
        }
    };
    fails_with("c4n4ry", &[], 2, &["--database-url", "postgres://USER"]);
    fails_with("postgres://a:c4n4ry#@b/c", &[], 2, &["--database-url", "percent-encoded"]);
    fails_with("mysql://a:c4n4ry@b/c", &[], 2, &["mysql://a@b/c", "postgres://USER"]);
    fails_with("postgres://a:c4n4ry@b/c", &["--db", "x.db"], 2, &["--database-url", "--db"]);
    let closed = Closed::new();
    let port = closed.port();
    let refused = format!("postgres://a:c4n4ry@127.0.0.1:{port}/c?password=c4n4ry");
    let name = format!("postgres://a@127.0.0.1:{port}/c");
    fails_with(&refused, &[], 1, &[&name, "is the server running"]);
    fails_with("postgres://a:c4n4ry@nowhere.invalid/c", &[], 1, &["nowhere.invalid", "host"]);

    let Some(cluster) = Cluster::shared() else { return };
    fails_with(&cluster.url("missing"), &[], 1, &["/missing", "createdb"]);
    let tls = format!("{}?sslmode=require", cluster.url("postgres"));
    fails_with(&tls, &[], 1, &["sslmode"]);
    let home = Home::postgres().unwrap();
    execute(
        home.database_url(),
        "CREATE ROLE reader LOGIN; REVOKE CREATE ON SCHEMA public FROM public",
    );
    let reader = home.database_url().replace("postgres:c4n4ry", "reader:c4n4ry");
    fails_with(&reader, &[], 1, &["reader@", "GRANT"]);
    home.serve(None, &[]).stop();
    execute(
        home.database_url(),
        "INSERT INTO _sqlx_migrations VALUES (9999, 'later', now(), true, 'x', 1)",
    );
    fails_with(home.database_url(), &[], 1, &["newer version"]);
}

#[test]
fn a_wrong_password_is_an_error_with_flag_and_remedy_and_in_no_output() {
    let Some(cluster) = Cluster::start_with_password() else { return };
    let right = cluster.url("postgres");
    let wrong = right.replace(PASSWORD, "wr0ng");
    assert_ne!(wrong, right);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, &wrong).unwrap();
    let engines: &[&[&str]] = match cfg!(feature = "dbos") {
        true => &[&[], &["--engine", "dbos"]],
        false => &[&[]],
    };
    for engine in engines {
        let (with_variable, without) = (Home::with_database(wrong.clone()), Home::new());
        let by_variable = with_variable.command(engine);
        let mut by_flag = without.command(engine);
        by_flag.args(["--database-url", &wrong]);
        let mut by_file = without.command(engine);
        by_file.env("HUB_DATABASE_URL_FILE", file.path());
        for mut serve in [by_variable, by_flag, by_file] {
            let mut process = Process::spawn(&mut serve);
            let code = process.exit(TIMEOUT).code();
            let output = process.stdout() + &process.stderr();
            assert_eq!(code, Some(1), "{output}");
            let words = ["--database-url", "postgres://postgres@127.0.0.1", "password and pg_hba"];
            for word in words {
                assert!(output.contains(word), "{word} is not in: {output}");
            }
            assert!(!output.contains("wr0ng") && !output.contains(PASSWORD), "{output}");
        }
        // The server does compare passwords.
        let home = Home::with_database(right.clone());
        home.serve(None, engine).stop();
    }
}

#[test]
fn the_password_is_in_no_output_of_a_server() {
    let Some(home) = Home::postgres() else { return };
    for argument in ["--help", "--print-config"] {
        let (code, output) = fails(home.database_url(), &[argument]);
        assert_eq!(code, 0, "{output}");
    }
    let file = home.path().join("url");
    std::fs::write(&file, format!("{}\n", home.database_url())).unwrap();
    let mut serve = home.command(&[]);
    serve.env_remove("HUB_DATABASE_URL").env("HUB_DATABASE_URL_FILE", &file);
    let server = Server::start(Process::spawn(&mut serve));
    let run = server.trigger("diamond", json!({}));
    server.reaches(&run, "SUCCESS");
    assert!(server.process.stderr().contains("postgres://postgres@127.0.0.1"));
    assert!(!server.process.stderr().contains(PASSWORD));
    server.stop();
}

/// A proxy to the server, and the URL of the database through it.
fn proxied(home: &Home) -> (Proxy, String) {
    let port = Cluster::shared().unwrap().port();
    let proxy = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let direct = format!("127.0.0.1:{port}");
    let url = home.database_url().replace(&direct, &proxy.address().to_string());
    (proxy, url)
}

fn health(server: &Server) -> u16 {
    http::get(format!("{}/health", server.url)).status
}

#[test]
fn a_server_without_its_database_is_not_ready_and_recovers_by_itself() {
    let Some(home) = Home::postgres() else { return };
    let (proxy, url) = proxied(&home);
    let server = Home::with_database(url).serve(None, &[]);
    for link in [Link::Stall, Link::Reset, Link::Mute, Link::Swallow] {
        assert_eq!(health(&server), 200);
        proxy.set(link);
        poll::until(TIMEOUT, || health(&server) == 503);
        let begun = Instant::now();
        let refused = server.post("/api/workflows/diamond/trigger", &json!({}));
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
        proxy.set(Link::Forward);
        poll::until(TIMEOUT, || health(&server) == 200);
        let run = server.trigger("diamond", json!({}));
        server.reaches(&run, "SUCCESS");
    }
    server.stop();
}

/// The number of ends that a server has counted.
fn counted(server: &Server) -> usize {
    server.metric("workflow_runs_total", &[]) as usize
}

#[test]
fn runs_of_a_server_that_loses_the_database_are_taken_over_and_end_once() {
    let Some(home) = Home::postgres() else { return };
    let receiver = Receiver::start();
    let lease = ["--lease", "2s"];
    let (proxy, url) = proxied(&home);
    let lost = Home::with_database(url).serve(Some(&receiver), &lease);
    let other = home.serve(Some(&receiver), &lease);
    let wait = |ms: u64| json!({"latency_ms": ms});
    lost.create(
        "chain",
        json!([
            fault("a", "succeed", &[], wait(50)),
            fault("b", "succeed", &["a"], wait(400)),
            fault("c", "succeed", &["b"], wait(50)),
            fault("d", "succeed", &["c"], wait(400)),
        ]),
    );
    let mut runs = Vec::new();
    for round in 0..4 {
        runs.extend((0..10).map(|_| lost.trigger("chain", json!({}))));
        runs.extend((0..2).map(|_| other.trigger("chain", json!({}))));
        // The network is interrupted at another moment of the runs each time.
        let ended = |id: &&String| is_terminal(other.run(id)["status"].as_str().unwrap());
        poll::until(TIMEOUT, || runs.iter().filter(ended).count() >= 12 * round + round);
        proxy.set(if round % 2 == 0 { Link::Stall } else { Link::Mute });
        for id in &runs {
            assert_eq!(other.ended(id)["status"], "SUCCESS");
        }
        proxy.set(Link::Forward);
        poll::until(TIMEOUT, || health(&lost) == 200);
    }
    let crashed = runs.iter().filter(|id| other.run(id)["crashes"] != 0).count();
    assert!(crashed > 0, "no run was taken over");
    poll::until(TIMEOUT, || lost.get("/health")["activeRuns"] == 0);
    poll::until(TIMEOUT, || counted(&lost) + counted(&other) >= runs.len());
    let counts = (counted(&lost), counted(&other));
    assert_eq!(counts.0 + counts.1, runs.len(), "{counts:?}");
    lost.stop();
    other.stop();
    let mut ends = BTreeMap::new();
    for span in &receiver.kit_spans() {
        if span.name == "workflow.execute" && span.text("workflow.status") == "SUCCESS" {
            *ends.entry(span.text("workflow.run.id")).or_insert(0) += 1;
        }
    }
    assert!(runs.iter().all(|id| ends.get(id) == Some(&1)), "{ends:?}");
}

#[test]
fn operations_of_the_store_are_spans_and_metrics_of_postgresql() {
    let Some(home) = Home::postgres() else { return };
    let receiver = Receiver::start();
    let server = home.serve(Some(&receiver), &[]);
    let run = server.trigger("diamond", json!({}));
    server.reaches(&run, "SUCCESS");
    let duration = "db_client_operation_duration_seconds_count";
    let labels = [("db_system_name", "postgresql"), ("db_operation_name", "UPDATE")];
    poll::until(TIMEOUT, || server.metric(duration, &labels) >= 2.0);
    server.stop();
    let database = home.database_url().rsplit('/').next().unwrap().to_owned();
    let port = Cluster::shared().unwrap().port().to_string();
    let spans = receiver.kit_spans();
    let mut found = BTreeMap::new();
    for span in spans.iter().filter(|span| !span.text("db.system.name").is_empty()) {
        assert_eq!(span.text("db.system.name"), "postgresql", "{span:?}");
        assert_eq!(span.text("db.namespace"), database, "{span:?}");
        assert_eq!(span.text("server.address"), "127.0.0.1", "{span:?}");
        assert_eq!(span.text("server.port"), port, "{span:?}");
        assert_eq!(span.text("error.type"), "", "{span:?}");
        *found.entry(span.name.to_string()).or_insert(0) += 1;
    }
    // The run: created, started, finished; its four nodes.
    assert_eq!(found["INSERT workflow_runs"], 1, "{found:?}");
    assert_eq!(found["UPDATE workflow_runs"], 2, "{found:?}");
    assert_eq!(found["INSERT node_results"], 4, "{found:?}");
    assert!(found["SELECT workflow_runs"] >= 1, "{found:?}");
    assert!(!format!("{spans:?}").contains(PASSWORD));
}

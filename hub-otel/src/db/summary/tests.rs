//! Summaries of statements of every shape.

use crate::db::summary::Summary;

fn summarize(sql: &str) -> String {
    let summary = Summary::of(sql);
    format!(
        "{} | {} | {}",
        summary.operation.as_deref().unwrap_or("-"),
        summary.collection.as_deref().unwrap_or("-"),
        summary.text.as_deref().unwrap_or("-")
    )
}

#[test]
fn a_statement_is_summed_up_by_its_operations_and_tables() {
    for (sql, expected) in [
        ("SELECT 1", "SELECT | - | SELECT"),
        ("select name from workflows where id = $1", "SELECT | workflows | SELECT workflows"),
        ("SELECT * FROM a, b WHERE a.x = b.y", "SELECT | - | SELECT a b"),
        ("SELECT * FROM a x, b AS y", "SELECT | - | SELECT a b"),
        (
            "SELECT a.* FROM runs a JOIN nodes AS n ON n.run = a.id",
            "SELECT | - | SELECT runs nodes",
        ),
        ("SELECT * FROM public.runs r", "SELECT | public.runs | SELECT public.runs"),
        ("SELECT * FROM \"Runs\" WHERE x = 'FROM secret'", "SELECT | Runs | SELECT Runs"),
        ("INSERT INTO runs (id, name) VALUES (?, ?)", "INSERT | runs | INSERT runs"),
        ("INSERT INTO runs SELECT id FROM old", "INSERT | - | INSERT runs SELECT old"),
        (
            "INSERT INTO runs (id) VALUES (?) ON CONFLICT (id) DO UPDATE SET n = 1",
            "INSERT | runs | INSERT runs",
        ),
        ("INSERT OR REPLACE INTO runs VALUES (1)", "INSERT | runs | INSERT runs"),
        ("UPDATE runs SET status = 'x' WHERE id = ? RETURNING id", "UPDATE | runs | UPDATE runs"),
        (
            "DELETE FROM runs WHERE id IN (SELECT id FROM old)",
            "DELETE | - | DELETE runs SELECT old",
        ),
        ("SELECT id FROM runs WHERE s = ? FOR UPDATE SKIP LOCKED", "SELECT | runs | SELECT runs"),
        ("SELECT replace(name, 'a', 'b') FROM runs", "SELECT | runs | SELECT runs"),
        ("SELECT count(*) FROM (SELECT 1 FROM runs) t", "SELECT | runs | SELECT SELECT runs"),
        (
            "WITH due AS (SELECT id FROM runs) SELECT * FROM due",
            "SELECT | runs | SELECT runs SELECT",
        ),
        ("CREATE TABLE IF NOT EXISTS runs (id TEXT)", "CREATE | runs | CREATE TABLE runs"),
        ("CREATE UNIQUE INDEX one ON runs (id)", "CREATE | one | CREATE INDEX one"),
        ("TRUNCATE TABLE runs", "TRUNCATE | runs | TRUNCATE runs"),
        ("SAVEPOINT a", "SAVEPOINT | - | SAVEPOINT"),
        ("SELECT 1 FROM a WHERE b = 1 UNION SELECT 2 FROM c", "SELECT | - | SELECT a SELECT c"),
        ("SELECT x FROM a.b.c, d", "SELECT | - | SELECT a.b.c d"),
        ("hunter2", "- | - | -"),
        ("DROP TABLE runs", "DROP | runs | DROP TABLE runs"),
        ("ALTER TABLE runs ADD COLUMN x TEXT", "ALTER | runs | ALTER TABLE runs"),
        ("BEGIN", "BEGIN | - | BEGIN"),
        ("COMMIT", "COMMIT | - | COMMIT"),
        ("PRAGMA journal_mode = WAL", "PRAGMA | - | PRAGMA"),
        ("EXPLAIN SELECT * FROM runs", "EXPLAIN | runs | EXPLAIN SELECT runs"),
        ("-- SELECT x FROM y\n/* FROM z */ SELECT 1 FROM t", "SELECT | t | SELECT t"),
        ("", "- | - | -"),
        ("   ;", "- | - | -"),
    ] {
        assert_eq!(summarize(sql), expected, "{sql}");
    }
}

#[test]
fn a_literal_never_gets_into_a_summary() {
    for sql in [
        "SELECT 'c4n4ry' FROM t",
        "SELECT * FROM t WHERE a = 'it''s FROM c4n4ry'",
        "SELECT $$ FROM c4n4ry $$ FROM t",
        "SELECT $tag$ FROM c4n4ry $tag$ FROM t",
        "SELECT E'FROM c4n4ry' FROM t",
        "SELECT * FROM t WHERE a = 'unclosed FROM c4n4ry",
        "INSERT INTO t VALUES ('c4n4ry'), (x'c4n4ry')",
        "SELECT * FROM 'c4n4ry'",
        "/* c4n4ry */ SELECT 1 -- c4n4ry",
        "SELECT * FROM \"a c4n4ry with spaces\"",
        "SELECT 1 WHERE x = \"c4n4ry\"",
        "c4n4ry",
    ] {
        assert!(!summarize(sql).to_lowercase().contains("c4n4ry"), "{sql}: {}", summarize(sql));
    }
}

#[test]
fn a_summary_is_never_longer_than_255_characters() {
    let tables: Vec<String> = (0..100).map(|n| format!("table_{n}")).collect();
    let summary = Summary::of(&format!("SELECT * FROM {}", tables.join(", ")));
    assert!(summary.text.unwrap().len() <= 255);
}

#[test]
fn every_cut_of_a_statement_is_read_without_a_panic() {
    let sql = "WITH a AS (SELECT $x$ü$x$, E'\\'', [b c], `d`, \"é\") INSERT INTO s.t VALUES (?1, :n, @v, 'ö''') --ß\n/*é*/";
    for (start, _) in sql.char_indices() {
        for (end, _) in sql[start..].char_indices() {
            let _ = Summary::of(&sql[start..start + end]);
        }
    }
}

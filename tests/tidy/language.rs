//! The language rules of STYLE.md: words to avoid, openers of doc comments, line length.

use crate::{read, root};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Words and phrases that personify code, or that stand for a missing actor.
const AVOIDED: &[&str] = &[
    "somebody",
    "nobody",
    "anybody",
    "everybody",
    "whoever",
    "whomever",
    "told",
    "tell",
    "tells",
    "telling",
    "said",
    "say",
    "says",
    "saying",
    "ask",
    "asks",
    "asked",
    "asking",
    "hear",
    "hears",
    "heard",
    "know",
    "knows",
    "knew",
    "speak",
    "speaks",
    "spoken",
    "spoke",
    "believe",
    "believes",
    "believed",
    "learns",
    "learnt",
    "obey",
    "obeys",
    "obeyed",
    "stands",
    "settle",
    "settles",
    "settled",
    "heed",
    "heeds",
    "promise",
    "promises",
    "promised",
    "farewell",
    "parcel",
    "courier",
    "answers",
    "answered",
    "wishes",
    "forgets",
    "forgot",
    "made up",
    "goes on",
    "go on",
    "comes again",
    "under way",
    "on its way",
    "on their way",
    "turned away",
    "in the place of",
];

const OPENERS: &[&str] = &["What", "Where", "Whether", "Who", "How", "Whatever", "Whoever", "Why"];

const MAX_CODE_COLUMNS: usize = 100;
const MAX_PROSE_COLUMNS: usize = 120;

#[test]
fn prose_is_plain_technical_english() {
    let allowed = allowed();
    let mut used = BTreeSet::new();
    let mut violations = Vec::new();
    for file in tracked_files() {
        let path = file.to_string_lossy().replace('\\', "/");
        for Violation { line, rule, text } in check(&path, &read(root().join(&file))) {
            match allowed.iter().position(|entry| entry.permits(&path, &rule)) {
                Some(index) => _ = used.insert(index),
                None => violations.push(format!("{path}:{line}: {rule}: {}", text.trim())),
            }
        }
    }
    for (index, entry) in allowed.iter().enumerate() {
        if !used.contains(&index) {
            violations.push(format!("tests/tidy/allowed.txt: unused entry {}", entry.path));
        }
    }
    assert!(
        violations.is_empty(),
        "{} violations of STYLE.md:\n{}",
        violations.len(),
        violations.join("\n")
    );
}

#[test]
fn the_check_reports_words_openers_and_long_lines() {
    let rules = |path: &str, text: &str| -> Vec<String> {
        check(path, text).into_iter().map(|violation| violation.rule).collect()
    };
    assert_eq!(rules("a.rs", "/// What requests are compressed with."), ["opener"]);
    assert_eq!(rules("a.rs", "/// Sets the compression.\n/// What follows is fine."), [""; 0]);
    assert_eq!(rules("a.rs", "// Nobody knows."), ["nobody", "knows"]);
    assert_eq!(rules("a.rs", "fn the_queue_knows_its_size() {}"), ["knows"]);
    assert_eq!(rules("a.rs", "let x = 1; // it goes on"), ["goes on"]);
    assert_eq!(rules("a.rs", "fail(\"the value says nothing here\")"), ["says"]);
    assert_eq!(rules("a.rs", "let knows = ask();"), [""; 0]);
    assert_eq!(rules("a.md", "`knows` is a name\n```\nsomebody\n```"), [""; 0]);
    assert_eq!(rules("a.toml", "# asked for\nkey = \"said\""), ["asked"]);
    assert_eq!(rules("a.rs", &format!("// {}", "x".repeat(100))), ["over 100 columns"]);
    assert_eq!(rules("a.md", &"word ".repeat(30)), ["over 120 columns"]);
}

struct Violation {
    line: usize,
    rule: String,
    text: String,
}

/// One line of `allowed.txt`: `path-prefix: rule  # reason`.
struct Allowed {
    path: String,
    rule: String,
}

impl Allowed {
    fn permits(&self, path: &str, rule: &str) -> bool {
        path.starts_with(&self.path) && self.rule == rule
    }
}

fn allowed() -> Vec<Allowed> {
    read(root().join("tests/tidy/allowed.txt"))
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (entry, reason) = line.split_once('#').expect("`path: rule  # reason`");
            assert!(reason.trim().len() > 10, "an exception needs a reason: {line}");
            let (path, rule) = entry.split_once(": ").expect("`path: rule  # reason`");
            Allowed { path: path.trim().to_owned(), rule: rule.trim().to_owned() }
        })
        .collect()
}

/// Files in the repository that contain prose of ours, relative to the root.
fn tracked_files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let files: Vec<PathBuf> = listing
        .lines()
        .filter(|path| kind_of(path).is_some() && !path.contains("/data/"))
        .filter(|path| !path.starts_with("tests/tidy/") && root().join(path).is_file())
        .map(PathBuf::from)
        .collect();
    assert!(files.len() > 100, "only {} files found", files.len());
    files
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Rust,
    Markdown,
    /// Comments start with `#`.
    Hash,
}

fn kind_of(path: &str) -> Option<Kind> {
    let name = Path::new(path).file_name()?.to_str()?;
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match (extension, name) {
        ("rs", _) => Some(Kind::Rust),
        ("md", _) => Some(Kind::Markdown),
        ("toml" | "yaml" | "yml" | "sh" | "example", _)
        | (_, "justfile" | "run" | "optional" | "init" | "build" | "check" | "Dockerfile") => {
            Some(Kind::Hash)
        }
        _ => None,
    }
}

fn check(path: &str, content: &str) -> Vec<Violation> {
    let Some(kind) = kind_of(path) else { return Vec::new() };
    let mut violations = Vec::new();
    let mut in_fence = false;
    let mut in_doc_comment = false;
    for (index, line) in content.lines().enumerate() {
        let mut report = |rule: &str| {
            let (rule, text) = (rule.to_owned(), line.to_owned());
            violations.push(Violation { line: index + 1, rule, text });
        };
        let trimmed = line.trim();
        let prose = match kind {
            Kind::Markdown => {
                if trimmed.starts_with("```") {
                    in_fence = !in_fence;
                    continue;
                }
                if in_fence {
                    continue;
                }
                if is_too_long(line, MAX_PROSE_COLUMNS) && !trimmed.starts_with(['|', '[']) {
                    report("over 120 columns");
                }
                trimmed.to_owned()
            }
            Kind::Rust => {
                // A string literal or a table row may be as long as its text.
                if is_too_long(line, MAX_CODE_COLUMNS)
                    && !line.contains(['"', '|'])
                    && !path.contains("/ui/")
                {
                    report("over 100 columns");
                }
                let doc = trimmed.strip_prefix("///").or_else(|| trimmed.strip_prefix("//!"));
                if let Some(doc) = doc {
                    let first_word = doc.trim_start().split(|c: char| !c.is_alphabetic()).next();
                    if !in_doc_comment && first_word.is_some_and(|word| OPENERS.contains(&word)) {
                        report("opener");
                    }
                }
                in_doc_comment = doc.is_some();
                prose_of_rust(path, line)
            }
            Kind::Hash => trimmed.strip_prefix('#').unwrap_or_default().to_owned(),
        };
        for word in avoided_words(&prose) {
            report(word);
        }
    }
    violations
}

fn is_too_long(line: &str, columns: usize) -> bool {
    line.chars().count() > columns && !line.contains("http")
}

/// The comment of a line, the texts of its string literals outside of tests, and the name of a function in words.
fn prose_of_rust(path: &str, line: &str) -> String {
    let trimmed = line.trim();
    if let Some(comment) = trimmed.strip_prefix("//") {
        return comment.to_owned();
    }
    let mut prose = String::new();
    if let Some((code, comment)) = line.rsplit_once(" // ")
        && code.trim_end().ends_with([';', ',', '{', ')', '}'])
    {
        prose.push_str(comment);
    }
    if !path.starts_with("tests/") && !path.contains("/tests/") {
        for text in line.split('"').skip(1).step_by(2).filter(|text| text.split(' ').count() > 2) {
            prose.push_str(" | ");
            prose.push_str(text);
        }
    }
    if let Some((_, rest)) = trimmed.split_once("fn ")
        && let Some((name, _)) = rest.split_once(['(', '<'])
    {
        prose.push_str(" | ");
        prose.push_str(&name.replace('_', " "));
    }
    prose
}

/// The avoided words of `prose`, in the order of the list; `code` and link targets do not count.
fn avoided_words(prose: &str) -> impl Iterator<Item = &'static str> {
    let mut plain = String::from(" ");
    for text in prose.split('`').step_by(2) {
        for part in text.split("](") {
            plain.push_str(part);
            plain.push(' ');
        }
    }
    let words: String = plain
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '\'' || c == '-' { c.to_ascii_lowercase() } else { ' ' }
        })
        .collect();
    let words = format!(" {} ", words.split_whitespace().collect::<Vec<_>>().join(" "));
    AVOIDED.iter().copied().filter(move |word| words.contains(&format!(" {word} ")))
}

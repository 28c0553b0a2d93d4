//! Figures of the library's source: names, documentation, line length, thread-locals.

use crate::files;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const QUESTION_WORDS: &[&str] = &["What", "Where", "Whether", "Who", "How", "Whatever", "Whoever"];
const MAX_COLUMNS: usize = 100;

/// Figures over the files in `hub-otel/src`, including their unit tests.
#[derive(Default)]
pub struct Figures {
    files: usize,
    lines: usize,
    long_lines: usize,
    docs: usize,
    docs_with_question_word: usize,
    free_functions: usize,
    one_word_functions: usize,
    examples: usize,
    thread_locals: usize,
    files_by_type: BTreeMap<String, BTreeSet<PathBuf>>,
}

impl Figures {
    /// Reads the library's sources.
    ///
    /// # Errors
    /// If a folder or file cannot be read.
    pub fn read() -> io::Result<Self> {
        let mut figures = Self::default();
        figures.read_folder(&files::root().join("hub-otel/src"))?;
        Ok(figures)
    }

    fn read_folder(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.read_folder(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                self.count(&path, &fs::read_to_string(&path)?);
            }
        }
        Ok(())
    }

    fn count(&mut self, path: &Path, source: &str) {
        self.files += 1;
        let mut in_doc = false;
        let mut in_example = false;
        for line in source.lines() {
            self.lines += 1;
            self.long_lines += usize::from(line.chars().count() > MAX_COLUMNS);
            let trimmed = line.trim_start();
            let doc = trimmed.strip_prefix("///").or_else(|| trimmed.strip_prefix("//!"));
            if let Some(doc) = doc.map(str::trim_start) {
                if !in_doc {
                    self.docs += 1;
                    let first = doc.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
                    self.docs_with_question_word += usize::from(QUESTION_WORDS.contains(&first));
                }
                if let Some(language) = doc.strip_prefix("```") {
                    let compiled = ["", "no_run", "should_panic"].contains(&language);
                    self.examples += usize::from(!in_example && compiled);
                    in_example = !in_example;
                }
            }
            in_doc = doc.is_some();
            self.thread_locals += usize::from(trimmed.starts_with("thread_local!"));
            self.count_definition(path, line);
        }
    }

    fn count_definition(&mut self, path: &Path, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name_after = |keyword: &str| {
            let index = words.iter().position(|word| *word == keyword)?;
            let name = words.get(index + 1)?;
            name.split(|c: char| !c.is_alphanumeric() && c != '_').next()
        };
        let is_item = !line.starts_with([' ', '/', '#', '}', ')']);
        if !is_item {
            return;
        }
        if let Some(name) = name_after("fn") {
            self.free_functions += 1;
            self.one_word_functions += usize::from(!name.contains('_'));
        }
        for keyword in ["struct", "enum", "trait"] {
            if let Some(name) = name_after(keyword) {
                self.files_by_type.entry(name.to_owned()).or_default().insert(path.to_owned());
            }
        }
    }

    fn shared_type_names(&self) -> Vec<&str> {
        let shared = self.files_by_type.iter().filter(|(_, files)| files.len() > 1);
        shared.map(|(name, _)| name.as_str()).collect()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: usize, total: usize| 100.0 * part as f64 / total.max(1) as f64;
        let shared = self.shared_type_names();
        writeln!(f, "files and lines: {}, {}", self.files, self.lines)?;
        writeln!(
            f,
            "documentation that opens with a question word: {:.1} %",
            percent(self.docs_with_question_word, self.docs)
        )?;
        writeln!(
            f,
            "free functions with a one-word name: {:.0} %",
            percent(self.one_word_functions, self.free_functions)
        )?;
        writeln!(
            f,
            "type names in more than one file: {:.1} % {shared:?}",
            percent(shared.len(), self.files_by_type.len())
        )?;
        writeln!(f, "compiled examples in the documentation: {}", self.examples)?;
        writeln!(
            f,
            "lines over {MAX_COLUMNS} columns per 1,000: {:.1}",
            10.0 * percent(self.long_lines, self.lines)
        )?;
        write!(f, "thread_local! blocks: {}", self.thread_locals)
    }
}

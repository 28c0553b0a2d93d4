//! The document as tables.

/// A row's cells, without the decoration.
pub(crate) type Row = Vec<String>;

const DOCUMENT: &str = include_str!("../../docs/telemetry.md");

/// The rows of the first table after `heading`, without its head.
#[track_caller]
pub(crate) fn table(heading: &str) -> Vec<Row> {
    let (_, after) = DOCUMENT
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no heading {heading:?}"));
    let rows: Vec<_> = after
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(cells)
        .collect();
    assert!(!rows.is_empty(), "no table after {heading:?}");
    rows
}

fn cells(line: &str) -> Row {
    line.trim_matches('|')
        .split(" | ")
        .map(|cell| cell.trim().replace(['`', '*'], "").replace(" (fixed)", ""))
        .collect()
}

/// The headings of the spans' tables.
pub(crate) fn span_names() -> Vec<(String, String)> {
    let headings = DOCUMENT.lines().filter(|line| line.starts_with("### `"));
    headings
        .map(|line| (line.to_owned(), line.split('`').nth(1).unwrap_or_default().to_owned()))
        .collect()
}

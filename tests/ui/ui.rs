//! Errors of the macros: one fixture for each rule of docs/macro-rules.md.
//!
//! The fixtures are only checked. Accepted code is compiled and run in tests/hygiene.

#[test]
fn every_error_is_reported_at_the_token_to_change() {
    trybuild::TestCases::new().compile_fail("fail/**/*.rs");
}

#[test]
fn the_documented_rules_are_those_that_have_a_fixture() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("../../docs/macro-rules.md")).unwrap();
    let mut documented: Vec<_> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .filter(|mistake| mistake.contains('/'))
        .map(str::to_owned)
        .collect();
    let mut fixtures = Vec::new();
    for area in std::fs::read_dir(root.join("fail")).unwrap() {
        for fixture in std::fs::read_dir(area.unwrap().path()).unwrap() {
            let path = fixture.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let area = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
                fixtures.push(format!("{area}/{}", path.file_stem().unwrap().to_str().unwrap()));
            }
        }
    }
    documented.sort();
    fixtures.sort();
    assert_eq!(documented, fixtures);
}

#[test]
fn the_documented_shapes_are_those_that_are_compiled_and_run() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("../../docs/macro-rules.md")).unwrap();
    let (_, accepted) = document.split_once("## What the macros accept").unwrap();
    let rows =
        accepted.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| shape"));
    let listed = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let mut documented: Vec<_> = listed
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`').to_owned())
        .collect();

    // `first` is a method of an annotated block and has no attribute itself.
    let mut annotated = vec!["first".to_owned()];
    let shapes = std::fs::read_to_string(root.join("../hygiene/shapes.rs")).unwrap();
    let mut below_ours = false;
    for line in shapes.lines().map(str::trim_start) {
        below_ours |= line.starts_with("#[instrument_") || line.starts_with("#[hub");
        if let Some((_, rest)) = line.split_once("fn ").filter(|(before, _)| !before.contains('/'))
        {
            let name = rest.split(['(', '<']).next().unwrap();
            annotated.extend(std::mem::take(&mut below_ours).then(|| name.to_owned()));
        }
        below_ours &= !line.starts_with("impl")
            && !line.starts_with("pub enum")
            && !line.starts_with("pub struct");
    }
    documented.sort();
    annotated.sort();
    assert_eq!(documented, annotated);
}

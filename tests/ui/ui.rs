//! What the macros refuse, and in which words: one fixture for each rule of docs/macro-rules.md.
//!
//! Only `cargo check` runs here. What the macros accept is compiled and run in tests/hygiene.

#[test]
fn every_mistake_is_explained_at_the_word_to_change() {
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

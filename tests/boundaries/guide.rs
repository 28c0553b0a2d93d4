//! The fenced blocks of `docs/guide-boundaries.md` are doctests of this package.
//! Checked here: each boundary has a short example before and after.

#[test]
fn the_guide_shows_every_boundary_before_and_after() {
    let guide = include_str!("../../docs/guide-boundaries.md");
    for heading in ["## HTTP server", "## HTTP client", "## Database", "## Process and runtime"] {
        let (_, section) = guide.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
        let section = section.split("\n## ").next().unwrap();
        for part in ["Before:\n\n```", "After:\n\n```"] {
            let (_, block) =
                section.split_once(part).unwrap_or_else(|| panic!("{heading}: no {part}"));
            let shown = block
                .lines()
                .skip(1)
                .take_while(|line| *line != "```")
                .filter(|line| !line.starts_with("# "));
            assert!(shown.count() <= 3, "{heading}: {part}");
        }
    }
    assert!(!guide.contains("```rust,ignore"), "every block is compiled");
}

//! The guide's code is compiled as it stands: the fenced blocks of `docs/guide-boundaries.md` are doctests of this package.
//! Here: that the guide says what it should.

#[test]
fn the_guide_shows_every_boundary_before_and_after() {
    let guide = include_str!("../../docs/guide-boundaries.md");
    for heading in ["## HTTP server", "## HTTP client", "## Database", "## Process and runtime"] {
        assert!(guide.contains(heading), "{heading}");
    }
    let fences = guide.matches("```rust").count();
    assert!(fences >= 6, "{fences} blocks");
    assert!(!guide.contains("```rust,ignore"), "every block is compiled");
}

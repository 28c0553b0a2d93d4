//! Selection and rendering of spans that are built by the test.

use hub_otel::testing::{Event, Span, Spans, Value};

fn span(id: &str, parent_id: &str, name: &str) -> Span {
    let mut span = Span::new(name);
    span.span_id = id.to_owned();
    span.parent_id = parent_id.to_owned();
    span
}

#[test]
fn children_of_a_removed_span_move_to_the_closest_kept_ancestor() {
    let spans = Spans::from_iter([
        span("1", "", "root"),
        span("2", "1", "removed"),
        span("3", "2", "removed"),
        span("4", "3", "leaf"),
        span("5", "", "removed"),
        span("6", "5", "orphan"),
    ]);
    insta::assert_snapshot!(spans.filter(|span| span.name != "removed").names(), @r"
    root
      leaf
    orphan
    ");
}

#[test]
fn sorting_orders_siblings_by_their_subtree_whatever_the_start_order() {
    let first = [span("1", "", "a"), span("2", "", "a"), span("3", "1", "y"), span("4", "2", "x")];
    let mut second = first.clone();
    second.reverse();
    let sorted = Spans::from_iter(first).sorted().names();
    insta::assert_snapshot!(sorted, @r"
    a
      x
    a
      y
    ");
    assert_eq!(sorted, Spans::from_iter(second).sorted().names());
}

#[test]
fn a_span_is_rendered_with_kind_status_attributes_events_and_links() {
    let mut server = span("1", "", "GET /runs");
    server.kind = "Server".to_owned();
    server.status = "Error: disk full".to_owned();
    server.attributes.insert("server.port".to_owned(), Value::Int(40_123));
    server.attributes.insert("lines".to_owned(), Value::String("one\ntwo".to_owned()));
    let roles = ["a", "b"].map(|role| Value::String(role.to_owned())).to_vec();
    server.attributes.insert("roles".to_owned(), Value::Array(roles));
    let mut event = Event::new("exception");
    event.attributes.insert("exception.message".to_owned(), Value::String("disk full".to_owned()));
    server.events.push(event);
    server.links.extend(["1".to_owned(), "unknown".to_owned()]);
    let spans = Spans::from_iter([server])
        .mask(|key, _| key.ends_with(".port").then(|| "<port>".to_owned()));
    insta::assert_snapshot!(spans.tree(), @r#"
    GET /runs (Server) Error: disk full
      - lines=one\ntwo
      - roles=["a", "b"]
      - server.port=<port>
      * exception
        - exception.message=disk full
      ~ GET /runs
      ~ …
    "#);
    insta::assert_snapshot!(spans.keep_attributes(|key| key == "server.port").tree(), @r"
    GET /runs (Server) Error: disk full
      - server.port=<port>
      * exception
      ~ GET /runs
      ~ …
    ");
}

#[test]
fn a_deep_trace_is_rendered_without_overflowing_the_stack() {
    let spans = (0_u32..20_000).map(|depth| {
        let parent_id = depth.checked_sub(1).map_or_else(String::new, |parent| parent.to_string());
        span(&depth.to_string(), &parent_id, "s")
    });
    assert_eq!(Spans::from_iter(spans).render(|_| "s".to_owned()).lines().count(), 20_000);
}

//! Parents of units, for every way to run futures.

use futures_util::StreamExt;
use hub_otel::testing::{Settings, Spans, capture};
use hub_otel::{instrument_agent, instrument_workflow};
use opentelemetry::trace::FutureExt;
use tokio::task::{JoinSet, yield_now};

#[instrument_agent(id = "a", action = "x", run_id = name, name = name)]
async fn agent(name: &'static str) {
    yield_now().await;
    yield_now().await;
}

/// Each agent's name below its workflow's run.
fn runs(spans: &Spans) -> Vec<(String, String)> {
    let mut runs: Vec<_> = spans
        .named("agent.execute")
        .iter()
        .map(|agent| {
            let parent = spans.iter().find(|span| span.span_id == agent.parent_id);
            let parent = parent.map_or_else(String::new, |parent| parent.text("workflow.run.id"));
            assert_eq!(
                parent,
                agent.text("workflow.run.id"),
                "inherited from the one that encloses it"
            );
            (parent, agent.text("agent.name"))
        })
        .collect();
    runs.sort();
    runs
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(run, name)| ((*run).to_owned(), (*name).to_owned())).collect()
}

#[tokio::test]
async fn joined_and_selected_agents_are_children_of_the_one_that_polls_them() {
    #[instrument_workflow(id = "w", run_id = "run")]
    async fn workflow() {
        tokio::join!(agent("1"), agent("2"));
        tokio::select! {
            () = agent("3") => {}
            () = agent("4") => {}
        }
    }
    let capture = capture();
    workflow().await;
    assert_eq!(
        runs(&capture.spans()),
        pairs(&[("run", "1"), ("run", "2"), ("run", "3"), ("run", "4")])
    );
    capture.conformance().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spawned_agents_stay_below_the_workflow_that_called_them() {
    #[instrument_workflow(id = "w", run_id = "run")]
    async fn workflow() {
        let spawned = tokio::spawn(agent("spawned"));
        let mut set = JoinSet::new();
        set.spawn(agent("in a set"));
        set.spawn(agent("in a set too"));
        spawned.await.unwrap();
        set.join_all().await;
    }
    let capture = capture();
    capture.run(workflow()).await;
    let expected = pairs(&[("run", "in a set"), ("run", "in a set too"), ("run", "spawned")]);
    assert_eq!(runs(&capture.spans()), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spawned_block_inherits_where_the_context_is_handed_over() {
    #[instrument_workflow(id = "w", run_id = "run")]
    async fn workflow() {
        let context = opentelemetry::Context::current();
        let task = async { agent("inside").await }.with_context(context);
        tokio::spawn(task).await.unwrap();
    }
    let capture = capture();
    capture.run(workflow()).await;
    assert_eq!(runs(&capture.spans()), pairs(&[("run", "inside")]));
}

#[tokio::test]
async fn streams_of_agents_stay_below_the_workflow_that_drives_them() {
    #[instrument_workflow(id = "w", run_id = "run")]
    async fn workflow() {
        futures_util::stream::iter(["1", "2", "3"]).map(agent).buffer_unordered(2).count().await;
    }
    let capture = capture();
    workflow().await;
    assert_eq!(runs(&capture.spans()), pairs(&[("run", "1"), ("run", "2"), ("run", "3")]));
}

#[tokio::test]
async fn an_agent_belongs_to_the_innermost_workflow() {
    #[instrument_workflow(id = "inner", run_id = "inner")]
    async fn inner() {
        agent("in").await;
    }
    #[instrument_workflow(id = "outer", run_id = "outer")]
    async fn outer() {
        inner().await;
        agent("out").await;
    }
    let capture = capture();
    outer().await;
    insta::assert_snapshot!(capture.spans().names(), @r"
    workflow.execute
      workflow.execute
        agent.execute
      agent.execute
    ");
    assert_eq!(runs(&capture.spans()), pairs(&[("inner", "in"), ("outer", "out")]));
}

#[tokio::test]
async fn agents_below_agents_inherit_the_run() {
    #[instrument_agent(id = "a", action = "x", name = "outer")]
    async fn outer() {
        #[instrument_agent(id = "b", action = "y", name = "inner")]
        async fn inner() {}
        inner().await;
    }
    #[instrument_workflow(id = "w", run_id = "run")]
    async fn workflow() {
        outer().await;
    }
    let capture = capture();
    workflow().await;
    let spans = capture.spans();
    insta::assert_snapshot!(spans.names(), @r"
    workflow.execute
      agent.execute
        agent.execute
    ");
    for agent in spans.named("agent.execute") {
        assert_eq!(agent.text("workflow.run.id"), "run");
        assert_eq!(agent.text("workflow.id"), "w");
    }
}

#[tokio::test]
async fn recursion_nests() {
    fn recurse(depth: u32) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
        #[instrument_agent(id = "a", action = "dig")]
        async fn dig(depth: u32) {
            if depth > 0 {
                recurse(depth - 1).await;
            }
        }
        Box::pin(dig(depth))
    }
    let capture = capture();
    recurse(3).await;
    insta::assert_snapshot!(capture.spans().names(), @r"
    agent.execute
      agent.execute
        agent.execute
          agent.execute
    ");
}

#[tokio::test]
async fn two_workflows_that_take_turns_on_one_thread_never_mix() {
    #[instrument_workflow(id = "w", run_id = run)]
    async fn workflow(run: &'static str) {
        for _ in 0..5 {
            yield_now().await;
            agent(run).await;
        }
    }
    let capture = capture();
    tokio::join!(workflow("one"), workflow("two"));
    let runs = runs(&capture.spans());
    assert_eq!(runs.len(), 10);
    for (run, name) in runs {
        assert_eq!(run, name);
    }
}

#[tokio::test]
async fn a_future_keeps_the_trace_it_was_created_in() {
    #[expect(clippy::async_yields_async, reason = "the future is what is made here")]
    #[instrument_workflow(id = "maker", run_id = "maker")]
    async fn maker() -> impl Future<Output = ()> {
        agent("made")
    }
    #[instrument_workflow(id = "actor", run_id = "actor")]
    async fn actor(work: impl Future<Output = ()>) {
        work.await;
    }
    let capture = capture();
    let work = maker().await;
    actor(work).await;
    let spans = capture.spans();
    assert_eq!(runs(&spans), pairs(&[("maker", "made")]));
    let actor = spans.iter().find(|span| span.text("workflow.id") == "actor").unwrap();
    assert_eq!(
        spans.named("agent.execute")[0].links,
        *std::slice::from_ref(&actor.span_id),
        "linked to the one that polled it"
    );
}

#[tokio::test]
async fn a_future_created_outside_a_trace_joins_the_one_it_is_first_polled_in() {
    let capture = capture();
    let work = agent("moved");
    hub_otel::workflow("w").run_id("run").run(work).await;
    assert_eq!(runs(&capture.spans()), pairs(&[("run", "moved")]));
}

#[tokio::test]
async fn an_agent_outside_any_workflow_is_a_root_without_a_run() {
    let capture = Settings::new().allow_root_agents().capture();
    agent("alone").await;
    let spans = capture.spans();
    let agent = spans.iter().next().unwrap();
    assert_eq!(agent.parent_id, "");
    assert!(!agent.attributes.contains_key("workflow.run.id"));
    capture.conformance().unwrap();
}

#[tokio::test]
async fn a_root_starts_its_own_trace_with_a_link_to_the_caller() {
    #[instrument_workflow(id = "w", run_id = "run")]
    async fn workflow() {
        hub_otel::workflow("other").root().run(async {}).await;
    }
    let capture = capture();
    workflow().await;
    let spans = capture.spans();
    let [outer, other] = spans.named("workflow.execute")[..] else { panic!("{}", spans.tree()) };
    assert_ne!(outer.trace_id, other.trace_id);
    assert_eq!(other.parent_id, "");
    assert_eq!(other.links, *std::slice::from_ref(&outer.span_id));
}

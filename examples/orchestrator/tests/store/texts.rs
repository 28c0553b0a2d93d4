//! Texts of users and agents: any character.

use crate::fixture::TestStore;
use crate::{ALL, admission, create, end, later, question, result, seeded, yes};
use orchestrator::domain::{Approval, NewRun, NodeRecord, RunStatus, Trigger};
use orchestrator::store::{AlertRequest, Cancelled, Created, Decided, End, Page, Resolution};
use serde_json::json;
use std::time::Duration;

pub(crate) async fn texts_with_any_character_are_stored(store: impl TestStore) {
    let text = "NUL \0, quote ' \" \\, emoji 🦀, \u{202e}";
    let mut new = seeded(&store).await;
    new.context.insert(text.into(), json!({"text": text, "number": 1.5e300}));
    let context = new.context.clone();
    let Created::New(run) = create(&store, new).await else { panic!("no key") };
    assert_eq!(run.context, context);
    let run = store.start(run.state(), None).await.unwrap().unwrap().state();
    let requested = Approval { input: json!(text), ..question(&run, later()) };
    let requested = store.request_approval(run.clone(), requested).await.unwrap().unwrap();
    assert_eq!(requested.input, json!(text));
    let resolution = Resolution { notes: Some(text.into()), responded_by: text.into(), ..yes() };
    store.decide(&requested.id, resolution, None).await.unwrap();
    let notes = store.approvals_of(&run.id).await.unwrap().remove(0).notes.unwrap();
    assert!(notes.ends_with("\u{202e}"), "{notes:?}");
    let failed = NodeRecord { output: Some(json!(text)), error: Some(text.into()), ..result(1) };
    assert!(store.save_node(run.clone(), failed).await.unwrap());
    let nodes = store.nodes(std::slice::from_ref(&run.id)).await.unwrap();
    assert_eq!(nodes[0].1.output, Some(json!(text)));
    let end =
        End { error_type: Some("e".into()), error: Some(text.into()), ..end(RunStatus::Failed) };
    assert!(store.finish(run, end).await.unwrap().is_some());
    // Ids of requests.
    assert!(store.run(text).await.unwrap().is_none());
    assert!(store.workflow(text).await.unwrap().is_none());
    assert!(matches!(store.cancel(text).await.unwrap().0, Cancelled::Unknown));
    assert!(matches!(store.decide(text, yes(), None).await.unwrap(), Decided::Unknown));
    let after = Page { limit: 1, after: Some(text.into()) };
    assert!(store.runs(text, None, after.clone()).await.unwrap().entries.is_empty());
    store.approvals(None, after).await.unwrap();
    let alert = AlertRequest {
        fingerprint: text.into(),
        firing: true,
        run: NewRun::new("w", Trigger::GrafanaWebhook, serde_json::Map::new()),
        remind_after: Duration::from_secs(60),
    };
    for _ in 0..2 {
        store.admit_alert(alert.clone(), admission()).await.unwrap().unwrap();
    }
    assert_eq!(store.runs("w", None, ALL).await.unwrap().entries.len(), 2);
}

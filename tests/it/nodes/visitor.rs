//! A visitor's budgets hold whichever node it comes to.

use std::time::Duration;

use actors::Visit;
use schema::{ContactId, ConversationKey, ErrorCode, Plan};
use tests::bench::says;
use tokio::time::sleep;

use super::START;
use super::installation::{Ear, Node, run};

/// Says something as a visitor does, by way of a node.
async fn says_as_visitor(node: &Node, key: ConversationKey, contact: ContactId, r#ref: String) -> Option<ErrorCode> {
    let said = node.on(move |worker| async move {
        let visit = Visit::new(worker.tenant(key.tenant).await?, contact, None);
        worker.submit_for(Some(&visit), key, says(&r#ref, "And why?")).await
    });
    said.await.err().map(|failure| failure.code)
}

#[test]
fn its_replies_at_once_are_counted_where_they_run() {
    run(|world| async move {
        let [a, b] = world.nodes().await;
        let (contact, most) = (ContactId::generate(), Plan::default().visitors.running_turns.get() as usize);
        let mut talks = Vec::new();
        for _ in 0..most + 2 {
            let tenant = world.tenant;
            let opened = a.on(move |worker| async move { worker.open(tenant, contact, None).await });
            let (key, _) = opened.await.unwrap();
            talks.push((key, Ear::at(&a, key, START).await, Ear::at(&b, key, START).await));
        }
        let speakers: Vec<_> = (0..most + 2).map(|_| world.speakers.next()).collect();
        for (n, (key, ear, _)) in talks.iter_mut().enumerate().take(most) {
            assert_eq!(says_as_visitor(&b, *key, contact, format!("r{n}")).await, None);
            speakers[n].send("Because".into()).unwrap();
            ear.hears("Because").await;
        }
        let [one_more, other] = [talks[most].0, talks[most + 1].0];
        let refused = says_as_visitor(&b, one_more, contact, "more".into()).await;
        assert_eq!(refused, Some(ErrorCode::QuotaExhausted));
        assert_eq!(world.log(one_more).await.len(), 1, "nothing of it is stored");
        // Whoever has the tenant's key is no visitor.
        assert!(b.submit(other, says("team", "And why?")).await.is_ok());
        speakers[most].send("Because".into()).unwrap();
        drop(speakers);
        sleep(Duration::from_secs(1)).await;
        let again = says_as_visitor(&b, one_more, contact, "more".into()).await;
        assert_eq!(again, None, "they have ended");
    });
}

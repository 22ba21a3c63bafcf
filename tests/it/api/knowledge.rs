//! What the assistant learns, quotes and forgets.

use schema::wire::{DocumentList, Learned};
use serde_json::json;
use tests::node::Node;
use tests::stream::{reply_of, text_of};

const RETURNS: &str = include_str!("../../fixtures/knowledge/shop/returns.md");
const DELIVERY: &str = include_str!("../../fixtures/knowledge/shop/delivery.md");
const QUESTION: &str = "How many days do I have to return an unused item?";

#[tokio::test]
async fn a_learned_document_is_quoted_with_its_source_until_it_is_forgotten() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    let before = api.ask(id, "q0", QUESTION).await;
    assert!(reply_of(&before).unwrap().made.passages.is_empty());
    assert!(!text_of(&before).contains("30 days"), "it says that it does not know");

    for (source, text, changed) in
        [("returns.md", RETURNS, true), ("delivery.md", DELIVERY, true), ("returns.md", RETURNS, false)]
    {
        let learned: Learned = api.post("/v1/knowledge", &json!({"source": source, "text": text})).await.ok();
        assert_eq!((learned.source.as_str(), learned.changed), (source, changed));
        assert!(learned.passages > 1);
    }
    let list: DocumentList = api.get("/v1/knowledge").await.ok();
    let mut known: Vec<_> = list.documents.iter().map(|row| (row.source.as_str(), row.bytes)).collect();
    known.sort_unstable();
    assert_eq!(known, [("delivery.md", DELIVERY.len()), ("returns.md", RETURNS.len())]);

    let reply = api.ask(id, "q1", QUESTION).await;
    let made = &reply_of(&reply).unwrap().made;
    assert_eq!(made.model, "builtin");
    assert!(text_of(&reply).contains("30 days"), "{}", text_of(&reply));
    assert_eq!(made.passages.first().map(|passage| passage.source.as_str()), Some("returns.md"));
    assert!(made.passages.iter().any(|passage| text_of(&reply).contains(&format!("[{}]", passage.n))));

    assert_eq!(api.call("DELETE", "/v1/knowledge?source=returns.md").await.status, 204);
    assert_eq!(api.call("DELETE", "/v1/knowledge?source=returns.md").await.failure(), (404, "not_found"));
    let list: DocumentList = api.get("/v1/knowledge").await.ok();
    assert_eq!(list.documents.len(), 1);
    let after = api.ask(id, "q2", QUESTION).await;
    assert!(reply_of(&after).unwrap().made.passages.iter().all(|passage| passage.source != "returns.md"));
}

#[tokio::test]
async fn what_is_no_document_is_refused() {
    let node = Node::start(&[]);
    let api = node.api();
    let too_long = "words ".repeat(schema::limits::DOCUMENT_BYTES_MAX / 6 + 1);
    for (body, failure) in [
        (json!({"source": "", "text": "words"}), (400, "bad_field")),
        (json!({"source": "a\nb", "text": "words"}), (400, "bad_field")),
        (json!({"text": "words"}), (400, "bad_field")),
        (json!({"source": "a"}), (400, "bad_field")),
        (json!({"source": "a", "text": "words", "html": true}), (400, "bad_field")),
        (json!({"source": "a", "text": too_long}), (413, "too_large")),
    ] {
        let answer = api.post("/v1/knowledge", &body).await;
        assert_eq!(answer.failure(), failure, "{:.60}", body.to_string());
    }
    assert_eq!(api.call("DELETE", "/v1/knowledge").await.failure(), (400, "bad_field"));
    let large = "words of a long document\n\n".repeat(5_000);
    assert!(large.len() > schema::limits::BODY_BYTES_MAX);
    assert_eq!(api.learn("large.txt", &large).await["changed"], true);
}

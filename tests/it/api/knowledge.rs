//! What the assistant learns, quotes and forgets.

use schema::limits;
use schema::wire::{DocumentList, Learned, TenantList};
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
    let too_long = "words ".repeat(limits::DOCUMENT_BYTES_MAX / 6 + 1);
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
    assert!(large.len() > limits::BODY_BYTES_MAX);
    assert_eq!(api.learn("large.txt", &large).await["changed"], true);
}

#[tokio::test]
async fn documents_and_tenants_are_listed_in_pages() {
    let node = Node::start(&[]);
    let (api, operator) = (node.api(), node.operator());
    for n in 0..5 {
        api.learn(&format!("{n}.md"), &format!("# Note {n}\n\nThe number of this note is {n}.")).await;
    }
    for limit in [1, 2, 5, 100] {
        let (mut sources, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let DocumentList { documents, next } = api.get(&format!("/v1/knowledge{query}")).await.ok();
            assert!(documents.len() <= limit, "{} of {limit}", documents.len());
            sources.extend(documents.into_iter().map(|document| document.source));
            match next {
                Some(next) => query = format!("?limit={limit}&after={next}"),
                None => break,
            }
        }
        sources.retain(|source| source.len() == "0.md".len());
        sources.sort_unstable();
        assert_eq!(sources, ["0.md", "1.md", "2.md", "3.md", "4.md"], "in pages of {limit}");
    }
    for limit in ["0", "101"] {
        assert_eq!(api.get(&format!("/v1/knowledge?limit={limit}")).await.failure(), (400, "bad_field"));
    }

    let made = limits::PAGE_TENANTS_MAX + 3;
    for n in 0..made {
        operator.create_tenant(&format!("shop-{n:02}")).await;
    }
    let (mut names, mut query) = (Vec::new(), String::new());
    loop {
        let TenantList { tenants, next } = operator.get(&format!("/v1/admin/tenants{query}")).await.ok();
        assert!(tenants.len() <= limits::PAGE_TENANTS_MAX);
        names.extend(tenants.into_iter().map(|tenant| tenant.name));
        match next {
            Some(next) => query = format!("?after={next}"),
            None => break,
        }
    }
    let shops: Vec<String> = names.into_iter().filter(|name| name.starts_with("shop-")).collect();
    assert_eq!(shops, (0..made).map(|n| format!("shop-{n:02}")).collect::<Vec<_>>(), "each once, oldest first");
}

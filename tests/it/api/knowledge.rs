//! What the assistant learns, quotes and forgets.

use schema::limits;
use schema::wire::{DocumentList, DocumentMarkdown, DocumentPage, Learned, TenantList};
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

#[tokio::test]
async fn a_document_is_shown_as_it_was_learned() {
    let node = Node::start(&[]);
    let api = node.api();
    let table = "# Rates\n\n| room | price |\n|---|---|\n| single | 60 € |\n| double | 90 € |\n";
    let rows: String =
        (1..=130).map(|n| format!("\n## Room {n}\n\nRoom number {n} has a view of the sea.\n")).collect();
    api.learn("rates & rooms/a.md", &format!("{table}{rows}")).await;
    let address = "https://inn.example/rooms?lang=en&page=2";
    api.learn(address, "# Rooms\n\nAll rooms are quiet.").await;
    let page = async |source: &str, query: &str| api.get_of(&format!("/v1/knowledge/document?{query}"), source).await;

    let first: DocumentPage = page("rates & rooms/a.md", "").await.ok();
    let facts = &first.document;
    assert_eq!((facts.title.as_str(), facts.language.as_str(), &facts.address), ("Rates", "en", &None));
    assert_eq!((facts.view.passages, facts.view.bytes), (131, table.len() + rows.len()));
    assert_eq!((first.passages.len(), first.next), (limits::PAGE_PASSAGES_MAX, Some(100)));
    assert_eq!(first.passages[0].heading, "Rates");
    assert!(first.passages[0].text.as_str().contains("| double | 90 € |"), "{:?}", first.passages[0].text.as_str());
    let rest: DocumentPage = page("rates & rooms/a.md", "after=100").await.ok();
    let numbers: Vec<u32> = rest.passages.iter().map(|passage| passage.n).collect();
    assert_eq!((numbers, rest.next), ((101..=131).collect(), None));
    let few: DocumentPage = page("rates & rooms/a.md", "after=4&limit=2").await.ok();
    assert_eq!((few.passages[0].n, few.passages.len(), few.next), (5, 2, Some(6)));
    let web: DocumentPage = page(address, "").await.ok();
    assert_eq!(web.document.address.as_deref(), Some(address));
    let text: DocumentMarkdown = api.get_of("/v1/knowledge/document/markdown", address).await.ok();
    assert_eq!((text.markdown.as_str(), text.next), ("# Rooms\n\nAll rooms are quiet.", None));

    let visitor = api.visitor(json!({})).await.token;
    for path in ["/v1/knowledge/document", "/v1/knowledge/document/markdown"] {
        for (query, failure) in [
            ("?source=never.md", (404, "not_found")),
            ("?source=answer:parking", (400, "bad_field")),
            ("?source=a&after=x", (400, "bad_field")),
            ("?source=a&what=b", (400, "bad_field")),
            ("", (400, "bad_field")),
        ] {
            assert_eq!(api.get(&format!("{path}{query}")).await.failure(), failure, "{path}{query}");
        }
        let answer = api.showing(&visitor).get(&format!("{path}?source=never.md")).await;
        assert_eq!(answer.failure(), (403, "forbidden"), "{path}");
        let (_, other) = node.operator().create_tenant(path.rsplit('/').next().unwrap()).await;
        assert_eq!(other.get_of(path, address).await.failure(), (404, "not_found"), "another tenant's");
    }
    for limit in ["0", "101"] {
        assert_eq!(page("rates & rooms/a.md", &format!("limit={limit}")).await.failure(), (400, "bad_field"));
    }
}

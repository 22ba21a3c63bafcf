//! The list of conversations: what it tells and to whom, and that it has it after whatever happened to the node.

mod consumer;

use std::sync::Arc;

use engine_store::{Append, DueChange, Log, PageBounds, Projection, Projections};
use schema::wire::{ConversationList, ConversationSummary, HumanAction, Status};
use schema::{Author, ConversationId, ConversationKey, Event, Fact, HandoffReason};
use serde_json::{Value, json};
use tests::api::Api;
use tests::node::{Node, command, run};
use tests::{PATIENCE, look_again};
use tokio::time::timeout;

async fn list(api: &Api, query: &str) -> Vec<ConversationSummary> {
    api.get(&format!("/v1/conversations{query}")).await.ok::<ConversationList>().conversations
}

async fn row(api: &Api, id: ConversationId) -> ConversationSummary {
    list(api, "").await.into_iter().find(|row| row.id == id).expect("it is listed")
}

#[tokio::test]
async fn a_row_tells_who_it_is_what_they_said_and_who_waits() {
    let node = Node::start(&[]);
    let api = node.api();
    let opened = api.post("/v1/conversations", &json!({"contact": "Ana", "locale": "pt-BR"})).await;
    let id = opened.ok::<schema::wire::Created>().id;
    let new = row(&api, id).await;
    assert_eq!((new.contact.as_ref().map(schema::Contact::as_str), new.head), (Some("Ana"), 1));
    assert_eq!((new.locale, new.status, new.owner.as_str()), ("pt-BR".parse().ok(), Status::Open, "assistant"));
    assert_eq!((new.last_words, new.waiting_since, new.unread), (None, None, Some(0)));

    let reply = api.ask(id, "r1", "What do you\n\n know?").await;
    let answered = row(&api, id).await;
    assert_eq!(answered.last_words.as_ref().map(schema::Text::as_str), Some("What do you know?"));
    assert_eq!((answered.head, answered.last_at), (reply.seq, reply.at));
    assert_eq!((answered.waiting_since, answered.unread, answered.handoff), (None, Some(0), None));

    api.human(id, HumanAction::Take, "Zoe").await.ok::<Value>();
    let first = api.say(id, "r2", "Is anybody there?").await;
    api.say(id, "r3", "Hello?").await;
    let asked_at = api.log(id).await.events.into_iter().find(|event| event.seq == first).unwrap().at;
    let waits = row(&api, id).await;
    assert_eq!((waits.owner.as_str(), waits.agent.as_deref()), ("human", Some("Zoe")));
    assert_eq!((waits.waiting_since, waits.unread), (Some(asked_at), Some(2)));
    assert_eq!(waits.last_words.as_ref().map(schema::Text::as_str), Some("Hello?"));
    let messages = format!("/v1/conversations/{id}/messages");
    api.post(&messages, &json!({"ref": "a1", "text": "Here I am.", "agent": "Zoe"})).await.ok::<Value>();
    let answered = row(&api, id).await;
    assert_eq!((answered.waiting_since, answered.unread), (None, Some(0)));
    api.call("POST", &format!("/v1/conversations/{id}/close")).await.ok::<Value>();
    assert_eq!(row(&api, id).await.status, Status::Closed);
}

#[tokio::test]
async fn a_visitor_sees_of_their_own_what_is_theirs() {
    let node = Node::start(&[]);
    let api = node.api();
    let (anas, bos) = (api.open_with("Ana").await, api.open_with("Bo").await);
    api.say(anas, "r1", "I want to speak to a person, please.").await;
    let team = timeout(PATIENCE, async {
        loop {
            let team = row(&api, anas).await;
            if team.handoff.is_some() {
                break team;
            }
            look_again().await;
        }
    });
    let team = team.await.expect("the contact wants a person");
    assert_eq!(team.handoff, Some(HandoffReason::Asked));
    assert!(team.waiting_since.is_some() && team.unread.is_some());
    let token = api.visitor(json!({"contact": "Ana"})).await.token;
    let bound = api.visitor(json!({"contact": "Ana", "conversation": anas})).await.token;
    for token in [token, bound] {
        let listed: Value = api.showing(token).get("/v1/conversations?contact=Bo").await.ok();
        let rows = listed["conversations"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{listed}");
        assert_eq!((&rows[0]["id"], &rows[0]["contact"]), (&json!(anas), &json!("Ana")));
        assert!(rows[0]["last_words"].as_str().unwrap().starts_with("I want"), "{listed}");
        for field in ["handoff", "waiting_since", "unread"] {
            assert!(rows[0].get(field).is_none(), "{field}: {listed}");
        }
    }
    assert!(list(&api, "?contact=Bo").await.iter().all(|row| row.id == bos));
}

#[tokio::test]
async fn whoever_lists_sees_what_was_durable_when_they_asked() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    api.human(id, HumanAction::Take, "Zoe").await.ok::<Value>();
    for n in 0..30 {
        let seq = api.say(id, &format!("r{n}"), &format!("message {n}")).await;
        let shown = row(&api, id).await;
        assert_eq!((shown.head, shown.unread), (seq, Some(n + 1)));
    }
}

/// The node is killed as soon as it has acknowledged a message: whether its row was written or not, it is there
/// after the next start.
#[tokio::test]
async fn a_row_that_a_kill_has_prevented_comes_by_itself() {
    let mut node = Node::start(&[]);
    let tenant = node.api().tenant().await.id;
    let ids = [node.api().open_with("Ana").await, node.api().open_with("Bo").await];
    for id in ids {
        node.api().human(id, HumanAction::Take, "Zoe").await.ok::<Value>();
    }
    for round in 0..6 {
        let api = node.api();
        let id = ids[round % 2];
        let seq = api.say(id, &format!("r{round}"), &format!("message {round}")).await;
        node.kill();
        // And one that surely has no row: appended by somebody who tells nobody.
        let other = ids[(round + 1) % 2];
        let head = append_untold(&node, ConversationKey { tenant, conversation: other }).await;
        node = Node::start_in(node.root(), &[]);
        let api = node.api();
        // Nothing is asked of either conversation.
        let rows = timeout(PATIENCE, async {
            loop {
                let rows = list(&api, "").await;
                let shown = |id| rows.iter().find(|row| row.id == id).map(|row| row.head);
                if shown(id) == Some(seq) && shown(other) == Some(head) {
                    break rows;
                }
                look_again().await;
            }
        });
        let rows = rows.await.unwrap_or_else(|_| panic!("round {round}: {}", node.log()));
        assert_eq!(rows.len(), 2);
    }
}

/// Appends to a conversation in the store of a node that has ended; gives its head.
async fn append_untold(node: &Node, key: ConversationKey) -> u64 {
    let store = node.store();
    let claim = store.claim(key, None).await.unwrap();
    let at = store.read(key, claim.head - 1, PageBounds::FULL).await.unwrap().events[0].at;
    let fact = Fact::Message { text: "untold".into(), r#ref: None, agent: None, reply: None };
    let event = Event { seq: claim.head + 1, at, author: Author::Contact, fact };
    let (events, due) = (Arc::new([event]), DueChange::Keep);
    store.append(Append { key, epoch: claim.epoch, head: claim.head, events, due }).await.unwrap();
    claim.head + 1
}

#[tokio::test]
async fn the_list_is_made_anew_by_one_command_and_is_the_same() {
    let mut node = Node::start(&[]);
    let api = node.api();
    let mut ids = Vec::new();
    for contact in ["Ana", "Bo", "Cy", "Ana"] {
        let id = api.open_with(contact).await;
        api.ask(id, "r1", &format!("I am {contact}. What do you know?")).await;
        ids.push(id);
    }
    api.human(ids[1], HumanAction::Take, "Zoe").await.ok::<Value>();
    api.say(ids[1], "r2", "Is anybody there?").await;
    api.call("POST", &format!("/v1/conversations/{}/close", ids[2])).await.ok::<Value>();
    api.call("DELETE", &format!("/v1/conversations/{}", ids[3])).await;
    let (before, tenant) = (list(&api, "").await, api.tenant().await.id);
    assert_eq!(before.len(), 3);

    let rebuild = ["rebuild", "conversations"];
    let refused = run(node.command(&rebuild), "");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("stop it first") && refused.err.lines().count() == 1, "{refused:?}");
    // Also where the command does not find the node, as with another configuration.
    let root = node.root();
    let elsewhere = || {
        let mut command = command(root.path(), &[("TERTULIA_LISTEN", "127.0.0.1:9")]);
        command.args(rebuild);
        command
    };
    let refused = run(elsewhere(), "");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("stop it first"), "{refused:?}");
    assert_eq!(list(&api, "").await, before);

    node.signal("TERM");
    assert!(node.ended().await.success());
    // As after a mistake in the rows that nothing but the command would find.
    let store = node.store();
    let key = ConversationKey { tenant, conversation: ids[0] };
    let right = store.row(key).await.unwrap().unwrap();
    let mut wrong = right.clone();
    wrong.last_at = schema::Timestamp::from_millis(1);
    wrong.contact = Some(schema::ContactId::generate());
    let cursor = store.cursor(Projection::Conversations).await.unwrap();
    // A row is not written over with one that tells of no more, so all of them begin anew.
    let keys = ids[1..3].iter().map(|id| ConversationKey { tenant, conversation: *id }).collect::<Vec<_>>();
    let others = store.rows(keys.clone()).await.unwrap();
    store.reset(Projection::Conversations).await.unwrap();
    for (key, row) in keys.into_iter().zip(others) {
        let row = row.unwrap().unwrap();
        store.project(key, 0, row).await.unwrap();
    }
    store.project(key, 0, wrong).await.unwrap();
    store.advance(Projection::Conversations, cursor).await.unwrap();
    drop(store);
    let rebuilt = run(elsewhere(), "");
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
    assert!(rebuilt.out.contains("made anew: 3"), "{rebuilt:?}");
    let node = Node::start_in(node.root(), &[]);
    assert_eq!(list(&node.api(), "").await, before);
}

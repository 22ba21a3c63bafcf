//! Conversations over HTTP: opened, said in, listed, read, stopped, taken over, closed.

use schema::wire::{ConversationList, ConversationView, Created, EventList, HumanAction, Said, Status};
use schema::{Author, ConversationId, Fact, Seq};
use serde_json::{Value, json};
use tests::node::Node;
use tests::stream::{reply_of, text_of};

#[tokio::test]
async fn a_message_is_stored_once_for_each_ref() {
    let node = Node::start(&[]);
    let api = node.api();
    let opened = api.post("/v1/conversations", &json!({"contact": "Ana"})).await;
    assert_eq!(opened.status, 201);
    let Created { id, head } = opened.ok();
    assert_eq!(head, 1);
    let seq = api.say(id, "r1", "What do you know?").await;
    assert_eq!(seq, 2);
    for (r#ref, text, expected) in [
        ("r1", "What do you know?", Ok(seq)),
        ("r1", "Something else?", Err((409, "ref_conflict"))),
        ("r1", "What do you know? ", Err((409, "ref_conflict"))),
        ("r1", "What do you know?", Ok(seq)),
    ] {
        let answer = api.try_say(id, r#ref, text).await;
        match expected {
            Ok(seq) => assert_eq!(answer.ok::<Said>().seq, seq),
            Err(failure) => assert_eq!(answer.failure(), failure),
        }
    }
    let reply = api.reply(id, seq).await;
    let list = api.log(id).await;
    assert_eq!(list.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!((list.head, reply.seq), (4, 4));
    // The log has the id; the name is the contact's, not the conversation's.
    let view = api.view(id).await;
    assert_eq!(view.contact.as_ref().map(schema::Contact::as_str), Some("Ana"));
    assert!(matches!(&list.events[0].fact, Fact::Opened { contact, .. } if Some(*contact) == view.contact_id));
    assert_eq!(list.events[1].fact.client_ref().map(schema::Ref::as_str), Some("r1"));

    let another = api.open().await;
    assert_eq!(api.say(another, "r1", "Another conversation has its own refs.").await, 2);
}

#[tokio::test]
async fn a_log_is_read_in_pages() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    // While a human has it nothing comes between the messages.
    assert_eq!(api.human(id, HumanAction::Take, "Zoe").await.status, 200);
    for n in 3..=8 {
        assert_eq!(api.say(id, &format!("r{n}"), &format!("message {n}")).await, n);
    }
    let all: Vec<Seq> = (1..=8).collect();
    for (query, seqs) in [
        ("", &all[..]),
        ("?after=0", &all),
        ("?limit=3", &all[..3]),
        ("?after=3&limit=2", &all[3..5]),
        ("?after=7", &all[7..]),
        ("?after=8", &[]),
        ("?after=999999", &[]),
        ("?limit=500", &all),
        ("?limit=1&after=7", &all[7..]),
    ] {
        let list: EventList = api.get(&format!("/v1/conversations/{id}/events{query}")).await.ok();
        assert_eq!(list.events.iter().map(|event| event.seq).collect::<Vec<_>>(), seqs, "{query}");
        assert_eq!(list.head, 8, "{query}");
    }
    for query in ["?limit=0", "?limit=501", "?limit=-1", "?limit=x", "?after=-1", "?after=1:2:3", "?aftr=1"] {
        let answer = api.get(&format!("/v1/conversations/{id}/events{query}")).await;
        assert_eq!(answer.failure(), (400, "bad_field"), "{query}");
    }
}

#[tokio::test]
async fn the_list_shows_the_newest_activity_first() {
    let node = Node::start(&[]);
    let api = node.api();
    let mut ids = Vec::new();
    for contact in ["Ana", "Bo", "Ana", "Cy", "Ana"] {
        let id = api.open_with(contact).await;
        // The order is by the millisecond: what happened in one is in no order.
        until_later(&api.view(id).await.last_at).await;
        ids.push(id);
    }
    let page = async |query: &str| api.get(&format!("/v1/conversations{query}")).await.ok::<ConversationList>();
    let seen = |list: &ConversationList| list.conversations.iter().map(|row| row.id).collect::<Vec<_>>();

    let mut expected: Vec<ConversationId> = ids.iter().rev().copied().collect();
    assert_eq!(seen(&page("").await), expected);
    let reply = api.ask(ids[1], "r", "What do you know?").await;
    expected.retain(|id| *id != ids[1]);
    expected.insert(0, ids[1]);
    let list = page("").await;
    assert_eq!(seen(&list), expected);
    assert_eq!((list.conversations[0].head, list.conversations[0].last_at), (reply.seq, reply.at));

    for limit in 1..=6 {
        let (mut walked, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let list = page(&query).await;
            assert!(list.conversations.len() <= limit);
            walked.extend(seen(&list));
            let Some(next) = list.next else { break };
            query = format!("?limit={limit}&before={next}");
        }
        assert_eq!(walked, expected, "in pages of {limit}");
    }
    assert_eq!(seen(&page("?contact=Ana").await), [ids[4], ids[2], ids[0]]);
    assert_eq!(seen(&page("?contact=Nobody").await), []);
    for query in ["?limit=0", "?limit=101", "?before=x", "?before=1:conv_1", "?contact=", "?page=2"] {
        let answer = api.get(&format!("/v1/conversations{query}")).await;
        assert_eq!(answer.failure(), (400, "bad_field"), "{query}");
    }
}

#[tokio::test]
async fn stopping_what_does_not_run_is_no_error() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    assert_eq!(api.cancel(id).await, Value::Null);
    api.ask(id, "r", "What do you know?").await;
    assert_eq!(api.cancel(id).await, Value::Null);
    assert_eq!(api.cancel(id).await, Value::Null);
    assert_eq!(api.view(id).await.head, 4, "it leaves no trace");
}

#[tokio::test]
async fn a_human_silences_the_assistant_until_they_hand_back() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    let messages = format!("/v1/conversations/{id}/messages");
    let as_agent =
        async |r#ref: &str| api.post(&messages, &json!({"ref": r#ref, "text": "I am here.", "agent": "Zoe"})).await;
    assert_eq!(as_agent("a0").await.failure(), (409, "wrong_state"), "first one takes it");
    let not_taken: ConversationView = api.human(id, HumanAction::HandBack, "Zoe").await.ok();
    assert_eq!((not_taken.owner.as_str(), not_taken.ownership), ("assistant", 0), "given back already");

    let taken: ConversationView = api.human(id, HumanAction::Take, "Zoe").await.ok();
    assert_eq!((taken.owner.as_str(), taken.agent.as_deref(), taken.ownership), ("human", Some("Zoe"), 1));
    assert_eq!(taken.floor, "human");
    let again: ConversationView = api.human(id, HumanAction::Take, "Zoe").await.ok();
    assert_eq!(again.ownership, 1, "she has it already");
    api.say(id, "c1", "Is anybody there? I have a question.").await;
    assert_eq!(as_agent("a1").await.status, 200);
    // Their refs are their own.
    let by_yan = json!({"ref": "a1", "text": "I am here.", "agent": "Yan"});
    let refused = api.post(&messages, &by_yan).await;
    assert_eq!(refused.failure(), (409, "wrong_state"), "one writes at a time");
    assert!(refused.body.to_string().contains("Zoe has this conversation"), "{}", refused.body);
    // A colleague may take it from her, and she from him; the log says so.
    assert_eq!(api.human(id, HumanAction::Take, "Yan").await.ok::<Value>()["ownership"], 2);
    assert_eq!(as_agent("a2").await.failure(), (409, "wrong_state"));
    assert_eq!(api.post(&messages, &by_yan).await.status, 200);
    assert_eq!(api.human(id, HumanAction::Take, "Zoe").await.ok::<Value>()["agent"], "Zoe");
    let asked = api.say(id, "c2", "What do you know?").await;

    let back: ConversationView = api.human(id, HumanAction::HandBack, "Zoe").await.ok();
    assert_eq!((back.owner.as_str(), back.agent, back.ownership), ("assistant", None, 4));
    api.reply(id, asked).await;
    let names: Vec<_> = api.log(id).await.events.iter().map(|event| event.fact.name()).collect();
    assert_eq!(
        names,
        [
            "opened",
            "taken_over",
            "message",
            "message",
            "taken_over",
            "message",
            "taken_over",
            "message",
            "handed_back",
            "turn_started",
            "message"
        ],
        "not a word of the assistant's while a human had it"
    );
    assert_eq!(api.human(id, HumanAction::Take, "Yan").await.ok::<Value>()["ownership"], 5);
}

#[tokio::test]
async fn what_an_agent_closed_is_answered_by_the_assistant_when_the_contact_writes() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    assert_eq!(api.human(id, HumanAction::Take, "Zoe").await.status, 200);
    api.post(&format!("/v1/conversations/{id}/close"), &json!({})).await.ok::<Value>();
    let asked = api.say(id, "c1", "Are you still there? I have a question.").await;
    api.reply(id, asked).await;
    let events = api.log(id).await.events;
    let said: Vec<_> = events.iter().map(|event| (event.author, event.fact.name())).collect();
    assert_eq!(
        said,
        [
            (Author::System, "opened"),
            (Author::Human, "taken_over"),
            (Author::System, "closed"),
            (Author::System, "reopened"),
            (Author::System, "handed_back"),
            (Author::Contact, "message"),
            (Author::Assistant, "turn_started"),
            (Author::Assistant, "message"),
        ]
    );
    let view = api.view(id).await;
    assert_eq!((view.owner.as_str(), view.agent, view.ownership), ("assistant", None, 2));
}

#[tokio::test]
async fn a_closed_conversation_is_opened_again_by_a_word() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    let close = format!("/v1/conversations/{id}/close");
    assert_eq!(api.call("POST", &close).await.ok::<Value>(), json!({"seq": 2}));
    assert_eq!(api.call("POST", &close).await.ok::<Value>(), json!({"seq": null}), "it is closed already");
    assert_eq!(api.view(id).await.status, Status::Closed);
    let seq = api.say(id, "r", "What do you know?").await;
    assert_eq!(seq, 4, "behind the event that opens it again");
    let reply = api.reply(id, seq).await;
    assert_eq!(api.view(id).await.status, Status::Open);
    let names: Vec<_> = api.log(id).await.events.iter().map(|event| event.fact.name()).collect();
    assert_eq!(names, ["opened", "closed", "reopened", "message", "turn_started", "message"]);
    assert_eq!(reply_of(&reply).map(|reply| reply.end), Some(schema::End::Completed));
    assert!(!text_of(&reply).is_empty());
}

/// Lets the clock pass a moment.
async fn until_later(moment: &schema::Timestamp) {
    let clock = actors::SystemClock;
    while actors::Clock::now(&clock) <= *moment {
        tokio::task::yield_now().await;
    }
}

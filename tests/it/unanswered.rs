//! Unanswered questions, wishes for a person, typed answers and verdicts: over HTTP and sockets.

use std::fs;

use schema::wire::{AnswerList, AnswerView, DocumentList, EventList, UnansweredList, UnansweredQuestion, Verdict};
use schema::{ConversationId, Event, Fact, HandoffReason, Seq, limits};
use serde_json::json;
use tests::api::Api;
use tests::client::Socket;
use tests::node::Node;
use tests::stream::{reply_of, text_of};
use tests::stub::Stub;

const UNKNOWN: &str = "Is there parking for camels behind the shop?";

async fn listed(api: &Api) -> Vec<UnansweredQuestion> {
    api.get("/v1/unanswered").await.ok::<UnansweredList>().questions
}

/// The list, once it has what is looked for.
async fn listed_when(api: &Api, found: impl Fn(&[UnansweredQuestion]) -> bool) -> Vec<UnansweredQuestion> {
    loop {
        let list = listed(api).await;
        if found(&list) {
            return list;
        }
        tests::look_again().await;
    }
}

fn unanswered(event: &Event) -> bool {
    reply_of(event).is_some_and(|reply| reply.made.unanswered)
}

fn handoffs<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<(Seq, HandoffReason)> {
    let handoff = |event: &Event| match event.fact {
        Fact::HandoffRequested { reason } => Some((event.seq, reason)),
        _ => None,
    };
    events.into_iter().filter_map(handoff).collect()
}

#[tokio::test]
async fn what_was_not_known_is_listed_until_somebody_types_an_answer() {
    let mut node = Node::start(&[]);
    let api = node.api();
    assert_eq!(listed(&api).await, []);
    let (first, second) = (api.open().await, api.open().await);
    let one = api.ask(first, "q1", UNKNOWN).await;
    let other = api.ask(second, "q1", "parking for CAMELS behind the shop, is there?").await;
    assert!(unanswered(&one) && unanswered(&other), "{}", text_of(&one));
    let greeting = api.ask(second, "q2", "Thanks!").await;
    assert!(!unanswered(&greeting), "{}", text_of(&greeting));

    let list = listed_when(&api, |list| list.first().is_some_and(|row| row.count == 2)).await;
    let [row] = &list[..] else { panic!("{list:?}") };
    assert_eq!(row.question, "parking for CAMELS behind the shop, is there?");
    let places: Vec<_> = row.conversations.iter().map(|at| (at.id, at.seq)).collect();
    assert_eq!(places, [(second, other.seq), (first, one.seq)]);
    assert!(row.last_at == other.at && !row.wrong);
    assert_eq!(api.metric("tertulia_unanswered_total").await, 2.0);

    // It survives a planned stop, and the list is the tenant's own.
    node.signal("TERM");
    node.ended().await;
    let node = Node::start_in(node.root(), &[]);
    let api = node.api();
    assert_eq!(listed(&api).await, list);
    let (_, stranger) = node.operator().create_tenant("other").await;
    assert_eq!(listed(&stranger).await, []);
    let path = format!("/v1/unanswered/{}", row.key);
    assert_eq!(stranger.call("DELETE", &path).await.failure(), (404, "not_found"));

    let answer = json!({"questions": [UNKNOWN, "Where do camels sleep?"], "answer": "Yes: twelve camels, free.",
        "unanswered": row.key});
    let put: AnswerView = api.put("/v1/answers/camels", &answer).await.ok();
    assert_eq!((put.id.as_str(), put.questions.len()), ("camels", 2));
    assert_eq!(listed(&api).await, []);
    for (n, question) in [UNKNOWN, "Where do camels sleep?"].into_iter().enumerate() {
        let known = api.ask(first, &format!("k{n}"), question).await;
        assert!(text_of(&known).contains("twelve camels"), "{question}: {}", text_of(&known));
        assert!(!unanswered(&known));
        let passage = &reply_of(&known).unwrap().made.passages[0];
        assert_eq!(passage.source, "answer:camels");
    }
    // A typed answer is no document of the list, and is learned and forgotten in its own place only.
    assert!(api.get("/v1/knowledge").await.ok::<DocumentList>().documents.is_empty());
    let refused = api.call("DELETE", "/v1/knowledge?source=answer:camels").await;
    assert_eq!(refused.failure(), (400, "bad_field"));
    let refused = api.post("/v1/knowledge", &json!({"source": "Answer:camels", "text": "No."})).await;
    assert_eq!(refused.failure(), (400, "bad_field"));
    let list: AnswerList = api.get("/v1/answers").await.ok();
    assert_eq!(list.answers, [put]);

    assert_eq!(api.call("DELETE", "/v1/answers/camels").await.status, 204);
    assert_eq!(api.call("DELETE", "/v1/answers/camels").await.failure(), (404, "not_found"));
    assert!(unanswered(&api.ask(first, "q9", UNKNOWN).await));
    let list = listed_when(&api, |list| !list.is_empty()).await;
    assert_eq!(api.call("DELETE", &format!("/v1/unanswered/{}", list[0].key)).await.status, 204);
    assert_eq!(listed(&api).await, []);
}

#[tokio::test]
async fn answers_are_paged_made_and_refused() {
    let node = Node::start(&[]);
    let api = node.api();
    for n in 0..5 {
        let body = json!({"questions": [format!("Question {n}?")], "answer": format!("Answer {n}.")});
        let status = if n % 2 == 0 {
            api.put(&format!("/v1/answers/n{n}"), &body).await.status
        } else {
            // The same questions twice are one answer.
            api.post("/v1/answers", &body).await;
            api.post("/v1/answers", &body).await.status
        };
        assert_eq!(status, if n % 2 == 0 { 200 } else { 201 });
    }
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page: AnswerList = api.get(&format!("/v1/answers?limit=2{next}")).await.ok();
        seen.extend(page.answers.into_iter().map(|answer| answer.answer));
        let Some(after) = page.next else { break };
        next = format!("&after={after}");
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..5).map(|n| format!("Answer {n}.")).collect::<Vec<_>>());

    let token = api.visitor(json!({"contact": "ana"})).await.token;
    let visitor = api.showing(token);
    let fine = json!({"questions": ["One?"], "answer": "One."});
    for (answer, failure) in [
        (api.put("/v1/answers/Not%20a%20slug", &fine).await, (400, "bad_field")),
        (api.put("/v1/answers/a", &json!({"questions": [], "answer": "One."})).await, (400, "bad_field")),
        (api.put("/v1/answers/a", &json!({"questions": ["a\nb"], "answer": "One."})).await, (400, "bad_field")),
        (api.put("/v1/answers/a", &json!({"questions": ["One?"], "answer": " "})).await, (400, "bad_field")),
        (
            api.put(
                "/v1/answers/a",
                &json!({"questions": ["One?"], "answer": "x".repeat(limits::ANSWER_BYTES_MAX + 1)}),
            )
            .await,
            (413, "too_large"),
        ),
        (api.get("/v1/answers?limit=0").await, (400, "bad_field")),
        (api.get("/v1/unanswered?limit=101").await, (400, "bad_field")),
        (api.get("/v1/unanswered?after=x").await, (400, "bad_field")),
        (visitor.put("/v1/answers/a", &fine).await, (403, "forbidden")),
        (visitor.post("/v1/answers", &fine).await, (403, "forbidden")),
        (visitor.get("/v1/answers").await, (403, "forbidden")),
        (visitor.call("DELETE", "/v1/answers/n0").await, (403, "forbidden")),
        (visitor.get("/v1/unanswered").await, (403, "forbidden")),
        (visitor.call("DELETE", "/v1/unanswered/x").await, (403, "forbidden")),
    ] {
        assert_eq!(answer.failure(), failure, "{}", answer.body);
    }
}

#[tokio::test]
async fn who_wants_a_person_is_told_once_until_one_has_answered() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open_with("ana").await;
    let token = api.visitor(json!({"contact": "ana"})).await.token;
    let mut team = Socket::open(node.address, &node.demo_key()).await;
    team.join(id, 0).await;
    let mut ana = Socket::open(node.address, &token).await;
    ana.join(id, 0).await;
    assert_eq!(api.view(id).await.handoff, None);
    let asked = ana.say(id, "q1", "I want to talk to a person, please.").await;
    let reply = team.reply_to(id, asked).await;
    ana.reply_to(id, asked).await;
    let told = handoffs(team.events(id));
    let [(seq, HandoffReason::Asked)] = told[..] else { panic!("{told:?}") };
    assert!(asked < seq && seq < reply.seq, "it comes with the reply");
    assert_eq!(handoffs(ana.events(id)), told);
    assert_eq!(api.view(id).await.handoff, Some(HandoffReason::Asked));

    let again = ana.say(id, "q2", "I want to talk to a person, please!").await;
    team.reply_to(id, again).await;
    assert_eq!(handoffs(&api.whole_log(id).await), told, "it was said already");
    api.human(id, schema::wire::HumanAction::Take, "Bo").await;
    assert!(api.view(id).await.handoff.is_some(), "taking is no answer");
    let said = json!({"ref": "bo-1", "text": "I am here.", "agent": "Bo"});
    assert_eq!(api.post(&format!("/v1/conversations/{id}/messages"), &said).await.status, 200);
    assert_eq!(api.view(id).await.handoff, None);
    api.human(id, schema::wire::HumanAction::HandBack, "Bo").await;
    let again = ana.say(id, "q3", "I want to talk to a person, please.").await;
    team.reply_to(id, again).await;
    assert_eq!(handoffs(&api.whole_log(id).await).len(), 2);
    assert_eq!(api.metric("tertulia_handoffs_requested_total{reason=\"asked\"}").await, 2.0);
}

async fn judge(api: &Api, id: ConversationId, seq: Seq, body: serde_json::Value) -> tests::api::Answer {
    api.post(&format!("/v1/conversations/{id}/messages/{seq}/verdict"), &body).await
}

#[tokio::test]
async fn a_wrong_reply_joins_the_list_and_a_right_one_leaves_it() {
    let mut stub = Stub::start();
    let base = stub.base();
    let settings = [("TERTULIA_MODEL", "openai/stub"), ("OPENAI_API_KEY", "none"), ("OPENAI_BASE_URL", &*base)];
    let mut node = Node::start(&settings);
    let api = node.api();
    let id = api.open_with("ana").await;
    let asked = api.say(id, "q1", "Do you ship lanterns to Norway?").await;
    let call = stub.call().await;
    call.token("Certainly.");
    call.finish();
    let reply = api.reply(id, asked).await.seq;
    let visitor = api.showing(api.visitor(json!({"contact": "ana"})).await.token);
    let wrong = || json!({"verdict": "wrong", "note": "We stopped in May."});
    for (answer, failure) in [
        (judge(&visitor, id, reply, wrong()).await, (403, "forbidden")),
        (judge(&api, id, asked, wrong()).await, (404, "not_found")),
        (judge(&api, id, 0, wrong()).await, (404, "not_found")),
        (judge(&api, id, 9_999, wrong()).await, (404, "not_found")),
        (judge(&api, id, u64::MAX, wrong()).await, (404, "not_found")),
        (judge(&api, ConversationId::generate(), reply, wrong()).await, (404, "unknown_conversation")),
        (judge(&api, id, reply, json!({"verdict": "perhaps"})).await, (400, "bad_field")),
        (judge(&api, id, reply, json!({"verdict": "wrong", "note": "x".repeat(501)})).await, (413, "too_large")),
    ] {
        assert_eq!(answer.failure(), failure, "{}", answer.body);
    }
    assert_eq!(listed(&api).await, []);
    for _ in 0..2 {
        assert_eq!(judge(&api, id, reply, wrong()).await.status, 204);
    }
    let row = listed(&api).await.remove(0);
    assert_eq!((row.question.as_str(), row.count, row.wrong), ("Do you ship lanterns to Norway?", 1, true));
    let verdicts = async |api: &Api| -> Vec<_> {
        let list: EventList = api.get(&format!("/v1/conversations/{id}/events")).await.ok();
        list.verdicts.into_iter().map(|one| (one.seq, one.verdict, one.note)).collect()
    };
    let told = [(reply, Verdict::Wrong, Some("We stopped in May.".to_owned()))];
    assert_eq!(verdicts(&api).await, told);
    assert_eq!(verdicts(&visitor).await, [], "the contact is not told");
    assert_eq!(api.metric("tertulia_verdicts_total{verdict=\"wrong\"}").await, 2.0);
    node.signal("TERM");
    node.ended().await;
    let node = Node::start_in(node.root(), &settings);
    let api = node.api();
    assert_eq!((verdicts(&api).await.as_slice(), listed(&api).await.len()), (&told[..], 1));
    assert_eq!(judge(&api, id, reply, json!({"verdict": "right"})).await.status, 204);
    assert_eq!((verdicts(&api).await, listed(&api).await), (vec![(reply, Verdict::Right, None)], vec![]));
}

#[tokio::test]
async fn a_crash_forgets_nothing_and_an_erasure_all_of_it() {
    let mut node = Node::start(&[]);
    let mut api = node.api();
    let mut gone = Vec::new();
    for round in 0..4 {
        let id = api.open().await;
        let question = format!("Do you sell quokkas{round}, perchance?");
        api.ask(id, "q1", &question).await;
        // At once: whatever was on its way is found by what the store has.
        node.kill();
        node = Node::start_in(node.root(), &[]);
        api = node.api();
        let list = listed_when(&api, |list| list.len() > round).await;
        assert_eq!((list.len(), list[0].question.as_str(), list[0].count), (round + 1, question.as_str(), 1));
        gone.push(id);
    }
    let kept = api.open().await;
    let reply = api.ask(kept, "q1", "PERCHANCE: do you sell QUOKKAS3?").await;
    listed_when(&api, |list| list[0].count == 2).await;
    for id in &gone {
        let last = api.whole_log(*id).await.last().unwrap().seq;
        let note = json!({"verdict": "wrong", "note": "canary-of-the-note"});
        assert_eq!(judge(&api, *id, last, note).await.status, 204);
        assert_eq!(api.call("DELETE", &format!("/v1/conversations/{id}")).await.status, 204);
    }
    let list = listed(&api).await;
    let [row] = &list[..] else { panic!("{list:?}") };
    assert_eq!((row.count, row.question.as_str()), (1, "PERCHANCE: do you sell QUOKKAS3?"));
    assert_eq!(row.conversations.iter().map(|at| (at.id, at.seq)).collect::<Vec<_>>(), [(kept, reply.seq)]);
    let data = node.data();
    for word in ["quokkas", "perchance", "canary-of-the-note"] {
        while fs::read_dir(&data).unwrap().any(|file| {
            let file = file.unwrap().path();
            file.is_file() && fs::read(file).unwrap().windows(word.len()).any(|bytes| bytes == word.as_bytes())
        }) {
            tests::look_again().await;
        }
    }
}

#[tokio::test]
async fn a_thousand_questions_are_kept_and_the_oldest_goes() {
    const TALKERS: usize = 8;
    let node = Node::start(&[]);
    let api = node.api();
    let all = limits::UNANSWERED_MAX + 1;
    let first = api.open().await;
    api.ask(first, "q", "Do you sell gadget0000?").await;
    listed_when(&api, |list| list.len() == 1).await;
    futures_util::future::join_all((0..TALKERS).map(async |talker| {
        let mut socket = Socket::open(node.address, &node.demo_key()).await;
        let id = socket.join_new().await;
        for n in (1..all).filter(|n| n % TALKERS == talker) {
            let asked = socket.say(id, &format!("q{n}"), &format!("Do you sell gadget{n:04}?")).await;
            socket.reply_to(id, asked).await;
        }
    }))
    .await;
    let newest = |list: &[UnansweredQuestion]| list.iter().any(|row| row.question.contains("gadget0000"));
    let mut rows = Vec::new();
    while rows.len() < limits::UNANSWERED_MAX || newest(&rows) {
        rows.clear();
        let mut next = String::new();
        loop {
            let page: UnansweredList = api.get(&format!("/v1/unanswered?limit=100{next}")).await.ok();
            rows.extend(page.questions);
            let Some(after) = page.next else { break };
            next = format!("&after={after}");
        }
    }
    assert_eq!(rows.len(), limits::UNANSWERED_MAX);
    assert!(rows.is_sorted_by(|one, other| one.last_at >= other.last_at));
    assert!(rows.iter().all(|row| row.count == 1));
}

#[tokio::test]
async fn visitors_see_the_passages_that_are_cited_and_the_team_all() {
    let mut stub = Stub::start();
    let base = stub.base();
    let settings = [("TERTULIA_MODEL", "openai/stub"), ("OPENAI_API_KEY", "none"), ("OPENAI_BASE_URL", &*base)];
    let node = Node::start(&settings);
    let api = node.api();
    api.learn("https://shop.example/help/lanterns.html", "# Lanterns\n\nLanterns cost nine euros.").await;
    api.learn("texts/prices.md", "Lanterns in red cost ten euros.").await;
    let id = api.open_with("ana").await;
    let token = api.visitor(json!({"contact": "ana"})).await.token;
    let visitor = api.showing(token.clone());
    let mut ana = Socket::open(node.address, &token).await;
    ana.join(id, 0).await;
    let mut team = Socket::open(node.address, &node.demo_key()).await;
    team.join(id, 0).await;
    let asked = api.say(id, "q1", "How much do the lanterns cost?").await;
    let call = stub.call().await;
    call.token("Ten euros [2].");
    call.finish();
    let seen = |event: &Event| -> Vec<u32> {
        reply_of(event).unwrap().made.passages.iter().map(|passage| passage.n).collect()
    };
    let whole = team.reply_to(id, asked).await;
    assert_eq!(seen(&whole), [1, 2]);
    assert_eq!(seen(&ana.reply_to(id, asked).await), [2]);
    assert_eq!(seen(&api.reply(id, asked).await), [1, 2]);
    let cited = async |api: &Api| {
        let log = api.whole_log(id).await;
        seen(log.iter().find(|event| reply_of(event).is_some()).unwrap())
    };
    assert_eq!((cited(&api).await, cited(&visitor).await), (vec![1, 2], vec![2]));
    // Later ones, from the ring and over a stream, see the same.
    let mut late = Socket::open(node.address, &token).await;
    late.join(id, 0).await;
    assert_eq!(seen(&late.reply_to(id, asked).await), [2]);
    assert_eq!(seen(&visitor.stream(id, "0").await.reply_to(asked).await), [2]);
    // Titles and addresses are for people.
    let json = api.stream(id, "0").await.find(|sent| sent.data.get("made").cloned()).await;
    let mut told: Vec<(String, Option<String>)> = json["passages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|passage| {
            let text = |name: &str| passage[name].as_str().map(str::to_owned);
            (text("title").unwrap(), text("address"))
        })
        .collect();
    told.sort();
    let address = "https://shop.example/help/lanterns.html".to_owned();
    assert_eq!(told, [("Lanterns".to_owned(), Some(address)), ("prices".to_owned(), None)]);
}

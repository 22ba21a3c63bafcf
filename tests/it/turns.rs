//! Turns, before a model that says and does what the test tells it.

use schema::wire::ServerFrame;
use schema::{ConversationId, End, WhileSpeaking};
use serde_json::json;
use tests::api::Api;
use tests::client::Socket;
use tests::node::Node;
use tests::stream::{reply_of, text_of};
use tests::stub::Stub;

/// A node before a stub, with a list of models.
fn before(stub: &Stub, models: &str) -> Node {
    Node::start(&[
        ("OPENAI_BASE_URL", &stub.base()),
        ("OPENAI_API_KEY", "sk-of-the-stub"),
        ("TERTULIA_MODEL", models),
        ("TERTULIA_PRICES", r#"{ "openai/stub" = { input = 1000, output = 2000 } }"#),
    ])
}

async fn opened(stub: &Stub) -> (Node, Api, ConversationId) {
    let node = before(stub, "openai/stub");
    let api = node.api();
    let id = api.open().await;
    (node, api, id)
}

#[tokio::test]
async fn a_reply_says_what_made_it() {
    let mut stub = Stub::start();
    let (node, api, id) = opened(&stub).await;
    let profile = api.change_profile(|profile| profile.assistant.instructions = "You sell lanterns.".into()).await;
    let asked = api.say(id, "r1", "Do you have lanterns?").await;
    let call = stub.call().await;
    assert_eq!((call.model.as_str(), call.asked().contains("Do you have lanterns?")), ("stub", true));
    assert!(call.prompt().contains("You sell lanterns."));
    call.token("Yes, ");
    call.token("we do.");
    call.finish();
    let reply = api.reply(id, asked).await;
    assert_eq!(text_of(&reply), "Yes, we do.");
    let reply = reply_of(&reply).unwrap();
    assert_eq!((reply.turn, reply.end, reply.answers), (1, End::Completed, asked));
    let made = &reply.made;
    assert_eq!((made.model.as_str(), made.profile_version), ("openai/stub", profile.version));
    assert_eq!((made.usage.input_tokens, made.usage.output_tokens, made.usage.estimated), (11, 7, false));
    assert_eq!(made.cost_microusd, Some(11 * 1000 + 7 * 2000));
    assert!(made.first_token_ms.is_some_and(|first| first <= made.total_ms));
    assert!(made.failovers.is_empty() && made.error.is_none());

    // The second prompt begins as the first did: providers keep what they have read.
    let first = call.prompt();
    api.say(id, "r2", "And candles?").await;
    let second = stub.call().await;
    let kept = first.trim_end_matches(']');
    assert!(second.prompt().starts_with(kept), "{kept}\n{}", second.prompt());
    second.finish();
    drop(node);
}

#[tokio::test]
async fn a_message_before_the_first_word_asks_again_with_both() {
    let mut stub = Stub::start();
    let (_node, api, id) = opened(&stub).await;
    api.say(id, "r1", "Do you have red lanterns?").await;
    let mut first = stub.call().await;
    let asked = api.say(id, "r2", "Or green ones, perhaps?").await;
    let second = stub.call().await;
    first.closed().await;
    assert!(second.asked().contains("red lanterns?") && second.asked().contains("green ones"));
    second.token("Both.");
    second.finish();
    let reply = api.reply(id, asked).await;
    assert_eq!((text_of(&reply), reply_of(&reply).unwrap().turn), ("Both.", 1));
    let names: Vec<_> = api.log(id).await.events.iter().map(|event| event.fact.name()).collect();
    assert_eq!(names, ["opened", "message", "turn_started", "message", "message"], "one turn answers both");
}

#[tokio::test]
async fn several_short_messages_make_one_turn() {
    let mut stub = Stub::start();
    let (node, api, id) = opened(&stub).await;
    api.change_profile(|profile| profile.floor.burst_window_ms = 2_000).await;
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    ana.join(id, 0).await;
    ana.say(id, "r1", "hi").await;
    ana.say(id, "r2", "one more thing").await;
    assert_eq!(api.view(id).await.floor, "listening");
    let asked = ana.say(id, "r3", "do you have any lanterns that are red?").await;
    let call = stub.call().await;
    for part in ["hi", "one more thing", "that are red?"] {
        assert!(call.asked().contains(part), "{}", call.asked());
    }
    call.token("Yes.");
    call.finish();
    let reply = ana.reply_to(id, asked).await;
    assert_eq!(reply_of(&reply).unwrap().turn, 1);
    assert!(stub.is_quiet(), "asked once");
}

#[tokio::test]
async fn a_message_in_mid_reply_waits_for_its_end() {
    let mut stub = Stub::start();
    let (node, api, id) = opened(&stub).await;
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    ana.join(id, 0).await;
    let first = ana.say(id, "r1", "Do you have red lanterns?").await;
    let call = stub.call().await;
    call.token("We do, ");
    ana.hears(id, 1, 0, 7).await;
    let second = ana.say(id, "r2", "And how much are they?").await;
    call.token("yes.");
    call.finish();
    let reply = ana.event(id, |event| reply_of(event).is_some_and(|reply| reply.turn == 1)).await;
    let ended = reply_of(&reply).unwrap();
    assert_eq!((text_of(&reply), ended.end, ended.answers), ("We do, yes.", End::Completed, first));
    let call = stub.call().await;
    assert!(call.prompt().contains("We do, yes.") && call.asked().contains("how much"));
    call.token("Nine euros.");
    call.finish();
    let reply = ana.reply_to(id, second).await;
    assert_eq!((text_of(&reply), reply_of(&reply).unwrap().turn), ("Nine euros.", 2));
    assert_eq!(api.view(id).await.floor, "idle");
}

#[tokio::test]
async fn a_message_in_mid_reply_interrupts_it_where_the_profile_says_so() {
    let mut stub = Stub::start();
    let (node, api, id) = opened(&stub).await;
    api.change_profile(|profile| profile.floor.while_speaking = WhileSpeaking::Interrupt).await;
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    ana.join(id, 0).await;
    ana.say(id, "r1", "Do you have red lanterns?").await;
    let mut call = stub.call().await;
    call.token("We do, ");
    ana.hears(id, 1, 0, 7).await;
    let second = ana.say(id, "r2", "Stop. Green ones, I mean.").await;
    call.closed().await;
    let cut = ana.event(id, |event| reply_of(event).is_some_and(|reply| reply.turn == 1)).await;
    assert_eq!((text_of(&cut), reply_of(&cut).unwrap().end), ("We do, ", End::Cancelled));
    let call = stub.call().await;
    assert!(call.asked().contains("Green ones"));
    call.token("Those too.");
    call.finish();
    assert_eq!(text_of(&ana.reply_to(id, second).await), "Those too.");
}

#[tokio::test]
async fn stop_closes_the_connection_to_the_model_and_keeps_what_was_said() {
    for over_http in [false, true] {
        let mut stub = Stub::start();
        let (node, api, id) = opened(&stub).await;
        let mut ana = Socket::open(node.address, &node.demo_key()).await;
        ana.join(id, 0).await;
        let asked = ana.say(id, "r1", "Do you have red lanterns?").await;
        let mut call = stub.call().await;
        call.token("We do, ");
        ana.hears(id, 1, 0, 7).await;
        if over_http {
            assert_eq!(api.cancel(id).await, 1);
        } else {
            let other = json!({"type": "cancel", "conversation": id, "turn": 7});
            assert_eq!(ana.call(other).await, Ok(json!({})), "another turn does not run");
            let stopped = ana.call(json!({"type": "cancel", "conversation": id, "turn": 1})).await.unwrap();
            assert_eq!(stopped["turn"], 1);
        }
        call.closed().await;
        let reply = ana.reply_to(id, asked).await;
        let ended = reply_of(&reply).unwrap();
        assert_eq!((text_of(&reply), ended.end), ("We do, ", End::Cancelled));
        let usage = &ended.made.usage;
        assert!(usage.estimated && usage.input_tokens > 0 && usage.output_tokens > 0, "{usage:?}");
        assert!(ended.made.cost_microusd.is_some_and(|cost| cost > 0));
        assert_eq!(api.log(id).await.events.last(), Some(&reply), "and it is durable");
        assert_eq!(api.cancel(id).await, serde_json::Value::Null);
        assert!(api.metrics().await.contains("tertulia_turns_running 0"));

        // Before the first word too.
        let asked = ana.say(id, "r2", "And do you have green lanterns?").await;
        let mut call = stub.call().await;
        assert_eq!(api.cancel(id).await, 2);
        call.closed().await;
        let reply = ana.reply_to(id, asked).await;
        assert_eq!((text_of(&reply), reply_of(&reply).unwrap().end), ("", End::Cancelled));
    }
}

#[tokio::test]
async fn a_human_who_takes_over_silences_the_model() {
    let mut stub = Stub::start();
    let (node, api, id) = opened(&stub).await;
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    ana.join(id, 0).await;
    let asked = ana.say(id, "r1", "Do you have red lanterns?").await;
    let mut call = stub.call().await;
    call.token("We do, ");
    ana.hears(id, 1, 0, 7).await;
    assert_eq!(api.human(id, schema::wire::HumanAction::Take, "Zoe").await.status, 200);
    call.closed().await;
    let reply = ana.reply_to(id, asked).await;
    assert_eq!((text_of(&reply), reply_of(&reply).unwrap().end), ("We do, ", End::Cancelled));
    ana.event(id, |event| event.fact.name() == "taken_over").await;
    let names: Vec<_> = ana.events(id).map(|event| event.fact.name()).collect();
    assert_eq!(names, ["opened", "message", "turn_started", "message", "taken_over"]);
}

#[tokio::test]
async fn another_model_answers_when_the_first_does_not_begin() {
    let mut stub = Stub::start();
    let node = before(&stub, "openai/first,openai/stub");
    let api = node.api();
    let id = api.open().await;
    for (status, code) in [(503, "model_unavailable"), (404, "model_bad_request")] {
        let asked = api.say(id, &format!("r{status}"), "Do you have red lanterns?").await;
        let call = stub.call().await;
        if call.model == "first" {
            call.refuse(status);
            let call = stub.call().await;
            assert_eq!(call.model, "stub");
            call.token("Yes.");
            call.finish();
        } else {
            // The one that failed a moment ago is left alone for a while.
            call.token("Yes.");
            call.finish();
        }
        let reply = api.reply(id, asked).await;
        let made = &reply_of(&reply).unwrap().made;
        assert_eq!((text_of(&reply), made.model.as_str()), ("Yes.", "openai/stub"));
        for failover in &made.failovers {
            assert_eq!((failover.model.as_str(), failover.error.as_str()), ("openai/first", code));
        }
        if status == 503 {
            assert_eq!(made.failovers.len(), 1);
        }
    }
}

#[tokio::test]
async fn how_a_stream_ends_is_how_the_reply_ends() {
    for (what, end, error) in
        [("cut", End::Incomplete, Some("model_truncated")), ("refuse", End::Failed, Some("model_refused"))]
    {
        let mut stub = Stub::start();
        let (node, api, id) = opened(&stub).await;
        let mut ana = Socket::open(node.address, &node.demo_key()).await;
        ana.join(id, 0).await;
        let asked = ana.say(id, "r1", "Do you have red lanterns?").await;
        let call = stub.call().await;
        let said = match what {
            "cut" => {
                call.token("We do, ");
                call.cut();
                "We do, "
            }
            _ => {
                call.refuse(401);
                ""
            }
        };
        let reply = ana.reply_to(id, asked).await;
        let ended = reply_of(&reply).unwrap();
        assert_eq!((text_of(&reply), ended.end, ended.made.error.as_deref()), (said, end, error), "{what}");
        // And the next one is none the worse.
        let asked = ana.say(id, "r2", "And do you have green lanterns?").await;
        let call = stub.call().await;
        call.token("Yes.");
        call.finish();
        assert_eq!(text_of(&ana.reply_to(id, asked).await), "Yes.");
        assert!(!ana.seen.iter().any(|frame| matches!(frame, ServerFrame::Error { .. })));
        drop(api);
    }
}

#[tokio::test]
async fn a_tenant_has_no_more_replies_running_than_its_profile_allows() {
    let mut stub = Stub::start();
    let (_node, api, id) = opened(&stub).await;
    api.change_profile(|profile| profile.quotas.running_turns = std::num::NonZeroU32::MIN).await;
    api.say(id, "r1", "Do you have red lanterns?").await;
    let call = stub.call().await;
    let other = api.open().await;
    let refused = api.ask(other, "r1", "Do you have red lanterns?").await;
    let ended = reply_of(&refused).unwrap();
    assert_eq!((ended.end, ended.made.error.as_deref()), (End::Failed, Some("quota_exhausted")));
    call.finish();
    api.reply(id, 2).await;
    api.say(other, "r2", "And do you have them now?").await;
    stub.call().await.finish();
}

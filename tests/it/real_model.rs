//! The real language model: alone, in both dialects, with the counter that proves a cancel; and
//! through a node, as the words of a conversation.
//! Tests that need the model stand in modules of this name, so that `tests/run fast` can leave them out.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use schema::End;
use serde_json::{Value, json};
use tests::client::Socket;
use tests::llm::RealModel;
use tests::node::Node;
use tests::stream::{reply_of, text_of};
use tokio::sync::Mutex;

/// Patience for a model on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Held by whoever counts what the model computes.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn it_streams_in_both_dialects_and_stops_when_its_client_goes() {
    let _turn = TURN.lock().await;
    let model = RealModel::shared().unwrap();
    for (path, last) in [("/v1/chat/completions", "data: [DONE]"), ("/v1/messages", "event: message_stop")] {
        let answer = ask(model, path, 8).await.text().await.unwrap();
        assert!(answer.contains(last), "{path} does not end with {last}: {answer}");

        let mut stream = ask(model, path, 1500).await.bytes_stream();
        stream.next().await.unwrap().unwrap();
        assert_eq!(model.busy().await.unwrap(), 1, "{path}: streaming");
        drop(stream);
        idle(model, path).await;
    }
}

/// Waits until the model computes for nobody.
async fn idle(model: &RealModel, who: &str) {
    let began = Instant::now();
    while model.busy().await.unwrap() != 0 {
        assert!(began.elapsed() < PATIENCE, "{who}: the model still computes for a client that has gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_speaks_through_a_conversation_that_can_be_left_and_rejoined_and_stopped() {
    let _turn = TURN.lock().await;
    let model = RealModel::shared().unwrap();
    let openai = format!("{}/v1", model.base_url);
    for (provider, variable, base) in
        [("openai", "OPENAI_BASE_URL", openai.as_str()), ("anthropic", "ANTHROPIC_BASE_URL", model.base_url.as_str())]
    {
        let name = format!("{provider}/{}", RealModel::NAME);
        let node = Node::start(&[(variable, base), ("TERTULIA_MODEL", name.as_str())]);
        let key = node.demo_key();

        // The first words of a model's first reply wait for a moment: a short one comes whole.
        let mut ana = Socket::open(node.address, &key).await;
        let id = ana.join_new().await;
        let asked = ana.say(id, "r0", "Hello.").await;
        ana.reply_to(id, asked).await;

        // A reply, heard by three sockets one after the other, each going on where the last one was cut.
        let asked = ana.say(id, "r1", "Tell me a long story about the sea, in twenty sentences.").await;
        let mut text = ana.hears(id, 2, 0, 1).await;
        let mut head = 0;
        for _ in 0..2 {
            head = ana.events(id).map(|event| event.seq).max().unwrap_or(head);
            let reached = text.chars().count();
            drop(ana);
            ana = Socket::open(node.address, &key).await;
            ana.join(id, format!("{head}:2:{reached}")).await;
            text.push_str(&ana.hears(id, 2, reached, reached + 1).await);
        }
        let reply = ana.reply_to(id, asked).await;
        assert!(text_of(&reply).starts_with(&text), "{provider}: {text:?} is how {:?} begins", text_of(&reply));
        let ended = reply_of(&reply).unwrap();
        assert!(matches!(ended.end, End::Completed | End::Length), "{provider}: {:?}", ended.end);
        let made = &ended.made;
        assert_eq!(made.model, name);
        assert!(!made.usage.estimated, "{provider}: the model's own count: {:?}", made.usage);
        assert!(made.usage.input_tokens > 5 && made.usage.output_tokens > 1, "{provider}: {:?}", made.usage);
        assert!(made.first_token_ms.is_some_and(|first| first <= made.total_ms), "{provider}: {made:?}");
        assert_eq!(node.api().log(id).await.events.last(), Some(&reply), "{provider}: durable");

        // One that is stopped while it is being said. What was said is kept, and the model rests.
        let asked =
            ana.say(id, "r2", "Now count from one to five hundred, in words, each number on its own line.").await;
        ana.hears(id, 3, 0, 1).await;
        assert_eq!(model.busy().await.unwrap(), 1, "{provider}: it speaks");
        ana.call(json!({"type": "cancel", "conversation": id})).await.unwrap();
        let reply = ana.reply_to(id, asked).await;
        idle(model, provider).await;
        let ended = reply_of(&reply).unwrap();
        assert_eq!(ended.end, End::Cancelled, "{provider}: {}", text_of(&reply));
        let usage = &ended.made.usage;
        assert!(usage.input_tokens > 5 && usage.output_tokens >= 1, "{provider}: {usage:?}");
    }
}

/// Its context has 2,048 tokens, and a talk has many more.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_talk_with_it_goes_on() {
    let _turn = TURN.lock().await;
    let model = RealModel::shared().unwrap();
    let (base, name) = (format!("{}/v1", model.base_url), format!("openai/{}", RealModel::NAME));
    let node = Node::start(&[("OPENAI_BASE_URL", base.as_str()), ("TERTULIA_MODEL", name.as_str())]);
    let api = node.api();
    let profile = json!({"assistant": {"max_output_tokens": 150}, "business": {"name": "Casa Vera"}});
    assert_eq!(api.put("/v1/tenant", &json!({"version": 1, "profile": profile})).await.status, 200);
    let id = api.open().await;
    let mut read = Vec::new();
    for turn in 0..12 {
        let question = format!(
            "{}Tell me a long story about the sea, part {turn}.",
            "I have been at sea for many years. ".repeat(8)
        );
        let reply = api.ask(id, &format!("r{turn}"), &question).await;
        let ended = reply_of(&reply).unwrap();
        assert!(
            matches!(ended.end, End::Completed | End::Length),
            "turn {turn}: {:?} {:?}",
            ended.end,
            ended.made.error
        );
        let usage = &ended.made.usage;
        assert!(!usage.estimated && usage.input_tokens + usage.output_tokens <= 2_048, "turn {turn}: {usage:?}");
        read.push(usage.input_tokens);
    }
    assert!(read.iter().max() > Some(&700), "more of the talk had room: {read:?}");
}

async fn ask(model: &RealModel, path: &str, tokens: u32) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let body: Value = json!({
        "model": RealModel::NAME,
        "stream": true,
        "max_tokens": tokens,
        "messages": [{"role": "user", "content": "Tell a long story about the sea."}],
    });
    client.post(format!("{}{path}", model.base_url)).json(&body).send().await.unwrap().error_for_status().unwrap()
}

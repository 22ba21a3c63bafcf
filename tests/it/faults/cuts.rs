//! A listener that is cut after every single frame of a reply, at each place once and at many at once:
//! what it has in the end is what was said, each character once.

use loadtest::checker::{History, Observer};
use proptest::prelude::*;
use schema::ConversationId;
use schema::wire::ServerFrame;
use serde_json::json;
use tests::client::Socket;
use tests::node::Node;
use tests::stub::{Call, Stub};

const WORDS: [&str; 12] =
    ["Once ", "upon ", "a ", "🌿", "time ", "señora ", "lived ", "in ", "a small ", "house\n", "- alone", "."];

struct Story {
    node: Node,
    stub: Stub,
}

impl Story {
    fn new() -> Self {
        let stub = Stub::start();
        let node = Node::start(&[("OPENAI_BASE_URL", &stub.base()), ("TERTULIA_MODEL", "openai/stub")]);
        Self { node, stub }
    }

    async fn asked(&mut self) -> (ConversationId, Call) {
        let id = self.node.api().open().await;
        self.node.api().say(id, "r1", "Tell me a story, please.").await;
        (id, self.stub.call().await)
    }

    /// Hears one event or piece, and is gone; what else has come is dropped with the socket.
    async fn hear_one(&self, id: ConversationId, observer: &mut Observer) {
        let mut socket = Socket::open(self.node.address, &self.node.demo_key()).await;
        let after = observer.position().to_string();
        socket.call(json!({"type": "join", "conversation": id, "after": after})).await.expect("it may be joined");
        let frame = socket
            .sees(|frame| matches!(frame, ServerFrame::Event { .. } | ServerFrame::Delta(_)).then(|| frame.clone()));
        match frame.await {
            ServerFrame::Event { event, .. } => observer.event(&event),
            ServerFrame::Delta(delta) => observer.delta(delta.turn, delta.offset, delta.text.as_str()),
            other => panic!("{other:?}"),
        }
    }
}

/// Says the words one by one. After those that `cuts` names the listener hears frame by frame, each on
/// a socket of its own, until it has all that was said.
async fn told(story: &mut Story, cuts: &[bool]) {
    let (id, call) = story.asked().await;
    let mut observer = Observer::default();
    // What stands in the log already: opened, the question, the turn.
    for _ in 0..3 {
        story.hear_one(id, &mut observer).await;
    }
    let mut said = 0;
    for (word, cut) in WORDS.iter().zip(cuts) {
        call.token(word);
        said += word.chars().count();
        while *cut && observer.position().reached.map_or(0, |reached| reached.offset) < said {
            story.hear_one(id, &mut observer).await;
        }
    }
    call.finish();
    story.node.api().reply(id, 2).await;
    story.hear_one(id, &mut observer).await;
    let log = story.node.api().log(id).await.events;
    observer.stayed_until(log.len() as u64);
    let history = History { observers: vec![observer], ..History::default() };
    assert_eq!(history.check(&log), [], "cuts {cuts:?}");
}

#[tokio::test]
async fn a_listener_cut_at_every_frame_has_every_character_once() {
    told(&mut Story::new(), &[true; WORDS.len()]).await;
}

#[test]
fn a_listener_cut_anywhere_has_every_character_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let story = std::cell::RefCell::new(runtime.block_on(async { Story::new() }));
    proptest!(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() }, |(cuts in prop::collection::vec(any::<bool>(), WORDS.len()))| {
        runtime.block_on(told(&mut story.borrow_mut(), &cuts));
    });
}

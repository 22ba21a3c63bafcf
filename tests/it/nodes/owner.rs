//! What a relay makes of what its owner's node sends, told frame by frame: another owner's late words, gaps, silence,
//! a link that takes nothing; and frames that no node sends.

use std::time::Duration;

use actors::{Link, LinkError, OutboxItem, OutboxStream};
use engine_store::Log;
use futures_util::StreamExt;
use schema::peer::{PEER_VERSION, PeerAsk, PeerFrame, Stand};
use schema::wire::{ErrorFace, SignalKind};
use schema::{Author, ContactId, ConversationKey, Epoch, ErrorCode, Event, Fact, NodeId, Timestamp, limits};
use serde_json::json;
use tests::bench::says;
use tokio::time::{Instant, sleep, timeout};

use super::START;
use super::installation::{Ear, Installation, LONG, Node, run, said};

/// A node of which the test says every word.
struct Owner {
    id: NodeId,
    link: Link,
    out: OutboxStream,
    key: ConversationKey,
    head: u64,
}

impl Owner {
    /// It has a conversation, and a link to `to`.
    async fn linked(world: &Installation, to: &Node) -> Self {
        let opener = world.start();
        let key = opener.open(world.tenant).await;
        world.membership.goes(opener.id);
        opener.crash();
        let id = NodeId::generate();
        let claim = world.store.of_node(id).claim(key, None).await.unwrap();
        assert_eq!(claim.epoch, 2);
        world.membership.comes(id);
        // The news has come.
        sleep(Duration::from_millis(50)).await;
        let link = to.system.linked(id).unwrap();
        let out = link.stream();
        let mut owner = Self { id, link, out, key, head: claim.head };
        let PeerFrame::Hello { version, node } = owner.next().await else { panic!("a link begins with it") };
        assert_eq!((version, node), (PEER_VERSION, to.id));
        owner.say(&PeerFrame::Hello { version: PEER_VERSION, node: id });
        owner
    }

    fn say(&self, frame: &PeerFrame) {
        self.link.receive(&serde_json::to_string(frame).unwrap()).unwrap();
    }

    /// The next frame that the node sends.
    async fn next(&mut self) -> PeerFrame {
        match timeout(LONG, self.out.next()).await.expect("in time") {
            Some(OutboxItem::Frame(frame)) => serde_json::from_str(&frame).unwrap(),
            item => panic!("{item:?}"),
        }
    }

    /// Answers the next question to join: it is followed from the head on.
    async fn followed(&mut self, epoch: Epoch) {
        let frame = self.next().await;
        let PeerFrame::Ask { id, key, what: PeerAsk::Join { .. } } = frame else { panic!("{frame:?}") };
        assert_eq!(key, self.key);
        let stand = Stand::Followed { epoch, head: self.head, contact: ContactId::generate() };
        self.say(&PeerFrame::Answer { id, ok: Some(json!(stand)), error: None, decided: false });
    }

    fn event(&self, epoch: Epoch, seq: u64, text: &str) {
        let fact = Fact::Message { text: text.into(), r#ref: None, agent: None, reply: None };
        let event = Event { seq, at: Timestamp::default(), author: Author::Contact, fact };
        self.say(&PeerFrame::Event { key: self.key, epoch, event });
    }

    fn delta(&self, epoch: Epoch, offset: usize, text: &str) {
        self.say(&PeerFrame::Delta { key: self.key, epoch, turn: 1, offset, text: text.into() });
    }
}

/// An ear at the relay, which follows.
async fn followed(owner: &mut Owner, node: &Node) -> Ear {
    let key = owner.key;
    let (ear, ()) = tokio::join!(Ear::at(node, key, START), owner.followed(2));
    ear
}

fn words(ear: &Ear) -> Vec<&str> {
    ear.events.iter().filter_map(said).collect()
}

#[test]
fn a_stale_owner_is_not_heard_and_a_gap_is_never_passed_on() {
    run(|world| async move {
        let [b] = world.nodes().await;
        let mut owner = Owner::linked(&world, &b).await;
        let mut ear = followed(&mut owner, &b).await;
        let next = owner.head + 1;
        owner.event(1, next, "stale");
        owner.delta(1, 0, "stale");
        owner.event(2, next, "first");
        owner.event(2, next, "first again");
        owner.delta(2, 0, "One ");
        // Its successor on that node has the higher number, and whoever spoke before has nothing to say any more.
        owner.delta(3, 4, "two ");
        owner.delta(2, 8, "stale");
        owner.event(2, next + 1, "stale");
        owner.event(3, next + 1, "second");
        owner.delta(3, 8, "three");
        ear.hears("One two three").await;
        assert_eq!(words(&ear), ["first", "second"]);

        // What leaves a gap has it join anew; what it is told until it has is for nobody.
        for gap in ["event", "piece"] {
            match gap {
                "event" => owner.event(3, next + 3, "after a gap"),
                _ => owner.delta(3, 40, "after a gap"),
            }
            let began = Instant::now();
            let left = owner.next().await;
            assert!(matches!(left, PeerFrame::Leave { key } if key == owner.key), "{left:?}");
            owner.event(3, next + 2, "late");
            // It says once more that nobody follows, if nobody does yet.
            owner.head = next + 1;
            let asked = loop {
                match owner.next().await {
                    PeerFrame::Ask { id, what: PeerAsk::Join { .. }, .. } => break id,
                    PeerFrame::Leave { .. } => {}
                    frame => panic!("{frame:?}"),
                }
            };
            assert!(began.elapsed() <= Duration::from_secs(1), "{gap}: {:?}", began.elapsed());
            let stand = Stand::Followed { epoch: 3, head: owner.head, contact: ContactId::generate() };
            owner.say(&PeerFrame::Answer { id: asked, ok: Some(json!(stand)), error: None, decided: false });
        }
        owner.event(3, next + 2, "third");
        ear.has(next + 2).await;
        assert_eq!(words(&ear), ["first", "second", "third"]);
        assert!(ear.told.is_empty(), "{:?}", ear.told);
    });
}

#[test]
fn what_ends_at_the_owner_is_looked_for_again_or_told() {
    run(|world| async move {
        let [b] = world.nodes().await;
        let mut owner = Owner::linked(&world, &b).await;
        let mut ear = followed(&mut owner, &b).await;
        let key = owner.key;
        let face = |code, retry_after| ErrorFace { code, message: "so it is".into(), retry_after };
        for code in [ErrorCode::Draining, ErrorCode::Restarting] {
            owner.say(&PeerFrame::Ended { key, why: face(code, Some(1)) });
            assert!(matches!(owner.next().await, PeerFrame::Leave { .. }));
            owner.followed(2).await;
        }
        owner.event(2, owner.head + 1, "first");
        ear.has(owner.head + 1).await;
        assert!(ear.told.is_empty());
        owner.say(&PeerFrame::Ended { key, why: face(ErrorCode::UnknownConversation, None) });
        ear.until(|ear| !ear.told.is_empty()).await;
        assert_eq!(ear.told[0].code, ErrorCode::UnknownConversation);
    });
}

#[test]
fn an_owner_that_lets_go_is_succeeded_and_one_that_does_not_answer_is_not() {
    for lets_go in [true, false] {
        run(move |world| async move {
            let [b] = world.nodes().await;
            let mut owner = Owner::linked(&world, &b).await;
            let key = owner.key;
            let (submitted, asked) = tokio::join!(b.submit(key, says("r1", "Hello?")), owner.next());
            let PeerFrame::Ask { id, what: PeerAsk::Join { .. }, .. } = asked else { panic!("{asked:?}") };
            // Nobody answered in time, and nobody has claimed it.
            assert_eq!(submitted.unwrap_err().code, ErrorCode::Restarting);
            assert_eq!((world.owner(key).await, world.claims(key).await), (Some(owner.id), 2));
            // An answer that comes late is nobody's.
            owner.say(&PeerFrame::Answer { id, ok: Some(json!(Stand::Resting {})), error: None, decided: false });
            assert_eq!(world.claims(key).await, 2);
            if !lets_go {
                return;
            }
            let answers = async {
                loop {
                    let frame = owner.next().await;
                    if let PeerFrame::Ask { id, what: PeerAsk::Join { .. }, .. } = frame {
                        let ok = Some(json!(Stand::Resting {}));
                        owner.say(&PeerFrame::Answer { id, ok, error: None, decided: false });
                        return;
                    }
                }
            };
            let (submitted, ()) = tokio::join!(b.submit(key, says("r1", "Hello?")), answers);
            submitted.unwrap();
            assert_eq!((world.owner(key).await, world.claims(key).await), (Some(b.id), 3));
        });
    }
}

#[test]
fn wishes_that_nobody_answers_are_bounded_in_number_and_time() {
    run(|world| async move {
        let [b] = world.nodes().await;
        let mut owner = Owner::linked(&world, &b).await;
        let _ear = followed(&mut owner, &b).await;
        let (key, most) = (owner.key, limits::LINK_ASKS_MAX);
        let wishes = b.on(move |worker| async move {
            let handle = worker.find(key).await.unwrap();
            let mut wishes = Vec::new();
            for n in 0..most + 10 {
                let (handle, began) = (handle.clone(), Instant::now());
                wishes.push(tokio::task::spawn_local(async move {
                    let failure = handle.call(says(&format!("r{n}"), "Hello?")).await.unwrap_err();
                    (failure.code, began.elapsed())
                }));
                if n % 256 == 0 {
                    // Its mailbox is bounded as well.
                    sleep(Duration::from_millis(1)).await;
                }
            }
            wishes
        });
        let takes = async {
            loop {
                owner.next().await;
            }
        };
        let wishes = tokio::select! {
            wishes = wishes => wishes,
            () = takes => Vec::new(),
        };
        let (mut busy, mut unanswered) = (0, 0);
        for wish in wishes {
            match wish.await.unwrap() {
                (ErrorCode::Busy, after) if after < Duration::from_secs(1) => busy += 1,
                (ErrorCode::Restarting, after) if after <= limits::ASK_MAX + Duration::from_secs(1) => unanswered += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((busy, unanswered), (10, most));
    });
}

#[test]
fn a_link_that_takes_nothing_refuses_and_is_cut() {
    run(|world| async move {
        let [b] = world.nodes().await;
        let mut owner = Owner::linked(&world, &b).await;
        let ear = followed(&mut owner, &b).await;
        let (key, session) = (owner.key, ear.session);
        let said = "x".repeat(limits::TEXT_BYTES_MAX);
        let most = limits::LINK_SLOW_BYTES / limits::TEXT_BYTES_MAX + 1;
        let mut refused = 0;
        for n in 0..2 * most {
            let command = says(&format!("r{n}"), &said);
            let submitted = b.on(move |worker| async move {
                let handle = worker.find(key).await.unwrap();
                // Only that it is put counts; an answer would come after seconds.
                timeout(Duration::from_millis(1), handle.call(command)).await
            });
            refused += usize::from(matches!(submitted.await, Ok(Err(failure)) if failure.code == ErrorCode::Busy));
        }
        assert!(refused >= most - 2, "{refused} refused");
        // A sign of life is no reason to hold more.
        b.on(move |worker| async move {
            let handle = worker.find(key).await.unwrap();
            handle.signal(session, Author::Contact, SignalKind::Typing { on: true });
        })
        .await;
        sleep(limits::OUTBOX_STALL_MAX + Duration::from_secs(6)).await;
        let mut frames = 0;
        let ended = loop {
            match timeout(LONG, owner.out.next()).await.expect("in time") {
                Some(OutboxItem::Frame(_)) => frames += 1,
                item => break item,
            }
        };
        assert!(!matches!(ended, Some(OutboxItem::Ping)), "{ended:?}");
        assert!(frames <= most + 2, "{frames} frames were held");
        assert_eq!((world.owner(key).await, world.claims(key).await), (Some(owner.id), 2));
    });
}

#[test]
fn what_no_node_sends_ends_the_link() {
    run(|world| async move {
        let [b] = world.nodes().await;
        let key = b.open(world.tenant).await;
        let (other, third) = (NodeId::generate(), NodeId::generate());
        let link = b.system.linked(other).unwrap();
        let hello = |version, node| serde_json::to_string(&PeerFrame::Hello { version, node }).unwrap();
        for (text, error) in [
            (hello(PEER_VERSION + 1, other), Some(LinkError::Version(PEER_VERSION + 1))),
            (hello(PEER_VERSION, third), Some(LinkError::Name(third))),
            ("{".into(), Some(LinkError::NoFrame)),
            ("3".into(), Some(LinkError::NoFrame)),
            (json!({"type": "hello"}).to_string(), Some(LinkError::NoFrame)),
            // What a later version says costs nobody but whom it is about.
            (json!({"type": "ask", "id": 1}).to_string(), None),
            (json!({"type": "ask", "id": 2, "key": key, "what": {"what": "sing"}}).to_string(), None),
            (json!({"type": "event", "key": key, "epoch": 1, "event": {"type": "sung"}}).to_string(), None),
            (json!({"type": "answer", "id": 7, "error": {"code": "of a later version"}}).to_string(), None),
            (json!({"type": "of a later version"}).to_string(), None),
            (hello(PEER_VERSION, other), None),
        ] {
            assert_eq!(link.receive(&text).err(), error, "{text}");
        }
        // One link to a node: the newer one counts.
        let newer = b.system.linked(other).unwrap();
        let mut old = link.stream();
        assert!(!matches!(old.next().await, Some(OutboxItem::Frame(_))));
        drop(link);
        assert!(matches!(newer.stream().next().await, Some(OutboxItem::Frame(_))), "it is not taken down with the old");
    });
}

//! What a listener gets, whatever the sizes: every event once and in order, from wherever it begins, with no
//! more waiting for it than its outbox holds; and what becomes of a reply whose store has its moods.

use std::sync::Arc;
use std::time::Duration;

use actors::{
    Audience, Clock, Format, Joined, Listener, Options, Outbox, OutboxItem, OutboxStream, ReplyTo, SystemClock,
};
use engine_conversation::Command;
use engine_model::{Chunk, ChunkStream, Model, Prompt, Stop};
use engine_store::{Append, DueChange, Log};
use futures_util::StreamExt;
use schema::wire::{Close, ServerFrame};
use schema::{Author, ContactId, ConversationKey, End, Event, Fact, Position, Seq, SessionId, Text, Timestamp, limits};
use tests::bench::{Bench, NoPassages, in_time, says};
use tests::look_again;
use tests::moody::{Mood, Moody};
use tests::stream::{reply_of, text_of};

/// Says the same each time, a piece at a time; with no end it goes on listening for a cancel.
struct Speaker {
    pieces: Vec<String>,
    ends: bool,
}

impl Model for Speaker {
    fn name(&self) -> &str {
        "builtin"
    }

    fn ask(&self, _: Arc<Prompt>) -> ChunkStream {
        let (pieces, ends) = (self.pieces.clone(), self.ends);
        Box::pin(async_stream::stream! {
            for piece in pieces {
                // A model takes its time: what it says is seen before it has ended.
                tokio::time::sleep(Duration::from_millis(2)).await;
                yield Ok(Chunk::Text(piece));
            }
            if !ends {
                std::future::pending::<()>().await;
            }
            yield Ok(Chunk::End(Stop::Completed));
        })
    }
}

fn long_reply() -> Speaker {
    Speaker { pieces: (0..64).map(|n| format!("{n:03}{}", "ü".repeat(200))).collect(), ends: true }
}

async fn bench(store: &Moody, speaker: Speaker) -> Bench {
    let options = Options { rest_after: Duration::ZERO, ..Options::default() };
    Bench::start(Arc::new(store.clone()), Arc::new(NoPassages), Arc::new(speaker), options).await
}

/// A session without a socket.
struct Ear {
    session: SessionId,
    outbox: Arc<Outbox>,
    frames: OutboxStream,
}

impl Ear {
    fn new() -> Self {
        let outbox = Outbox::new();
        Self { session: SessionId::generate(), frames: outbox.stream(), outbox }
    }

    fn listener(&self) -> Listener {
        let (session, outbox) = (self.session, Arc::clone(&self.outbox));
        Listener { session, outbox, format: Format::Socket, audience: Audience::Team }
    }

    async fn next(&mut self) -> Result<ServerFrame, Close> {
        match in_time(self.frames.next()).await {
            Some(OutboxItem::Frame(frame)) => Ok(serde_json::from_str(&frame).unwrap()),
            Some(OutboxItem::Close(close)) => Err(close),
            other => panic!("{other:?}"),
        }
    }

    async fn event(&mut self) -> Event {
        loop {
            if let ServerFrame::Event { event, .. } = self.next().await.unwrap() {
                return event;
            }
        }
    }

    /// Events until the one with this number, which follow each other from `after` on.
    async fn events(&mut self, after: Seq, last: Seq) -> Vec<Event> {
        let mut events = Vec::new();
        for due in after + 1..=last {
            let event = self.event().await;
            assert_eq!(event.seq, due, "events follow each other");
            events.push(event);
        }
        events
    }
}

async fn join(bench: &Bench, key: ConversationKey, ear: &Ear, after: Seq) -> Joined {
    let (reply, answer) = ReplyTo::call();
    bench.find(key).await.join(ear.listener(), Position::after(after), reply);
    in_time(answer).await.unwrap().unwrap()
}

/// A conversation of so many messages, each so long, that is at rest.
async fn conversation_of(store: &Moody, bench: &Bench, count: Seq, bytes: usize) -> ConversationKey {
    let key = ConversationKey { tenant: bench.tenant, conversation: schema::ConversationId::generate() };
    let opening =
        engine_store::Opening { contact: ContactId::generate(), is_anonymous: true, at: Timestamp::default() };
    let claim = store.claim(key, Some(opening)).await.unwrap();
    let opened = Fact::Opened { contact: ContactId::generate(), channel: schema::Channel::Web, locale: None };
    // What an agent writes needs no answer.
    let said = (2..=count).map(|seq| {
        let text = Text::from("x".repeat(bytes));
        event(seq, Author::Human, Fact::Message { text, r#ref: None, agent: Some("Ada".into()), reply: None })
    });
    let events = std::iter::once(event(1, Author::System, opened)).chain(said).collect();
    store.append(Append { key, epoch: claim.epoch, head: 0, events, due: DueChange::Keep }).await.unwrap();
    key
}

fn event(seq: Seq, author: Author, fact: Fact) -> Event {
    // Of late: a conversation that was left alone for long closes when it wakes.
    Event { seq, at: SystemClock.now(), author, fact }
}

#[actix_web::test]
async fn whatever_lies_behind_a_position_is_caught_up_with() {
    // (events, bytes of each, from where): by default ninety long answers closed the session, again and again.
    for (count, bytes, after) in [(90, limits::TEXT_BYTES_MAX, 0), (1_000, 3_000, 0), (1_000, 1, 17), (8, 250_000, 0)] {
        let store = Moody::default();
        let bench = bench(&store, long_reply()).await;
        let key = conversation_of(&store, &bench, count, bytes).await;
        let mut ear = Ear::new();
        join(&bench, key, &ear, after).await;
        let most = limits::OUTBOX_SLOW_BYTES + bytes + 1_024;
        for due in after + 1..=count {
            assert!(ear.outbox.waiting_bytes() <= most, "{} wait before event {due}", ear.outbox.waiting_bytes());
            assert_eq!(ear.event().await.seq, due, "{count} events of {bytes} bytes");
        }
        // It is live now.
        let said = bench.say(key, "r1").await.unwrap().seq.unwrap();
        assert_eq!(ear.events(count, said).await.len() as Seq, said - count);
    }
}

#[actix_web::test]
async fn a_session_that_goes_further_back_gets_what_lies_between() {
    for (first, second) in [(900, 100), (100, 900), (500, 499), (300, 300)] {
        let store = Moody::default();
        let bench = bench(&store, long_reply()).await;
        let key = conversation_of(&store, &bench, 1_000, 40).await;
        let mut ear = Ear::new();
        let handle = bench.find(key).await;
        // The log is being read for the first place when the session goes to the second.
        handle.join(ear.listener(), Position::after(first), ReplyTo::nobody());
        handle.join(ear.listener(), Position::after(second), ReplyTo::nobody());
        ear.events(second, 1_000).await;
    }
}

#[actix_web::test]
async fn a_session_that_ended_on_its_way_in_is_no_listener() {
    let store = Moody::default();
    let bench = bench(&store, long_reply()).await;
    let key = bench.open().await;
    let handle = bench.find(key).await;
    let gone = Ear::new();
    gone.outbox.abandon();
    handle.join(gone.listener(), Position::default(), ReplyTo::nobody());
    assert_eq!(handle.view().await.unwrap().subscribers, 0);
    // One that ends without a word is forgotten too, and the conversation rests.
    let silent = Ear::new();
    join(&bench, key, &silent, 0).await;
    assert_eq!(handle.view().await.unwrap().subscribers, 1);
    drop(silent);
    let sweep = tokio::task::spawn_local(Arc::clone(bench.worker.system()).sweep());
    in_time(async {
        while handle.is_open() {
            look_again().await;
        }
    })
    .await;
    sweep.abort();
}

#[actix_web::test]
async fn who_listens_hears_on_when_a_restart_does_not_go_well_at_once() {
    use Mood::{Busy, Corrupt, Lost, Unanswered};
    let store = Moody::default();
    let bench = bench(&store, long_reply()).await;
    let key = bench.open().await;
    let mut ear = Ear::new();
    join(&bench, key, &ear, 0).await;
    ear.events(0, 1).await;
    // The append is lost, and what is to be started again for those who listen cannot be claimed at first.
    store.will([Corrupt]);
    store.will_claim([Busy, Lost, Unanswered]);
    bench.say(key, "r1").await.unwrap_err();
    in_time(async {
        while store.left() > 0 {
            look_again().await;
        }
    })
    .await;
    let said = bench.say_until_taken(key, "r2").await;
    ear.events(1, said).await;
}

#[actix_web::test]
async fn a_listener_that_has_the_text_gets_checkpoints_without_it() {
    let store = Moody::default();
    let bench = bench(&store, long_reply()).await;
    let key = bench.open().await;
    let mut live = Ear::new();
    join(&bench, key, &live, 0).await;
    bench.say(key, "r1").await.unwrap();
    let (mut said, mut covered, mut checkpoints) = (String::new(), 0, 0);
    let reply = loop {
        match live.next().await.unwrap() {
            ServerFrame::Delta(delta) => {
                assert_eq!(delta.offset, said.chars().count());
                said.push_str(delta.text.as_str());
            }
            ServerFrame::Event { event, .. } => match &event.fact {
                Fact::Checkpoint { offset, chars, text, .. } => {
                    assert!(text.is_empty(), "the text came as deltas");
                    assert_eq!(*offset, covered);
                    covered += chars.unwrap();
                    assert!(covered <= said.chars().count());
                    checkpoints += 1;
                }
                _ if reply_of(&event).is_some() => break event,
                _ => {}
            },
            _ => {}
        }
    };
    assert!(checkpoints > 4 && said == text_of(&reply), "{checkpoints} checkpoints");
    // Who comes later gets them in full.
    let mut late = Ear::new();
    join(&bench, key, &late, 0).await;
    let events = late.events(0, reply.seq).await;
    let stored: String = events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Checkpoint { text, chars, .. } => Some(text.as_str()).filter(|_| chars.is_none()),
            _ => None,
        })
        .collect();
    assert!(said.starts_with(&stored) && stored.chars().count() == covered);
}

#[actix_web::test]
async fn a_store_with_moods_costs_a_reply_time_and_nothing_else() {
    use Mood::{Away, Busy, Good, Lost, Unanswered};
    let moods: &[&[Mood]] = &[
        &[Busy, Busy, Busy, Good, Busy],
        &[Good, Good, Away, Away, Good, Busy],
        &[Good, Lost, Good, Unanswered, Good, Lost],
        &[Good, Lost, Lost, Unanswered, Busy],
        &[Unanswered, Unanswered, Unanswered],
        &[Good, Lost, Busy, Unanswered, Good, Away],
    ];
    for moods in moods {
        let store = Moody::default();
        let bench = bench(&store, long_reply()).await;
        let key = bench.open().await;
        let mut ear = Ear::new();
        join(&bench, key, &ear, 0).await;
        store.will(moods.iter().copied());
        let asked = in_time(bench.say(key, "r1")).await.unwrap().seq.unwrap();
        let reply = bench.reply(key, asked).await;
        assert!(store.left() + 3 <= moods.len(), "{moods:?}: {} did not come to pass", store.left());
        assert_eq!(reply_of(&reply).unwrap().end, End::Completed, "{moods:?}: the reply is not cut");
        assert_eq!(bench.find(key).await.view().await.unwrap().epoch, 1, "{moods:?}: nor begun anew");
        let log = bench.log(key).await;
        assert!(log.iter().zip(1..).all(|(event, seq)| event.seq == seq), "{moods:?}: nothing is doubled");
        assert_eq!(ear.events(0, reply.seq).await.last(), Some(&reply), "{moods:?}");
    }
}

#[actix_web::test]
async fn a_stream_can_be_resumed_from_any_of_its_frames() {
    let store = Moody::default();
    let bench = bench(&store, long_reply()).await;
    let key = bench.open().await;
    let mut ear = Ear::new();
    let (reply, joined) = ReplyTo::call();
    let listener = Listener { format: Format::Sse, ..ear.listener() };
    bench.find(key).await.join(listener, Position::after(0), reply);
    in_time(joined).await.unwrap().unwrap();
    let asked = in_time(bench.say(key, "r1")).await.unwrap().seq.unwrap();
    // While an append waits, checkpoints and messages gather for one append, with words between them.
    store.will(std::iter::repeat_n(Mood::Away, 4));
    in_time(bench.say(key, "r2")).await.unwrap();
    let reply = bench.reply(key, asked).await;
    let mut last: Seq = 0;
    let mut deltas = 0;
    while last < reply.seq {
        let Some(OutboxItem::Frame(frame)) = in_time(ear.frames.next()).await else { panic!("the stream goes on") };
        let (id, data) = frame.strip_prefix("id: ").and_then(|frame| frame.split_once("\ndata: ")).unwrap();
        let position: Position = id.parse().unwrap();
        let data: serde_json::Value = serde_json::from_str(data.trim()).unwrap();
        if data["type"] == "delta" {
            assert_eq!(position.seq, last, "whoever begins after it gets the next event: {data}");
            deltas += 1;
        } else {
            assert_eq!((position.seq, data["seq"].as_u64()), (last + 1, Some(last + 1)), "{data}");
            last += 1;
        }
    }
    assert!(deltas > 10, "{deltas}");
}

#[actix_web::test]
async fn a_read_that_a_busy_store_refuses_is_asked_again() {
    let store = Moody::default();
    let bench = bench(&store, long_reply()).await;
    let key = conversation_of(&store, &bench, 300, 10).await;
    bench.find(key).await;
    store.will_read([Mood::Busy, Mood::Away, Mood::Busy]);
    let mut ear = Ear::new();
    join(&bench, key, &ear, 0).await;
    ear.events(0, 300).await;
}

#[actix_web::test]
async fn an_opening_is_as_patient_as_any_append() {
    let store = Moody::default();
    let bench = bench(&store, long_reply()).await;
    store.will([Mood::Busy, Mood::Unanswered]);
    let key = bench.open().await;
    assert_eq!(bench.log(key).await.len(), 1);
}

#[actix_web::test]
async fn a_store_that_stays_away_is_said_to_be_away() {
    let store = Moody::default();
    let bench = bench(&store, long_reply()).await;
    let key = bench.open().await;
    store.will(std::iter::repeat_n(Mood::Away, 10_000));
    let failure = in_time(bench.say(key, "r1")).await.unwrap_err();
    assert_eq!(failure.code.name(), "store_unavailable");
    assert!(failure.retry_after.is_some());
}

#[actix_web::test]
async fn a_cancel_overtakes_what_waits_and_a_full_mailbox_says_busy() {
    let store = Moody::default();
    let bench = bench(&store, Speaker { ends: false, ..long_reply() }).await;
    let key = bench.open().await;
    let handle = bench.find(key).await;
    let mut ear = Ear::new();
    join(&bench, key, &ear, 0).await;
    bench.say(key, "first").await.unwrap();
    while !matches!(ear.next().await.unwrap(), ServerFrame::Delta(_)) {}
    // Nothing is handled while this runs: all of it waits, from however many clones.
    let answers: Vec<_> = (0..1_000)
        .map(|n| {
            let (reply, answer) = ReplyTo::call();
            handle.clone().command(says(&format!("more-{n}"), "And this?"), reply);
            answer
        })
        .collect();
    let (reply, cancelled) = ReplyTo::call();
    handle.command(Command::Cancel { turn: None }, reply);
    let cancelled = in_time(cancelled).await.unwrap().unwrap();
    assert_eq!(cancelled.turn, Some(1), "the cancel had room");
    let mut taken = 0;
    for answer in answers {
        match in_time(answer).await.unwrap() {
            Ok(outcome) => {
                assert!(outcome.seq > cancelled.seq, "the cancel came first");
                taken += 1;
            }
            Err(failure) => assert_eq!(failure.code.name(), "busy"),
        }
    }
    assert_eq!(taken, limits::MAILBOX_MESSAGES_MAX);
}

#[actix_web::test]
async fn a_slow_session_goes_on_though_the_mailbox_is_full_when_it_has_room() {
    let store = Moody::default();
    let bench = bench(&store, long_reply()).await;
    let key = conversation_of(&store, &bench, 200, 2_000).await;
    let mut ear = Ear::new();
    join(&bench, key, &ear, 0).await;
    in_time(async {
        while ear.outbox.waiting_bytes() < limits::OUTBOX_SLOW_BYTES {
            look_again().await;
        }
    })
    .await;
    let handle = bench.find(key).await;
    (0..1_000).for_each(|_| {
        handle.signal(SessionId::generate(), Author::Human, schema::wire::SignalKind::Typing { on: true });
    });
    ear.events(0, 200).await;
}

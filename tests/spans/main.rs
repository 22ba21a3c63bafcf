//! The spans along a message's way, from its session to the model's call, as whoever listens to them gets them. In a
//! process of its own: who listens does so for all of its threads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use actors::Options;
use schema::{ConversationId, Event, Seq, Turn};
use tests::client::Socket;
use tests::stub::Stub;
use tests::within::Within;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Subscriber, subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// Said by the contact, and by the model: it has no place in a span or a log line.
const CANARY: &str = "canary-7f3a";
/// Pieces of a reply: more than it may have spans.
const WORDS: usize = 60;
const FIRST_TURN: Turn = 1;

/// A span, or the line of a log.
#[derive(Clone, Default)]
struct Told {
    name: String,
    /// Its place among all that was told.
    parent: Option<usize>,
    fields: BTreeMap<String, String>,
}

/// All that was told in this process, in order.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Told>>>);

/// Where a span stands, kept with the span: ids are used again.
struct Place(usize);

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let parent = span.parent().and_then(|parent| parent.extensions().get::<Place>().map(|place| place.0));
        let mut told = Told { name: span.name().to_owned(), parent, ..Told::default() };
        attributes.record(&mut told);
        let mut all = self.0.lock().unwrap();
        span.extensions_mut().insert(Place(all.len()));
        all.push(told);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let place = context.span(id).unwrap().extensions().get::<Place>().unwrap().0;
        values.record(&mut self.0.lock().unwrap()[place]);
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut told = Told { name: "line".to_owned(), ..Told::default() };
        event.record(&mut told);
        self.0.lock().unwrap().push(told);
    }
}

impl Recorder {
    /// What was told of a conversation, by its place.
    fn of(&self, id: ConversationId) -> BTreeMap<usize, Told> {
        let all = self.0.lock().unwrap().clone();
        let is_of = |told: &Told| told.fields.get("conversation").is_some_and(|named| *named == id.to_string());
        all.into_iter().enumerate().filter(|(_, told)| is_of(told)).collect()
    }
}

/// The way from the outermost span to this one: `session socket > command say`.
fn way(spans: &BTreeMap<usize, Told>, told: &Told) -> String {
    let detail = ["by", "kind"].iter().find_map(|name| told.fields.get(*name));
    let own = detail.map_or_else(|| told.name.clone(), |detail| format!("{} {detail}", told.name));
    match told.parent {
        None => own,
        Some(parent) => {
            let parent = spans.get(&parent).unwrap_or_else(|| panic!("{own} is a part of another conversation's"));
            format!("{} > {own}", way(spans, parent))
        }
    }
}

/// Has the model say a long reply, and waits until it has come.
async fn answered(stub: &mut Stub, listener: &mut Socket, id: ConversationId, asked: Seq) -> Event {
    let call = stub.call().await;
    let mut said = 0;
    for number in 0..WORDS {
        // Each is a delta of its own, because the one before it has come: only what waits is joined.
        listener.hears(id, FIRST_TURN, 0, said).await;
        let word = format!("{CANARY} has said the number {number}. ");
        call.token(&word);
        said += word.trim_end().chars().count() + usize::from(number > 0);
    }
    call.finish();
    listener.reply_to(id, asked).await
}

#[tokio::test]
async fn a_message_and_its_reply_are_one_chain_of_spans_without_their_words() {
    let recorder = Recorder::default();
    let ours = ["gateway", "actors", "engine"].map(|target| (target, LevelFilter::TRACE));
    let listening = recorder.clone().with_filter(Targets::new().with_targets(ours));
    subscriber::set_global_default(Registry::default().with(listening)).unwrap();

    let mut stub = Stub::start();
    let base = stub.base();
    let settings =
        [("OPENAI_BASE_URL", base.as_str()), ("OPENAI_API_KEY", "sk-of-the-stub"), ("TERTULIA_MODEL", "openai/stub")];
    let node = Within::start(&settings, Options::default());
    let api = node.api();
    let tenant = api.tenant().await.id.to_string();
    let mut listener = Socket::open(node.address, node.key()).await;

    for (by, text) in [
        ("socket", format!("What is {CANARY}, please, and what does it cost?")),
        // Short: more may come, and a timer begins the turn.
        ("request", CANARY.to_owned()),
    ] {
        let id = api.open().await;
        listener.join(id, 0).await;
        let asked = match by {
            "socket" => listener.say(id, "r1", &text).await,
            _ => api.say(id, "r1", &text).await,
        };
        let reply = answered(&mut stub, &mut listener, id, asked).await;
        assert!(listener.deltas(id, FIRST_TURN).count() > WORDS / 2, "many deltas");

        let told = recorder.of(id);
        let spans: BTreeMap<usize, Told> =
            told.iter().filter(|(_, told)| told.name != "line").map(|(place, told)| (*place, told.clone())).collect();
        for (place, span) in &spans {
            assert_eq!(span.fields.get("tenant"), Some(&tenant), "{place}: {}", span.name);
        }
        let ways: BTreeSet<String> = spans.values().map(|span| way(&spans, span)).collect();
        let command = format!("session {by} > command say");
        for way in [
            "append > push".to_owned(),
            "turn".to_owned(),
            "turn > attempt".to_owned(),
            "turn > append".to_owned(),
            "turn > append > push".to_owned(),
        ] {
            let way = format!("{command} > {way}");
            assert!(ways.contains(&way), "{way} is not among {ways:#?}");
        }
        let count = |name: &str| spans.values().filter(|span| span.name == name).count();
        assert_eq!((count("turn"), count("attempt")), (1, 1));
        assert!(count("push") as u64 <= reply.seq, "one for each event at most");
        assert!(spans.len() < WORDS / 2, "{} spans: none is a delta's", spans.len());
        let attempt = spans.values().find(|span| span.name == "attempt").unwrap();
        assert_eq!(attempt.fields.get("end").map(String::as_str), Some("completed"));
    }

    let all = recorder.0.lock().unwrap().clone();
    for told in all {
        for (field, value) in &told.fields {
            assert!(!value.contains(CANARY), "{} has words in {field}", told.name);
        }
    }
}

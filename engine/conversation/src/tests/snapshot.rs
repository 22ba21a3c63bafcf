//! A snapshot gives the state that its events give, or nothing; and its form is pinned.

use expect_test::expect_file;
use proptest::prelude::*;
use schema::{
    Author, Channel, ConversationId, ConversationKey, End, ErrorCode, Event, Fact, HandoffReason, Made, Passage, Reply,
    TenantId, Timestamp, limits,
};

use super::super::*;

fn key() -> ConversationKey {
    let (tenant, conversation) = (TenantId::from_bytes([7; 16]), ConversationId::from_bytes([9; 16]));
    ConversationKey { tenant, conversation }
}

/// A conversation as it wakes from a snapshot of its first `cut` events and those after.
pub(super) fn woken(log: &[Event], cut: usize) -> Conversation {
    let (before, after) = log.split_at(cut);
    let bytes = Conversation::from_events(before).snapshot(key()).expect("it is small enough");
    let mut woken = Conversation::from_snapshot(key(), &bytes).expect("it is this version's");
    after.iter().for_each(|event| woken.fold(event));
    woken
}

/// A log of one event of each kind at least, after which nothing in the state stands at its beginning.
fn every_kind() -> Vec<Event> {
    let passage = Passage {
        n: 1,
        source: "https://shop.example/returns".into(),
        heading: "Help › Returns".into(),
        text: "Within 30 days.".into(),
    };
    let reply = Reply {
        turn: 1,
        end: End::Incomplete,
        answers: 2,
        made: Made {
            passages: vec![passage],
            error: Some(ErrorCode::Interrupted.name().to_owned()),
            ..Made::default()
        },
    };
    let said = |text: &str, r#ref: &str| Fact::Message {
        text: text.into(),
        r#ref: r#ref.parse().ok(),
        agent: None,
        reply: None,
    };
    let checkpoint =
        |offset, text: &str, unsaid| Fact::Checkpoint { turn: 2, offset, chars: None, text: text.into(), unsaid };
    let facts = [
        (
            Author::System,
            Fact::Opened {
                contact: schema::ContactId::from_bytes([7; 16]),
                channel: Channel::Web,
                locale: "es-ES".parse().ok(),
            },
        ),
        (Author::Contact, said("Can I \"return\" it?\n¿Sí? 🙂", "r1")),
        (Author::Assistant, Fact::TurnStarted { turn: 1 }),
        (
            Author::Assistant,
            Fact::Message { text: "Yes, [1]".into(), r#ref: None, agent: None, reply: Some(Box::new(reply)) },
        ),
        (Author::System, Fact::Closed { reason: schema::CloseReason::Asked }),
        (Author::System, Fact::Reopened {}),
        (Author::Human, Fact::TakenOver { agent: "Bo".into(), ownership: 1 }),
        (
            Author::Human,
            Fact::Message { text: "It is me.".into(), r#ref: "r1".parse().ok(), agent: Some("Bo".into()), reply: None },
        ),
        (Author::Human, Fact::HandedBack { agent: "Bo".into(), ownership: 2 }),
        (Author::Contact, said("And when is it here?", "r2")),
        (Author::Contact, said("By post.", "r3")),
        (Author::Assistant, Fact::TurnStarted { turn: 2 }),
        (Author::Assistant, checkpoint(0, "Lét me think. ", Some(0))),
        (Author::Assistant, checkpoint(14, "On Monday.", None)),
        (Author::Assistant, Fact::HandoffRequested { reason: HandoffReason::Complaint }),
        (Author::Human, Fact::TakenOver { agent: "Cy".into(), ownership: 3 }),
        (Author::System, Fact::Closed { reason: schema::CloseReason::Idle }),
    ];
    let event = |(seq, (author, fact))| Event {
        seq,
        at: Timestamp::from_millis(1_700_000_000_123 + seq.cast_signed()),
        author,
        fact,
    };
    (1..).zip(facts).map(event).collect()
}

/// What stands in the file is what this version's snapshots look like, and what folding makes of a log. Who changes
/// either raises `SNAPSHOT_VERSION`, and the file gets a new name; an old one is never edited.
#[test]
fn the_form_of_this_version_is_pinned() {
    let conversation = Conversation::from_events(&every_kind());
    let State { contact, locale, status, owner, ownership, handoff, unfinished, .. } = conversation.state();
    let wanted = (true, true, schema::wire::Status::Closed, &Owner::Human { agent: "Cy".into() }, 3, true, true);
    assert_eq!(
        (contact.is_some(), locale.is_some(), *status, owner, *ownership, handoff.is_some(), unfinished.is_some()),
        wanted
    );
    let bytes = conversation.snapshot(key()).unwrap();
    let path = format!("{}/src/tests/snapshot-{SNAPSHOT_VERSION}.json", env!("CARGO_MANIFEST_DIR"));
    expect_file![path].assert_eq(std::str::from_utf8(&bytes).unwrap());
    assert_eq!(Conversation::from_snapshot(key(), &bytes), Some(conversation));
}

#[test]
fn what_is_another_versions_or_anothers_is_none() {
    let bytes = Conversation::from_events(&every_kind()).snapshot(key()).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let (header, state) = text.split_once('\n').unwrap();
    let other = ConversationId::from_bytes([8; 16]);
    let version = |by| format!(r#""version":{}"#, SNAPSHOT_VERSION.saturating_add_signed(by));
    for (what, bytes) in [
        ("a newer one", text.replacen(&version(0), &version(1), 1)),
        ("an older one", text.replacen(&version(0), &version(-1), 1)),
        ("another head", text.replacen(r#""head":17"#, r#""head":16"#, 1)),
        ("another's name", text.replacen(&key().conversation.to_string(), &other.to_string(), 1)),
        ("a field more", text.replacen('{', r#"{"form":1,"#, 1)),
        ("its head alone", format!("{header}\n")),
        ("its state alone", state.to_owned()),
        ("nothing", String::new()),
        ("an end too many", format!("{text}\n")),
    ] {
        assert_ne!(bytes, text, "{what}");
        assert_eq!(Conversation::from_snapshot(key(), bytes.as_bytes()), None, "{what}");
    }
    for others in [
        ConversationKey { conversation: other, ..key() },
        ConversationKey { tenant: TenantId::from_bytes([8; 16]), ..key() },
    ] {
        assert_eq!(Conversation::from_snapshot(others, &bytes), None, "{others}");
    }
}

#[test]
fn one_too_large_is_not_made() {
    let mut log = every_kind();
    log.truncate(14);
    let fits = Conversation::from_events(&log).snapshot(key()).unwrap();
    let (offset, text) = (24, "\u{1}".repeat(limits::REPLY_BYTES_MAX / 2));
    let fact = Fact::Checkpoint { turn: 2, offset, chars: None, text: text.into(), unsaid: None };
    log.push(Event { seq: 15, at: Timestamp::from_millis(0), author: Author::Assistant, fact });
    assert!(fits.len() < 4 * 1024);
    assert_eq!(Conversation::from_events(&log).snapshot(key()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_not_whole_is_none(at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<bool>()) {
        let mut bytes = Conversation::from_events(&every_kind()).snapshot(key()).unwrap();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << bit;
        }
        prop_assert_eq!(Conversation::from_snapshot(key(), &bytes), None);
    }
}

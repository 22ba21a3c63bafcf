//! Appending: what is acknowledged is there, whole and unchanged.

use engine_store::{Append, Claim, DueChange, PageBounds, SharedStore, StoreError};
use schema::{
    Author, Channel, CloseReason, ContactId, End, Event, Fact, Failover, HandoffReason, Made, Passage, Reply, Text,
    Timestamp, Usage,
};

use super::Outcome;
use super::words::{append, fresh_key, message, open, refused, same, texts};

pub(super) async fn an_append_is_there_when_it_is_acknowledged(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    for head in 0..5 {
        let text = format!("message {head}");
        store.append(append(key, Claim { head, ..claim }, &[&text])).await?;
        let page = store.read(key, head, PageBounds::FULL).await?;
        same("the newest", &page.events, &vec![message(head + 1, text)])?;
        same("the head", &page.head, &(head + 1))?;
    }
    Ok(())
}

pub(super) async fn a_wrong_head_is_fenced(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one", "two"])).await?;
    for head in [0, 1, 3, u64::MAX - 9] {
        let elsewhere = append(key, Claim { head, ..claim }, &["elsewhere"]);
        refused("an append", store.append(elsewhere).await, &StoreError::Fenced)?;
    }
    same("the log", &texts(&store, key).await?, &vec!["one".into(), "two".into()])
}

pub(super) async fn a_batch_is_stored_whole_or_not_at_all(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let old = open(&store, key).await?;
    store.append(append(key, old, &["one", "two", "three"])).await?;
    let new = store.claim(key, None).await?;
    let batch = ["four", "five", "six"];
    refused("the old owner", store.append(append(key, Claim { head: 3, ..old }, &batch)).await, &StoreError::Fenced)?;
    same("nothing of it is there", &texts(&store, key).await?.len(), &3)?;
    store.append(append(key, new, &batch)).await?;
    same("all of it is there", &texts(&store, key).await?.len(), &6)
}

pub(super) async fn numbers_that_do_not_continue_the_head_are_refused(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let Claim { epoch, .. } = open(&store, key).await?;
    store.append(append(key, Claim { epoch, head: 0, due: None }, &["one"])).await?;
    for seqs in [&[][..], &[1], &[3], &[2, 2], &[2, 4], &[3, 2], &[0], &[2, 3, 5]] {
        let events = seqs.iter().map(|seq| message(*seq, "misnumbered")).collect();
        let found = store.append(Append { key, epoch, head: 1, events, due: DueChange::Keep }).await;
        refused(&format!("{seqs:?} after 1"), found, &StoreError::Fenced)?;
    }
    same("the log", &texts(&store, key).await?, &vec!["one".into()])
}

pub(super) async fn append_to_an_unknown_conversation_is_not_found(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let found = store.append(append(key, Claim { epoch: 1, head: 0, due: None }, &["one"])).await;
    refused("an append", found, &StoreError::NotFound)?;
    refused("and a claim", store.claim(key, None).await, &StoreError::NotFound)
}

pub(super) async fn every_kind_of_fact_reads_back_as_it_was(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    let contact = ContactId::generate();
    let reply = Reply { turn: 1, end: End::Completed, answers: 2, made: made() };
    let facts = [
        (Author::System, Fact::Opened { contact, channel: Channel::Web, locale: None }),
        (Author::Contact, said("hello", Some("r-1"), None, None)?),
        (Author::System, Fact::TurnStarted { turn: 1 }),
        (
            Author::Assistant,
            Fact::Checkpoint { turn: 1, offset: 7, chars: None, text: "a piece".into(), unsaid: Some(3) },
        ),
        (Author::Assistant, said("a whole reply", None, None, Some(reply))?),
        (Author::Human, Fact::TakenOver { agent: "Bo".into(), ownership: 1 }),
        (Author::Human, said("a word of mine", Some("r-2"), Some("Bo"), None)?),
        (Author::Human, Fact::HandedBack { agent: "Bo".into(), ownership: 2 }),
        (Author::Assistant, Fact::HandoffRequested { reason: HandoffReason::Complaint }),
        (Author::System, Fact::Closed { reason: CloseReason::Idle }),
        (Author::Contact, Fact::Reopened {}),
    ];
    let at = Timestamp::from_millis(1_700_000_000_123);
    let events: Vec<Event> = (1..).zip(facts).map(|(seq, (author, fact))| Event { seq, at, author, fact }).collect();
    store
        .append(Append { key, epoch: claim.epoch, head: 0, events: events.clone().into(), due: DueChange::Keep })
        .await?;
    same("the log", &store.read(key, 0, PageBounds::FULL).await?.events, &events)
}

pub(super) async fn large_events_read_back(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    // Quotes and control characters grow when they are escaped.
    let large = "\"\u{1}x".repeat(schema::limits::REPLY_BYTES_MAX / 3);
    store.append(append(key, claim, &[&large, "small", &large])).await?;
    let found = texts(&store, key).await?;
    same("sizes", &found.iter().map(String::len).collect(), &vec![large.len(), 5, large.len()])?;
    same("the words", &(found[0] == large && found[2] == large), &true)
}

pub(super) async fn any_unicode_reads_back(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    let words =
        ["", "\0", "a\0b", "¿Qué?", "日本語", "👩‍👩‍👧‍👦", "e\u{301}", "\u{202e}gnp.exe", "\u{fffd}\u{10ffff}", "'; --"];
    store.append(append(key, claim, &words)).await?;
    same("the words", &texts(&store, key).await?, &words.map(String::from).to_vec())
}

fn said(text: &str, r#ref: Option<&str>, agent: Option<&str>, reply: Option<Reply>) -> anyhow::Result<Fact> {
    let r#ref = r#ref.map(str::parse).transpose()?;
    Ok(Fact::Message { text: Text::from(text), r#ref, agent: agent.map(Into::into), reply: reply.map(Box::new) })
}

fn made() -> Made {
    let text = Text::from("We open at nine.");
    Made {
        model: "openai/some-model".into(),
        profile_version: 7,
        passages: vec![Passage { n: 1, source: "hours.md".into(), heading: "Shop › Hours".into(), text }],
        unanswered: true,
        first_token_ms: Some(41),
        total_ms: 950,
        usage: Usage {
            input_tokens: 812,
            output_tokens: 33,
            cached_tokens: 700,
            cache_write_tokens: 0,
            estimated: true,
        },
        cost_microusd: Some(125),
        failovers: vec![Failover { model: "anthropic/other".into(), error: "model_unavailable".into() }],
        error: None,
        retry_after: None,
    }
}

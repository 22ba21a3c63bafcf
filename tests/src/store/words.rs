//! Small sentences the cases are written in.

use anyhow::ensure;
use engine_store::{Append, Claim, ConversationRow, DueChange, Opening, PageBounds, SharedStore, StoreError};
use schema::{
    Author, Channel, ContactId, ConversationId, ConversationKey, Event, Fact, Seq, TenantId, Text, Timestamp,
};

/// A conversation nobody has, of a tenant nobody has.
#[must_use]
pub fn fresh_key() -> ConversationKey {
    ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() }
}

/// Another conversation of the same tenant.
pub(super) fn sibling(key: ConversationKey) -> ConversationKey {
    ConversationKey { conversation: ConversationId::generate(), ..key }
}

/// What a new conversation's row says: with whom nobody has named, and since when, in milliseconds.
#[must_use]
pub fn opening(contact: ContactId, at: i64) -> Option<Opening> {
    Some(Opening { contact, is_anonymous: true, at: Timestamp::from_millis(at) })
}

/// The contact that a short name stands for in the cases.
pub(super) fn contact(name: &str) -> ContactId {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    ContactId::from_bytes(bytes)
}

/// A new conversation, owned.
pub(super) async fn open(store: &SharedStore, key: ConversationKey) -> anyhow::Result<Claim> {
    Ok(store.claim(key, opening(ContactId::generate(), 0)).await?)
}

/// Something said, at second `seq`.
#[must_use]
pub fn message(seq: Seq, text: impl Into<String>) -> Event {
    let at = Timestamp::from_millis(seq.cast_signed().saturating_mul(1_000));
    let text = Text::from(text.into());
    Event { seq, at, author: Author::Contact, fact: Fact::Message { text, r#ref: None, agent: None, reply: None } }
}

/// A conversation's first event, at a moment in milliseconds.
#[must_use]
pub fn opened(contact: ContactId, at: i64) -> Event {
    let fact = Fact::Opened { contact, channel: Channel::Web, locale: None };
    Event { seq: 1, at: Timestamp::from_millis(at), author: Author::System, fact }
}

/// Brings a conversation's row in the list on to the end of its log.
///
/// # Errors
/// When the store cannot be read or written, or somebody else brings it on meanwhile.
pub async fn bring_on(store: &SharedStore, key: ConversationKey) -> anyhow::Result<()> {
    let mut row: ConversationRow = store.row(key).await?.unwrap_or_default();
    let expected = row.head;
    loop {
        let page = store.read(key, row.head, PageBounds::FULL).await?;
        row.fold(&page.events);
        if row.head >= page.head {
            break;
        }
    }
    if row.head > expected {
        store.project(key, expected, row).await?;
    }
    Ok(())
}

/// An append of such messages after the claim's head.
#[must_use]
pub fn append(key: ConversationKey, claim: Claim, texts: &[&str]) -> Append {
    let events = (claim.head + 1..).zip(texts).map(|(seq, text)| message(seq, *text)).collect();
    Append { key, epoch: claim.epoch, head: claim.head, events, due: DueChange::Keep }
}

/// The whole log's words, after a look at its numbers.
///
/// # Errors
/// When it cannot be read, or its numbers are not exactly 1 to its head.
pub async fn texts(store: &SharedStore, key: ConversationKey) -> anyhow::Result<Vec<String>> {
    let mut events: Vec<Event> = Vec::new();
    let head = loop {
        let page = store.read(key, events.len() as Seq, PageBounds::FULL).await?;
        let more = !page.events.is_empty();
        events.extend(page.events);
        if !more || events.len() as Seq >= page.head {
            break page.head;
        }
    };
    let seqs: Vec<Seq> = events.iter().map(|event| event.seq).collect();
    ensure!(seqs == (1..=head).collect::<Vec<_>>(), "the log is not numbered 1..={head}: {seqs:?}");
    let text = |event: Event| match event.fact {
        Fact::Message { text, .. } => text.as_str().to_string(),
        other => other.name().to_string(),
    };
    Ok(events.into_iter().map(text).collect())
}

/// Passes when both are equal; otherwise says what was found.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> anyhow::Result<()> {
    ensure!(found == wanted, "{what}: found {found:?}, wanted {wanted:?}");
    Ok(())
}

/// Passes when the store refused as wanted.
pub(super) fn refused<T: std::fmt::Debug>(
    what: &str,
    found: Result<T, StoreError>,
    wanted: &StoreError,
) -> anyhow::Result<()> {
    match found {
        Err(error) if error == *wanted => Ok(()),
        other => anyhow::bail!("{what}: found {other:?}, wanted Err({wanted:?})"),
    }
}

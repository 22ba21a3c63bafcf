//! Long logs go through segments: written, read, taken over in the middle of a change of segment, and erased whole.

use std::sync::Arc;

use anyhow::ensure;
use engine_store::cql::CqlStore;
use engine_store::{Claim, Log, Page, PageBounds, SharedStore, StoreError};
use schema::{ConversationKey, Seq};
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, append, fresh_key, opening, texts};

use super::{beside, count, log_of, open};

/// Events of one append.
const BATCH: usize = 250;

/// Appends so many events, and gives where the log ends.
async fn fill(store: &CqlStore, key: ConversationKey, mut claim: Claim, events: usize) -> anyhow::Result<Claim> {
    for first in (0..events).step_by(BATCH) {
        let words: Vec<String> = (first..events.min(first + BATCH)).map(|n| format!("word {n}")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        store.append(append(key, claim, &words)).await?;
        claim.head += words.len() as Seq;
    }
    Ok(claim)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_log_is_read_and_erased_through_its_segments() -> Outcome {
    const EVENTS: usize = 10_400;
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let store = open(contact_point, &keyspace, folder.path()).await?;
    let key = fresh_key();
    let claim = store.claim(key, opening(schema::ContactId::generate(), 0)).await?;
    let claim = fill(&store, key, claim, EVENTS).await?;

    let session = beside(contact_point, &keyspace).await?;
    let log = log_of(&session, key).await?;
    for (segment, events) in [(0, 5_000), (1, 5_000), (2, 400)] {
        let statement = format!("SELECT count(seq) FROM log WHERE log = ? AND segment = {segment}");
        assert_eq!(count(&session, &statement, log).await?, events, "segment {segment}");
    }
    let shared: SharedStore = Arc::clone(&store) as SharedStore;
    let wanted: Vec<String> = (0..EVENTS).map(|n| format!("word {n}")).collect();
    ensure!(texts(&shared, key).await? == wanted, "the log reads back as it was written");
    for after in [0, 1, 4_998, 4_999, 5_000, 5_001, 9_999, 10_000, 10_399] {
        let Page { events, head, .. } = store.read(key, after, PageBounds::events(3)).await?;
        let seqs: Vec<Seq> = events.iter().map(|event| event.seq).collect();
        let wanted: Vec<Seq> = (after + 1..=EVENTS as Seq).take(3).collect();
        assert_eq!((seqs, head), (wanted, EVENTS as Seq), "after {after}");
    }

    // Another node, which knows nothing of it.
    let other = open(contact_point, &keyspace, folder.path()).await?;
    let taken = other.claim(key, None).await?;
    assert_eq!((taken.epoch, taken.head), (claim.epoch + 1, claim.head));
    assert_eq!(store.append(append(key, claim, &["late"])).await, Err(StoreError::Fenced));
    fill(&other, key, taken, 3).await?;

    store.erase(key, None).await?;
    for segment in 0..4 {
        let statement = format!("SELECT count(*) FROM log WHERE log = ? AND segment = {segment}");
        assert_eq!(count(&session, &statement, log).await?, 0, "segment {segment} is gone");
    }
    for store in [&store, &other] {
        assert_eq!(store.read(key, 0, PageBounds::FULL).await.map(|page| page.head), Err(StoreError::NotFound));
        assert_eq!(store.append(append(key, taken, &["late"])).await, Err(StoreError::NotFound));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_events_fill_a_segment_by_their_bytes() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let store = open(contact_point, &keyspace, folder.path()).await?;
    let key = fresh_key();
    let mut claim = store.claim(key, opening(schema::ContactId::generate(), 0)).await?;
    let large = "x".repeat(240 * 1024);
    for _ in 0..80 {
        store.append(append(key, claim, &[&large])).await?;
        claim.head += 1;
    }
    let session = beside(contact_point, &keyspace).await?;
    let log = log_of(&session, key).await?;
    for segment in 0..3 {
        let statement = format!("SELECT count(seq) FROM log WHERE log = ? AND segment = {segment}");
        let events = count(&session, &statement, log).await?;
        ensure!((10..=34).contains(&events), "segment {segment} has {events} events of 240 KiB");
    }
    let (mut after, mut read) = (0, 0);
    while after < 80 {
        let page = store.read(key, after, PageBounds::FULL).await?;
        let last = page.events.last().map_or(after, |event| event.seq);
        ensure!(page.events.len() == 1 && last == after + 1, "a page has one of these: {}", page.events.len());
        (after, read) = (last, read + 1);
    }
    assert_eq!(read, 80);
    Ok(())
}

/// An owner that was killed while it went from one segment to the next leaves one of these behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_taken_over_in_the_middle_of_a_change_of_segment() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let session = beside(contact_point, "system").await?;
    let first = open(contact_point, &keyspace, folder.path()).await?;
    let second = open(contact_point, &keyspace, folder.path()).await?;
    session.use_keyspace(&keyspace, false).await?;
    for is_opened in [false, true] {
        let key = fresh_key();
        let claim = first.claim(key, opening(schema::ContactId::generate(), 0)).await?;
        let claim = fill(&first, key, claim, 3).await?;
        let log = log_of(&session, key).await?;
        let seal = "UPDATE log SET next = 1 WHERE log = ? AND segment = 0 IF epoch = 1 AND head = 3 AND next = null";
        session.query_unpaged(seal, (log,)).await?;
        if is_opened {
            let open =
                "UPDATE log SET epoch = 1, head = 3, first = 4, bytes = 0, last_at = 5 WHERE log = ? AND segment = 1
                        IF epoch = null";
            session.query_unpaged(open, (log,)).await?;
        }
        let taken = second.claim(key, None).await?;
        assert_eq!((taken.epoch, taken.head), (2, 3), "opened: {is_opened}");
        assert_eq!(first.append(append(key, claim, &["late"])).await, Err(StoreError::Fenced));
        fill(&second, key, taken, 2).await?;
        let wanted: Vec<String> = [0, 1, 2, 0, 1].map(|n| format!("word {n}")).into();
        for store in [&first, &second] {
            let shared: SharedStore = Arc::clone(store) as SharedStore;
            assert_eq!(texts(&shared, key).await?, wanted, "opened: {is_opened}");
        }
        let events = "SELECT count(seq) FROM log WHERE log = ? AND segment = 1";
        assert_eq!(count(&session, events, log).await?, 2, "it goes on in the next segment");
    }
    Ok(())
}

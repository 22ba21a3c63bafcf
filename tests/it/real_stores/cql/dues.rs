//! When conversations are due, where their owner does not know what became of a change, or somebody else has made one.

use std::collections::BTreeSet;

use actors::{Clock as _, SystemClock};
use anyhow::{Context, ensure};
use engine_store::cql::CqlStore;
use engine_store::{Append, Claim, DueChange, DueIndex, DueQuery, Log, Reschedule, UnspokenQuery};
use schema::{ContactId, ConversationKey, Timestamp};
use scylla::client::session::Session;
use scylla::value::CqlTimestamp;
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, append, fresh_key, opening};

use super::{beside, fresh, late, log_of, unknown};

/// A moment that nobody lives to see.
const FAR: i64 = 4_000_000_000_000;

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// When a conversation is due, of all that is due before a moment.
async fn due(store: &CqlStore, key: ConversationKey, before: i64) -> anyhow::Result<Option<i64>> {
    let found = store.due(DueQuery { before: at(before), after: None, limit: 1_000 }).await?;
    Ok(found.into_iter().find(|entry| entry.key == key).map(|entry| entry.at.as_millis()))
}

async fn opened(store: &CqlStore, due: DueChange) -> anyhow::Result<(ConversationKey, Claim)> {
    let key = fresh_key();
    let claim = store.claim(key, opening(ContactId::generate(), 0)).await?;
    store.append(Append { due, ..append(key, claim, &["one"]) }).await?;
    Ok((key, Claim { head: 1, ..claim }))
}

/// How an owner says when it is due.
#[derive(Clone, Copy, Debug)]
enum Saying {
    OneEvent,
    Events,
    Rescheduling,
}

impl Saying {
    async fn say(self, store: &CqlStore, key: ConversationKey, claim: Claim, moment: i64) -> anyhow::Result<()> {
        let due = DueChange::At(at(moment));
        let Claim { epoch, head, .. } = claim;
        match self {
            Self::OneEvent => store.append(Append { due, ..append(key, claim, &["two"]) }).await?,
            Self::Events => store.append(Append { due, ..append(key, claim, &["two", "three"]) }).await?,
            Self::Rescheduling => store.reschedule(Reschedule { key, epoch, head, at: Some(at(moment)) }).await?,
        }
        Ok(())
    }
}

/// A rescheduling was done of which the owner has not heard, so that what it remembers is old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_is_not_lost_to_what_is_remembered_of_it() -> Outcome {
    let (store, session, _folder) = fresh().await?;
    for saying in [Saying::OneEvent, Saying::Events, Saying::Rescheduling] {
        for unheard in ["due = null, due_mark = null", "due = 4000000600000"] {
            let (key, claim) = opened(&store, DueChange::At(at(FAR))).await?;
            let log = log_of(&session, key).await?;
            let set = format!(
                "UPDATE log SET {unheard} WHERE log = ? AND segment = 0 IF epoch = 1 AND head = 1 AND next = null"
            );
            session.query_unpaged(set, (log,)).await?;
            // Whoever looks moves the row on, or drops it.
            due(&store, key, FAR + 700_000).await?;
            saying.say(&store, key, claim, FAR + 60_000).await?;
            let what = format!("{saying:?} behind {unheard}");
            ensure!(due(&store, key, FAR + 60_001).await? == Some(FAR + 60_000), "{what}: it is lost");
            ensure!(due(&store, key, FAR + 60_000).await?.is_none(), "{what}: it is due before");
        }
    }
    Ok(())
}

/// The marks of the rows that lead to a conversation when it is due.
async fn marks(session: &Session, key: ConversationKey) -> anyhow::Result<BTreeSet<i64>> {
    let select = "SELECT kind, id, mark FROM agenda";
    let rows = session.query_unpaged(select, ()).await?.into_rows_result()?;
    let rows: Vec<(i8, Vec<u8>, i64)> = rows.rows()?.collect::<Result<_, _>>()?;
    let id = key.conversation.as_bytes().as_slice();
    Ok(rows.into_iter().filter(|(kind, of, _)| *kind == 0 && of == id).map(|(.., mark)| mark).collect())
}

/// Nothing is appended between a row, what it was written for, and the end of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_goes_when_its_moment_was_taken_back_or_never_came() -> Outcome {
    let (store, session, _folder) = fresh().await?;
    let (key, Claim { epoch, head, .. }) = opened(&store, DueChange::Keep).await?;
    let set = async |moment: Option<i64>| {
        let set = Reschedule { key, epoch, head, at: moment.map(at) };
        anyhow::Ok(store.reschedule(set).await?)
    };
    set(Some(FAR)).await?;
    let told = marks(&session, key).await?;
    ensure!(told.len() == 1, "one row leads to it: {told:?}");
    let (log, now) = (log_of(&session, key).await?, SystemClock.now().as_millis());
    let (tenant, id) = (key.tenant.as_bytes().as_slice(), key.conversation.as_bytes().as_slice());
    // Of statements that were never done: of one it is sure by now.
    let (old, young) = (told.first().map_or(1, |mark| mark ^ 1), told.first().map_or(2, |mark| mark ^ 2));
    for (mark, days) in [(old, 3), (young, 1)] {
        let note = format!(
            "INSERT INTO agenda (kind, slot, shard, at, tenant, id, mark, log, epoch, head)
             VALUES (0, ?, ?, ?, ?, ?, ?, ?, 1, 1) USING TIMESTAMP {}",
            (now - days * 24 * 3_600_000) * 1_000
        );
        let (slot, shard) = (i32::try_from(FAR / 600_000)?, i8::try_from(id[15] % 8)?);
        session.query_unpaged(note, (slot, shard, CqlTimestamp(FAR), tenant, id, mark, log)).await?;
    }
    ensure!(due(&store, key, FAR + 1).await? == Some(FAR), "it is due");
    let left = marks(&session, key).await?;
    ensure!(left == told.iter().copied().chain([young]).collect(), "of {told:?}, {old} and {young} are left {left:?}");
    set(None).await?;
    ensure!(due(&store, key, FAR + 1).await?.is_none(), "it is not due any more");
    let left = marks(&session, key).await?;
    ensure!(left == BTreeSet::from([young]), "beside {young} are left {left:?}");
    for moment in [Some(FAR + 9), None, Some(FAR + 7)] {
        set(moment).await?;
        ensure!(due(&store, key, FAR + 10).await? == moment, "it is due again");
    }
    Ok(())
}

/// What cannot be read holds up nobody else: a row, and a log that a row leads to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_row_holds_up_no_other_one() -> Outcome {
    let (store, session, _folder) = fresh().await?;
    let (good, _) = opened(&store, DueChange::At(at(FAR + 9))).await?;
    let (bad, _) = opened(&store, DueChange::At(at(FAR))).await?;
    let unspoken = fresh_key();
    store.claim(unspoken, opening(ContactId::generate(), 9)).await?;
    let broken = "UPDATE log SET first = null WHERE log = ? AND segment = 0 IF epoch = 1";
    session.query_unpaged(broken, (log_of(&session, bad).await?,)).await?;
    type Stored = (i8, i32, i8, CqlTimestamp, Vec<u8>, Vec<u8>, i64);
    let select = "SELECT kind, slot, shard, at, tenant, id, mark FROM agenda";
    let rows = session.query_unpaged(select, ()).await?.into_rows_result()?;
    let rows: Vec<Stored> = rows.rows()?.collect::<Result<_, _>>()?;
    ensure!(rows.len() >= 3, "there are rows");
    for (kind, slot, shard, moment, ..) in rows {
        // One without a log, and one of a name that nothing has, before each.
        let odd = "INSERT INTO agenda (kind, slot, shard, at, tenant, id, mark) VALUES (?, ?, ?, ?, 0x01, 0x02, 1)";
        session.query_unpaged(odd, (kind, slot, shard, CqlTimestamp(moment.0 - 1))).await?;
    }
    ensure!(due(&store, good, FAR + 10).await? == Some(FAR + 9), "it is due");
    let found = store.unspoken(UnspokenQuery { before: at(i64::MAX), after: None, limit: 9 }).await?;
    ensure!(found.iter().any(|found| found.key == unspoken), "it is unspoken: {found:?}");
    Ok(())
}

/// A rescheduling that comes when later ones were done changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_change_of_an_entry_undoes_no_later_one() -> Outcome {
    let keyspace = keyspace_name();
    let (store, mut proxy, _folder) = unknown::open_in(&keyspace).await?;
    let session = beside(Cassandra::shared()?, &keyspace).await?;
    let (key, Claim { epoch, head, .. }) = opened(&store, DueChange::At(at(FAR))).await?;
    let log = log_of(&session, key).await?;
    let (rule, mut late) = late::keep(&[log.as_bytes(), &(FAR + 90_000).to_be_bytes()], 1);
    proxy.running_nodes.first_mut().context("the proxy has a node")?.change_request_rules(Some(vec![rule]));
    for moment in [90_000, 5, 60_000] {
        store.reschedule(Reschedule { key, epoch, head, at: Some(at(FAR + moment)) }).await?;
    }
    proxy.turn_off_rules();
    ensure!(late.arrive().await? == 1, "none was kept");
    ensure!(due(&store, key, FAR + 60_001).await? == Some(FAR + 60_000), "the late one was done");
    unknown::end(proxy).await;
    Ok(())
}

//! Projections: rows that follow the logs, and how far they go.

use engine_store::{
    Append, Behind, Claim, ConversationRow, DueChange, ListQuery, LogCursor, PageBounds, Projection, SharedStore,
    StoreError,
};
use schema::{ConversationKey, Seq};

use super::Outcome;
use super::words::{append, bring_on, contact, fresh_key, message, open, opened, opening, refused, same, sibling};

const LIST: Projection = Projection::Conversations;
/// More events than a case has.
const MANY: usize = 10_000;

/// A row of a log that only tests would have: messages up to `head`.
fn row(head: Seq) -> ConversationRow {
    let mut row = ConversationRow::default();
    (1..=head).for_each(|seq| row.fold([&message(seq, format!("message {seq}"))]));
    row
}

/// What comes after everything that the store has now.
async fn end(store: &SharedStore) -> anyhow::Result<LogCursor> {
    let mut cursor = LogCursor::default();
    loop {
        let look = store.behind(LIST, cursor, MANY).await?;
        cursor = look.cursor;
        if look.is_all {
            return Ok(cursor);
        }
    }
}

async fn is_behind(store: &SharedStore, from: LogCursor) -> anyhow::Result<Vec<ConversationKey>> {
    let mut keys = store.behind(LIST, from, MANY).await?.keys;
    keys.sort_unstable();
    Ok(keys)
}

pub(super) async fn a_row_is_written_where_it_stands_only(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one", "two", "three"])).await?;
    same("no row yet", &store.row(key).await?, &None)?;
    refused("from beyond", store.project(key, 1, row(2)).await, &StoreError::Conflict { found: 0 })?;
    store.project(key, 0, row(2)).await?;
    same("the row", &store.row(key).await?, &Some(row(2)))?;
    for expected in [0, 1, 3] {
        let late = store.project(key, expected, row(3)).await;
        refused("from elsewhere", late, &StoreError::Conflict { found: 2 })?;
    }
    store.project(key, 2, row(3)).await?;
    same("brought on", &store.row(key).await?, &Some(row(3)))?;
    refused("again", store.project(key, 2, row(3)).await, &StoreError::Conflict { found: 3 })
}

pub(super) async fn of_two_who_bring_a_row_on_the_further_one_stands(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one", "two"])).await?;
    let (first, second) = (store.project(key, 0, row(2)), store.project(key, 0, row(1)));
    let (first, second) = futures_util::join!(first, second);
    let won = match (first, second) {
        (Ok(()), Err(StoreError::Conflict { found: 2 })) => 2,
        (Err(StoreError::Conflict { found: 1 }), Ok(())) => 1,
        (Ok(()), Ok(())) => 2,
        other => anyhow::bail!("{other:?}"),
    };
    same("the row", &store.row(key).await?, &Some(row(won)))
}

pub(super) async fn a_row_tells_no_more_than_the_log(store: SharedStore) -> Outcome {
    let key = fresh_key();
    refused("of nothing", store.project(key, 0, row(1)).await, &StoreError::NotFound)?;
    let claim = open(&store, key).await?;
    refused("of no event", store.project(key, 0, row(1)).await, &StoreError::Fenced)?;
    store.append(append(key, claim, &["one"])).await?;
    refused("of more", store.project(key, 0, row(2)).await, &StoreError::Fenced)?;
    store.project(key, 0, row(1)).await?;
    same("the row", &store.row(key).await?, &Some(row(1)))?;
    same("another tenant's", &store.row(ConversationKey { tenant: fresh_key().tenant, ..key }).await?, &None)
}

pub(super) async fn what_a_projection_is_behind_is_found(store: SharedStore) -> Outcome {
    let from = end(&store).await?;
    let (first, second, other) = (fresh_key(), fresh_key(), fresh_key());
    let mut claims = Vec::new();
    for key in [first, second, other] {
        claims.push(open(&store, key).await?);
    }
    same("without an event nobody is", &is_behind(&store, from).await?, &vec![])?;
    store.append(append(first, claims[0], &["one", "two"])).await?;
    store.append(append(second, claims[1], &["one"])).await?;
    let mut wanted = vec![first, second];
    wanted.sort_unstable();
    same("both", &is_behind(&store, from).await?, &wanted)?;
    bring_on(&store, first).await?;
    same("one has been brought on", &is_behind(&store, from).await?, &vec![second])?;
    let now = end(&store).await?;
    same("nothing came later", &is_behind(&store, now).await?, &vec![])?;
    store.append(append(first, Claim { head: 2, ..claims[0] }, &["three"])).await?;
    same("its log goes on", &is_behind(&store, now).await?, &vec![first])?;
    store.project(first, 2, row(3)).await?;
    bring_on(&store, second).await?;
    same("nobody", &is_behind(&store, from).await?, &vec![])
}

pub(super) async fn a_row_that_tells_of_a_part_is_behind(store: SharedStore) -> Outcome {
    let from = end(&store).await?;
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one", "two", "three"])).await?;
    store.project(key, 0, row(1)).await?;
    same("its row tells of the first", &is_behind(&store, from).await?, &vec![key])?;
    store.project(key, 1, row(3)).await?;
    same("and of all", &is_behind(&store, from).await?, &vec![])
}

pub(super) async fn a_row_does_not_go_back(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one", "two", "three"])).await?;
    store.project(key, 0, row(2)).await?;
    for head in [1, 2] {
        let back = store.project(key, 2, row(head)).await;
        refused("back", back, &StoreError::Conflict { found: 2 })?;
    }
    same("the row", &store.row(key).await?, &Some(row(2)))
}

pub(super) async fn looking_goes_on_in_pieces_and_misses_nothing(store: SharedStore) -> Outcome {
    let from = end(&store).await?;
    let mut wanted = Vec::new();
    for n in 0..7 {
        let key = fresh_key();
        let claim = open(&store, key).await?;
        store.append(append(key, claim, &["words"; 3][..1 + n % 3])).await?;
        wanted.push(key);
    }
    wanted.sort_unstable();
    for events in [1, 2, 3, 5, 100] {
        let (mut cursor, mut found, mut looks) = (from, Vec::new(), 0);
        loop {
            let Behind { keys, cursor: next, is_all } = store.behind(LIST, cursor, events).await?;
            anyhow::ensure!(keys.len() <= events, "{} keys of {events} events", keys.len());
            found.extend(keys);
            looks += 1;
            if is_all {
                break;
            }
            anyhow::ensure!(next > cursor, "it does not get on: {next:?}");
            cursor = next;
        }
        found.sort_unstable();
        found.dedup();
        same(&format!("in pieces of {events}, {looks} looks"), &found, &wanted)?;
    }
    Ok(())
}

pub(super) async fn a_place_in_the_order_is_used_once(store: SharedStore) -> Outcome {
    for (short, erased_by_head) in [(true, false), (false, false), (true, true)] {
        let before = fresh_key();
        let claim = open(&store, before).await?;
        let count = if short { 2 } else { 200 };
        store.append(append(before, claim, &vec!["newest"; count])).await?;
        let passed = end(&store).await?;
        store.erase(before, erased_by_head.then_some(count as Seq)).await?;
        // Whatever the adapter still has to tidy up is tidied up meanwhile.
        for _ in 0..4 {
            store.probe().await?;
        }
        let after = fresh_key();
        let claim = open(&store, after).await?;
        store.append(append(after, claim, &["later"])).await?;
        same("what came later is found", &is_behind(&store, passed).await?, &vec![after])?;
        anyhow::ensure!(end(&store).await? > passed, "the order goes on");
    }
    Ok(())
}

pub(super) async fn a_cursor_goes_forward_until_it_is_reset(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one", "two"])).await?;
    bring_on(&store, key).await?;
    let cursor = end(&store).await?;
    store.advance(LIST, cursor).await?;
    same("it is kept", &store.cursor(LIST).await?, &cursor)?;
    store.advance(LIST, LogCursor(1)).await?;
    same("another who is late", &store.cursor(LIST).await?, &cursor)?;
    let listed = async || -> anyhow::Result<usize> {
        let query = ListQuery { tenant: key.tenant, contacts: None, before: None, limit: 9 };
        Ok(store.list(query).await?.len())
    };
    same("listed", &listed().await?, &1)?;
    store.reset(LIST).await?;
    same("from the beginning", &store.cursor(LIST).await?, &LogCursor::default())?;
    same("no row", &(store.row(key).await?, listed().await?), &(None, 0))?;
    let found = is_behind(&store, LogCursor::default()).await?;
    anyhow::ensure!(found.contains(&key), "it is behind again");
    bring_on(&store, key).await?;
    same("made anew", &(store.row(key).await?, listed().await?), &(Some(row_of(&store, key).await?), 1))
}

pub(super) async fn an_erased_row_does_not_come_back(store: SharedStore) -> Outcome {
    for count in [3, 300] {
        let key = fresh_key();
        let claim = store.claim(key, opening(contact("ana"), 0)).await?;
        let events = std::iter::once(opened(contact("ana"), 1)).chain((2..=count).map(|seq| message(seq, "words")));
        let (events, due) = (events.collect(), DueChange::Keep);
        store.append(Append { key, epoch: claim.epoch, head: 0, events, due }).await?;
        bring_on(&store, key).await?;
        let listed = |contacts| ListQuery { tenant: key.tenant, contacts, before: None, limit: 9 };
        same("listed", &store.list(listed(None)).await?.len(), &1)?;
        // All asked for before any is answered, as by a consumer that knows of nothing.
        let (erased, late) = (store.erase(key, None), store.project(key, count, row(count)));
        same("erased", &erased.await, &Ok(()))?;
        refused("late", late.await, &StoreError::NotFound)?;
        refused("from the beginning", store.project(key, 0, row(count)).await, &StoreError::NotFound)?;
        same("its row", &store.row(key).await?, &None)?;
        for whose in [None, Some(vec![contact("ana")])] {
            same("the list", &store.list(listed(whose)).await?, &vec![])?;
        }
    }
    Ok(())
}

pub(super) async fn an_erasure_leaves_the_rows_of_others(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let others = [sibling(key), ConversationKey { tenant: fresh_key().tenant, ..key }];
    for key in [others[0], key, others[1]] {
        let claim = open(&store, key).await?;
        store.append(append(key, claim, &["one", "two"])).await?;
        bring_on(&store, key).await?;
    }
    store.erase(key, None).await?;
    for other in others {
        same("another row", &store.row(other).await?, &Some(row_of(&store, other).await?))?;
    }
    Ok(())
}

/// The row that a conversation's whole log gives.
async fn row_of(store: &SharedStore, key: ConversationKey) -> anyhow::Result<ConversationRow> {
    let mut row = ConversationRow::default();
    let page = store.read(key, 0, PageBounds::FULL).await?;
    row.fold(&page.events);
    Ok(row)
}

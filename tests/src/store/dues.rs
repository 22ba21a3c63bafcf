//! The due index: entries that change with their events, in order, and only by their owner.

use engine_store::{
    Append, Claim, DueChange, DueEntry, DueQuery, Hasten, Hastened, Reschedule, SharedStore, StoreError,
};
use schema::{ConversationId, ConversationKey, TenantId, Timestamp};

use super::Outcome;
use super::words::{append, fresh_key, open, refused, same, sibling};

/// Moments of these cases: cases share a store, and each looks at its own tenant only.
const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn with(append: Append, due: DueChange) -> Append {
    Append { due, ..append }
}

/// All of some tenants' entries before a moment, page by page.
async fn due(
    store: &SharedStore,
    tenants: &[TenantId],
    before: i64,
    limit: usize,
) -> anyhow::Result<Vec<(i64, ConversationKey)>> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.due(DueQuery { before: at(before), after, limit }).await?;
        anyhow::ensure!(page.len() <= limit, "{} entries where {limit} were asked for", page.len());
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(*last);
        let theirs = page.into_iter().filter(|entry| tenants.contains(&entry.key.tenant));
        found.extend(theirs.map(|DueEntry { at, key }| (at.as_millis(), key)));
    }
}

/// The one entry of a conversation that is alone at its tenant.
async fn entry(store: &SharedStore, key: ConversationKey) -> anyhow::Result<Option<i64>> {
    let found = due(store, &[key.tenant], i64::MAX, 50).await?;
    anyhow::ensure!(found.len() <= 1, "one conversation has {} entries", found.len());
    Ok(found.first().map(|(at, _)| *at))
}

pub(super) async fn an_append_sets_keeps_and_clears_the_entry(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let mut claim = open(&store, key).await?;
    same("nothing is due at first", &entry(&store, key).await?, &None)?;
    for (change, stands) in [
        (DueChange::Keep, None),
        (DueChange::At(at(500)), Some(500)),
        (DueChange::Keep, Some(500)),
        (DueChange::At(at(9_000)), Some(9_000)),
        (DueChange::At(at(-3)), Some(-3)),
        (DueChange::Clear, None),
        (DueChange::Clear, None),
        (DueChange::At(at(7)), Some(7)),
    ] {
        store.append(with(append(key, claim, &["a word"]), change)).await?;
        claim.head += 1;
        same(&format!("after {change:?}"), &entry(&store, key).await?, &stands)?;
        let claimed = store.claim(key, None).await?;
        same("the claim knows it", &claimed.due.map(Timestamp::as_millis), &stands)?;
        claim.epoch = claimed.epoch;
    }
    Ok(())
}

pub(super) async fn an_append_that_is_refused_leaves_the_entry(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let old = open(&store, key).await?;
    store.append(with(append(key, old, &["one"]), DueChange::At(at(100)))).await?;
    let wrong = with(append(key, old, &["elsewhere"]), DueChange::Clear);
    refused("a wrong head", store.append(wrong).await, &StoreError::Fenced)?;
    store.claim(key, None).await?;
    let late = with(append(key, Claim { head: 1, ..old }, &["late"]), DueChange::At(at(900)));
    refused("an old owner", store.append(late).await, &StoreError::Fenced)?;
    same("the entry", &entry(&store, key).await?, &Some(100))
}

pub(super) async fn only_the_owner_at_the_head_reschedules(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let old = open(&store, key).await?;
    let change = |epoch, head, at: Option<i64>| Reschedule { key, epoch, head, at: at.map(Timestamp::from_millis) };
    let unknown = Reschedule { key: sibling(key), ..change(1, 0, Some(5)) };
    refused("an unknown one", store.reschedule(unknown).await, &StoreError::NotFound)?;
    store.append(with(append(key, old, &["one"]), DueChange::At(at(100)))).await?;
    let new = store.claim(key, None).await?;
    for (epoch, head) in [(old.epoch, 1), (new.epoch + 1, 1), (new.epoch, 0), (new.epoch, 2)] {
        for moment in [Some(900), None] {
            let refusal = store.reschedule(change(epoch, head, moment)).await;
            refused(&format!("epoch {epoch}, head {head}"), refusal, &StoreError::Fenced)?;
        }
    }
    same("the entry", &entry(&store, key).await?, &Some(100))?;
    for moment in [Some(900), Some(900), Some(30), None, None, Some(1)] {
        store.reschedule(change(new.epoch, 1, moment)).await?;
        same("moved", &entry(&store, key).await?, &moment)?;
    }
    // One that comes late, behind the owner's own append, changes nothing.
    store.append(with(append(key, Claim { head: 1, ..new }, &["two"]), DueChange::At(at(40)))).await?;
    refused("late", store.reschedule(change(new.epoch, 1, Some(99_000))).await, &StoreError::Fenced)?;
    same("the append's", &entry(&store, key).await?, &Some(40))
}

pub(super) async fn who_is_due_is_given_in_order_page_by_page(store: SharedStore) -> Outcome {
    let tenants = [TenantId::generate(), TenantId::generate()];
    let mut wanted = Vec::new();
    for (n, moment) in [(0, 30), (1, 10), (0, 20), (1, 20), (0, 20), (0, 40), (1, -5)] {
        let key = ConversationKey { tenant: tenants[n], conversation: ConversationId::generate() };
        let claim = open(&store, key).await?;
        store.append(with(append(key, claim, &["one"]), DueChange::At(at(moment)))).await?;
        wanted.push((moment, key));
    }
    wanted.sort_unstable();
    for (before, count) in [(-5, 0), (-4, 1), (20, 2), (21, 5), (40, 6), (41, 7)] {
        for limit in 1..=4 {
            let found = due(&store, &tenants, before, limit).await?;
            same(&format!("before {before}, {limit} at once"), &found, &wanted[..count].to_vec())?;
        }
    }
    Ok(())
}

pub(super) async fn what_was_erased_is_never_due(store: SharedStore) -> Outcome {
    // Whether it goes at once or piece by piece.
    for words in [1, 200] {
        let key = fresh_key();
        let claim = open(&store, key).await?;
        store.append(with(append(key, claim, &vec!["a word"; words]), DueChange::At(at(50)))).await?;
        store.erase(key, None).await?;
        same("erased", &entry(&store, key).await?, &None)?;
        let late = Reschedule { key, epoch: claim.epoch, head: words as u64, at: Some(at(60)) };
        refused("its owner", store.reschedule(late).await, &StoreError::NotFound)?;
        same("a new one begins without", &open(&store, key).await?.due, &None)?;
        same("and has none", &entry(&store, key).await?, &None)?;
    }
    Ok(())
}

pub(super) async fn hastening_brings_a_tenants_entries_forward_piece_by_piece(store: SharedStore) -> Outcome {
    let (tenant, other) = (TenantId::generate(), TenantId::generate());
    let mut keys = Vec::new();
    for (whose, moment) in
        [(tenant, Some(9_000)), (tenant, Some(3)), (tenant, None), (tenant, Some(9_000)), (other, Some(9_000))]
    {
        let key = ConversationKey { tenant: whose, conversation: ConversationId::generate() };
        let claim = open(&store, key).await?;
        let change = moment.map_or(DueChange::Keep, |moment| DueChange::At(at(moment)));
        store.append(with(append(key, claim, &["one"]), change)).await?;
        keys.push(key);
    }
    // Nobody has opened it yet.
    open(&store, ConversationKey { tenant, conversation: ConversationId::generate() }).await?;
    for (missing, from, entries) in [
        (false, 100, [Some(100), Some(3), None, Some(110)]),
        (true, 50, [Some(50), Some(3), Some(60), Some(70)]),
        (true, 200, [Some(50), Some(3), Some(60), Some(70)]),
    ] {
        let step = std::time::Duration::from_millis(10);
        let (mut after, mut from) = (None, at(from));
        for piece in 0.. {
            let hasten = Hasten { tenant, after, limit: 2, from, step, missing };
            let Some(Hastened { last, moved }) = store.hasten(hasten).await? else { break };
            anyhow::ensure!(piece < 4 && moved <= 2 && after < Some(last), "it does not come on");
            (after, from) = (Some(last), from.plus(step * moved));
        }
        let mut found = due(&store, &[tenant], i64::MAX, 9).await?;
        found.sort_unstable_by_key(|(_, key)| *key);
        let wanted = keys.iter().zip(entries).filter_map(|(key, entry)| Some((entry?, *key))).collect();
        same(&format!("from {from}"), &found, &wanted)?;
        let claimed = store.claim(keys[0], None).await?;
        same("the claim knows", &claimed.due.map(Timestamp::as_millis), &entries[0])?;
    }
    same("another tenant's", &due(&store, &[other], i64::MAX, 9).await?, &vec![(9_000, keys[4])])
}

//! Erasing conversations, and finding those that nobody has spoken in.

use engine_store::{Claim, ListQuery, Opening, PageBounds, SharedStore, StoreError, Unspoken, UnspokenQuery};
use schema::{ContactId, ConversationId, ConversationKey, TenantId, Timestamp};

use super::Outcome;
use super::words::{append, bring_on, contact, fresh_key, open, opening, refused, same, sibling, texts};

pub(super) async fn what_was_erased_was_never_there(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one", "two"])).await?;
    bring_on(&store, key).await?;
    store.erase(key, None).await?;
    refused("a page", store.read(key, 0, PageBounds::FULL).await, &StoreError::NotFound)?;
    refused("a claim", store.claim(key, None).await, &StoreError::NotFound)?;
    refused("once more", store.erase(key, None).await, &StoreError::NotFound)?;
    let query = ListQuery { tenant: key.tenant, contacts: None, before: None, limit: 9 };
    same("the list", &store.list(query).await?, &vec![])
}

pub(super) async fn an_erasure_asked_for_again_while_it_is_on_its_way_is_no_failure(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one"])).await?;
    // None is answered before all are asked for.
    let (first, again) = (store.erase(key, None), [None, Some(1), Some(7)].map(|head| store.erase(key, head)));
    same("the first", &first.await, &Ok(()))?;
    for again in again {
        let answer = again.await;
        same("one of the others", &matches!(answer, Ok(()) | Err(StoreError::NotFound)), &true)?;
    }
    refused("once it is over", store.erase(key, None).await, &StoreError::NotFound)
}

pub(super) async fn an_owner_cannot_write_back_what_was_erased(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one"])).await?;
    // All asked for before any is answered, as by an owner that knows of nothing.
    let next = |head| store.append(append(key, Claim { head, ..claim }, &["more"]));
    let (before, erased, after) = (next(1), store.erase(key, None), next(2));
    same("before it", &before.await, &Ok(()))?;
    same("it", &erased.await, &Ok(()))?;
    refused("after it", after.await, &StoreError::NotFound)?;
    refused("and at its old head", next(1).await, &StoreError::NotFound)
}

pub(super) async fn an_erasure_leaves_all_others(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let others = [sibling(key), ConversationKey { tenant: TenantId::generate(), ..key }];
    for key in [others[0], key, others[1]] {
        let claim = open(&store, key).await?;
        store.append(append(key, claim, &["kept", "kept too"])).await?;
    }
    store.erase(key, None).await?;
    for other in others {
        same("another log", &texts(&store, other).await?, &vec!["kept".into(), "kept too".into()])?;
    }
    Ok(())
}

pub(super) async fn an_erasure_may_ask_for_a_head(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one", "two"])).await?;
    for head in [0, 1, 3] {
        refused("another head", store.erase(key, Some(head)).await, &StoreError::Fenced)?;
    }
    same("the log", &texts(&store, key).await?.len(), &2)?;
    store.erase(key, Some(2)).await?;
    refused("a page", store.read(key, 0, PageBounds::FULL).await, &StoreError::NotFound)
}

pub(super) async fn erasing_what_is_unknown_is_not_found(store: SharedStore) -> Outcome {
    let key = fresh_key();
    refused("unknown", store.erase(key, None).await, &StoreError::NotFound)?;
    open(&store, sibling(key)).await?;
    refused("its sibling is there", store.erase(key, Some(0)).await, &StoreError::NotFound)
}

pub(super) async fn a_long_log_is_erased_and_a_new_one_begins_empty(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let mut claim = open(&store, key).await?;
    for _ in 0..6 {
        let events = append(key, claim, &["words"; 200]);
        claim.head += events.events.len() as u64;
        store.append(events).await?;
    }
    store.erase(key, None).await?;
    refused("a page", store.read(key, 0, PageBounds::FULL).await, &StoreError::NotFound)?;
    // Whatever the adapter still has to tidy up, others find nothing of it.
    for n in 0..20 {
        let next = if n == 0 { key } else { sibling(key) };
        let claim = open(&store, next).await?;
        same("a new one", &claim, &Claim { epoch: 1, head: 0, due: None })?;
        store.append(append(next, claim, &["new"])).await?;
        same("its log", &texts(&store, next).await?, &vec!["new".into()])?;
    }
    Ok(())
}

pub(super) async fn anonymous_conversations_without_a_word_are_found_by_age(store: SharedStore) -> Outcome {
    let tenants = [TenantId::generate(), TenantId::generate()];
    let mut wanted = Vec::new();
    for (n, at) in [(0, 3), (1, 1), (0, 2), (1, 2), (0, 2)] {
        let key = ConversationKey { tenant: tenants[n], conversation: ConversationId::generate() };
        // Whose opening is not stored has no name yet, whatever it was to be.
        let whose = if n == 1 { contact("ana") } else { ContactId::generate() };
        let opening = opening(whose, at).map(|opening| Opening { is_anonymous: n == 0, ..opening });
        let claim = store.claim(key, opening).await?;
        wanted.push(if at == 3 {
            // The opening is no word, and the messages of these tests carry times of their own.
            store.append(append(key, claim, &["opened"])).await?;
            Unspoken { last_at: Timestamp::from_millis(1_000), key, head: 1 }
        } else {
            Unspoken { last_at: Timestamp::from_millis(at), key, head: 0 }
        });
    }
    wanted.sort_unstable();
    let spoken = ConversationKey { tenant: tenants[0], conversation: ConversationId::generate() };
    let claim = store.claim(spoken, opening(ContactId::generate(), 1)).await?;
    store.append(append(spoken, claim, &["opened", "a word"])).await?;
    let named = ConversationKey { tenant: tenants[0], conversation: ConversationId::generate() };
    let claim = store
        .claim(named, opening(contact("ana"), 1).map(|opening| Opening { is_anonymous: false, ..opening }))
        .await?;
    store.append(append(named, claim, &["opened"])).await?;

    for (before, count) in [(1, 0), (2, 1), (3, 4), (1_000, 4), (1_001, 5)] {
        for limit in 1..=3 {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let query = UnspokenQuery { before: Timestamp::from_millis(before), after, limit };
                let page = store.unspoken(query).await?;
                let Some(last) = page.last() else { break };
                after = Some(*last);
                found.extend(page.into_iter().filter(|one| tenants.contains(&one.key.tenant)));
            }
            same(&format!("before {before}, {limit} at once"), &found, &wanted[..count].to_vec())?;
        }
    }
    Ok(())
}

/// Nothing of it was listed, nor said.
pub(super) async fn whoever_a_conversation_is_with_it_is_found_until_it_is_erased(store: SharedStore) -> Outcome {
    let (ana, bo, key) = (contact("ana"), contact("bo"), fresh_key());
    let (second, of_bo, elsewhere) = (sibling(key), sibling(key), fresh_key());
    for (key, whose) in [(key, ana), (second, ana), (of_bo, bo), (elsewhere, ana)] {
        store.claim(key, opening(whose, 0)).await?;
    }
    let found = async |contacts: &[ContactId], limit| -> anyhow::Result<Vec<ConversationKey>> {
        let mut found = store.with_contacts(key.tenant, contacts.to_vec(), limit).await?;
        found.sort_unstable();
        Ok(found)
    };
    let sorted = |mut keys: Vec<ConversationKey>| {
        keys.sort_unstable();
        keys
    };
    same("those with one", &found(&[ana], 9).await?, &sorted(vec![key, second]))?;
    same("those with two", &found(&[ana, bo], 9).await?, &sorted(vec![key, second, of_bo]))?;
    same("as many as asked for", &found(&[ana, bo], 2).await?.len(), &2)?;
    same("those with nobody", &found(&[], 9).await?, &vec![])?;
    store.erase(key, None).await?;
    same("those that are left", &found(&[ana], 9).await?, &vec![second])?;
    store.claim(key, opening(bo, 0)).await?;
    same("another life of it", &found(&[bo], 9).await?, &sorted(vec![key, of_bo]))?;
    same("not the life before", &found(&[ana], 9).await?, &vec![second])
}

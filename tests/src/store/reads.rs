//! Reading logs.

use engine_store::{Claim, PageBounds, SharedStore, StoreError};
use schema::ConversationKey;

use super::Outcome;
use super::words::{append, fresh_key, open, refused, same, sibling, texts};

pub(super) async fn reading_an_unknown_conversation_is_not_found(store: SharedStore) -> Outcome {
    let key = fresh_key();
    refused("a page", store.read(key, 0, PageBounds::FULL).await, &StoreError::NotFound)?;
    open(&store, key).await?;
    refused("a page of its sibling", store.read(sibling(key), 0, PageBounds::FULL).await, &StoreError::NotFound)
}

pub(super) async fn a_log_is_read_in_pages(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    let words: Vec<String> = (1..=25).map(|n| format!("number {n}")).collect();
    store.append(append(key, claim, &words.iter().map(String::as_str).collect::<Vec<_>>())).await?;
    for limit in [1, 7, 24, 25, 26] {
        let (mut seqs, mut after) = (Vec::new(), 0);
        loop {
            let page = store.read(key, after, PageBounds::events(limit)).await?;
            same("the head", &page.head, &25)?;
            let Some(last) = page.events.last() else { break };
            same("a page's size", &page.events.len(), &limit.min(25 - seqs.len()))?;
            after = last.seq;
            seqs.extend(page.events.into_iter().map(|event| event.seq));
        }
        same("all pages", &seqs, &(1..=25).collect())?;
    }
    Ok(())
}

pub(super) async fn a_page_is_bounded_in_bytes(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    // Characters that JSON writes longer than UTF-8 does: the bound is in bytes of JSON.
    let texts = [10, 400, 1, 3_000, 1, 1, 250, 10, 10_000, 70].map(|count| "\"é".repeat(count));
    store.append(append(key, claim, &texts.each_ref().map(String::as_str))).await?;
    let whole = store.read(key, 0, PageBounds::FULL).await?.events;
    same("the whole", &whole.len(), &texts.len())?;
    let sizes: Vec<usize> =
        whole.iter().map(serde_json::to_string).map(|json| json.map(|json| json.len())).collect::<Result<_, _>>()?;
    for bytes in [0, 1, sizes[0], sizes[0] + sizes[1], sizes[0] + sizes[1] - 1, 2_000, 12_000, sizes.iter().sum()] {
        for events in [1, 3, 100] {
            let bounds = PageBounds { events, bytes };
            let mut read = 0;
            while read < whole.len() {
                let page = store.read(key, read as u64, bounds).await?;
                same("the head", &page.head, &(whole.len() as u64))?;
                let mut wanted = 0;
                while wanted < events
                    && read + wanted < whole.len()
                    && (wanted == 0 || sizes[read..=read + wanted].iter().sum::<usize>() <= bytes)
                {
                    wanted += 1;
                }
                let found: Vec<u64> = page.events.iter().map(|event| event.seq).collect();
                let due: Vec<u64> = (1..).skip(read).take(wanted).collect();
                same(&format!("a page of {bounds:?} after {read}"), &found, &due)?;
                read += wanted;
            }
        }
    }
    let head = store.read(key, 0, PageBounds::HEAD).await?;
    same("the head alone", &(head.events, head.head), &(vec![], whole.len() as u64))
}

pub(super) async fn reading_past_the_head_gives_nothing(store: SharedStore) -> Outcome {
    let key = fresh_key();
    let claim = open(&store, key).await?;
    store.append(append(key, claim, &["one", "two"])).await?;
    for (after, limit) in [(2, 10), (3, 10), (u64::MAX, 10), (0, 0)] {
        let page = store.read(key, after, PageBounds::events(limit)).await?;
        same("a page", &(page.events, page.head), &(vec![], 2))?;
    }
    Ok(())
}

pub(super) async fn the_same_conversation_id_in_two_tenants_is_two_logs(store: SharedStore) -> Outcome {
    let ours = fresh_key();
    let theirs = ConversationKey { conversation: ours.conversation, ..fresh_key() };
    let claim = open(&store, ours).await?;
    store.append(append(ours, claim, &["ours"])).await?;
    refused("theirs, before", store.read(theirs, 0, PageBounds::FULL).await, &StoreError::NotFound)?;
    refused("a claim of theirs", store.claim(theirs, None).await, &StoreError::NotFound)?;
    same("theirs begins anew", &open(&store, theirs).await?, &Claim { epoch: 1, head: 0, due: None })?;
    store.append(append(theirs, claim, &["theirs"])).await?;
    store.append(append(ours, Claim { head: 1, ..claim }, &["ours again"])).await?;
    same("our log", &texts(&store, ours).await?, &vec!["ours".into(), "ours again".into()])?;
    same("their log", &texts(&store, theirs).await?, &vec!["theirs".into()])
}

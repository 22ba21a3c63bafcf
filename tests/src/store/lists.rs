//! Listing conversations.

use engine_store::{Append, DueChange, ListCursor, ListQuery, SharedStore};
use schema::wire::ConversationSummary;
use schema::{ContactId, ConversationId, ConversationKey, TenantId, Timestamp};

use super::Outcome;
use super::words::{append, bring_on, contact, fresh_key, opened, opening, same};

pub(super) async fn the_list_is_by_newest_activity(store: SharedStore) -> Outcome {
    let tenant = TenantId::generate();
    let opened = openings(&store, tenant, ContactId::generate(), &[3_000, 1_000, 2_000]).await?;
    let listed = store.list(all(tenant)).await?;
    same("ids", &ids(&listed), &vec![opened[0], opened[2], opened[1]])?;
    let rest: Vec<_> = listed.iter().map(|page| (page.head, page.last_at.as_millis())).collect();
    same("heads and times", &rest, &vec![(1, 3_000), (1, 2_000), (1, 1_000)])
}

pub(super) async fn among_equals_the_list_is_by_id(store: SharedStore) -> Outcome {
    let tenant = TenantId::generate();
    let mut opened = openings(&store, tenant, ContactId::generate(), &[5; 6]).await?;
    opened.sort_unstable_by(|a, b| b.cmp(a));
    same("ids", &ids(&store.list(all(tenant)).await?), &opened)
}

pub(super) async fn pages_of_the_list_join_to_the_whole(store: SharedStore) -> Outcome {
    let tenant = TenantId::generate();
    // Negative is before 1970: nobody's clock should say so, and nothing should break if it does.
    let times = [5, 5, 5, 1, 9, 9, -3, 0, 5, 2, 2];
    openings(&store, tenant, ContactId::generate(), &times).await?;
    let whole = store.list(all(tenant)).await?;
    same("the whole", &whole.len(), &times.len())?;
    for limit in 1..=times.len() {
        let (mut joined, mut before) = (Vec::new(), None);
        loop {
            let page = store.list(ListQuery { before, limit, ..all(tenant) }).await?;
            let Some(last) = page.last() else { break };
            before = Some(ListCursor { last_at: last.last_at, id: last.id });
            joined.extend(page);
        }
        same(&format!("pages of {limit}"), &joined, &whole)?;
    }
    same("a page of none", &store.list(ListQuery { limit: 0, ..all(tenant) }).await?, &vec![])
}

pub(super) async fn an_append_moves_a_conversation_to_the_top(store: SharedStore) -> Outcome {
    let tenant = TenantId::generate();
    let opened = openings(&store, tenant, ContactId::generate(), &[100, 200, 300]).await?;
    let key = ConversationKey { tenant, conversation: opened[0] };
    let claim = store.claim(key, None).await?;
    same("a claim alone moves nothing", &ids(&store.list(all(tenant)).await?)[0], &opened[2])?;
    store.append(append(key, claim, &["two", "three"])).await?;
    bring_on(&store, key).await?;
    let listed = store.list(all(tenant)).await?;
    same("ids", &ids(&listed), &vec![opened[0], opened[2], opened[1]])?;
    same("the newest event's number and time", &(listed[0].head, listed[0].last_at.as_millis()), &(3, 3_000))
}

pub(super) async fn the_list_shows_one_tenant(store: SharedStore) -> Outcome {
    let (ours, theirs) = (fresh_key(), fresh_key());
    let shared = ConversationKey { conversation: ours.conversation, ..theirs };
    for key in [ours, theirs, shared] {
        begin(&store, key, ContactId::generate(), 0).await?;
    }
    same("ours", &ids(&store.list(all(ours.tenant)).await?), &vec![ours.conversation])?;
    let mut both = vec![theirs.conversation, shared.conversation];
    both.sort_unstable_by(|a, b| b.cmp(a));
    same("theirs", &ids(&store.list(all(theirs.tenant)).await?), &both)?;
    same("nobody's", &store.list(all(TenantId::generate())).await?, &vec![])
}

pub(super) async fn the_list_can_be_one_contacts(store: SharedStore) -> Outcome {
    let (tenant, other) = (TenantId::generate(), TenantId::generate());
    let (ana, bo) = (contact("ana"), contact("bo"));
    let anas = openings(&store, tenant, ana, &[1, 3, 5]).await?;
    let bos = openings(&store, tenant, bo, &[2, 4]).await?;
    openings(&store, other, ana, &[6]).await?;
    let of = |contact| ListQuery { contacts: Some(vec![contact]), ..all(tenant) };
    same("ana's", &ids(&store.list(of(ana)).await?), &vec![anas[2], anas[1], anas[0]])?;
    same("bo's", &ids(&store.list(of(bo)).await?), &vec![bos[1], bos[0]])?;
    let before = Some(ListCursor { last_at: Timestamp::from_millis(5), id: anas[2] });
    same("ana's older", &ids(&store.list(ListQuery { before, limit: 1, ..of(ana) }).await?), &vec![anas[1]])?;
    same("another is nobody", &store.list(of(contact("an"))).await?, &vec![])?;
    let mut all_of_both: Vec<_> = [(1, anas[0]), (2, bos[0]), (3, anas[1]), (4, bos[1]), (5, anas[2])].to_vec();
    all_of_both.reverse();
    for limit in 1..=6 {
        let (mut joined, mut before) = (Vec::new(), None);
        loop {
            let contacts = Some(vec![ana, contact("an"), bo, ana]);
            let page = store.list(ListQuery { contacts, before, limit, ..all(tenant) }).await?;
            let Some(last) = page.last() else { break };
            before = Some(ListCursor { last_at: last.last_at, id: last.id });
            joined.extend(page.iter().map(|page| (page.last_at.as_millis(), page.id)));
        }
        same(&format!("those of both in pages of {limit}"), &joined, &all_of_both)?;
    }
    same("of nobody", &store.list(ListQuery { contacts: Some(vec![]), ..all(tenant) }).await?, &vec![])
}

fn all(tenant: TenantId) -> ListQuery {
    ListQuery { tenant, contacts: None, before: None, limit: 1_000 }
}

fn ids(pages: &[ConversationSummary]) -> Vec<ConversationId> {
    pages.iter().map(|page| page.id).collect()
}

async fn openings(
    store: &SharedStore,
    tenant: TenantId,
    contact: ContactId,
    times: &[i64],
) -> anyhow::Result<Vec<ConversationId>> {
    let mut begun = Vec::new();
    for at in times {
        let conversation = ConversationId::generate();
        begin(store, ConversationKey { tenant, conversation }, contact, *at).await?;
        begun.push(conversation);
    }
    Ok(begun)
}

/// A conversation with nothing but its opening, and its row.
async fn begin(store: &SharedStore, key: ConversationKey, contact: ContactId, at: i64) -> anyhow::Result<()> {
    let claim = store.claim(key, opening(contact, at)).await?;
    let events = [opened(contact, at)].into();
    store.append(Append { key, epoch: claim.epoch, head: 0, events, due: DueChange::Keep }).await?;
    bring_on(store, key).await
}

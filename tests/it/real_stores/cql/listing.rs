//! The list where something is damaged, old or gone: one conversation costs itself and never the list, and days that have
//! no conversation any more are read no more.

use actors::{Clock as _, SystemClock};
use anyhow::ensure;
use engine_store::cql::CqlStore;
use engine_store::{ListQuery, Log, LogCursor, Projection, Projections, SharedStore};
use schema::{ContactId, ConversationId, ConversationKey, TenantId};
use scylla::client::session::Session;
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, append, bring_on, fresh_key, opening};

use super::{beside, fresh, log_of, open, said};

const LIST: Projection = Projection::Conversations;
const DAY: i64 = 24 * 3_600_000;

/// What is behind, from the beginning of a walk over all conversations to the end of what was appended to.
async fn all_behind(store: &CqlStore) -> anyhow::Result<Vec<ConversationKey>> {
    let (mut cursor, mut found) = (LogCursor::default(), Vec::new());
    loop {
        let look = store.behind(LIST, cursor, 2).await?;
        ensure!(look.is_all || look.cursor > cursor, "it gets on");
        cursor = look.cursor;
        found.extend(look.keys);
        if look.is_all {
            return Ok(found);
        }
    }
}

async fn listed(
    store: &CqlStore,
    tenant: TenantId,
    contacts: Option<Vec<ContactId>>,
) -> anyhow::Result<Vec<ConversationId>> {
    let found = store.list(ListQuery { tenant, contacts, before: None, limit: 50 }).await?;
    Ok(found.into_iter().map(|found| found.id).collect())
}

/// The days in the index of a contact, or of the list of all.
async fn days(session: &Session, tenant: TenantId, contact: Option<ContactId>) -> anyhow::Result<Vec<i32>> {
    let contact: &[u8] = contact.as_ref().map_or(&[], |contact| contact.as_bytes());
    let select = "SELECT day FROM listed_day WHERE tenant = ? AND contact = ?";
    let found = session.query_unpaged(select, (tenant.as_bytes().as_slice(), contact)).await?.into_rows_result()?;
    let days = found.rows::<(i32,)>()?.map(|day| day.map(|(day,)| day));
    Ok(days.collect::<Result<_, _>>()?)
}

/// A conversation that cannot be read stands in the way of no other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_holds_up_no_list() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let store = open(contact_point, &keyspace, folder.path()).await?;
    let session = beside(contact_point, &keyspace).await?;
    let tenant = TenantId::generate();
    let of_it = || ConversationKey { tenant, conversation: ConversationId::generate() };
    let (shown, good) = (of_it(), of_it());
    for key in [shown, good] {
        said(&store, key, &["one"]).await?;
    }
    bring_on(&(store.clone() as SharedStore), shown).await?;
    let mut bad = Vec::new();
    for broken in [
        "UPDATE log SET first = null WHERE log = ? AND segment = 0 IF epoch = 1",
        "UPDATE conversation_row SET last_at = null WHERE log = ?",
    ] {
        let key = of_it();
        said(&store, key, &["one"]).await?;
        bring_on(&(store.clone() as SharedStore), key).await?;
        session.query_unpaged(broken, (log_of(&session, key).await?,)).await?;
        bad.push(key);
    }
    let key = of_it();
    said(&store, key, &["one"]).await?;
    let (of, id) = (tenant.as_bytes().as_slice(), key.conversation.as_bytes().as_slice());
    let broken = "UPDATE conversation SET contact = null WHERE tenant = ? AND id = ? IF epoch = 1";
    session.query_unpaged(broken, (of, id)).await?;
    bad.push(key);
    let nameless = "INSERT INTO conversation (tenant, id, log, epoch) VALUES (0x01, 0x02, uuid(), 1) IF NOT EXISTS";
    session.query_unpaged(nameless, ()).await?;
    // One that remembers where they are, and one that has to look.
    let other = open(contact_point, &keyspace, folder.path()).await?;
    for store in [&store, &other] {
        let found = all_behind(store).await?;
        ensure!(found.contains(&good) && !found.contains(&shown), "{found:?}");
        ensure!(listed(store, tenant, None).await?.contains(&shown.conversation), "it is listed");
    }
    let found = all_behind(&other).await?;
    ensure!(bad.iter().all(|key| found.contains(key)), "whoever brings them on tells of them: {found:?}");
    Ok(())
}

/// Days of long ago, of which the conversations went on or are gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_without_a_conversation_are_read_once() -> Outcome {
    let (store, session, _folder) = fresh().await?;
    let (now, contact, key) = (SystemClock.now().as_millis(), ContactId::generate(), fresh_key());
    let (tenant, today) = (key.tenant, i32::try_from(now / DAY)?);
    let then = today - 40;
    let claim = store.claim(key, opening(contact, i64::from(then) * DAY)).await?;
    let opened = tests::store::opened(contact, i64::from(then) * DAY);
    store.append(engine_store::Append { events: vec![opened].into(), ..append(key, claim, &["one"]) }).await?;
    bring_on(&(store.clone() as SharedStore), key).await?;
    // Each row: a day, how long ago it was noted, and whether it stays.
    let rows = [
        (today - 400, 300, false),
        (today - 399, 2, false),
        (today - 9, 2, false),
        (today - 5, 0, true),
        (today - 2, 2, true),
        (today, 2, true),
    ];
    for whose in [None, Some(contact)] {
        let name: &[u8] = whose.as_ref().map_or(&[], |contact| contact.as_bytes());
        for (day, age, _) in rows {
            let at = (now - age * DAY - 1) * 1_000;
            let note = format!("INSERT INTO listed_day (tenant, contact, day) VALUES (?, ?, ?) USING TIMESTAMP {at}");
            session.query_unpaged(note, (tenant.as_bytes().as_slice(), name, day)).await?;
        }
        let contacts = whose.map(|contact| vec![contact]);
        ensure!(listed(&store, tenant, contacts.clone()).await? == [key.conversation], "of {whose:?}");
        let stay: Vec<i32> = rows.iter().filter(|(.., stays)| *stays).map(|(day, ..)| *day).collect();
        let mut wanted = [stay.as_slice(), &[then]].concat();
        wanted.sort_unstable_by(|one, other| other.cmp(one));
        let left = days(&session, tenant, whose).await?;
        ensure!(left == wanted, "of {whose:?} are left {left:?}, not {wanted:?}");
        ensure!(listed(&store, tenant, contacts).await? == [key.conversation], "of {whose:?} again");
    }
    Ok(())
}

/// After the last conversation with a contact nothing tells of them, and the next one is listed by all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contacts_days_go_with_the_last_conversation() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let first = open(contact_point, &keyspace, folder.path()).await?;
    let second = open(contact_point, &keyspace, folder.path()).await?;
    let session = beside(contact_point, &keyspace).await?;
    let (tenant, contact, now) = (TenantId::generate(), ContactId::generate(), SystemClock.now().as_millis());
    let keys: Vec<_> = (0..3).map(|_| ConversationKey { tenant, conversation: ConversationId::generate() }).collect();
    let talk = async |key: ConversationKey| -> Outcome {
        let claim = first.claim(key, opening(contact, now)).await?;
        let opened = tests::store::opened(contact, now);
        first.append(engine_store::Append { events: vec![opened].into(), ..append(key, claim, &["one"]) }).await?;
        bring_on(&(first.clone() as SharedStore), key).await
    };
    talk(keys[0]).await?;
    talk(keys[1]).await?;
    second.erase(keys[0], None).await?;
    ensure!(!days(&session, tenant, Some(contact)).await?.is_empty(), "there is another one");
    second.erase(keys[1], None).await?;
    ensure!(days(&session, tenant, Some(contact)).await?.is_empty(), "nothing tells of them");
    // The first node has noted this day before.
    talk(keys[2]).await?;
    for store in [&first, &second] {
        ensure!(listed(store, tenant, Some(vec![contact])).await? == [keys[2].conversation], "it is listed");
    }
    Ok(())
}

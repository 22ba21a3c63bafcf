//! Several nodes on one cluster: what one that was killed has left in its middle is gone on with by another one.

use std::borrow::Borrow;
use std::sync::Arc;

use anyhow::{Context, ensure};
use engine_store::cql::{CqlOptions, CqlStore};
use engine_store::{
    Append, DueChange, DueIndex, DueQuery, Log, PageBounds, Projection, Projections, RecordKeys, RecordName, Records,
    Scope, SharedStore, StoreError,
};
use schema::{ContactId, Timestamp};
use tests::servers::{Cassandra, keyspace_name};
use tests::store::{Outcome, append, bring_on, fresh_key, opening};

use super::{beside, count, fresh, log_of, open, opened, options, until};

const LIST: Projection = Projection::Conversations;

/// What one of them has said all of them read.
async fn all_read<S: Borrow<CqlStore>>(stores: &[S]) -> Outcome {
    let (key, _) = opened(stores.first().context("there is a store")?.borrow(), &["one"]).await?;
    for store in stores.iter().map(S::borrow) {
        assert_eq!(store.read(key, 0, PageBounds::FULL).await?.head, 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_a_dead_node_left_behind_are_found_by_another_one() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let first = open(contact_point, &keyspace, folder.path()).await?;
    let (kept, _) = opened(&first, &["one"]).await?;
    let shared: SharedStore = Arc::clone(&first) as SharedStore;
    bring_on(&shared, kept).await?;
    let cursor = loop {
        let look = first.behind(LIST, first.cursor(LIST).await?, 100).await?;
        first.advance(LIST, look.cursor).await?;
        if look.is_all {
            break look.cursor;
        }
    };
    let (left, _) = opened(&first, &["two"]).await?;
    let found = first.behind(LIST, cursor, 100).await?;
    assert_eq!(found.keys, [left]);
    drop((shared, first));

    // As if it had been silent for a minute.
    let session = beside(contact_point, &keyspace).await?;
    let answer = session.query_unpaged("SELECT id FROM writer WHERE part = 0", ()).await?;
    for row in answer.into_rows_result()?.rows::<(uuid::Uuid,)>()? {
        session.query_unpaged("UPDATE writer SET beat = 0 WHERE part = 0 AND id = ?", row?).await?;
    }
    let second = open(contact_point, &keyspace, folder.path()).await?;
    let mut cursor = second.cursor(LIST).await?;
    until("the row that was left behind", async || {
        let look = second.behind(LIST, cursor, 100).await?;
        cursor = look.cursor;
        ensure!(!look.keys.contains(&kept), "what is done is not done again");
        Ok(look.keys.contains(&left))
    })
    .await?;
    let alive = session.query_unpaged("SELECT id FROM writer WHERE part = 0", ()).await?;
    assert_eq!(alive.into_rows_result()?.rows_num(), 1, "the dead one is forgotten");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_was_stopped_is_gone_on_with() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let store = open(contact_point, &keyspace, folder.path()).await?;
    let session = beside(contact_point, &keyspace).await?;
    // Each row: what was done before the node was killed, and whether the conversation stays.
    for (is_retired, stays) in [(true, false), (false, true)] {
        let (key, _) = opened(&store, &["one"]).await?;
        let log = log_of(&session, key).await?;
        let part = i8::try_from(key.conversation.as_bytes()[15] % 8)?;
        let (tenant, id) = (key.tenant.as_bytes().as_slice(), key.conversation.as_bytes().as_slice());
        let note = "INSERT INTO ending (part, tenant, id, log, eraser, contact) VALUES (?, ?, ?, ?, uuid(), ?)";
        session.query_unpaged(note, (part, tenant, id, log, [7_u8; 16].as_slice())).await?;
        if is_retired {
            let retire = "UPDATE log SET epoch = 9223372036854775807 WHERE log = ? AND segment = 0 IF epoch = 1";
            session.query_unpaged(retire, (log,)).await?;
        }
        let rows = "SELECT count(*) FROM log WHERE log = ? AND segment = 0";
        if stays {
            assert_eq!(count(&session, rows, log).await?, 1, "nobody has retired it");
            assert_eq!(store.read(key, 0, PageBounds::FULL).await?.head, 1);
            continue;
        }
        until("the end of the erasure", async || Ok(count(&session, rows, log).await? == 0)).await?;
        until("the end of the key", async || {
            let key = format!("SELECT count(wrapped) FROM {keyspace}_keys.conversation_key WHERE log = ?");
            Ok(count(&session, &key, log).await? == 0)
        })
        .await?;
        assert_eq!(store.erase(key, None).await, Err(StoreError::NotFound));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_stays_that_no_record_has() -> Outcome {
    const KIND: &str = "keyed";
    let (store, session, _folder) = fresh().await?;
    let name = |id: &str| RecordName { scope: Scope::Node, kind: KIND, id: id.into() };
    let keys = |keys: &[&str]| RecordKeys { keys: keys.iter().map(|key| (*key).into()).collect(), taken_from: None };
    store.put_with_keys(name("one"), 0, b"one".to_vec(), keys(&["kept", "left"])).await?;
    store.put_with_keys(name("one"), 1, b"one".to_vec(), keys(&["kept"])).await?;
    store.put_with_keys(name("two"), 0, b"two".to_vec(), keys(&["two"])).await?;
    store.delete(name("two"), 1).await?;
    // As writers leave them that were killed: wanted and never written, or given to a record that is gone.
    let scope: &[u8] = &[];
    let wanted = "INSERT INTO record_key (scope, kind, key, next, change) VALUES (?, ?, 'wanted', 'three', uuid())
                  IF NOT EXISTS";
    session.query_unpaged(wanted, (scope, KIND)).await?;
    let held =
        "INSERT INTO record_key (scope, kind, key, id, held) VALUES (?, ?, 'held', 'gone', uuid()) IF NOT EXISTS";
    session.query_unpaged(held, (scope, KIND)).await?;
    for key in ["wanted", "held", "kept"] {
        let note =
            "INSERT INTO record_key_note (part, scope, kind, key, writing, since) VALUES (3, ?, ?, ?, uuid(), 0)";
        session.query_unpaged(note, (scope, KIND, key)).await?;
    }
    let held = async || -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        for key in ["kept", "left", "two", "wanted", "held"] {
            let select = "SELECT id, next FROM record_key WHERE scope = ? AND kind = ? AND key = ?";
            let answer = session.query_unpaged(select, (scope, KIND, key)).await?.into_rows_result()?;
            let row = answer.maybe_first_row::<(Option<String>, Option<String>)>()?;
            if matches!(row, Some((Some(_), _) | (_, Some(_)))) {
                found.push(key.into());
            }
        }
        Ok(found)
    };
    until("the end of the keys that nobody has", async || Ok(held().await? == ["kept"])).await?;
    let found = store.find(Scope::Node, KIND, "kept".into()).await?;
    assert_eq!(found.map(|record| record.id).as_deref(), Some("one"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_says_is_due_another_one_finds() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let first = open(contact_point, &keyspace, folder.path()).await?;
    let second = open(contact_point, &keyspace, folder.path()).await?;
    let at = Timestamp::from_millis;
    let (key, mut claim) = opened(&first, &["one"]).await?;
    let far = 4_000_000_000_000;
    // Each row: who appends, what it says, and when both find it due.
    let rows = [
        (&first, DueChange::At(at(far)), Some(far)),
        (&second, DueChange::At(at(far + 7_200_000)), Some(far + 7_200_000)),
        (&first, DueChange::Keep, Some(far + 7_200_000)),
        (&second, DueChange::At(at(far + 5)), Some(far + 5)),
        (&first, DueChange::Clear, None),
        (&second, DueChange::At(at(far + 9)), Some(far + 9)),
    ];
    for (n, (owner, due, wanted)) in rows.into_iter().enumerate() {
        let taken = owner.claim(key, None).await?;
        assert_eq!(taken.head, claim.head, "{n}");
        claim = taken;
        owner.append(Append { due, ..append(key, claim, &["more"]) }).await?;
        claim.head += 1;
        for store in [&first, &second] {
            let query = DueQuery { before: at(i64::MAX), after: None, limit: 50 };
            let found = store.due(query).await?;
            let found: Vec<i64> =
                found.iter().filter(|entry| entry.key == key).map(|entry| entry.at.as_millis()).collect();
            assert_eq!(found, Vec::from_iter(wanted), "{n}: {due:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_set_the_tables_up_once() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    // Whoever sets an installation up carries the root key to all nodes first.
    engine_privacy::RootKey::create(&folder.path().join("root"))?;
    let stores = (0..3).map(|_| open(contact_point, &keyspace, folder.path()));
    all_read(&futures_util::future::try_join_all(stores).await?).await
}

/// Each node asks another host of the cluster first, and none of them has heard of the keyspace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_on_three_hosts_all_come_up() -> Outcome {
    let cassandra = Cassandra::three().start()?;
    let folder = tempfile::tempdir()?;
    engine_privacy::RootKey::create(&folder.path().join("root"))?;
    for _ in 0..3 {
        let keyspace = keyspace_name();
        let stores = cassandra.contact_points().into_iter().map(|host| {
            let options = CqlOptions { replicas: 3, ..options(&host.to_string(), &keyspace, folder.path()) };
            CqlStore::open(options, 1)
        });
        all_read(&futures_util::future::try_join_all(stores).await?).await?;
    }
    Ok(())
}

/// The node that opened it died before anybody listed it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_of_a_dead_node_is_found_by_its_contact() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let first = open(contact_point, &keyspace, folder.path()).await?;
    let second = open(contact_point, &keyspace, folder.path()).await?;
    let (key, contact) = (fresh_key(), ContactId::generate());
    let claim = first.claim(key, opening(contact, 0)).await?;
    first.append(append(key, claim, &["one"])).await?;
    drop(first);
    assert_eq!(second.with_contacts(key.tenant, vec![contact], 9).await?, [key]);
    second.erase(key, None).await?;
    assert_eq!(second.with_contacts(key.tenant, vec![contact], 9).await?, []);
    let session = beside(contact_point, &keyspace).await?;
    let left = session.query_unpaged("SELECT id FROM of_contact", ()).await?.into_rows_result()?;
    assert_eq!(left.rows_num(), 0, "nothing tells whom it was with");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_not_dropped_under_a_node_that_is_at_work() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let first = open(contact_point, &keyspace, folder.path()).await?;
    let (key, _) = opened(&first, &["one"]).await?;
    let found = first.behind(LIST, first.cursor(LIST).await?, 100).await?;
    let second = open(contact_point, &keyspace, folder.path()).await?;
    let refused = second.reset(LIST).await;
    ensure!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("stop it first")), "{refused:?}");
    // Somebody else has done so all the same: what is left to be looked at stays.
    let session = beside(contact_point, &keyspace).await?;
    let anew = "UPDATE projection SET generation = 7 WHERE name = 'conversations' IF version > 0";
    session.query_unpaged(anew, ()).await?;
    first.advance(LIST, found.cursor).await?;
    let left = session.query_unpaged("SELECT tenant, id FROM touched", ()).await?.into_rows_result()?;
    let left: Vec<(Vec<u8>, Vec<u8>)> = left.rows()?.collect::<Result<_, _>>()?;
    assert_eq!(left, [(key.tenant.as_bytes().to_vec(), key.conversation.as_bytes().to_vec())]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_in_one_line() -> Outcome {
    let (folder, keyspace, contact_point) = (tempfile::tempdir()?, keyspace_name(), Cassandra::shared()?);
    let other = tempfile::tempdir()?;
    let right = || options(contact_point, &keyspace, folder.path());
    drop(CqlStore::open(right(), 1).await?);
    let few = keyspace_name();
    let cases = [
        ("nobody there", CqlOptions { contact_points: vec!["127.0.0.1:1".into()], ..right() }, "127.0.0.1:1"),
        ("too few nodes", CqlOptions { keyspace: few.clone(), replicas: 3, ..right() }, "1 of the 3 nodes"),
        ("no such data centre", CqlOptions { datacenter: Some("moon".into()), ..right() }, "\"moon\""),
        ("a name with a dash", CqlOptions { keyspace: "a-b".into(), ..right() }, "no name for a keyspace"),
        ("no root key", CqlOptions { root_key: other.path().join("root"), ..right() }, "copy it from another node"),
    ];
    for (what, options, wanted) in cases {
        let refused = CqlStore::open(options, 1).await.err().with_context(|| format!("{what} was let through"))?;
        let told = refused.to_string();
        ensure!(told.contains(wanted) && !told.contains('\n'), "{what}: {told}");
    }
    engine_privacy::RootKey::create(&other.path().join("root"))?;
    let session = beside(contact_point, &keyspace).await?;
    let moved = "UPDATE installation SET datacenter = 'mars' WHERE id = 'tables' IF version > 0";
    session.query_unpaged(moved, ()).await?;
    let told = CqlStore::open(right(), 1).await.err().context("a second data centre was let through")?.to_string();
    ensure!(told.contains("set store.datacenter to \"mars\"") && !told.contains('\n'), "{told}");
    let back = "UPDATE installation SET datacenter = 'datacenter1' WHERE id = 'tables' IF version > 0";
    session.query_unpaged(back, ()).await?;
    let foreign = CqlOptions { root_key: other.path().join("root"), ..right() };
    let told = CqlStore::open(foreign, 1).await.err().context("another root key was let through")?.to_string();
    ensure!(told.contains("is not the one of this cluster's data"), "{told}");
    Ok(())
}

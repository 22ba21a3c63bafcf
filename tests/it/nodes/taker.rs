//! A node that owns nothing serves what others own as they do, and never has a conversation itself.

use std::time::Duration;

use engine_conversation::Command;
use engine_store::{Log, PageBounds, StoreError};
use schema::{ContactId, ConversationKey, ErrorCode, TenantId};
use tests::bench::says;
use tests::peers::Speed;
use tokio::time::sleep;

use super::installation::{Ear, Installation, Node, run};
use super::{START, once};

/// What `Node::open` asks for, with what it is refused.
async fn open(node: &Node, tenant: TenantId) -> Result<ConversationKey, ErrorCode> {
    let opened = node.on(move |worker| async move { worker.open(tenant, ContactId::generate(), None).await });
    opened.await.map(|(key, _)| key).map_err(|failure| failure.code)
}

/// A node that owns nothing, with a cable to each of these.
async fn without(world: &Installation, others: &[&Node]) -> Node {
    let node = world.start_without();
    others.iter().for_each(|other| world.lay(other, &node, &Speed::default()));
    sleep(Duration::from_millis(50)).await;
    node
}

#[test]
fn whatever_is_asked_of_it_another_node_owns() {
    run(|world| async move {
        let [a, b] = world.nodes().await;
        let edge = without(&world, &[&a, &b]).await;
        let mut owners = Vec::new();
        for n in 0..12 {
            let key = open(&edge, world.tenant).await.unwrap();
            let owner = world.owner(key).await.unwrap();
            assert_ne!(owner, edge.id);
            let mut ana = Ear::at(&edge, key, START).await;
            let asked = edge.submit(key, says(&format!("r{n}"), "Hello?")).await.unwrap().seq.unwrap();
            ana.has(asked).await;
            ana.reply("Yes.").await;
            assert_eq!((world.owner(key).await, world.claims(key).await), (Some(owner), 1), "opened where it is");
            edge.system.leave(key, ana.session);
            owners.push((key, owner));
        }
        for owner in [a.id, b.id] {
            assert!(owners.iter().any(|(_, of)| *of == owner), "each has its share");
        }
        // At rest everywhere. Woken again it is where it falls to, which is where it was opened.
        sleep(Duration::from_secs(15)).await;
        for (n, (key, owner)) in owners.iter().enumerate() {
            assert!(edge.submit(*key, says(&format!("s{n}"), "Again?")).await.is_ok());
            assert_eq!((world.owner(*key).await, world.claims(*key).await), (Some(*owner), 2));
            once(&world.log(*key).await, &[&format!("r{n}"), &format!("s{n}")]);
        }
        // What nobody has opened is found by nobody.
        let nobodys = ConversationKey { conversation: schema::ConversationId::generate(), ..owners[0].0 };
        let unknown = edge.submit(nobodys, Command::Cancel { turn: None }).await.unwrap_err();
        assert_eq!(unknown.code, ErrorCode::UnknownConversation);
        assert!(edge.system.erase(owners[0].0).await.is_ok());
        let gone = world.store.read(owners[0].0, 0, PageBounds::HEAD).await;
        assert!(matches!(gone, Err(StoreError::NotFound)), "{:?}", gone.err());
    });
}

#[test]
fn one_that_rests_elsewhere_is_woken_by_whom_it_falls_to() {
    run(|world| async move {
        let [a, b] = world.nodes().await;
        let edge = without(&world, &[&a, &b]).await;
        let mut moved = 0;
        for n in 0..12 {
            // Opened at a; it falls to a or to b.
            let key = a.open(world.tenant).await;
            let mut bo = Ear::at(&edge, key, START).await;
            let asked = edge.submit(key, says(&format!("r{n}"), "Hello?")).await.unwrap().seq.unwrap();
            bo.has(asked).await;
            let owner = world.owner(key).await;
            assert!([Some(a.id), Some(b.id)].contains(&owner), "{owner:?}");
            moved += usize::from(owner == Some(b.id));
        }
        assert!((1..12).contains(&moved), "{moved}");
    });
}

#[test]
fn one_that_leaves_is_passed_over() {
    run(|world| async move {
        let [a, b] = world.nodes().await;
        let edge = without(&world, &[&a, &b]).await;
        a.system.begin_drain();
        for n in 0..8 {
            let key = open(&edge, world.tenant).await.unwrap();
            edge.submit(key, says(&format!("r{n}"), "Hello?")).await.unwrap();
            assert_eq!(world.owner(key).await, Some(b.id), "conversation {n}");
        }
        world.membership.goes(b.id);
        b.crash();
        assert_eq!(open(&edge, world.tenant).await, Err(ErrorCode::Restarting), "nobody takes it");
    });
}

#[test]
fn where_nobody_owns_it_says_so_until_somebody_comes() {
    run(|world| async move {
        let edge = without(&world, &[]).await;
        assert!(!edge.system.has_taker());
        assert_eq!(open(&edge, world.tenant).await, Err(ErrorCode::Restarting));
        let a = world.start();
        assert_eq!(open(&edge, world.tenant).await, Err(ErrorCode::Restarting), "it cannot be asked yet");
        world.lay(&a, &edge, &Speed::default());
        sleep(Duration::from_millis(50)).await;
        assert!(edge.system.has_taker());
        let key = open(&edge, world.tenant).await.unwrap();
        let mut ana = Ear::at(&edge, key, START).await;
        edge.submit(key, says("r1", "Hello?")).await.unwrap();
        ana.reply("Yes.").await;

        // Those who listen stay, and hear the next owner as soon as it is there.
        world.membership.goes(a.id);
        a.crash();
        sleep(Duration::from_secs(120)).await;
        let failure = edge.submit(key, says("r2", "And now?")).await.unwrap_err();
        assert_eq!((failure.code, failure.retry_after.is_some()), (ErrorCode::Restarting, true));
        let b = world.start();
        world.lay(&b, &edge, &Speed::default());
        let asked = edge.submit_until_taken(key, says("r2", "And now?")).await.seq.unwrap();
        ana.has(asked).await;
        assert_eq!((world.owner(key).await, world.claims(key).await), (Some(b.id), 2));
        once(&world.log(key).await, &["r1", "r2"]);
        assert!(ana.told.is_empty(), "{:?}", ana.told);
    });
}

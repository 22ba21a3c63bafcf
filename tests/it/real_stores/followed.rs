//! A new program that is to follow a node on a cluster and cannot: it finds that before the old one is told to go, and
//! leaves that one and the cluster as they were.

use std::fs;

use engine_privacy::RootKey;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use tests::client::Socket;
use tests::node::{Node, fresh, on_cluster, own_address};
use tests::servers::{Cassandra, keyspace_name};

use super::node::superuser;
use crate::takeover::{follower, tells};

const USER: &str = "TERTULIA_STORE__USER";
const PASSWORD: &str = "TERTULIA_STORE__PASSWORD";
const KEYS: &str = "TERTULIA_STORE__KEYS";
const PEER_LISTEN: &str = "TERTULIA_PEER_LISTEN";

/// The version of a keyspace's tables.
async fn version(session: &Session, keyspace: &str) -> i32 {
    let select = format!("SELECT version FROM {keyspace}.installation WHERE id = 'tables'");
    let answer = session.query_unpaged(select, &[]).await.unwrap().into_rows_result().unwrap();
    answer.first_row::<(i32,)>().unwrap().0
}

async fn set_version(session: &Session, keyspace: &str, from: i32, to: i32) {
    let update = format!("UPDATE {keyspace}.installation SET version = {to} WHERE id = 'tables' IF version = {from}");
    session.query_unpaged(update, &[]).await.unwrap();
    assert_eq!(version(session, keyspace).await, to);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_one_that_is_not_right_leaves_the_old_one_and_the_cluster_as_they_were() {
    let cassandra = Cassandra::one().passwords().start().unwrap();
    let contact_point = cassandra.contact_points()[0].to_string();
    let session = superuser(&contact_point).await;
    for statement in
        ["CREATE ROLE node WITH PASSWORD = 'canary' AND LOGIN = true", "GRANT ALL ON ALL KEYSPACES TO node"]
    {
        session.query_unpaged(statement, &[]).await.unwrap();
    }
    let keyspace = keyspace_name();
    let [(store, url), (replicas, one)] = on_cluster(&contact_point, &keyspace);
    let [listen, peer_listen, elsewhere] = std::array::from_fn(|_| own_address().unwrap().to_string());
    let own = [
        (store, url.as_str()),
        (replicas, one.as_str()),
        (USER, "node"),
        (PASSWORD, "canary"),
        ("TERTULIA_LISTEN", listen.as_str()),
        (PEER_LISTEN, peer_listen.as_str()),
    ];
    let mut node = Node::start(&own);
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    let id = ana.join_new().await;

    // Another installation's key, and a folder without one.
    let (other, empty) = (fresh(), fresh());
    RootKey::create(&other.path().join("root")).unwrap();
    let (other, empty_keys) = (other.path().to_str().unwrap(), empty.path().to_str().unwrap());
    // A cluster that has never heard of the keyspace, and a port at which nobody is.
    let strangers = Cassandra::shared().unwrap();
    let (strange, nobody) = (format!("cql://{strangers}/{keyspace}"), format!("cql://127.0.0.1:1/{keyspace}"));
    let renamed = format!("cql://{contact_point}/{keyspace}x");
    for (changed, complaint) in [
        ((PASSWORD, "wrong"), "it knows no such name and password"),
        ((store, nobody.as_str()), "the cluster at 127.0.0.1:1 cannot be used: it cannot be reached"),
        ((store, strange.as_str()), "the cluster has no tables in the keyspace"),
        ((store, renamed.as_str()), "set TERTULIA_STORE to it"),
        ((KEYS, other), "is not the one of this cluster's data"),
        ((KEYS, empty_keys), "is missing"),
        (("TERTULIA_STORE__DATACENTER", "mars"), "it has no data centre \"mars\""),
        ((replicas, "3"), "has 1 of the 3 nodes that 3 replicas need"),
        (("TERTULIA_STORE__TLS", "./none.pem"), "store.tls: ./none.pem cannot be read"),
    ] {
        let ran = follower(&node, &[&own[..], &[changed]].concat());
        tells(&ran, 1, &[complaint]);
        assert!(!ran.err.contains("canary"), "{}", ran.err);
    }
    let known = version(&session, &keyspace).await;
    set_version(&session, &keyspace, known, 99).await;
    tells(&follower(&node, &own), 1, &["the cluster's tables have version 99", "use a newer one"]);
    set_version(&session, &keyspace, 99, known).await;

    // It was not even asked so far.
    assert!(!["drain", "goes on"].iter().any(|word| node.log().contains(word)), "{}", node.log());
    ana.say(id, "r1", "Is anybody there?").await;
    assert_eq!(node.api().get("/readyz").await.status, 200);
    // Nor has anything been made anywhere.
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
    let strangers = SessionBuilder::new().known_node(strangers).build().await.unwrap();
    for name in [keyspace.clone(), format!("{keyspace}_keys")] {
        let select = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
        let answer = strangers.query_unpaged(select, (name.as_str(),)).await.unwrap().into_rows_result().unwrap();
        assert_eq!(answer.rows_num(), 0, "{name}");
    }

    // That it listens elsewhere for the others is seen when it is shown the sockets.
    let moved = [&own[..], &[(PEER_LISTEN, elsewhere.as_str())]].concat();
    tells(&follower(&node, &moved), 1, &["other nodes", &peer_listen, &elsewhere, "it goes on"]);
    assert!(!node.log().contains("drain"), "{}", node.log());

    // One that is right follows.
    let next = node.follow(&own);
    assert_eq!(node.ended().await.code(), Some(0));
    assert!(next.api().view(id).await.head > 1);
}

//! Cassandra as a store needs it: conditions hold, what is acknowledged is there after a kill, and three nodes go on
//! without one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;
use scylla::value::{CqlValue, Row};
use tests::PATIENCE;
use tests::servers::cassandra::Paxos;
use tests::servers::{Cassandra, keyspace_name};

/// How long a write that cannot be done is waited for.
const REFUSAL: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_conditional_insert_is_applied_once() {
    let session = session(Cassandra::shared().unwrap()).await;
    let table = table(&session, 1).await;
    assert!(insert_once(&session, &table, 7).await);
    assert!(!insert_once(&session, &table, 7).await);
    assert!(insert_once(&session, &table, 8).await);
    let keyspace = table.split('.').next().unwrap();
    session.query_unpaged(format!("DROP KEYSPACE {keyspace}"), &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_durable_node_has_after_a_kill_what_it_acknowledged() {
    let mut cassandra = Cassandra::one().paxos(Paxos::V1).durable().start().unwrap();
    let contact_point = cassandra.contact_points()[0].to_string();
    let before = session(&contact_point).await;
    let table = table(&before, 1).await;
    for id in 0..20 {
        assert!(insert_once(&before, &table, id).await);
    }
    cassandra.kill(0).unwrap();
    assert!(cassandra.kill(0).is_err(), "it is dead already");
    drop(before);

    cassandra.restart(0).unwrap();
    let after = session(&contact_point).await;
    for id in 0..20 {
        assert!(!insert_once(&after, &table, id).await, "{id} is lost");
    }
    assert!(cassandra.restart(0).is_err(), "it runs already");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_go_on_without_one() {
    let mut cassandra = Cassandra::three().durable().start().unwrap();
    let session = session_by(cassandra.contact_points()[1]).await;
    let table = table(&session, 3).await;
    insert(&session, &table, 1, Consistency::All).await.unwrap();

    // The one that the others were told of when they started.
    cassandra.kill(0).unwrap();
    insert(&session, &table, 2, Consistency::Quorum).await.unwrap();
    assert!(insert_once(&session, &table, 3).await);
    insert(&session, &table, 4, Consistency::All).await.unwrap_err();
    cassandra.restart(0).unwrap();
    insert(&session, &table, 5, Consistency::All).await.unwrap();

    cassandra.pause(2).unwrap();
    insert(&session, &table, 6, Consistency::Quorum).await.unwrap();
    assert!(insert_once(&session, &table, 7).await);
    insert(&session, &table, 8, Consistency::All).await.unwrap_err();
    cassandra.resume(2).unwrap();
    let began = Instant::now();
    while let Err(error) = insert(&session, &table, 9, Consistency::All).await {
        assert!(began.elapsed() < PATIENCE, "the node that goes on takes no writes: {error}");
    }

    cassandra.pause(2).unwrap();
    cassandra.stop(2).unwrap();
    assert!(insert_once(&session, &table, 10).await);
    insert(&session, &table, 11, Consistency::All).await.unwrap_err();
    assert_eq!(cassandra.fallen().unwrap(), None);
}

async fn session(contact_point: &str) -> Session {
    SessionBuilder::new().known_node(contact_point).build().await.unwrap()
}

/// One whose requests all go to this node: it has to do without the others.
async fn session_by(node: SocketAddr) -> Session {
    let policy = SingleTargetLoadBalancingPolicy::new(NodeIdentifier::NodeAddress(node), None);
    let profile = ExecutionProfile::builder().load_balancing_policy(policy).build().into_handle();
    SessionBuilder::new().known_node_addr(node).default_execution_profile_handle(profile).build().await.unwrap()
}

/// A table in a keyspace of its own.
async fn table(session: &Session, replicas: u8) -> String {
    let keyspace = keyspace_name();
    let options = format!("{{'class': 'NetworkTopologyStrategy', 'replication_factor': {replicas}}}");
    session.query_unpaged(format!("CREATE KEYSPACE {keyspace} WITH replication = {options}"), &[]).await.unwrap();
    let table = format!("{keyspace}.facts");
    session.query_unpaged(format!("CREATE TABLE {table} (id int PRIMARY KEY, word text)"), &[]).await.unwrap();
    table
}

/// Whether it was applied.
async fn insert_once(session: &Session, table: &str, id: i32) -> bool {
    let statement = format!("INSERT INTO {table} (id, word) VALUES (?, 'once') IF NOT EXISTS");
    let rows = session.query_unpaged(statement, (id,)).await.unwrap().into_rows_result().unwrap();
    let row: Row = rows.first_row().unwrap();
    match row.columns[0] {
        Some(CqlValue::Boolean(applied)) => applied,
        ref other => panic!("[applied] is {other:?}"),
    }
}

async fn insert(session: &Session, table: &str, id: i32, consistency: Consistency) -> Result<(), String> {
    let mut statement = Statement::new(format!("INSERT INTO {table} (id, word) VALUES (?, 'plain')"));
    statement.set_consistency(consistency);
    if consistency == Consistency::All {
        statement.set_request_timeout(Some(REFUSAL));
    }
    session.query_unpaged(statement, (id,)).await.map(|_| ()).map_err(|error| error.to_string())
}

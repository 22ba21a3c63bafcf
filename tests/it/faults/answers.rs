//! Answers that read the store: however much that is and however slowly they are taken, the node holds a
//! bounded part of it.

use std::io::Write;
use std::net::TcpStream;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use schema::wire::{EventList, HumanAction};
use schema::{ConversationId, limits};
use serde_json::Value;
use tests::api::Api;
use tests::node::Node;
use tests::{PATIENCE, look_again};
use tokio::time::timeout;

/// Clients that ask at the same moment.
const CLIENTS: usize = 40;
/// What they may cost while they are served, in KiB: a few times what the places of one address hold. Before
/// pages had a bound in bytes, it was half a gigabyte.
const GROWTH_KIB_MAX: u64 = 64 * 1024;

/// A conversation of `count` long messages: a human agent has it, so that nothing is answered.
async fn long_talk(api: &Api, count: usize) -> ConversationId {
    let id = api.open().await;
    assert_eq!(api.human(id, HumanAction::Take, "Mira").await.status, 200);
    let text = "Where is my parcel? ".repeat(limits::TEXT_BYTES_MAX / 20);
    let said = stream::iter(0..count).map(|n| {
        let text = &text;
        async move { api.say(id, &format!("r{n}"), text).await }
    });
    said.buffer_unordered(16).count().await;
    id
}

#[tokio::test]
async fn forty_listings_of_a_long_log_cost_bounded_memory() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = long_talk(&api, 500).await;
    let before = node.memory_kib();
    let path = format!("/v1/conversations/{id}/events?limit=500");
    let pages = join_all((0..CLIENTS).map(|_| api.get(&path))).await;
    let grown = node.memory_peak_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "{CLIENTS} listings cost {grown} KiB");
    for page in pages {
        let size = page.body.len();
        let EventList { events, head, .. } = page.ok();
        assert!(size <= limits::PAGE_BYTES_MAX + 100, "{size} bytes");
        assert!(events.len() > 10 && (events.len() as u64) < head, "{} of {head}", events.len());
    }
    // Whoever goes on from page to page misses nothing.
    let seqs: Vec<u64> = api.whole_log(id).await.iter().map(|event| event.seq).collect();
    assert!(seqs.len() > 500 && seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
    let exported = node.command(&["export", &id.to_string()]).output().unwrap();
    let exported: Value = serde_json::from_slice(&exported.stdout).unwrap();
    assert_eq!(exported["events"].as_array().map(Vec::len), Some(seqs.len()));
}

#[tokio::test]
async fn answers_that_nobody_takes_are_let_go() {
    let node = Node::start(&[("TERTULIA_SERVER__ANSWER_TIMEOUT", "300ms")]);
    let api = node.api();
    let id = long_talk(&api, 40).await;
    let before = node.memory_kib();
    let request = format!(
        "GET /v1/conversations/{id}/events?limit=500 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n",
        node.demo_key()
    );
    let mut lazy = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = TcpStream::connect(node.address).unwrap();
        // What the two kernels hold is not the node's: ask often enough, and some is.
        client.write_all(request.repeat(8).as_bytes()).unwrap();
        lazy.push(client);
    }
    let cut = timeout(PATIENCE, async {
        loop {
            let cut = api.metric("tertulia_answers_cut_total").await;
            if cut >= CLIENTS as f64 && api.metric("tertulia_answers_waiting_bytes").await == 0.0 {
                return cut;
            }
            look_again().await;
        }
    });
    cut.await.expect("all of them are let go");
    let grown = node.memory_peak_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "{CLIENTS} clients that read nothing cost {grown} KiB");
    // Their places are free again.
    assert!(!api.log(id).await.events.is_empty());
}

//! A planned restart under load: nothing is refused for good, nothing is lost, nobody is left.

use std::sync::Arc;

use loadtest::checker::History;
use loadtest::plan::Plan;
use loadtest::stub::{Defaults, Stub};
use schema::Fact;
use schema::wire::{Close, ServerFrame};
use tests::client::Socket;
use tests::node::{Node, fresh, own_address};
use tests::patient::{Ear, Patient, Seat};
use tests::{PATIENCE, look_again};
use tokio::time::timeout;

const CONVERSATIONS: usize = 4;
const CLIENTS: usize = 3;
/// Two tokens in three come before the drain's limit, so that some replies end and some are cut.
const TOKENS: u32 = 200;
const RATE: u32 = 100;

fn acknowledged(clients: &[(schema::ConversationId, Vec<Patient>)]) -> usize {
    clients.iter().flat_map(|(_, clients)| clients).map(|client| client.record().sender.acknowledged_count()).sum()
}

#[tokio::test]
async fn restarts_under_load_lose_nothing_and_refuse_nothing_for_good() {
    let stub =
        Stub::start(([127, 0, 0, 1], 0).into(), Defaults { tokens: TOKENS, rate: RATE, chunk_bytes: 200 }).unwrap();
    let address = own_address().unwrap();
    let (listen, base) = (address.to_string(), format!("http://{}/v1", stub.address));
    let settings = [
        ("TERTULIA_LISTEN", listen.as_str()),
        ("TERTULIA_MODEL", "openai/stub"),
        ("OPENAI_BASE_URL", base.as_str()),
        ("TERTULIA_SERVER__DRAIN_TIMEOUT", "1s"),
        ("TERTULIA_LIMITS__MESSAGES_PER_SECOND", "1000"),
        ("TERTULIA_LIMITS__MESSAGES_BURST", "1000"),
    ];
    let root = fresh();
    let mut node = Node::start_in(Arc::clone(&root), &settings);
    let mut clients = Vec::new();
    for _ in 0..CONVERSATIONS {
        let id = node.api().open().await;
        let seat = |n: usize| Seat {
            address,
            others: Vec::new(),
            key: node.demo_key(),
            conversation: id,
            name: format!("c{n}"),
            window: 1 + n,
            ear: Ear::default(),
        };
        clients.push((id, (0..CLIENTS).map(|n| Patient::start(seat(n))).collect::<Vec<_>>()));
    }
    let plan = Plan { tokens: TOKENS, rate: RATE, start_ns: 0 }.to_string();
    let feed = || {
        for client in clients.iter().flat_map(|(_, clients)| clients).filter(|client| client.is_done()) {
            client.say(plan.clone());
        }
    };
    for round in 0..3 {
        let before = acknowledged(&clients);
        let busy = async {
            while acknowledged(&clients) < before + CONVERSATIONS * CLIENTS {
                feed();
                look_again().await;
            }
        };
        timeout(PATIENCE, busy).await.unwrap_or_else(|_| panic!("round {round}: nothing is acknowledged"));
        node.signal("TERM");
        {
            let ended = node.ended();
            tokio::pin!(ended);
            let status = loop {
                feed();
                tokio::select! {
                    status = &mut ended => break status,
                    () = look_again() => {}
                }
            };
            assert_eq!(status.code(), Some(0), "round {round}");
        }
        node = Node::start_in(Arc::clone(&root), &settings);
    }
    for (id, clients) in &clients {
        let settled = async {
            loop {
                let log = node.api().whole_log(*id).await;
                let running = node.api().view(*id).await.running.is_some();
                let head = log.len() as u64;
                let seen = |client: &Patient| client.is_done() && client.record().observer.seq() == head;
                if !running && clients.iter().all(seen) {
                    return log;
                }
                look_again().await;
            }
        };
        let log = timeout(3 * PATIENCE, settled).await.unwrap_or_else(|_| panic!("{id} does not come to rest"));
        let mut history = History { nobody_else: true, ..History::default() };
        for client in clients {
            let record = client.record();
            assert!(record.final_refusals.is_empty(), "{:?}", record.final_refusals);
            assert!(record.sockets >= 4, "it came back each time: {}", record.sockets);
            assert!(record.closes.keys().all(|code| *code == 4000), "{:?}", record.closes);
            let mut observer = record.observer.clone();
            observer.stayed_until(log.len() as u64);
            history.observers.push(observer);
            history.senders.push(record.sender.clone());
        }
        assert_eq!(history.check(&log), []);
        // What the drain cut says so; nothing that ended well runs again.
        let ends = log.iter().filter_map(|event| match &event.fact {
            Fact::Message { reply: Some(reply), .. } => Some((reply.end.name(), reply.made.error.clone())),
            _ => None,
        });
        for (end, error) in ends {
            let well = end == "completed" || (end == "incomplete" && error.as_deref() == Some("interrupted"));
            assert!(well, "{end} {error:?}");
        }
    }
}

#[tokio::test]
async fn each_socket_is_told_a_time_of_its_own_to_come_back() {
    const SOCKETS: usize = 40;
    let mut node = Node::start(&[]);
    let key = node.demo_key();
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        let mut socket = Socket::open(node.address, &key).await;
        socket.join_new().await;
        sockets.push(socket);
    }
    node.signal("TERM");
    let mut hints = Vec::new();
    for mut socket in sockets {
        assert_eq!(socket.closed().await.0, Close::GOING_AWAY.code);
        let Some(ServerFrame::GoingAway { retry_after_ms }) = socket.seen.last() else {
            panic!("no advice: {:?}", socket.seen.last());
        };
        assert!((500..2_500).contains(retry_after_ms), "{retry_after_ms} ms");
        hints.push(*retry_after_ms);
    }
    hints.sort_unstable();
    hints.dedup();
    assert!(hints.len() > SOCKETS / 2, "they would all come back at once: {hints:?}");
    assert_eq!(node.ended().await.code(), Some(0));
}

//! The stub on its own: on time, in order, complete.

use loadtest::plan::Plan;
use loadtest::scenario::direct;
use loadtest::scenario::streams::Pace;
use loadtest::stub::{Defaults, Stub};

use crate::support::free;

fn stub() -> Stub {
    Stub::start(free(), Defaults { tokens: 7, rate: 0, chunk_bytes: 340 }).unwrap()
}

#[tokio::test]
async fn streams_keep_their_rate_and_lose_nothing() {
    let stub = stub();
    let pace = Pace { streams: 8, tokens: 100, rate: 100 };
    let (window, faults) = direct::window(stub.address, pace).await.unwrap();
    assert_eq!(faults, Vec::<String>::new());
    assert!(window.account.is_whole(), "{:?}", window.account);
    assert_eq!(window.since_sent.count, 800);
    assert!(window.seconds >= 0.99, "{window:?}");
    assert!(window.since_intended.p50_us >= window.since_sent.p50_us);
}

#[tokio::test]
async fn a_request_without_a_plan_gets_the_defaults() {
    let stub = stub();
    let mut upstream = direct::Upstream::ask(stub.address, "hello").await.unwrap();
    let (mut text, mut done) = (String::new(), false);
    while !done {
        let (events, _) = upstream.next().await.unwrap();
        text.push_str(&events.text);
        done = events.done;
    }
    assert_eq!(text.len(), 7 * loadtest::token::CHARS);
}

#[tokio::test]
async fn a_reader_that_leaves_is_noticed() {
    let stub = stub();
    let plan = Plan { tokens: 20_000, rate: 0, start_ns: 0 };
    drop(direct::Upstream::ask(stub.address, &plan.to_string()).await.unwrap());
    while stub.done().gone == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stub.done().finished, 0);
}

#[test]
fn a_taken_address_is_told() {
    let stub = stub();
    let again = Stub::start(stub.address, Defaults { tokens: 1, rate: 0, chunk_bytes: 0 });
    assert!(format!("{:#}", again.unwrap_err()).contains("cannot listen"));
}

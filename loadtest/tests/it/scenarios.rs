//! Scenarios that run in one process.

use loadtest::bare::Defect;
use loadtest::scenario::durable::{self, Durable};
use loadtest::scenario::latency::{self, Latency};
use loadtest::scenario::overload::{self, Overload};
use loadtest::scenario::paced::Paced;
use loadtest::scenario::resume::{self, Resume};
use loadtest::scenario::stalled::{self, Stalled};

use crate::support::{bare, free, row};

fn latency(defect: Defect, rate: u32) -> Latency {
    let stub_listen = free();
    let node = bare(stub_listen, defect);
    Latency { node, stub_listen, streams: 4, rate, seconds: 1, tokens: 2_000, windows: 1, chunk_bytes: 340 }
}

#[tokio::test]
async fn paced_replies_arrive_whole_and_later_than_directly() {
    let report = latency::run(&latency(Defect::None, 100)).await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!(row(&report, "tokens delivered").met(), Some(true));
    let added = row(&report, "added latency per token, 4 streams × 100/s, p50");
    assert!(added.measured.median > 0.0 && added.floor.unwrap() > 0.0, "{added:?}");
    assert_eq!(report.details["windows"].as_array().unwrap().len(), 1);
    assert_eq!(report.details["windows"][0]["node"]["account"]["expected"], 400);
}

#[tokio::test]
async fn unpaced_replies_arrive_whole() {
    let report = latency::run(&latency(Defect::None, 0)).await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert!(row(&report, "tokens a second").measured.median > 1_000.0);
    assert_eq!(row(&report, "tokens delivered").measured.median, 100.0);
}

#[tokio::test]
async fn a_lost_token_is_missed() {
    let report = latency::run(&latency(Defect::LoseToken, 100)).await.unwrap();
    let delivered = row(&report, "tokens delivered");
    assert_eq!(delivered.met(), Some(false), "{delivered:?}");
    assert!(report.details["windows"][0]["node"]["account"]["wrong"].as_u64().unwrap() > 0);
    assert!(!report.faults.is_empty());
}

#[tokio::test]
async fn a_cut_socket_is_a_fault() {
    assert!(latency::run(&latency(Defect::CutSockets, 100)).await.is_ok_and(|report| !report.faults.is_empty()));
}

fn durable(defect: Defect) -> Durable {
    Durable {
        node: bare(free(), defect),
        writers: 4,
        seconds: 1,
        window: vec![1, 8],
        windows: 1,
        text_bytes: 100,
        mixed: false,
        data: Some(std::env::temp_dir()),
    }
}

#[tokio::test]
async fn acknowledged_messages_are_counted_and_found() {
    let report = durable::run(&durable(Defect::None)).await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert!(report.details["acknowledged_and_checked"].as_u64().unwrap() > 100);
    let one = row(&report, "durable messages a second, 4 writers, 1 in flight");
    let eight = row(&report, "durable messages a second, 4 writers, 8 in flight");
    assert!(one.floor.unwrap() > 0.0 && eight.measured.median > 0.0);
    assert_eq!(row(&report, "acknowledged messages").met(), Some(true));
}

#[tokio::test]
async fn messages_of_all_lengths_are_found_with_their_own_words() {
    let args = Durable { text_bytes: 16 * 1024, mixed: true, window: vec![8], ..durable(Defect::None) };
    let report = durable::run(&args).await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert!(report.details["acknowledged_and_checked"].as_u64().unwrap() > 30);
}

fn resume(defect: Defect) -> Resume {
    let node = bare(free(), defect);
    Resume { node, conversations: 2, messages: 300, text_bytes: 16 * 1024, readers: 2, windows: 1 }
}

#[tokio::test]
async fn who_comes_from_far_behind_has_every_event() {
    let report = resume::run(&resume(Defect::None)).await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!(row(&report, "events there").met(), Some(true));
    let events = row(&report, "events a second");
    assert!(events.measured.median > 0.0 && events.floor.unwrap() > 0.0, "{events:?}");
    assert!(report.details["runs"][0]["bytes"].as_u64().unwrap() > 4 * 300 * 1_000, "{report:?}");
}

#[tokio::test]
async fn an_event_that_is_passed_over_is_a_fault() {
    let report = resume::run(&resume(Defect::SkipEvent)).await.unwrap();
    assert!(report.faults.iter().any(|fault| fault.contains("was next")), "{:?}", report.faults);
    assert_eq!(row(&report, "events there").met(), Some(false));
}

#[tokio::test]
async fn forgotten_and_doubled_messages_are_found_out() {
    for (defect, word) in [(Defect::ForgetMessage, "lost"), (Defect::DoubleMessage, "stands at")] {
        let report = durable::run(&durable(defect)).await.unwrap();
        assert_eq!(row(&report, "acknowledged messages").met(), Some(false), "{defect:?}");
        assert!(report.faults.iter().any(|fault| fault.contains(word)), "{defect:?}: {:?}", report.faults);
    }
}

#[tokio::test]
async fn others_read_on_while_some_have_stopped() {
    let stub_listen = free();
    let args = Stalled {
        node: bare(stub_listen, Defect::None),
        paced: Paced { stub_listen, streams: 3, rate: 50, seconds: 1, windows: 1 },
        stalled: 6,
        fill_tokens: 5_000,
        fills: 3,
    };
    let report = stalled::run(&args).await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!(row(&report, "tokens delivered").met(), Some(true));
    assert!(row(&report, "kernel queue per stalled reader").measured.median > 1.0, "{report:?}");
    assert!(row(&report, "others' p99 with").measured.median > 0.0);
}

fn overload(defect: Defect) -> Overload {
    let stub_listen = free();
    let node = bare(stub_listen, defect);
    Overload { node, stub_listen, customers: 3, times: 3, tokens: 20, rate: 100, seconds: 1, calm: 1 }
}

#[tokio::test]
async fn a_crowd_comes_and_goes_and_all_are_answered_whole() {
    let report = overload::run(&overload(Defect::None)).await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!(row(&report, "tokens delivered").measured.median, 100.0);
    let replies = |phase: &str| report.details[phase]["replies"].as_u64().unwrap();
    assert!(replies("before") >= 3 && replies("during") > replies("before") && replies("after") >= 3, "{report:?}");
    assert_eq!(row(&report, "refusals a second").measured.median, 0.0, "the bare server takes all on");
}

#[tokio::test]
async fn a_crowd_that_is_not_answered_whole_is_a_fault() {
    assert!(overload::run(&overload(Defect::LoseToken)).await.is_ok_and(|report| !report.faults.is_empty()));
}

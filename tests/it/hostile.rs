//! Documents that are made to be hard: what they cost grows with their size only, and while they are read
//! other tenants learn.

use std::time::{Duration, Instant};

use engine_documents::Kind;
use engine_knowledge::Document;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rustix::time::{ClockId, clock_gettime};
use schema::limits::DOCUMENT_BYTES_MAX;
use schema::wire::Learned;
use serde_json::json;
use tests::api::{Answer, Api};
use tests::hostile::{SHAPES, Shape, endless};
use tests::node::Node;

/// The smaller of the two sizes at which each shape is read.
const SIZE: usize = 48 * 1024;
/// The larger one is so many times as large, …
const TIMES: usize = 4;
/// … and may cost so many times as much: twice what is in proportion, since small documents are quicker
/// than caches are large. What compares everything with everything costs sixteen times as much.
const COST_TIMES_MAX: u32 = 8;
/// What a document may cost whatever its size.
const COST_FREE: Duration = Duration::from_millis(100);

/// Processor time of this thread: what others do meanwhile is not in it.
fn spent() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

/// What it costs to read a document and cut it into passages, and what came of it.
fn cost(shape: &Shape, size: usize) -> (Duration, String) {
    let bytes = (shape.of_size)(size);
    let kind = shape.kind;
    let work = move || {
        let begun = spent();
        let outcome = match engine_documents::read(kind, None, &bytes) {
            Ok(page) => {
                let source = if kind == Kind::Text { "a.txt" } else { "a.md" };
                let document = Document::new(source, page.markdown);
                format!("{} passages", document.passages().len())
            }
            Err(error) => error.to_string(),
        };
        (spent() - begun, format!("{} bytes, {outcome}", bytes.len()))
    };
    // As large a stack as a reader's.
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(work).unwrap();
    thread.join().unwrap_or_else(|_| panic!("{}: it panicked", shape.name))
}

#[test]
fn what_a_document_costs_grows_with_its_size_only() {
    let mut table = String::new();
    let mut wrong = Vec::new();
    for shape in SHAPES {
        let (small, of_small) = cost(shape, SIZE);
        let (large, of_large) = cost(shape, SIZE * TIMES);
        let row = format!(
            "{} {:<45} {:>5} ms ({of_small}) {:>5} ms ({of_large})\n",
            shape.kind,
            shape.name,
            small.as_millis(),
            large.as_millis()
        );
        table.push_str(&row);
        if large > small * COST_TIMES_MAX + COST_FREE {
            wrong.push(row);
        }
    }
    assert!(wrong.is_empty(), "out of proportion:\n{}\nof\n{table}", wrong.concat());
}

async fn upload(api: &Api, source: &str, bytes: Vec<u8>) -> Answer {
    let path = format!("/v1/knowledge/files?source={source}");
    Api::send(api.request("POST", &path).timeout(Duration::from_secs(150)).body(bytes)).await
}

#[tokio::test]
async fn while_hostile_files_are_read_another_tenant_learns() {
    let node = Node::start(&[]);
    let operator = node.operator();
    let files: Vec<&'static str> = (0..6).map(|_| "endless.pdf").collect();
    let mut hostile = FuturesUnordered::new();
    for (name, files) in [("many", &files[..]), ("one", &files[..1]), ("another", &files[..1])] {
        let tenant = operator.create_tenant(name).await.1;
        for file in files {
            let tenant = tenant.clone();
            hostile.push(async move { upload(&tenant, file, endless()).await });
        }
    }
    let total = hostile.len();
    let begun = Instant::now();
    let normal = async {
        // Behind all of the others, and before most of them.
        tests::look_again().await;
        let html = "<title>Hours</title><main><h1>Hours</h1><p>On Sundays the shop is closed.</main>";
        let learned: Learned = upload(&node.api(), "hours.html", html.into()).await.ok();
        assert_eq!(learned.passages, 1);
        begun.elapsed()
    };
    tokio::pin!(normal);
    let mut over = 0;
    let took = loop {
        tokio::select! {
            took = &mut normal => break took,
            Some(answer) = hostile.next() => {
                assert_eq!(answer.failure(), (422, "unreadable_document"), "{answer:?}");
                over += 1;
            }
        }
    };
    // At worst two that were being read, and one more of a tenant that came before.
    assert!(over <= 3 && over < total, "{over} of {total} hostile files came first, {took:?}");
    while let Some(answer) = hostile.next().await {
        assert_eq!(answer.failure(), (422, "unreadable_document"), "{answer:?}");
    }
}

#[tokio::test]
async fn files_that_never_end_take_no_place_from_others() {
    let node = Node::start(&[]);
    let stalled = node.operator().create_tenant("stalled").await.1;
    let mut open = Vec::new();
    for n in 0..8 {
        let (body, pieces) = tests::hostile::stalled(1 << 20);
        let request = stalled.request("POST", &format!("/v1/knowledge/files?source=s{n}.txt"));
        open.push((tokio::spawn(request.timeout(Duration::from_secs(150)).body(body).send()), pieces));
    }
    for (_, pieces) in &mut open {
        // Its first megabyte has been taken over by the connection.
        pieces.sent().await;
    }
    let learned: Learned = upload(&node.api(), "hours.txt", b"On Sundays the shop is closed.".to_vec()).await.ok();
    assert_eq!(learned.passages, 1);
    for (request, _) in open {
        request.abort();
    }
}

/// What a text may take while it is learned: so many times its size, …
const MEMORY_TIMES_MAX: u64 = 15;
/// … and what a learner takes whatever its size.
const MEMORY_FREE_KIB: u64 = 96 << 10;

#[tokio::test]
async fn a_text_takes_memory_in_proportion() {
    for (source, unit) in [
        ("pipes.txt", "a|b|c\n"),
        ("tabs.txt", "a\tb\n"),
        ("lines.txt", "a\n"),
        ("quotes.md", ">"),
        ("lines.md", "a\n"),
    ] {
        let node = Node::start(&[]);
        let before = node.memory_peak_kib();
        let text = unit.repeat(DOCUMENT_BYTES_MAX / unit.len());
        let _: Learned = node.api().post("/v1/knowledge", &json!({"source": source, "text": text})).await.ok();
        let taken = node.memory_peak_kib() - before;
        let most = MEMORY_TIMES_MAX * (DOCUMENT_BYTES_MAX as u64 >> 10) + MEMORY_FREE_KIB;
        assert!(taken <= most, "{source}: {taken} KiB, at most {most} KiB");
    }
}

//! Files and sites are learned, learned again and forgotten; hostile ones are passed over with their
//! reason, and conversations go on meanwhile.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use schema::wire::{
    DocumentList, DocumentPage, JobStarted, JobState, JobView, Learned, LeftOut, LeftOutReason, LimitKind, SiteList,
};
use serde_json::{Value, json};
use tests::api::{Answer, Api};
use tests::node::{Node, command, fresh, run};
use tests::site::{Page, Site};
use tests::stream::{reply_of, text_of};

const GUIDE_PDF: &[u8] = include_bytes!("../fixtures/documents/guide.pdf");
const SCANNED_PDF: &[u8] = include_bytes!("../fixtures/documents/scanned.pdf");
const BOMB_PDF: &[u8] = include_bytes!("../fixtures/documents/bomb.pdf");
const WARRANTY_DOCX: &[u8] = include_bytes!("../fixtures/documents/warranty.docx");
const RENTAL_PPTX: &[u8] = include_bytes!("../fixtures/documents/rental.pptx");
const HOUSE_RULES_ODT: &[u8] = include_bytes!("../fixtures/documents/house-rules.odt");
const CARE_EPUB: &[u8] = include_bytes!("../fixtures/documents/care.epub");
const PRIVATE: (&str, &str) = ("TERTULIA_LEARNING__PRIVATE_HOSTS", "true");
/// A hostile site takes its time: pages that come too slowly, readers that are stopped.
const JOB_PATIENCE: Duration = Duration::from_secs(150);

async fn upload(api: &Api, source: &str, bytes: impl Into<reqwest::Body>) -> Answer {
    let request = api.request("POST", "/v1/knowledge/files").query_source(source);
    Api::send(request.timeout(JOB_PATIENCE).body(bytes)).await
}

/// Names are put into the address as they are: the tests' own need no escaping.
trait Named {
    fn query_source(self, source: &str) -> Self;
}

impl Named for reqwest::RequestBuilder {
    fn query_source(self, source: &str) -> Self {
        let (client, request) = self.build_split();
        let mut request = request.unwrap();
        request.url_mut().set_query(Some(&format!("source={source}")));
        Self::from_parts(client, request)
    }
}

async fn begin(api: &Api, asked: Value) -> JobStarted {
    let answer = api.post("/v1/knowledge/sites", &asked).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.ok()
}

async fn through(api: &Api, started: &JobStarted) -> JobView {
    let begun = Instant::now();
    loop {
        let job: JobView = api.get(&format!("/v1/knowledge/jobs/{}", started.job)).await.ok();
        if job.state != JobState::Running {
            return job;
        }
        assert!(begun.elapsed() < JOB_PATIENCE, "{job:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn learn(api: &Api, url: &str) -> JobView {
    through(api, &begin(api, json!({"url": url})).await).await
}

async fn sources(api: &Api) -> Vec<String> {
    let list: DocumentList = api.get("/v1/knowledge").await.ok();
    // Pages have an order of their own.
    let mut sources: Vec<String> = list.documents.into_iter().map(|document| document.source).collect();
    sources.sort_unstable();
    sources
}

/// A page with a menu that has more words than its text.
fn page(title: &str, text: &str, links: &[&str]) -> Page {
    let menu: String =
        (0..40).map(|n| format!("<li><a href='/?menu={n}' rel=nofollow>Everything about {n}</a></li>")).collect();
    let links: String = links.iter().map(|link| format!("<li><a href='{link}'>More</a></li>")).collect();
    Page::Html(format!(
        "<!doctype html><html><head><title>{title} | Lamp shop</title></head><body><nav><ul>{menu}{links}</ul></nav>\
         <main><h1>{title}</h1><p>{text}</p></main><footer>Lamp shop, Lisbon. All rights reserved.</footer></body></html>"
    ))
}

const DELIVERY: &str = "A floor lamp is delivered within eleven working days by a carrier who calls you before.";
const BULBS: &str = "Every bulb of ours shines for twenty-five thousand hours or is replaced without a question.";

#[tokio::test]
async fn a_site_is_learned_and_learned_again_and_forgotten() {
    let site = Site::start([
        (
            "/robots.txt",
            Page::Body {
                media_type: "text/plain",
                headers: String::new(),
                bytes: b"User-agent: *\nDisallow: /internal\n".to_vec(),
            },
        ),
        (
            "/",
            page(
                "Welcome",
                "Our lamps have been made by hand since 1962.",
                &["/delivery", "/guide.pdf", "/internal/x", "/gone"],
            ),
        ),
        ("/delivery", page("Delivery", DELIVERY, &["/bulbs"])),
        ("/bulbs", page("Bulbs", BULBS, &[])),
        ("/internal/x", page("Internal", "The safe has the number 4711.", &[])),
        ("/guide.pdf", Page::Body { media_type: "application/pdf", headers: String::new(), bytes: GUIDE_PDF.to_vec() }),
    ])
    .await;
    let node = Node::start(&[PRIVATE]);
    let api = node.api();
    api.learn("own.md", "# Own\n\nThis document was taught by hand.").await;
    let job = learn(&api, &site.url("")).await;
    assert_eq!((job.state, job.error.as_deref()), (JobState::Done, None), "{job:?}");
    assert_eq!((job.pages_read, job.learned.changed, job.pages_skipped_total), (4, 4, 2), "{job:?}");
    let expected = ["/", "/bulbs", "/delivery", "/guide.pdf"].map(|path| site.url(path));
    let known = sources(&api).await;
    assert_eq!(known, [&expected[..], &["own.md".to_owned()]].concat());
    assert!(
        !site.asked().iter().any(|path| path.starts_with("/internal") || path.contains("menu")),
        "{:?}",
        site.asked()
    );

    let id = api.open().await;
    let reply = api.ask(id, "q1", "How long does a bulb shine?").await;
    assert!(text_of(&reply).contains("twenty-five thousand hours"), "{}", text_of(&reply));
    let passage = reply_of(&reply).unwrap().made.passages[0].clone();
    assert_eq!((passage.source, passage.heading.as_str()), (site.url("/bulbs"), "Bulbs"));
    assert!(!passage.text.as_str().contains("Everything about"), "{}", passage.text.as_str());

    // The same again; then one page changes, one goes, one cannot be had just now.
    assert_eq!(
        learn(&api, &site.url("/")).await.learned,
        serde_json::from_value(json!({"changed": 0, "unchanged": 4, "removed": 0})).unwrap()
    );
    site.put("/", page("Welcome", "Our lamps have been made by hand since 1962.", &["/delivery", "/guide.pdf"]));
    site.put("/delivery", page("Delivery", &DELIVERY.replace("eleven", "six"), &[]));
    site.put("/guide.pdf", Page::Status(503));
    site.remove("/bulbs");
    let job = learn(&api, &site.url("/")).await;
    // What no page leads to any more is asked for itself.
    let told = (job.pages_read, job.learned.changed, job.learned.removed, job.pages_skipped_total);
    assert_eq!(told, (2, 1, 1, 2), "{job:?}");
    assert!(sources(&api).await.contains(&site.url("/guide.pdf")), "it is only out of reach");
    assert!(!sources(&api).await.contains(&site.url("/bulbs")), "it is gone");
    site.put("/guide.pdf", Page::Status(410));
    let job = learn(&api, &site.url("/")).await;
    assert_eq!(job.learned.removed, 1, "{job:?}");
    assert_eq!(sources(&api).await, [site.url("/"), site.url("/delivery"), "own.md".into()]);

    let list: SiteList = api.get("/v1/knowledge/sites").await.ok();
    let row = &list.sites[0];
    assert_eq!((list.sites.len(), row.pages, row.next_at, row.every_hours), (1, 2, None, None));
    assert_eq!(row.last.as_ref(), Some(&job));
    let scheduled = begin(&api, json!({"url": site.url("/"), "every_hours": 24, "pages_max": 1})).await;
    through(&api, &scheduled).await;
    let row = api.get("/v1/knowledge/sites").await.ok::<SiteList>().sites.remove(0);
    let wait = row.next_at.unwrap().since(row.last.unwrap().ended_at.unwrap()).as_secs();
    assert!((24 * 3_600..26 * 3_600).contains(&wait), "{wait}");

    let forget = format!("/v1/knowledge/sites?url={}", site.url("/"));
    assert_eq!(api.call("DELETE", &forget).await.status, 204);
    assert_eq!(api.call("DELETE", &forget).await.failure(), (404, "not_found"));
    assert_eq!(sources(&api).await, ["own.md"]);
}

#[tokio::test]
async fn what_was_left_out_is_told_of_a_site_and_of_each_page() {
    let paths: Vec<String> = (1..=7).map(|n| format!("/lamp-{n}")).collect();
    let links: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut pages = vec![("/", page("Welcome", "Our lamps have been made by hand since 1962.", &links))];
    pages.extend(links.iter().map(|path| (*path, page(path, &format!("{BULBS} This is {path}."), &[]))));
    let site = Site::start(pages).await;
    let node = Node::start(&[PRIVATE]);
    let api = node.api();
    let job = through(&api, &begin(&api, json!({"url": site.url("/"), "pages_max": 7})).await).await;
    assert_eq!(job.pages_read, 7, "{job:?}");
    let hits: Vec<_> = job.limits.iter().map(|hit| (hit.kind, hit.most, hit.passed_over)).collect();
    assert_eq!(hits, [(LimitKind::Pages, Some(7), 1)], "{:?}", job.limits);
    let menu = job.left_out.iter().find(|row| row.reason == LeftOutReason::Navigation).unwrap();
    assert_eq!((menu.what.as_str(), menu.parts, menu.pages, menu.urls.len()), ("nav", 7, 7, 5), "{menu:?}");
    assert_eq!((&menu.url, &menu.urls[0]), (&site.url("/"), &site.url("/")));

    let shown = async |source: &str| {
        let page: DocumentPage = api.get_of("/v1/knowledge/document", source).await.ok();
        page.document
    };
    let facts = shown(&menu.urls[1]).await;
    assert_eq!((facts.address.as_deref(), facts.language.as_str()), (Some(menu.urls[1].as_str()), "en"));
    let of_page = |reason| facts.left_out.iter().find(|row: &&LeftOut| row.reason == reason).unwrap();
    assert_eq!(
        (of_page(LeftOutReason::Navigation).what.as_str(), of_page(LeftOutReason::Navigation).parts),
        ("nav", 1)
    );
    assert_eq!(of_page(LeftOutReason::Edge).what, "footer");

    // A file of a page has its parts, too; what is Markdown is learned whole.
    let html =
        b"<title>Hours</title><nav><ul><li><a href=/>Start</a></ul></nav><main><h1>Hours</h1><p>Closed on Sundays.";
    upload(&api, "hours.html", html.to_vec()).await.ok::<Learned>();
    api.learn("own.md", "# Own\n\nTaught by hand.").await;
    let reasons: Vec<_> = shown("hours.html").await.left_out.iter().map(|row| row.reason).collect();
    assert_eq!(reasons, [LeftOutReason::Navigation]);
    assert!(shown("own.md").await.left_out.is_empty());
}

#[tokio::test]
async fn a_hostile_site_harms_nobody() {
    let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&vec![b' '; 64 << 20]).unwrap();
    let bomb = packer.finish().unwrap();
    let file = |media_type, bytes: &[u8]| Page::Body { media_type, headers: String::new(), bytes: bytes.to_vec() };
    let rows: Vec<(&str, Page, &str)> = vec![
        ("/inner", Page::Redirect("http://169.254.169.254/latest/meta-data".into()), "it redirects to another site"),
        ("/other-port", Page::Redirect("http://127.0.0.1:1/".into()), "it redirects to another site"),
        ("/file", Page::Redirect("file:///etc/passwd".into()), "it redirects to another site"),
        ("/loop", Page::Redirect("/loop".into()), "it redirects to itself"),
        ("/long/0", Page::Redirect("/long/1".into()), "it redirects too often"),
        ("/huge", file("text/html", &vec![b'x'; 6 << 20]), "it is larger than 5 MiB"),
        ("/endless", Page::Endless, "it is larger than 5 MiB"),
        ("/drip", Page::Drip, "it took longer than 10 s"),
        (
            "/gzip",
            Page::Body { media_type: "text/html", headers: "content-encoding: gzip\r\n".into(), bytes: bomb },
            "it is larger than 5 MiB",
        ),
        ("/deep", Page::Html("<div>".repeat(100_000)), "it is nested too deeply"),
        (
            "/picture",
            file("text/html", b"\x89PNG\0\0"),
            "it is none of Markdown, text, HTML, PDF, DOCX, PPTX, XLSX, ODT, EPUB and CSV",
        ),
        ("/broken.pdf", file("application/pdf", b"%PDF-1.7\nnothing more"), "it is not a whole PDF"),
        ("/scanned.pdf", file("application/pdf", SCANNED_PDF), "it has no text; scanned pages are not read"),
        // By memory or by time, whichever ends first.
        ("/bomb.pdf", file("application/pdf", BOMB_PDF), ""),
        ("/bomb.docx", file("application/octet-stream", &docx_bomb()), "it unpacks to far more than it should"),
    ];
    let links: Vec<&str> = rows.iter().map(|(path, ..)| *path).collect();
    let links = [&links[..], &["/bulbs"]].concat();
    let mut pages: Vec<(&str, Page)> = rows.iter().map(|(path, page, _)| (*path, page.clone())).collect();
    let long: Vec<String> = (1..9).map(|n| format!("/long/{n}")).collect();
    pages.extend(long.iter().zip(2..).map(|(path, next)| (path.as_str(), Page::Redirect(format!("/long/{next}")))));
    pages.push(("/", page("Welcome", "Our lamps have been made by hand since 1962.", &links)));
    pages.push(("/bulbs", page("Bulbs", BULBS, &[])));
    let site = Site::start(pages).await;
    let node = Node::start(&[PRIVATE]);
    let api = node.api();
    let started = begin(&api, json!({"url": site.url("/")})).await;
    let busy = api.post("/v1/knowledge/sites", &json!({"url": site.url("/")})).await;
    assert_eq!(busy.failure(), (503, "busy"));

    // While it is learned, conversations are answered.
    let id = api.open().await;
    let (mut asked, mut slowest) = (0, Duration::ZERO);
    let job = loop {
        let job: JobView = api.get(&format!("/v1/knowledge/jobs/{}", started.job)).await.ok();
        if job.state != JobState::Running {
            break job;
        }
        let begun = Instant::now();
        api.ask(id, &format!("q{asked}"), "Is anybody there to help me?").await;
        slowest = slowest.max(begun.elapsed());
        asked += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(job.state, JobState::Done, "{job:?}");
    assert!(asked >= 5 && slowest < Duration::from_secs(5), "{asked} answers, the slowest in {slowest:?}");
    assert_eq!(job.pages_read, 2, "{job:?}");
    for (path, _, reason) in &rows {
        let skipped = job.pages_skipped.iter().find(|skipped| skipped.url == site.url(path));
        let said = skipped.map(|skipped| skipped.reason.as_str()).unwrap_or_default();
        assert!(!said.is_empty() && said.starts_with(reason), "{path}: `{said}`, not `{reason}`");
    }
    assert_eq!(sources(&api).await, [site.url("/"), site.url("/bulbs")]);
}

#[tokio::test]
async fn files_of_every_kind_are_learned_and_broken_ones_are_refused() {
    let node = Node::start(&[]);
    let api = node.api();
    for (source, bytes) in [
        ("guide.pdf", GUIDE_PDF.to_vec()),
        ("warranty.docx", WARRANTY_DOCX.to_vec()),
        ("rental.pptx", RENTAL_PPTX.to_vec()),
        ("house-rules.odt", HOUSE_RULES_ODT.to_vec()),
        ("care.epub", CARE_EPUB.to_vec()),
        ("hours.html", b"<title>Hours</title><nav><a href=/>x</a></nav><p>On Sundays the shop is closed.".to_vec()),
        ("latin.txt", b"The word for greetings is Gr\xfc\xdfe, and nothing else.".to_vec()),
    ] {
        let learned: Learned = upload(&api, source, bytes.clone()).await.ok();
        assert!(learned.changed && learned.passages > 0, "{learned:?}");
        assert!(!upload(&api, source, bytes).await.ok::<Learned>().changed);
    }
    let id = api.open().await;
    for (n, (question, answer, source)) in [
        ("May I send back what I have not used?", "forty-two days", "guide.pdf"),
        ("When is a lamp replaced that broke on its way?", "within fourteen days", "guide.pdf"),
        ("How long does the warranty last?", "seven years", "warranty.docx"),
        ("What is the price of a shade?", "48 euros", "warranty.docx"),
        ("How much does a lantern cost for a weekend?", "26 euros", "rental.pptx"),
        ("What does a day at the bench cost?", "16 euros", "house-rules.odt"),
        ("How are glass shades washed?", "by hand in water of 30 degrees", "care.epub"),
        ("What is the word for greetings?", "Grüße", "latin.txt"),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = api.ask(id, &format!("q{n}"), question).await;
        assert!(text_of(&reply).contains(answer), "{question}: {}", text_of(&reply));
        let passages = &reply_of(&reply).unwrap().made.passages;
        assert!(passages.iter().any(|passage| passage.source == source), "{passages:?}");
    }
    for (source, bytes, failure) in [
        ("broken.pdf", b"%PDF-1.7".to_vec(), (422, "unreadable_document")),
        ("scanned.pdf", SCANNED_PDF.to_vec(), (422, "unreadable_document")),
        ("bomb.pdf", BOMB_PDF.to_vec(), (422, "unreadable_document")),
        ("broken.docx", b"PK\x03\x04".to_vec(), (422, "unreadable_document")),
        ("bomb.docx", docx_bomb(), (422, "unreadable_document")),
        ("broken.pptx", b"PK\x03\x04".to_vec(), (422, "unreadable_document")),
        ("broken.odt", b"PK\x03\x04".to_vec(), (422, "unreadable_document")),
        ("broken.epub", b"PK\x03\x04".to_vec(), (422, "unreadable_document")),
        ("crowded.pptx", tests::packed::pptx(&"<p:sp></p:sp>".repeat(1 << 20), 1), (422, "unreadable_document")),
        ("deep.html", "<p><b>".repeat(200_000).into_bytes(), (422, "unreadable_document")),
        ("empty.md", b" \n".to_vec(), (422, "unreadable_document")),
        ("logo.png", b"\x89PNG\0".to_vec(), (415, "unsupported_media_type")),
        ("no.pdf", b"words".to_vec(), (415, "unsupported_media_type")),
        ("", b"words".to_vec(), (400, "bad_field")),
        ("large.txt", vec![b'x'; schema::limits::FILE_BYTES_MAX + 1], (413, "too_large")),
        ("long.txt", "word ".repeat(1 << 20).into_bytes(), (413, "too_large")),
    ] {
        let answer = upload(&api, source, bytes).await;
        assert_eq!(answer.failure(), failure, "{source}: {answer:?}");
    }
    api.ask(id, "last", "Is anybody there?").await;
}

// The site goes on while the test waits for a command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inner_addresses_are_refused_unless_the_operator_allows_them() {
    let site = Site::start([("/", page("Welcome", BULBS, &[]))]).await;
    let node = Node::start(&[]);
    let api = node.api();
    for url in [
        site.url("/"),
        "http://127.0.0.1/".into(),
        "http://2130706433/".into(),
        "http://[::ffff:127.0.0.1]/".into(),
        "http://169.254.169.254/latest".into(),
        "http://0x7f.1/".into(),
        "https://shop.example:8080/".into(),
        "ftp://shop.example/".into(),
        "shop.example".into(),
        "https://a:b@shop.example/".into(),
    ] {
        let answer = api.post("/v1/knowledge/sites", &json!({"url": url})).await;
        assert_eq!(answer.failure(), (400, "bad_field"), "{url}: {answer:?}");
    }
    for asked in [
        json!({"url": "https://shop.example/", "pages_max": 0}),
        json!({"url": "https://shop.example/", "pages_max": 2_001}),
        json!({"url": "https://shop.example/", "every_hours": 0}),
        json!({"url": "https://shop.example/", "allow_private": true}),
    ] {
        assert_eq!(api.post("/v1/knowledge/sites", &asked).await.failure(), (400, "bad_field"), "{asked}");
    }
    // A name is looked up by the job, and refused there.
    let job = learn(&api, "http://localhost/").await;
    assert_eq!(job.state, JobState::Failed);
    for words in ["private network", "`learning.private_hosts` allows"] {
        assert!(job.error.as_deref().unwrap().contains(words), "{job:?}");
    }
    let literal = api.post("/v1/knowledge/sites", &json!({"url": "http://127.0.0.1/"})).await;
    assert!(literal.body.contains("`learning.private_hosts` allows"), "{literal:?}");
    assert!(site.asked().is_empty());
    let other = node.operator().create_tenant("other").await.1;
    assert_eq!(other.get(&format!("/v1/knowledge/jobs/{}", job.id)).await.failure(), (404, "not_found"));

    // From the command line: a running node decides itself, a stopped one is asked for.
    let root = fresh();
    let learn = |arguments: &[&str]| {
        let mut command = command(root.path(), &[("TERTULIA_LISTEN", "127.0.0.1:9")]);
        command.arg("learn").args(arguments);
        run(command, "")
    };
    let refused = learn(&[&site.url("/")]);
    assert!(refused.code == Some(1) && refused.err.contains("port"), "{refused:?}");
    let learned = learn(&["--allow-private-hosts", &site.url("/")]);
    assert_eq!(learned.code, Some(0), "{learned:?}");
    assert!(learned.out.contains("1 page read, 0 skipped; 1 learned"), "{learned:?}");
    let online = run(node.command(&["learn", "--allow-private-hosts", &site.url("/")]), "");
    assert!(online.code == Some(2) && online.err.contains("PRIVATE_HOSTS"), "{online:?}");
}

#[tokio::test]
async fn what_a_stop_leaves_undone_is_done_after_the_next_start() {
    let slow = |title: &str, links: &[&str]| {
        let Page::Html(html) = page(title, &format!("{title} has words of its own, and they are these."), links) else {
            unreachable!()
        };
        Page::Slow(Duration::from_millis(700), html)
    };
    let paths: Vec<String> = (0..6).map(|n| format!("/p{n}")).collect();
    let links: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut pages: Vec<(&str, Page)> = links.iter().map(|path| (*path, slow(path, &[]))).collect();
    pages.push(("/", slow("Home", &links)));
    let site = Site::start(pages).await;
    let mut node = Node::start(&[PRIVATE]);
    let started = begin(&node.api(), json!({"url": site.url("/")})).await;
    while !site.asked().contains(&"/p1".to_owned()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let begun = Instant::now();
    node.signal("TERM");
    assert!(node.ended().await.success());
    assert!(begun.elapsed() < Duration::from_secs(8), "a drain does not wait for the site");
    let node = Node::start_in(node.root(), &[PRIVATE]);
    let api = node.api();
    let begun = Instant::now();
    let last = loop {
        let row = api.get("/v1/knowledge/sites").await.ok::<SiteList>().sites.remove(0);
        match row.last {
            Some(job) if job.state == JobState::Done => break job,
            _ => assert!(begun.elapsed() < JOB_PATIENCE),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_ne!(last.id, started.job);
    assert_eq!(last.pages_read, 7, "{last:?}");
    assert_eq!(sources(&api).await.len(), 7);
    assert_eq!(api.get(&format!("/v1/knowledge/jobs/{}", last.id)).await.ok::<JobView>(), last);
}

#[tokio::test]
async fn a_folder_with_a_file_less_is_learned_with_a_document_less() {
    let root = fresh();
    let folder = root.path().join("papers");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("guide.pdf"), GUIDE_PDF).unwrap();
    fs::write(folder.join("bomb.pdf"), BOMB_PDF).unwrap();
    fs::write(folder.join("a.md"), "# A\n\nThe first letter.").unwrap();
    let node = Node::start_in(root.clone(), &[]);
    let learn = || run(node.command(&["learn", folder.to_str().unwrap()]), "");
    let first = learn();
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.out.contains("2 learned, 0 known already, 1 skipped, 0 failed"), "{first:?}");
    assert!(first.err.contains("bomb.pdf: this document cannot be learned"), "{first:?}");
    fs::remove_file(folder.join("a.md")).unwrap();
    let again = learn();
    assert!(again.out.contains("forgot papers/a.md") && again.out.contains("1 known already"), "{again:?}");
    assert_eq!(sources(&node.api()).await, ["papers/guide.pdf"]);
}

#[tokio::test]
async fn packed_documents_of_a_site_are_learned() {
    let file = |media_type, bytes: &[u8]| Page::Body { media_type, headers: String::new(), bytes: bytes.to_vec() };
    let links = ["/rental.pptx", "/files/house-rules.odt", "/care.epub", "/warranty.docx"];
    let site = Site::start([
        ("/", page("Welcome", BULBS, &links)),
        ("/rental.pptx", file("application/octet-stream", RENTAL_PPTX)),
        ("/files/house-rules.odt", file("application/vnd.oasis.opendocument.text", HOUSE_RULES_ODT)),
        ("/care.epub", file("application/epub+zip", CARE_EPUB)),
        ("/warranty.docx", file("application/zip", WARRANTY_DOCX)),
    ])
    .await;
    let node = Node::start(&[PRIVATE]);
    let job = learn(&node.api(), &site.url("")).await;
    assert_eq!((job.state, job.pages_read, job.pages_skipped_total), (JobState::Done, 5, 0), "{job:?}");
    let mut expected: Vec<String> = links.iter().chain(&["/"]).map(|path| site.url(path)).collect();
    expected.sort_unstable();
    assert_eq!(sources(&node.api()).await, expected);
}

fn docx_bomb() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).unwrap();
    let blanks = vec![b' '; 1 << 20];
    for _ in 0..256 {
        writer.write_all(&blanks).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

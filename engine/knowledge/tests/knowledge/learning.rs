//! What learning promises: durable, isolated, built again when lost, never in a search's way.

use std::sync::Arc;

use engine_knowledge::{Knowledge, KnowledgeError};
use engine_store::StoreError;
use schema::limits::DOCUMENT_BYTES_MAX;
use schema::wire::Learned;
use schema::{Passage, TenantId, Timestamp};
use tempfile::TempDir;

use crate::document;
use crate::records::Memory;

struct Desk {
    data: TempDir,
    records: Arc<Memory>,
    knowledge: Knowledge,
    tenant: TenantId,
}

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

impl Desk {
    fn new() -> Self {
        let (data, records) = (tempfile::tempdir().unwrap(), Arc::new(Memory::default()));
        let knowledge = Knowledge::open(data.path(), records.clone());
        Self { data, records, knowledge, tenant: TenantId::generate() }
    }

    /// As after a restart of the node.
    fn reopen(&mut self) {
        self.knowledge = Knowledge::open(self.data.path(), self.records.clone());
    }

    async fn learn(&self, source: &str, text: &str) -> Result<Vec<Learned>, KnowledgeError> {
        self.knowledge.learn(self.tenant, vec![document(source, text)], NOW).await
    }

    async fn search(&self, question: &str) -> Vec<Passage> {
        self.knowledge.search(self.tenant, question, 5).await.unwrap()
    }

    async fn knows(&self, question: &str) -> bool {
        !self.search(question).await.is_empty()
    }

    fn index(&self) -> std::path::PathBuf {
        self.data.path().join("knowledge").join(self.tenant.to_string())
    }
}

#[tokio::test]
async fn what_is_learned_is_found_listed_replaced_and_forgotten() {
    let desk = Desk::new();
    let learned = desk.learn("a.md", "# Lamps\nThe lamp glows green.").await.unwrap();
    assert_eq!((learned[0].passages, learned[0].changed), (1, true));
    let found = desk.search("green lamp").await;
    assert_eq!((found[0].n, found[0].source.as_str(), found[0].heading.as_str()), (1, "a.md", "Lamps"));
    assert_eq!(found[0].text.as_str(), "The lamp glows green.");

    assert!(!desk.learn("a.md", "# Lamps\nThe lamp glows green.").await.unwrap()[0].changed);
    assert!(desk.learn("a.md", "# Lamps\nThe lamp glows purple.").await.unwrap()[0].changed);
    assert!(desk.knows("purple").await && !desk.knows("green").await);

    let listed = desk.knowledge.list(desk.tenant).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].source.as_str(), listed[0].bytes, listed[0].learned_at), ("a.md", 30, NOW));

    assert!(desk.knowledge.forget(desk.tenant, "a.md".into()).await.unwrap());
    assert!(!desk.knowledge.forget(desk.tenant, "a.md".into()).await.unwrap());
    assert!(!desk.knows("purple").await);
    assert!(desk.knowledge.list(desk.tenant).await.unwrap().is_empty());
}

#[tokio::test]
async fn any_text_is_a_question() {
    let desk = Desk::new();
    desk.learn("a.md", "The café opens at nine. 営業時間は九時からです。").await.unwrap();
    for (question, finds) in [
        ("CAFE", true),
        ("when does the cafés open", true),
        ("営業時間", true),
        ("body:(cafe AND \"", true),
        ("+cafe -nine ~2 ^*", true),
        ("cafee", true),
        ("coffee", false),
        ("openz opend", true),
        ("", false),
        ("what is the", false),
        ("\0\u{202e}🦀", false),
    ] {
        assert_eq!(desk.knows(question).await, finds, "{question}");
    }
    let long = "zebra ".repeat(100_000) + "cafe";
    assert!(!desk.knows(&long).await);
    assert!(desk.knowledge.search(desk.tenant, "cafe", 0).await.unwrap().is_empty());
    assert_eq!(desk.knowledge.search(desk.tenant, "cafe", usize::MAX).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_tenant_never_sees_anothers() {
    let desk = Desk::new();
    desk.learn("a.md", "The canary sings.").await.unwrap();
    let other = TenantId::generate();
    assert!(desk.knowledge.search(other, "canary", 5).await.unwrap().is_empty());
    assert!(desk.knowledge.list(other).await.unwrap().is_empty());
    assert!(!desk.knowledge.forget(other, "a.md".into()).await.unwrap());
    assert!(desk.knows("canary").await);
}

#[tokio::test]
async fn asking_makes_no_folder() {
    let desk = Desk::new();
    assert!(!desk.knows("anything").await);
    assert!(!desk.index().exists());
}

#[tokio::test]
async fn a_section_fills_no_answer_alone() {
    let desk = Desk::new();
    let long =
        (0..12).map(|n| format!("The heron stood in pond {n}. {}", "Water ran. ".repeat(60))).collect::<Vec<_>>();
    let text = format!("# Heron\n{}\n# Other birds\nNo heron here.", long.join("\n\n"));
    desk.learn("a.md", &text).await.unwrap();
    let found = desk.search("heron").await;
    assert_eq!(found.iter().filter(|passage| passage.heading == "Heron").count(), 2);
    assert!(found.iter().any(|passage| passage.heading == "Other birds"));
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_before_anything_is_learned() {
    let desk = Desk::new();
    let large = "x".repeat(DOCUMENT_BYTES_MAX + 1);
    let batch = vec![document("ok.md", "fine words"), document("large.md", &large)];
    let refused = desk.knowledge.learn(desk.tenant, batch, NOW).await;
    assert!(matches!(refused, Err(KnowledgeError::TooLarge { .. })), "{refused:?}");
    for source in ["", "  ", "a\nb", &"x".repeat(2_000)] {
        assert!(matches!(desk.learn(source, "x").await, Err(KnowledgeError::Source)));
    }
    assert_eq!(desk.records.len(), 0);
}

#[tokio::test]
async fn an_index_that_is_lost_damaged_or_old_is_built_again() {
    let mut desk = Desk::new();
    desk.learn("a.md", "The lamp glows green.").await.unwrap();
    desk.learn("b.md", "The rug is woven.").await.unwrap();
    desk.reopen();
    assert!(desk.knows("lamp").await);

    std::fs::remove_dir_all(desk.index()).unwrap();
    desk.reopen();
    assert!(desk.knows("lamp").await && desk.knows("rug").await);

    std::fs::write(desk.index().join("FORMAT"), "tertulia-knowledge 0\n").unwrap();
    desk.reopen();
    assert!(desk.knows("lamp").await);

    std::fs::write(desk.index().join("meta.json"), "{").unwrap();
    desk.reopen();
    assert!(desk.knows("rug").await);

    for entry in std::fs::read_dir(desk.index()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "idx" || end == "store") {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[0] ^= 0xff;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    desk.reopen();
    assert!(desk.knows("lamp").await && desk.knows("rug").await);
}

/// What only keeps an index from being opened just now is told, and leaves it as it is.
#[tokio::test]
async fn an_index_that_cannot_be_opened_now_is_not_built_anew() {
    let mut desk = Desk::new();
    desk.learn("a.md", "The lamp glows green.").await.unwrap();
    let files = |desk: &Desk| {
        let all = std::fs::read_dir(desk.index()).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.is_file()).collect::<std::collections::BTreeSet<_>>()
    };
    let whole = files(&desk);
    let segment = whole.iter().find(|path| path.extension().is_some_and(|end| end == "idx")).unwrap();
    for file in [desk.index().join("FORMAT"), desk.index().join("meta.json"), segment.clone()] {
        // A folder in a file's place: opening it fails, and not because it is not there.
        let aside = desk.data.path().join("aside");
        std::fs::rename(&file, &aside).unwrap();
        std::fs::create_dir(&file).unwrap();
        desk.reopen();
        let found = desk.knowledge.search(desk.tenant, "lamp", 5).await;
        let told = matches!(found, Err(KnowledgeError::Store(StoreError::Unavailable(_))));
        assert!(told, "{}: {found:?}", file.display());
        std::fs::remove_dir(&file).unwrap();
        std::fs::rename(&aside, &file).unwrap();
        assert_eq!(files(&desk), whole, "{}: nothing of it is gone", file.display());
        desk.reopen();
        assert!(desk.knows("lamp").await);
        assert_eq!(files(&desk), whole, "{}: it is the same index", file.display());
    }
}

/// Many tenants whose indexes are to be built ask at once, while no learner has a turn to give.
#[tokio::test]
async fn an_index_is_built_in_turn_and_nobody_waits_long_for_it() {
    let mut desk = Desk::new();
    let tenants: Vec<TenantId> = (0..6).map(|_| TenantId::generate()).collect();
    for tenant in &tenants {
        desk.knowledge.learn(*tenant, vec![document("a.md", "The lamp glows green.")], NOW).await.unwrap();
        let dir = desk.data.path().join("knowledge").join(tenant.to_string());
        std::fs::write(dir.join("FORMAT"), "tertulia-knowledge 0\n").unwrap();
    }
    desk.reopen();
    let held = Arc::new(tokio::sync::Semaphore::new(0));
    desk.records.hold(&held);
    let begun = std::time::Instant::now();
    let asked = tenants.iter().map(|tenant| desk.knowledge.search(*tenant, "green lamp", 5));
    let found = futures_util::future::join_all(asked).await;
    assert!(found.iter().all(|found| matches!(found, Err(KnowledgeError::Busy))), "{found:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(desk.records.held_most() <= 2, "{} are built at once", desk.records.held_most());
    // The builds go on without those who asked.
    held.add_permits(1_000);
    for tenant in &tenants {
        assert_eq!(desk.knowledge.search(*tenant, "green lamp", 5).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_is_learned_is_noted_before_anything_of_it_is_stored() {
    let desk = Desk::new();
    let noted = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (notes, records) = (Arc::clone(&noted), Arc::clone(&desk.records));
    let noting = desk.knowledge.noting(Arc::new(move |sources| {
        let stored = records.len();
        notes.lock().unwrap().push((sources, stored));
        let fails = stored > 0;
        Box::pin(async move { if fails { Err(KnowledgeError::Busy) } else { Ok(()) } })
    }));
    let batch = |name: &str| vec![document(name, "The lamp glows green.")];
    noting.learn(desk.tenant, batch("a.md"), NOW).await.unwrap();
    let stored = desk.records.len();
    assert!(matches!(noting.learn(desk.tenant, batch("b.md"), NOW).await, Err(KnowledgeError::Busy)));
    assert_eq!(desk.records.len(), stored, "what could not be noted is not stored");
    let expected = [(vec!["a.md".to_owned()], 0), (vec!["b.md".to_owned()], stored)];
    assert_eq!(*noted.lock().unwrap(), expected);
}

/// The store fails at every possible call of a batch; whatever was stored, a restart knows it
/// and nothing else.
#[tokio::test]
async fn no_failure_leaves_an_index_that_looks_right_and_is_not() {
    for calls in 0..24 {
        let mut desk = Desk::new();
        desk.learn("a.md", "Old amber.").await.unwrap();
        desk.records.fail_after(calls);
        let batch = vec![document("a.md", "New basalt."), document("c.md", "New copper.")];
        let learned = desk.knowledge.learn(desk.tenant, batch.clone(), NOW).await;
        desk.records.heal();
        assert!(!matches!(learned, Err(KnowledgeError::Store(StoreError::Conflict { .. }))));
        let again = calls % 2 == 0;
        if again {
            desk.knowledge.learn(desk.tenant, batch, NOW).await.unwrap();
        } else {
            desk.reopen();
        }
        let kept: Vec<String> =
            desk.knowledge.list(desk.tenant).await.unwrap().into_iter().map(|view| view.source).collect();
        assert_eq!(desk.knows("copper").await, kept.contains(&"c.md".to_string()), "after {calls} calls");
        assert_ne!(desk.knows("amber").await, desk.knows("basalt").await, "after {calls} calls");
        assert!(!again || (desk.knows("copper").await && desk.knows("basalt").await), "after {calls} calls");
    }
}

/// Nor does it leave a text that nobody can forget.
#[tokio::test]
async fn what_a_failure_left_is_forgotten_with_its_document() {
    for calls in 0..24 {
        let desk = Desk::new();
        desk.records.fail_after(calls);
        let _ = desk.learn("a.md", "Old amber.").await;
        desk.records.fail_after(calls / 2);
        let _ = desk.knowledge.forget(desk.tenant, "a.md".into()).await;
        desk.records.heal();
        desk.knowledge.forget(desk.tenant, "a.md".into()).await.unwrap();
        assert!(desk.records.len() <= 1, "only the count of changes, after {calls} calls");
        assert!(!desk.knows("amber").await);
    }
}

/// Nor a document that says it is known, is not, and can never be learned again.
#[tokio::test]
async fn what_was_half_forgotten_or_half_changed_can_be_learned_again() {
    for calls in 0..24 {
        for change in ["forget", "learn"] {
            let mut desk = Desk::new();
            desk.learn("a.md", "Old amber.").await.unwrap();
            let tenant = desk.tenant;
            desk.records.fail_after(calls);
            let _cut_short = match change {
                "forget" => desk.knowledge.forget(tenant, "a.md".into()).await.map(drop),
                _ => desk.learn("a.md", "New basalt.").await.map(drop),
            };
            desk.records.heal();
            let at = format!("{change}, after {calls} calls");
            desk.reopen();
            let shown = desk.knowledge.document(tenant, "a.md".into(), 0, 5).await;
            assert!(shown.is_ok(), "{at}: {shown:?}");
            desk.learn("a.md", "Old amber.").await.unwrap();
            assert!(desk.knows("amber").await && !desk.knows("basalt").await, "{at}");
            let page = desk.knowledge.document(tenant, "a.md".into(), 0, 5).await.unwrap();
            assert!(page.is_some_and(|page| page.passages.len() == 1), "{at}");
            desk.knowledge.forget(tenant, "a.md".into()).await.unwrap();
            assert!(!desk.knows("amber").await && desk.records.len() <= 1, "{at}");
        }
    }
}

#[tokio::test]
async fn a_document_that_comes_twice_says_what_it_said_last() {
    let mut desk = Desk::new();
    let batch = (0..40).map(|n| document(&format!("{}.md", n % 3), &format!("Stone number x{n}."))).collect();
    let learned = desk.knowledge.learn(desk.tenant, batch, NOW).await.unwrap();
    assert!(learned.len() == 40 && learned.iter().all(|learned| learned.changed && learned.passages == 1));
    for _ in 0..2 {
        assert!(desk.knows("x39").await && desk.knows("x38").await && desk.knows("x37").await);
        assert!(!desk.knows("x36").await && !desk.knows("x0").await);
        std::fs::remove_dir_all(desk.index()).unwrap();
        desk.reopen();
    }
    assert_eq!(desk.knowledge.list(desk.tenant).await.unwrap().len(), 3);
    let twice = vec![document("a.md", "The same."), document("a.md", "The same.")];
    let learned = desk.knowledge.learn(desk.tenant, twice, NOW).await.unwrap();
    assert_eq!(learned.iter().map(|learned| learned.changed).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_list_reads_what_is_known_of_documents_and_not_their_texts() {
    let desk = Desk::new();
    let text = |n: usize| format!("Lamp {n} glows. {}", "It does. ".repeat(20_000));
    desk.learn("large.md", &text(0)).await.unwrap();
    for n in 1..=8 {
        desk.learn(&format!("{n}.md"), &text(n)).await.unwrap();
    }
    desk.records.bytes_read();
    assert_eq!(desk.knowledge.list(desk.tenant).await.unwrap().len(), 9);
    let (first, next) = desk.knowledge.page(desk.tenant, None, 5).await.unwrap();
    let (second, end) = desk.knowledge.page(desk.tenant, next, 5).await.unwrap();
    assert_eq!((first.len(), second.len(), end), (5, 4, None));
    let read = desk.records.bytes_read();
    assert!(read < text(0).len() / 10, "{read} bytes");
    // What has not changed is compared with what is kept of it, and with nothing else.
    assert!(!desk.learn("8.md", &text(8)).await.unwrap()[0].changed);
    let read = desk.records.bytes_read();
    assert!(read < text(0).len() * 2, "{read} bytes");
}

#[tokio::test]
async fn another_nodes_learning_is_seen_when_the_index_is_opened_again() {
    let desk = Desk::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Knowledge::open(elsewhere.path(), desk.records.clone());
    desk.learn("a.md", "The lamp glows green.").await.unwrap();
    assert_eq!(other.search(desk.tenant, "lamp", 5).await.unwrap().len(), 1);
    other.learn(desk.tenant, vec![document("b.md", "The rug is woven.")], NOW).await.unwrap();
    assert!(!desk.knows("rug").await);
    desk.knowledge.put_away(desk.tenant);
    assert!(desk.knows("rug").await);
    // And a learner brings its index up to date before it adds to it.
    other.learn(desk.tenant, vec![document("c.md", "The vase is blue.")], NOW).await.unwrap();
    desk.learn("d.md", "The chair creaks.").await.unwrap();
    assert!(desk.knows("vase").await && desk.knows("chair").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_go_on_while_learning_and_learners_take_turns() {
    let desk = Arc::new(Desk::new());
    desk.learn("a.md", "The lamp glows green.").await.unwrap();
    let learners = (0..4).map(|learner| {
        let batch =
            (0..20).map(|n| document(&format!("{learner}-{n}.md"), &format!("Stone {learner} x{n}."))).collect();
        desk.knowledge.learn(desk.tenant, batch, NOW)
    });
    let learning = futures_util::future::join_all(learners);
    let searching = async {
        for _ in 0..50 {
            assert!(desk.knows("lamp").await);
        }
    };
    let (learned, ()) = futures_util::future::join(learning, searching).await;
    for learned in learned {
        assert!(learned.unwrap().iter().all(|learned| learned.changed));
    }
    assert_eq!(desk.knowledge.list(desk.tenant).await.unwrap().len(), 81);
    assert!(desk.knows("x19").await);
}

#[tokio::test]
async fn a_dropped_call_is_finished_all_the_same() {
    let desk = Desk::new();
    desk.learn("a.md", "The lamp glows green.").await.unwrap();
    {
        // Polled until its work has left for its own thread, then dropped.
        let mut learning = Box::pin(desk.learn("b.md", "The rug is woven."));
        let _ = futures_util::poll!(&mut learning);
        tokio::task::yield_now().await;
        let _ = futures_util::poll!(&mut learning);
    }
    // The next learner waits for the one before.
    desk.learn("c.md", "The vase is blue.").await.unwrap();
    assert!(desk.knows("rug").await && desk.knows("vase").await);
}

#[tokio::test]
async fn more_tenants_than_open_indexes_are_served() {
    let desk = Desk::new();
    let few = Knowledge::with_open_max(desk.data.path(), desk.records.clone(), 2);
    let tenants: Vec<TenantId> = (0..5).map(|_| TenantId::generate()).collect();
    for (n, tenant) in tenants.iter().enumerate() {
        few.learn(*tenant, vec![document("a.md", &format!("Word{n} alone."))], NOW).await.unwrap();
    }
    for (n, tenant) in tenants.iter().enumerate().chain(tenants.iter().enumerate()) {
        assert_eq!(few.search(*tenant, &format!("word{n}"), 5).await.unwrap().len(), 1);
    }
}

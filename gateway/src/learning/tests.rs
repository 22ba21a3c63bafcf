//! Sites that nodes share out: learned on one at a time, shown on all, gone on with when a node is gone.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use engine_store::memory::MemoryStore;
use schema::NodeId;
use schema::wire::JobState;
use secrecy::SecretBox;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};

use super::*;
use crate::auth::{ApiKeys, Tenants};

/// Pages of the test's site besides its first.
const PAGES: usize = 5;

/// A site whose pages come one by one, as the test lets them.
struct Pages {
    url: String,
    permits: Arc<Semaphore>,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Pages {
    async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let site = Self { url: format!("http://{host}/"), permits: Arc::new(Semaphore::new(0)), asked: Arc::default() };
        let (permits, asked) = (Arc::clone(&site.permits), Arc::clone(&site.asked));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, host.clone(), Arc::clone(&permits), Arc::clone(&asked)));
            }
        });
        site
    }

    /// Lets so many pages through.
    fn release(&self, pages: usize) {
        self.permits.add_permits(pages);
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().values().sum()
    }

    fn asks(&self) -> SiteIn {
        serde_json::from_value(serde_json::json!({ "url": self.url })).unwrap()
    }
}

async fn answer(
    mut socket: TcpStream,
    host: String,
    permits: Arc<Semaphore>,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = socket.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let (status, kind, body) = match path.as_str() {
        "/robots.txt" => ("404 Not Found", "text/plain", String::new()),
        "/sitemap.xml" => {
            let pages = (0..PAGES).map(|page| format!("<url><loc>http://{host}/{page}.txt</loc></url>"));
            let list = pages.collect::<String>();
            let xmlns = "http://www.sitemaps.org/schemas/sitemap/0.9";
            ("200 OK", "application/xml", format!("<urlset xmlns=\"{xmlns}\">{list}</urlset>"))
        }
        // Asked for more than once: to see where it is, and to read it.
        "/" => ("200 OK", "text/plain", "The first page tells of all lamps.".to_owned()),
        _ => {
            *asked.lock().unwrap().entry(path.clone()).or_default() += 1;
            let Ok(permit) = permits.acquire().await else { return };
            permit.forget();
            ("200 OK", "text/plain", format!("The page {path} tells of a lamp of its own."))
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _gone = socket.write_all(format!("{head}{body}").as_bytes()).await;
}

/// A clock that only the test moves.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// What one node believes of all.
#[derive(Clone)]
struct Believed {
    own: NodeId,
    alive: watch::Sender<Arc<[NodeId]>>,
    owner: Option<NodeId>,
}

impl Others for Believed {
    fn own(&self) -> NodeId {
        self.own
    }

    fn living(&self) -> watch::Receiver<Arc<[NodeId]>> {
        self.alive.subscribe()
    }

    fn owner_of(&self, _: u64) -> Option<NodeId> {
        self.owner
    }
}

/// Others on one store.
struct Cluster {
    store: Arc<MemoryStore>,
    hands: Hands,
    alive: watch::Sender<Arc<[NodeId]>>,
    tenants: Tenants,
    tenant: TenantId,
    dir: TempDir,
}

struct Member {
    id: NodeId,
    learning: Learning,
}

impl Cluster {
    async fn new() -> Self {
        let (store, dir) = (Arc::new(MemoryStore::default()), tempfile::tempdir().unwrap());
        let keys = Arc::new(ApiKeys::new(store.clone(), SecretBox::new(Box::new([9; 32]))));
        let tenants = Tenants::new(store.clone(), keys, dir.path().join("demo.key"));
        let hands = Hands(Arc::new(AtomicI64::new(1_700_000_000_000)));
        let tenant = tenants.ensure_demo(None, hands.now()).await.unwrap().tenant;
        Self { store, hands, alive: watch::Sender::default(), tenants, tenant, dir }
    }

    fn alone(&self, id: NodeId) -> Learning {
        let knowledge = Knowledge::open(&self.dir.path().join(id.to_string()), self.store.clone());
        Learning::new(knowledge, self.store.clone(), Reader::new(None), Arc::new(self.hands.clone()), true)
    }

    /// A node more, on the runtime that this is called on.
    fn join(&self, owner: Option<NodeId>) -> Member {
        let id = NodeId::generate();
        self.alive.send_modify(|alive| *alive = alive.iter().copied().chain([id]).collect());
        let learning = self.alone(id);
        assert!(learning.share(Arc::new(Believed { own: id, alive: self.alive.clone(), owner })));
        Member { id, learning }
    }

    /// The others take it for dead.
    fn bury(&self, member: &Member) {
        self.alive.send_modify(|alive| *alive = alive.iter().copied().filter(|id| *id != member.id).collect());
    }

    async fn site(&self, url: &str) -> Option<Site> {
        Sites::new(self.store.clone()).get(self.tenant, url).await.unwrap().map(|kept| kept.site)
    }

    async fn state(&self, member: &Member, job: JobId) -> JobState {
        member.learning.job(self.tenant, job).await.unwrap().state
    }
}

impl Member {
    fn runs(&self) -> usize {
        self.learning.jobs().running.len()
    }
}

async fn until<F: Future<Output = bool>>(mut fact: impl FnMut() -> F) {
    let begun = Instant::now();
    while !fact().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never came to be");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_one_nodes_is_shown_on_all_and_goes_on_when_its_node_dies() {
    let (cluster, site) = (Cluster::new().await, Pages::serve().await);
    let runtime = Runtime::new().unwrap();
    let first = {
        let _on_it = runtime.enter();
        cluster.join(None)
    };
    let others = [cluster.join(None), cluster.join(None)];
    let tenant = cluster.tenant;
    let job = first.learning.learn_site(tenant, site.asks()).await.unwrap();
    for other in &others {
        assert_eq!(cluster.state(other, job).await, JobState::Running, "from its first moment");
        let again = other.learning.learn_site(tenant, site.asks()).await;
        assert!(matches!(again, Err(LearningError::Running)), "{again:?}");
    }
    site.release(2);
    until(|| async { others[0].learning.job(tenant, job).await.unwrap().pages_read == 3 }).await;
    let listed = others[1].learning.sites(tenant).await.unwrap().remove(0);
    assert_eq!(listed.last.map(|last| (last.id, last.state)), Some((job, JobState::Running)));

    // It is due, and has its node: nobody else begins.
    cluster.hands.0.fetch_add(600_000, Ordering::SeqCst);
    for other in &others {
        other.learning.look(&cluster.tenants, true).await;
        assert_eq!(other.runs(), 0);
    }
    runtime.shutdown_background();
    cluster.bury(&first);
    assert_eq!(cluster.state(&others[0], job).await, JobState::Running, "it is to go on");
    for other in &others {
        other.learning.look(&cluster.tenants, true).await;
    }
    until(|| async { others.iter().map(Member::runs).sum::<usize>() == 1 }).await;
    site.release(2 * PAGES);
    for other in &others {
        until(|| async { cluster.state(other, job).await == JobState::Done }).await;
    }
    let documents = cluster.alone(NodeId::generate()).inner.knowledge.list(tenant).await.unwrap();
    assert_eq!(documents.len(), PAGES + 1);
    let kept = cluster.site(&site.url).await.unwrap();
    assert_eq!((kept.at, kept.pages.len()), (None, PAGES + 1));
    assert!(Sites::new(cluster.store.clone()).progress(tenant, &site.url).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_is_forgotten_from_another_node_than_the_one_that_learns_it() {
    let (cluster, site) = (Cluster::new().await, Pages::serve().await);
    let (one, other) = (cluster.join(None), cluster.join(None));
    let tenant = cluster.tenant;
    one.learning.learn_site(tenant, site.asks()).await.unwrap();
    site.release(2);
    until(|| std::future::ready(site.asked() == 3)).await;
    other.learning.forget_site(tenant, &site.url).await.unwrap();
    until(|| std::future::ready(one.runs() == 0)).await;
    assert!(cluster.site(&site.url).await.is_none());
    assert!(other.learning.inner.knowledge.list(tenant).await.unwrap().is_empty());
    assert!(Sites::new(cluster.store.clone()).progress(tenant, &site.url).await.unwrap().is_none());
    let forgotten = one.learning.forget_site(tenant, &site.url).await;
    assert!(matches!(forgotten, Err(LearningError::NotFound)), "{forgotten:?}");
}

/// Nothing tells of a site any more, also when its job was another node's that has no more to say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_node_told_of_a_site_is_forgotten_with_it() {
    let (cluster, site) = (Cluster::new().await, Pages::serve().await);
    let (one, other) = (cluster.join(None), cluster.join(None));
    let (tenant, sites) = (cluster.tenant, Sites::new(cluster.store.clone()));
    one.learning.learn_site(tenant, site.asks()).await.unwrap();
    site.release(1);
    until(|| async {
        sites.progress(tenant, &site.url).await.unwrap().is_some_and(|(_, told)| told.view.pages_read > 0)
    })
    .await;
    cluster.bury(&one);
    other.learning.forget_site(tenant, &site.url).await.unwrap();
    assert!(cluster.site(&site.url).await.is_none());
    assert!(sites.progress(tenant, &site.url).await.unwrap().is_none());
    // It lives after all, and does not go on.
    site.release(1);
    until(|| std::future::ready(one.runs() == 0)).await;
    assert!(sites.progress(tenant, &site.url).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_taken_for_dead_leaves_the_site_to_the_other() {
    let (cluster, site) = (Cluster::new().await, Pages::serve().await);
    let (one, other) = (cluster.join(None), cluster.join(None));
    let tenant = cluster.tenant;
    let job = one.learning.learn_site(tenant, site.asks()).await.unwrap();
    site.release(1);
    until(|| async { other.learning.job(tenant, job).await.unwrap().pages_read == 2 }).await;
    cluster.bury(&one);
    cluster.hands.0.fetch_add(600_000, Ordering::SeqCst);
    other.learning.look(&cluster.tenants, true).await;
    until(|| async { cluster.site(&site.url).await.and_then(|site| site.at).is_some_and(|at| at.node == other.id) })
        .await;
    // No page comes: it is told.
    until(|| std::future::ready(one.runs() == 0)).await;
    assert_eq!(other.runs(), 1);
    assert_eq!(
        cluster.site(&site.url).await.and_then(|site| site.at).map(|at| (at.node, at.job)),
        Some((other.id, job))
    );
    assert_eq!(cluster.state(&one, job).await, JobState::Running, "it goes on elsewhere");
    site.release(3 * PAGES);
    until(|| async { cluster.state(&other, job).await == JobState::Done }).await;
    assert_eq!(cluster.site(&site.url).await.unwrap().pages.len(), PAGES + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_due_site_is_its_owners_first_and_anybodys_when_it_is_late() {
    let (cluster, site) = (Cluster::new().await, Pages::serve().await);
    let tenant = cluster.tenant;
    let gone = cluster.join(None);
    gone.learning.learn_site(tenant, site.asks()).await.unwrap();
    until(|| std::future::ready(site.asked() == 1)).await;
    cluster.bury(&gone);
    let other = cluster.join(Some(NodeId::generate()));
    other.learning.look(&cluster.tenants, true).await;
    assert_eq!(other.runs(), 0, "it is another's turn");
    cluster.hands.0.fetch_add(121_000, Ordering::SeqCst);
    other.learning.look(&cluster.tenants, true).await;
    assert_eq!(other.runs(), 1);
    other.learning.drain().await;
    let kept = cluster.site(&site.url).await.unwrap();
    assert!(kept.due_at.is_some() && kept.at.is_some_and(|at| at.node == other.id), "the next one has the same job");
}

/// A post that its node could not give back keeps nobody from learning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_without_a_job_is_left() {
    let (cluster, site) = (Cluster::new().await, Pages::serve().await);
    let tenant = cluster.tenant;
    let (one, other) = (cluster.join(None), cluster.join(None));
    site.release(PAGES + 1);
    one.learning.learn_site(tenant, site.asks()).await.unwrap();
    until(|| std::future::ready(one.runs() == 0)).await;
    let sites = Sites::new(cluster.store.clone());
    let mut kept = sites.get(tenant, &site.url).await.unwrap().unwrap();
    kept.site.at = Some(engine_crawl::Post { node: one.id, job: JobId::generate(), since: cluster.hands.now() });
    sites.put(tenant, &mut kept).await.unwrap();
    assert!(matches!(other.learning.learn_site(tenant, site.asks()).await, Err(LearningError::Running)));
    one.learning.look(&cluster.tenants, true).await;
    assert_eq!(cluster.site(&site.url).await.unwrap().at, None);
    other.learning.learn_site(tenant, site.asks()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_alone_writes_of_no_post_and_reads_what_older_versions_wrote() {
    let (cluster, site) = (Cluster::new().await, Pages::serve().await);
    let alone = cluster.alone(NodeId::generate());
    let job = alone.learn_site(cluster.tenant, site.asks()).await.unwrap();
    until(|| std::future::ready(site.asked() == 1)).await;
    let kept = cluster.site(&site.url).await.unwrap();
    assert_eq!(kept.at, None);
    let mut old = serde_json::to_value(&kept).unwrap();
    old["format"] = 1.into();
    assert_eq!(old.get("at"), None);
    assert_eq!(serde_json::from_value::<Site>(old).unwrap(), Site { format: 1, ..kept });
    site.release(PAGES + 1);
    until(|| async { alone.job(cluster.tenant, job).await.unwrap().state == JobState::Done }).await;
    assert!(Sites::new(cluster.store.clone()).progress(cluster.tenant, &site.url).await.unwrap().is_none());
}

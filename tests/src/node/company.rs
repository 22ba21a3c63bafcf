//! What the nodes of the black-box tests stand on, and beside: a store of their own, or, as an environment variable says,
//! a keyspace each on a shared cluster, alone or beside a node that owns their conversations.
//! Invariant: what a test does to its node it does to that one alone; the node beside it lives as long as its data.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of tests")]

use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Settings, data_in, on_cluster, own_address, program};
use crate::servers::{Cassandra, Leash, Redis, keyspaces};
use crate::{PATIENCE, owners};

/// Names the company.
pub const COMPANY: &str = "TERTULIA_TEST_STORE";
/// Stands on standard error before the number of nodes that had one beside them so far.
pub const ACCOMPANIED: &str = "nodes with an owner beside them: ";

/// Between two looks whether the node under test can have conversations.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// A word of its log that it says then.
const LINKED: &str = "linked";

/// Tests whose nodes have a store of their own in every company, by the beginnings of their names, and why.
pub const ALONE: &[(&str, &str)] = &[
    ("contacts::what_a_merge_brought", "looks into the files of the store"),
    ("contacts::who_is_erased_is_gone", "looks into the files of the store"),
    ("due::a_node_closes_what_came", "writes into the store of an ended node"),
    ("due::a_reply_that_a_kill", "on a cluster what a killed node had under way is found half a minute later"),
    ("faults::disk::", "is about the files of a store"),
    ("folder::", "is about the files of a store"),
    ("keys::", "is about the files of a store's keys"),
    ("listing::a_row_that_a_kill", "writes into the store of an ended node"),
    ("listing::the_list_is_made_anew", "writes into the store of an ended node"),
    ("process::what_cannot_start", "has settings that are wrong for a node alone"),
    ("sealed::", "looks into the files of the store and its keys"),
    ("takeover::", "is about one program after another on a node's own data; real_stores has those on a cluster"),
    ("unanswered::a_crash", "on a cluster what a killed node wrote last is found a minute later"),
];

/// The same where another node owns.
pub const ALONE_OF_OWNER: &[(&str, &str)] = &[
    ("api::conversations::the_list_shows", LISTED_LATER),
    ("api::documents::operators_see", COUNTED_ELSEWHERE),
    ("api::knowledge::a_learned_document", KNOWN_LATER),
    ("cli::a_folder_is_learned", KNOWN_LATER),
    ("cli::a_node_is_healthy", WAITS_FOR_NOTHING),
    ("contacts::a_name_is_one_identity", LISTED_LATER),
    ("contacts::two_who_are_one", LISTED_LATER),
    (
        "erasing::nothing_is_written_back",
        "who speaks while another node erases is told to send it again, and then that it is gone",
    ),
    ("erasing::unspoken", LISTED_LATER),
    ("faults::overload::what_is_too_much", COUNTED_ELSEWHERE),
    ("learning::what_a_stop_leaves", "the other one goes on with the site at once, under the job's id"),
    ("listing::", LISTED_LATER),
    ("model_context::a_talk_longer", COUNTED_ELSEWHERE),
    ("process::a_log_that_cannot", "asks at once whether the node is ready, and it has to find another one first"),
    ("process::a_node_that_is_told", WAITS_FOR_NOTHING),
    ("process::a_reply_that_does", WAITS_FOR_NOTHING),
    ("turns::stop_closes", COUNTED_ELSEWHERE),
    ("unanswered::what_was_not_known", COUNTED_ELSEWHERE),
    ("unanswered::who_wants_a_person", COUNTED_ELSEWHERE),
];

const COUNTED_ELSEWHERE: &str = "reads of metrics what the node does that owns";
const LISTED_LATER: &str = "what another node has written comes to the list a moment later";
const KNOWN_LATER: &str = "what is learned at one node is answered from by the others a moment later";
const WAITS_FOR_NOTHING: &str = "a node that owns nothing has no reply to wait for when it ends";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
    /// A store of its own.
    None,
    /// A keyspace of its own.
    Cluster,
    /// The same, and a node that owns; the one under test owns nothing.
    Owner,
}

impl Company {
    /// That of all nodes on the data in `root`: the first is started on the thread of its test.
    fn of(root: &Path) -> Self {
        static KNOWN: LazyLock<Mutex<HashMap<PathBuf, Company>>> = LazyLock::new(Mutex::default);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(root.to_owned()).or_insert_with(Self::of_test)
    }

    /// That of the test that runs on this thread.
    fn of_test() -> Self {
        let company = match std::env::var(COMPANY) {
            Ok(name) if name == "cql" => Self::Cluster,
            Ok(name) if name == "relay" => Self::Owner,
            Ok(other) => panic!("{COMPANY} is {other:?}: `cql`, `relay`, or nothing"),
            Err(_) => return Self::None,
        };
        let thread = thread::current();
        // On a thread of another kind nobody knows which test it is, and whether it is one of the lists.
        let test = thread.name().filter(|name| name.contains("::"));
        let test =
            test.unwrap_or_else(|| panic!("{:?} is no test's thread: start the first on that one", thread.name()));
        let mut alone = ALONE.iter().chain(ALONE_OF_OWNER.iter().filter(|_| company == Self::Owner));
        if alone.any(|(alone, _)| test.starts_with(alone)) { Self::None } else { company }
    }
}

/// Where the nodes on one folder's data stand.
struct Place {
    root: PathBuf,
    keyspace: String,
    beside: Option<Beside>,
}

impl Place {
    fn owner(&self) -> Option<SocketAddr> {
        self.beside.as_ref().map(|beside| beside.address)
    }
}

/// The node beside them.
struct Beside {
    settings: Vec<(String, String)>,
    address: SocketAddr,
    _node: Leash,
}

static PLACES: Mutex<Vec<Place>> = Mutex::new(Vec::new());

fn places() -> MutexGuard<'static, Vec<Place>> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Settings of the node under test for its data in `root`.
pub(super) fn settings(root: &Path) -> Vec<(&'static str, String)> {
    let company = Company::of(root);
    if company == Company::None {
        return Vec::new();
    }
    let mut settings = on_shared_cluster(root, company);
    if company == Company::Owner {
        settings.push(("TERTULIA_CONVERSATIONS__OWN", "false".into()));
    }
    settings
}

/// All nodes on the same data have the same keyspace, and the same root key.
fn on_shared_cluster(root: &Path, company: Company) -> Vec<(&'static str, String)> {
    let contact_point = Cassandra::shared().expect("a cluster");
    let mut settings = on_cluster(contact_point, &keyspace_of(root)).to_vec();
    settings.push(("TERTULIA_STORE__KEYS", data_in(root).join("keys").display().to_string()));
    if company == Company::Owner {
        // By it the two hear of each other's changes at once.
        settings.push(("TERTULIA_REDIS", format!("redis://{}", Redis::shared().expect("a Redis"))));
    }
    settings
}

fn keyspace_of(root: &Path) -> String {
    let (gone, keyspace) = {
        let mut places = places();
        // Of tests that had their folder longer than their nodes.
        let gone: Vec<Place> = places.extract_if(.., |place| !place.root.exists()).collect();
        let keyspace = match places.iter().find(|place| place.root == root) {
            Some(place) => place.keyspace.clone(),
            None => {
                let keyspace = keyspaces::take();
                places.push(Place { root: root.to_owned(), keyspace: keyspace.clone(), beside: None });
                keyspace
            }
        };
        (gone, keyspace)
    };
    gone.into_iter().for_each(clear_away);
    keyspace
}

fn clear_away(place: Place) {
    // It writes until it has ended.
    drop(place.beside);
    keyspaces::give_back(place.keyspace);
}

/// Starts the node beside the one that is about to be started, unless it is there, with these settings.
pub(super) fn accompany(root: &Arc<TempDir>, given: Settings<'_>) {
    if Company::of(root.path()) != Company::Owner {
        return;
    }
    // Each node listens where nobody else does.
    let given = given.iter().filter(|(name, _)| !name.contains("LISTEN"));
    let given: Vec<(String, String)> = given.map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let cluster = on_shared_cluster(root.path(), Company::Owner);
    let before = {
        let mut places = places();
        let Some(place) = places.iter_mut().find(|place| place.root == root.path()) else { return };
        if place.beside.as_ref().is_some_and(|beside| beside.settings == given) {
            return;
        }
        place.beside.take()
    };
    // It has its folder to itself.
    drop(before);
    let (address, node) = start_beside(root.path(), &cluster, &given);
    let mut places = places();
    if let Some(place) = places.iter_mut().find(|place| place.root == root.path()) {
        place.beside = Some(Beside { settings: given, address, _node: node });
    }
}

fn start_beside(root: &Path, cluster: &[(&str, String)], given: &[(String, String)]) -> (SocketAddr, Leash) {
    let address = own_address().expect("a free address");
    let folder = root.join("beside");
    let mut command = Command::new("env");
    command.arg("-i").arg("-C").arg(root);
    let own = [
        ("TERTULIA_LISTEN", address.to_string()),
        ("TERTULIA_DATA", folder.join("data").display().to_string()),
        ("TERTULIA_KNOWLEDGE__DEMO_DOCUMENTS", "false".to_owned()),
    ];
    command.args(own.iter().chain(cluster).map(|(name, value)| format!("{name}={value}")));
    command.args(given.iter().map(|(name, value)| format!("{name}={value}"))).arg(program());
    (address, Leash::start(&command, &folder, "tertulia chat", PATIENCE).expect("the node beside it"))
}

/// Waits until the node under test can have conversations: it says in its log that it is linked.
pub(super) fn is_accompanied(root: &Path, address: SocketAddr, log: &Mutex<String>) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let company = Company::of(root);
    let owner = places().iter().find(|place| place.root == root).and_then(Place::owner);
    owners::tell(address, owner);
    if company != Company::Owner {
        return;
    }
    let began = Instant::now();
    loop {
        let log = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if log.contains(LINKED) {
            // Past what the tests keep of the output of those that pass. Nobody else's words may come in between.
            let line = format!("{ACCOMPANIED}{}\n", COUNT.fetch_add(1, Ordering::Relaxed) + 1);
            let _ = std::io::stderr().write_all(line.as_bytes());
            return;
        }
        assert!(began.elapsed() < PATIENCE, "the node does not find the one beside it:\n{log}");
        thread::sleep(LOOK_AGAIN);
    }
}

/// The node under test has ended, and perhaps nobody starts another one on its data.
pub(super) fn part(root: &Arc<TempDir>) {
    if Arc::strong_count(root) > 1 {
        return;
    }
    let gone = {
        let mut places = places();
        places.iter().position(|place| place.root == root.path()).map(|index| places.swap_remove(index))
    };
    // Not under the lock, as it takes a moment.
    if let Some(place) = gone {
        clear_away(place);
    }
}

//! Merges, splits and erasures that are stopped in the middle: the next who reads goes on with them.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use actors::{Contacts, ContactsError, Options, System, SystemClock, TenantRecord, Worker};
use engine_conversation::{Command, Speaker};
use engine_knowledge::{KnowledgeError, Query, Retriever};
use engine_model::{ModelSettings, Registry};
use engine_store::memory::{Fate, MemoryStore, Scripted};
use engine_store::{PageBounds, Records, Scope, SharedStore, StoreError};
use futures_util::future::{BoxFuture, join_all};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schema::wire::SplitIn;
use schema::{ChangeKind, ChangedBy, Contact, ContactChange, ContactId, Identity, Passage, TenantId, Timestamp};
use tokio::task::LocalSet;

const LOST: [Fate; 3] = [Fate::LostUnknown, Fate::DoneUnknown, Fate::Unavailable];

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Merge,
    Split,
    Unmerge,
}

/// Who reads first after the failure.
#[derive(Clone, Copy, Debug)]
enum Reader {
    Survivor,
    Other,
    Identity,
}

struct Bed {
    store: Arc<MemoryStore>,
    tenant: TenantId,
    ana: ContactId,
    bo: ContactId,
}

fn by() -> ChangedBy {
    "key 1".parse().unwrap()
}

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn name(text: &str) -> Contact {
    text.parse().unwrap()
}

impl Bed {
    /// Ana, and Bo with a telephone; for a split or the end of a merge, Bo was merged into Ana.
    async fn new(asked: Asked) -> Self {
        let (store, tenant) = (Arc::<MemoryStore>::default(), TenantId::generate());
        let contacts = Contacts::new(store.clone(), Arc::new(SystemClock));
        let ana = contacts.named(tenant, &name("Ana")).await.unwrap().own;
        let bo = contacts.named(tenant, &name("Bo")).await.unwrap().own;
        let phone = ContactChange {
            version: 1,
            add_identities: vec![identity("phone:+34600123456")],
            ..ContactChange::default()
        };
        contacts.change(tenant, bo, phone, &by()).await.unwrap();
        if asked != Asked::Merge {
            contacts.merge(tenant, ana, bo, &by()).await.unwrap();
        }
        Self { store, tenant, ana, bo }
    }

    /// As another node sees them, which remembers nothing.
    fn contacts(&self) -> Contacts {
        Contacts::new(self.store.clone(), Arc::new(SystemClock))
    }

    async fn ask(&self, asked: Asked) -> Result<(), ContactsError> {
        let contacts = self.contacts();
        let split = |identities: &[&str], contact| SplitIn {
            identities: identities.iter().map(|text| identity(text)).collect(),
            contact,
        };
        match asked {
            Asked::Merge => contacts.merge(self.tenant, self.ana, self.bo, &by()).await,
            Asked::Split => contacts.split(self.tenant, self.ana, split(&["phone:+34600123456"], None), &by()).await,
            Asked::Unmerge => contacts.split(self.tenant, self.ana, split(&[], Some(self.bo)), &by()).await,
        }
        .map(|_| ())
    }

    async fn read(&self, reader: Reader) {
        let contacts = self.contacts();
        match reader {
            Reader::Survivor => drop(contacts.standing(self.tenant, self.ana).await.unwrap()),
            Reader::Other => drop(contacts.standing(self.tenant, self.bo).await.unwrap()),
            Reader::Identity => {
                drop(contacts.find(self.tenant, &identity("phone:+34600123456")).await.unwrap().unwrap());
            }
        }
    }

    /// Who has which identity; each is found, and is the finder's own.
    async fn owners(&self) -> Vec<ContactId> {
        let contacts = self.contacts();
        let mut owners = Vec::new();
        for text in ["external:Ana", "external:Bo", "phone:+34600123456"] {
            let found = contacts.find(self.tenant, &identity(text)).await.unwrap().expect(text);
            assert!(found.identities.iter().any(|known| known.identity == identity(text)), "{text}");
            owners.push(found.id);
        }
        owners
    }

    async fn is_done(&self, asked: Asked) -> bool {
        // Hers first: whoever comes from Bo mends what Ana does not look for.
        let family = self.contacts().family_of(self.tenant, self.ana).await.unwrap();
        let owners = self.owners().await;
        let standing = self.contacts().standing(self.tenant, self.bo).await.unwrap().id;
        let (merged, apart) = (vec![self.ana, self.bo], vec![self.ana]);
        let states = match asked {
            Asked::Merge => [
                (owners == [self.ana, self.bo, self.bo], standing == self.bo, family == apart),
                (owners == [self.ana; 3], standing == self.ana, family == merged),
            ],
            Asked::Unmerge => [
                (owners == [self.ana; 3], standing == self.ana, family == merged),
                (owners == [self.ana, self.bo, self.bo], standing == self.bo, family == apart),
            ],
            Asked::Split => [
                (owners == [self.ana; 3], standing == self.ana, family == merged),
                (
                    owners[..2] == [self.ana; 2] && ![self.ana, self.bo].contains(&owners[2]),
                    standing == self.ana,
                    family == merged,
                ),
            ],
        };
        let [before, after] = states.map(|state| state == (true, true, true));
        assert!(before != after, "{asked:?} is half done: {owners:?} {standing} {family:?}, Ana is {}", self.ana);
        after
    }
}

/// How many writes each takes, and with which of them it is decided.
const WRITES: [(Asked, usize, usize); 3] = [(Asked::Merge, 3, 1), (Asked::Split, 4, 0), (Asked::Unmerge, 2, 0)];

#[tokio::test]
async fn whichever_write_is_lost_the_next_who_reads_finds_all_of_it_or_nothing() {
    for (asked, writes, decides) in WRITES {
        for lost in LOST {
            for nth in 0..writes {
                for reader in [Reader::Survivor, Reader::Other, Reader::Identity] {
                    let bed = Bed::new(asked).await;
                    let fails = Scripted { fate: lost, ..Scripted::default() };
                    bed.store.script(std::iter::repeat_n(Scripted::default(), nth).chain([fails]));
                    let case = format!("{asked:?}, write {nth} is {lost:?}, read by {reader:?}");
                    let answer = bed.ask(asked).await;
                    assert!(matches!(answer, Err(ContactsError::Store(_))), "{case}: {answer:?}");
                    assert_eq!(bed.store.script_left(), 0, "{case}");
                    bed.read(reader).await;
                    let is_decided = nth > decides || nth == decides && lost == Fate::DoneUnknown;
                    assert_eq!(bed.is_done(asked).await, is_decided, "{case}");
                    let again = bed.ask(asked).await;
                    if !is_decided || asked == Asked::Merge {
                        assert_eq!(again, Ok(()), "{case}");
                    }
                    assert!(bed.is_done(asked).await, "{case}");
                    if asked == Asked::Merge {
                        let anas = bed.contacts().view(bed.tenant, bed.ana).await.unwrap().unwrap();
                        let noted = anas
                            .changes
                            .iter()
                            .filter(|changed| changed.change == ChangeKind::Merged { other: bed.bo });
                        assert_eq!(noted.count(), 1, "{case}");
                    }
                }
            }
            let bed = Bed::new(asked).await;
            bed.store.script(std::iter::repeat_n(Scripted::default(), writes + 1));
            assert_eq!(bed.ask(asked).await, Ok(()), "{asked:?}");
            assert_eq!(bed.store.script_left(), 1, "{asked:?} takes {writes} writes");
        }
    }
}

/// Whoever asks at the same time gets through, and one of the two goes on for both.
#[tokio::test(start_paused = true)]
async fn two_who_merge_each_into_the_other_are_one() {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let bed = Bed::new(Asked::Merge).await;
        let delays =
            (0..64).map(|_| Scripted { delay: Duration::from_millis(random.random_range(0..5)), fate: Fate::AsAsked });
        bed.store.script(delays.collect::<Vec<_>>());
        let (one, other) = (bed.contacts(), bed.contacts());
        let (first, second) = (by(), by());
        let start = Duration::from_millis(random.random_range(0..8));
        let tried = tokio::join!(one.merge(bed.tenant, bed.ana, bed.bo, &first), async {
            tokio::time::sleep(start).await;
            other.merge(bed.tenant, bed.bo, bed.ana, &second).await
        });
        assert!(tried.0.is_ok() && tried.1.is_ok(), "seed {seed}: {tried:?}");
        let contacts = bed.contacts();
        let root = contacts.standing(bed.tenant, bed.ana).await.unwrap().id;
        assert_eq!(contacts.standing(bed.tenant, bed.bo).await.unwrap().id, root, "seed {seed}");
        assert_eq!(bed.owners().await, [root; 3], "seed {seed}: {tried:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_names_somebody_at_the_same_time_gets_the_same_contact() {
    let (store, tenant) = (Arc::<MemoryStore>::default(), TenantId::generate());
    let slow = Scripted { delay: Duration::from_millis(3), fate: Fate::AsAsked };
    store.script(std::iter::repeat_n(slow, 64));
    let contacts = Contacts::new(store.clone(), Arc::new(SystemClock));
    let cy = name("Cy");
    let found = join_all((0..16).map(|_| contacts.named(tenant, &cy))).await;
    assert!(found.iter().all(|id| id == &found[0] && id.is_ok()), "{found:?}");
    assert_eq!(store.scan(Scope::Tenant(tenant), "contact", None, 99).await.unwrap().len(), 1);
    // Somebody of whom nothing is known is nobody's write.
    let left = store.script_left();
    let nobody = ContactId::generate();
    let standing = contacts.standing(tenant, nobody).await.unwrap();
    assert_eq!((standing.id, standing.is_known, standing.shown.id()), (nobody, false, Some(nobody)));
    assert_eq!(contacts.named(tenant, &nobody.into()).await.unwrap().own, nobody);
    assert_eq!(store.script_left(), left);
}

#[tokio::test]
async fn a_change_is_made_from_the_version_that_is_there_and_takes_nobodys_identity() {
    let bed = Bed::new(Asked::Merge).await;
    let contacts = bed.contacts();
    let change = |version| ContactChange {
        version,
        add_identities: vec![identity("phone:+34600123456")],
        ..ContactChange::default()
    };
    for (version, refused) in [
        (0, ContactsError::Version { found: 1 }),
        (2, ContactsError::Version { found: 1 }),
        (1, ContactsError::Held { by: bed.bo }),
    ] {
        assert_eq!(contacts.change(bed.tenant, bed.ana, change(version), &by()).await, Err(refused), "{version}");
    }
    assert_eq!(contacts.view(bed.tenant, bed.ana).await.unwrap().unwrap().version, 1);
    // A change by the id of one who was merged away is a change of the one who goes on.
    contacts.merge(bed.tenant, bed.ana, bed.bo, &by()).await.unwrap();
    let version = contacts.view(bed.tenant, bed.bo).await.unwrap().unwrap().version;
    let named = ContactChange { version, name: Some("Ana".parse().ok()), ..ContactChange::default() };
    assert_eq!(contacts.change(bed.tenant, bed.bo, named, &by()).await.unwrap().id, bed.ana);
    // Other tenants have other contacts.
    let other = TenantId::generate();
    assert_eq!(contacts.view(other, bed.ana).await, Ok(None));
    assert_eq!(contacts.find(other, &identity("external:Ana")).await, Ok(None));
    assert_ne!(contacts.named(other, &name("Ana")).await.unwrap().own, bed.ana);
}

/// Nothing is known.
pub(super) struct Nothing;

impl Retriever for Nothing {
    fn search(&self, _: TenantId, _: Query, _: usize) -> BoxFuture<'static, Result<Vec<Passage>, KnowledgeError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

#[tokio::test(start_paused = true)]
async fn an_erasure_that_is_stopped_goes_on_when_the_node_starts() {
    let mut stopped = 0;
    for nth in 0..12 {
        stopped += usize::from(LocalSet::new().run_until(Box::pin(erasure_stopped_at(nth))).await);
    }
    assert!(stopped > 5, "{stopped}");
}

/// Whether it was stopped by the loss of all writes from the `nth` on.
async fn erasure_stopped_at(nth: usize) -> bool {
    let store = Arc::<MemoryStore>::default();
    let shared: SharedStore = store.clone();
    let tenant = TenantId::generate();
    TenantRecord::new(tenant, "shop", Timestamp::default()).save(&*shared, 0).await.unwrap();
    let start = || System::new(Arc::clone(&shared), Arc::new(Nothing), Arc::new(SystemClock), Options::default());
    let system = start();
    let worker = Worker::new(Arc::clone(&system), Registry::unchecked(ModelSettings::default(), None));
    let contacts = system.contacts();
    let [ana, bo] = [
        contacts.named(tenant, &name("Ana")).await.unwrap().own,
        contacts.named(tenant, &name("Bo")).await.unwrap().own,
    ];
    let cy = contacts.named(tenant, &name("Cy")).await.unwrap().own;
    let mut keys = Vec::new();
    for contact in [ana, bo, ana, cy] {
        let (key, _) = worker.open(tenant, contact, None).await.unwrap();
        let say = Command::Say { speaker: Speaker::Contact, r#ref: "r1".parse().unwrap(), text: "Hello".into() };
        worker.submit(key, say).await.unwrap();
        keys.push(key);
    }
    contacts.merge(tenant, ana, bo, &by()).await.unwrap();
    let fails = Scripted { fate: Fate::LostUnknown, ..Scripted::default() };
    store.script(std::iter::repeat_n(Scripted::default(), nth).chain(std::iter::repeat_n(fails, 200)));
    let first = system.erase_contact(tenant, ana).await;
    // The rest of the script has been for those who did not come.
    store.forget_script();
    drop(worker);
    let erased = async |system: &Arc<System>| {
        for key in &keys[..3] {
            if !matches!(system.store().read(*key, 0, PageBounds::HEAD).await, Err(StoreError::NotFound)) {
                return false;
            }
        }
        let left = store.scan(Scope::Tenant(tenant), "contact", None, 9).await.unwrap().len();
        left == 1 && store.scan(Scope::Node, "contact_erasure", None, 9).await.unwrap().is_empty()
    };
    let next = start();
    if first.is_err() {
        // The first write says that it was asked for, the second that it has begun: without both, it is asked for again.
        if nth > 1 {
            let look = async {
                while !erased(&next).await {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::select! {
                () = Arc::clone(&next).sweep() => unreachable!("it is not closed"),
                done = tokio::time::timeout(Duration::from_secs(60), look) => assert!(done.is_ok(), "write {nth}"),
            }
        } else {
            next.erase_contact(tenant, bo).await.unwrap();
        }
    }
    assert!(erased(&next).await, "write {nth}");
    assert!(next.store().read(keys[3], 0, PageBounds::HEAD).await.is_ok(), "another's stays");
    assert!(next.contacts().find(tenant, &identity("external:Cy")).await.unwrap().is_some());
    assert_eq!(next.contacts().find(tenant, &identity("phone:+34600123456")).await, Ok(None));
    first.is_err()
}

#[tokio::test(start_paused = true)]
async fn what_is_opened_while_its_contact_is_erased_is_erased_or_not_opened() {
    let (mut refused, mut opened) = (0, 0);
    for is_known in [true, false] {
        for (erases_after, opens_after) in [(0, 0), (0, 1), (1, 0), (0, 20), (20, 0)] {
            for slow in 0..8 {
                let case = format!("known: {is_known}, {erases_after}, {opens_after}, write {slow} is slow");
                let opens = opened_while_erased(is_known, (erases_after, opens_after), slow);
                let [is_opened, is_left, was_over] = LocalSet::new().run_until(Box::pin(opens)).await;
                // By the id of one who was gone already somebody of whom nothing is known opens one.
                assert!(!is_left || is_opened && was_over, "{case}");
                opened += usize::from(is_opened);
                refused += usize::from(!is_opened);
            }
        }
    }
    println!("refused {refused}, opened {opened}");
    assert!(refused > 0 && opened > 0, "refused {refused}, opened {opened}");
}

/// Whether a conversation was opened with somebody who is erased meanwhile, whether it is left, and whether the erasure
/// was over when somebody asked for it.
async fn opened_while_erased(is_known: bool, after: (u64, u64), slow: usize) -> [bool; 3] {
    let store = Arc::<MemoryStore>::default();
    let shared: SharedStore = store.clone();
    let tenant = TenantId::generate();
    TenantRecord::new(tenant, "shop", Timestamp::default()).save(&*shared, 0).await.unwrap();
    let system = System::new(Arc::clone(&shared), Arc::new(Nothing), Arc::new(SystemClock), Options::default());
    let worker = Worker::new(Arc::clone(&system), Registry::unchecked(ModelSettings::default(), None));
    let contacts = system.contacts();
    let ana = if is_known { contacts.named(tenant, &name("Ana")).await.unwrap().own } else { ContactId::generate() };
    let conversation = schema::ConversationId::generate();
    let key = schema::ConversationKey { tenant, conversation };
    // It is remembered who Ana is.
    contacts.standing(tenant, ana).await.unwrap();
    let write = Scripted { delay: Duration::from_millis(10), fate: Fate::AsAsked };
    store.script(std::iter::repeat_n(Scripted::default(), slow).chain([write]));
    let is_over = Cell::new(false);
    let wait = |millis| tokio::time::sleep(Duration::from_millis(millis));
    let erase = async {
        wait(after.0).await;
        // It fails where whoever has opened one erases it at the moment.
        while system.erase_contact(tenant, ana).await.is_err() {
            wait(1).await;
        }
        is_over.set(true);
    };
    let open = async {
        wait(after.1).await;
        let was_over = is_over.get();
        (worker.open_as(key, ana, None).await.is_ok(), was_over)
    };
    let ((), (is_opened, was_over)) = tokio::join!(erase, open);
    let is_left = system.store().read(key, 0, PageBounds::HEAD).await.is_ok();
    [is_opened, is_left, was_over]
}

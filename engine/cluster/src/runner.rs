//! Leaves the node's signs of life, looks at those of others, and tells who lives.
//! Invariant: a place that does not answer delays nothing but itself, and after the goodbye no sign is left.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine_store::{Beat, Member, Nodes};
use schema::NodeId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{error, info, warn};

use crate::living::{Living, Sight};
use crate::membership::{Membership, ROUND, SIGN_LASTS, SIGN_LASTS_MAX, Source};
use crate::metrics::{BEATS_FAILED, BEATS_WITHHELD, CHANGES, DOUBTS, MEMBERS, READINGS_FAILED, SIGHT};
use crate::redis::OWN_CALL_WITHIN;
use crate::threads::Threads;

/// Between two beats, and two looks at others.
const PACE: Duration = Duration::from_secs(3);
/// The same in the store while Redis answers, and how long such a beat lasts: until the next one has surely been seen.
const SLOW_PACE: Duration = Duration::from_secs(9);
const SLOW_SIGN_LASTS: Duration = SIGN_LASTS_MAX;
/// Whatever happens, two rounds at one place are so far apart.
const GAP_MIN: Duration = Duration::from_millis(500);
/// So often it turns over at least, and after so long a pause it was held: what it believes of others is old.
const TURN: Duration = Duration::from_secs(1);
const HELD: Duration = Duration::from_secs(4);
/// A node that has left no sign for so long may be held for dead: a sign in Redis lasts that much longer than the store's
/// may be newer by.
const DOUBTFUL: Duration = SIGN_LASTS.saturating_sub(ROUND);
/// Reports that wait to be folded in; there are two places, which wait for each other's.
const REPORTS_MAX: usize = 8;

/// A place of signs.
pub(crate) struct Place {
    pub(crate) source: Source,
    pub(crate) nodes: Arc<dyn Nodes>,
}

/// To whom it is told who lives.
pub(crate) struct Told {
    pub(crate) living: watch::Sender<Arc<Living>>,
    pub(crate) ids: watch::Sender<Arc<[NodeId]>>,
    /// Each place was looked into once, or could not be.
    pub(crate) looked: watch::Sender<bool>,
    /// Counts the times that others may have held this node for dead.
    pub(crate) doubts: watch::Sender<u64>,
}

/// Who leaves the signs.
pub(crate) struct Own {
    pub(crate) me: Member,
    /// Whose goodbye is said for it, where it left a sign that is none.
    pub(crate) before: Option<NodeId>,
    pub(crate) threads: Threads,
}

struct Report {
    source: Source,
    seen: Result<Vec<Beat>, NotSeen>,
}

/// A place could not be read; why, the metrics of its client tell.
struct NotSeen;

/// Runs until the node leaves and its goodbyes are said, or have failed.
pub(crate) async fn run(own: Own, places: Vec<Place>, all: Told, mut leave: watch::Receiver<bool>) {
    let Own { me, before, threads } = own;
    let began = Instant::now();
    let last = Arc::new(LastLeft::new(all.doubts.clone()));
    let sources: Vec<Source> = places.iter().map(|place| place.source).collect();
    let mut membership = Membership::new(me.clone(), &sources);
    let (reports, mut inbox) = mpsc::channel(REPORTS_MAX);
    let (answers, redis_answers) = watch::channel(false);
    let mut answers = Some(answers);
    let (late, is_late) = watch::channel(false);
    let mut followers = JoinSet::new();
    for place in places {
        let follower = Follower {
            me: me.clone(),
            before,
            buried: None,
            began,
            threads: threads.clone(),
            last: Arc::clone(&last),
            hangs: None,
            reports: reports.clone(),
            answers: if place.source == Source::Redis { answers.take() } else { None },
            redis_answers: redis_answers.clone(),
            is_late: is_late.clone(),
            place,
        };
        followers.spawn(follower.follow(leave.clone()));
    }
    drop((reports, answers, redis_answers, is_late));
    tell(&all, &membership);
    let mut turned = Instant::now();
    loop {
        let next_end = membership.next_end().map(|end| began + end);
        let is_there = !*leave.borrow();
        let happened = tokio::select! {
            report = inbox.recv() => Happened::Report(report),
            () = sleep_until(next_end.unwrap_or(began)), if next_end.is_some() => Happened::Time,
            () = sleep(TURN) => Happened::Time,
            () = told(&mut leave), if is_there => Happened::Leaves,
        };
        if turned.elapsed() > HELD {
            membership.was_held(began.elapsed());
        }
        turned = Instant::now();
        match happened {
            Happened::Report(report) => match report {
                Some(Report { source, seen: Ok(beats) }) => membership.seen(source, beats, began.elapsed()),
                Some(Report { source, seen: Err(NotSeen) }) => membership.source_failed(source, began.elapsed()),
                // All places have been told goodbye.
                None => break,
            },
            Happened::Time => membership.settle(began.elapsed()),
            Happened::Leaves => membership.leave(),
        }
        let is_anyone = membership.is_anyone_late(began.elapsed());
        late.send_if_modified(|late| std::mem::replace(late, is_anyone) != is_anyone);
        tell(&all, &membership);
    }
    while followers.join_next().await.is_some() {}
}

/// What a turn is about.
enum Happened {
    Report(Option<Report>),
    Time,
    Leaves,
}

/// When the node has left a sign last, wherever.
struct LastLeft {
    at: Mutex<Option<Instant>>,
    doubts: watch::Sender<u64>,
}

impl LastLeft {
    const fn new(doubts: watch::Sender<u64>) -> Self {
        Self { at: Mutex::new(None), doubts }
    }

    /// A sign that was begun to be left then is left.
    fn left(&self, begun: Instant) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = at.map(|before| begun.saturating_duration_since(before)).unwrap_or_default();
        *at = (*at).max(Some(begun));
        if silent > DOUBTFUL {
            metrics::counter!(DOUBTS).increment(1);
            let seconds = silent.as_secs();
            warn!(
                seconds,
                "this node left no sign of life: others may have taken over what it had, which it looks at now"
            );
            self.doubts.send_modify(|doubts| *doubts += 1);
        }
    }
}

/// Publishes who lives, if that is not what was published last, and then whether that is all that can be known.
fn tell(all: &Told, membership: &Membership) {
    tell_living(all, membership);
    let has_looked = membership.has_looked();
    all.looked.send_if_modified(|told| std::mem::replace(told, has_looked) != has_looked);
}

fn tell_living(all: &Told, membership: &Membership) {
    let living = membership.living();
    let ids: Arc<[NodeId]> = living.members.keys().copied().collect();
    let before = Arc::clone(&all.living.borrow());
    if *before == living {
        gauges(&living);
        return;
    }
    for member in gone(&before.members, &living.members) {
        metrics::counter!(CHANGES, "change" => "went").increment(1);
        info!(node = %member.id, address = %member.address, "a node has gone");
    }
    for member in gone(&living.members, &before.members) {
        metrics::counter!(CHANGES, "change" => "came").increment(1);
        info!(node = %member.id, address = %member.address, "a node has come");
    }
    if before.sight != living.sight {
        info!(sight = living.sight.name(), "how other nodes are seen has changed");
    }
    gauges(&living);
    all.living.send_replace(Arc::new(living));
    all.ids.send_if_modified(|told| {
        let is_new = **told != *ids;
        if is_new {
            *told = ids;
        }
        is_new
    });
}

fn gone<'a>(
    before: &'a BTreeMap<NodeId, Member>,
    after: &'a BTreeMap<NodeId, Member>,
) -> impl Iterator<Item = &'a Member> {
    before.iter().filter(|(id, _)| !after.contains_key(id)).map(|(_, member)| member)
}

/// Says how many live, and by what that is seen.
pub(crate) fn gauges(living: &Living) {
    #[allow(clippy::cast_precision_loss, reason = "there are a thousand at most")]
    metrics::gauge!(MEMBERS).set(living.members.len() as f64);
    for sight in Sight::ALL {
        metrics::gauge!(SIGHT, "sight" => sight.name()).set(if sight == living.sight { 1.0 } else { 0.0 });
    }
}

/// Goes round at one place.
struct Follower {
    me: Member,
    /// Whose goodbye is said for it, where it left a sign that is none.
    before: Option<NodeId>,
    /// The count of that goodbye.
    buried: Option<u64>,
    began: Instant,
    threads: Threads,
    last: Arc<LastLeft>,
    /// The thread for which it leaves no signs.
    hangs: Option<&'static str>,
    place: Place,
    reports: mpsc::Sender<Report>,
    /// Of the one at Redis: where it tells whether that answers.
    answers: Option<watch::Sender<bool>>,
    redis_answers: watch::Receiver<bool>,
    /// Somebody has to be looked for in all places.
    is_late: watch::Receiver<bool>,
}

impl Follower {
    async fn follow(mut self, mut leave: watch::Receiver<bool>) {
        let mut failures = 0_u32;
        let mut has_failed = false;
        loop {
            let began = Instant::now();
            let pace = self.pace();
            let is_well = tokio::select! {
                () = told(&mut leave) => break,
                is_well = self.go_round(pace) => is_well,
            };
            if has_failed == is_well {
                has_failed = !is_well;
                let source = self.place.source.name();
                match is_well {
                    true => info!(source, "signs of life can be left and read again"),
                    false => warn!(source, "signs of life cannot be left or read"),
                }
            }
            failures = if is_well { 0 } else { failures.saturating_add(1) };
            if let Some(answers) = &self.answers {
                answers.send_if_modified(|answers| std::mem::replace(answers, is_well) != is_well);
            }
            let again = began + if is_well { early(pace) } else { back_off(failures) };
            let again = again.max(Instant::now() + GAP_MIN);
            tokio::select! {
                () = told(&mut leave) => break,
                () = sleep_until(again) => {}
                () = self.pace_changes(pace) => sleep(GAP_MIN).await,
            }
        }
        let goodbye = self.beat(Duration::ZERO);
        if self.leave_sign(goodbye).await {
            info!(source = self.place.source.name(), "said goodbye");
        }
    }

    /// How often it goes round: in the store seldom, while Redis answers and says enough.
    fn pace(&self) -> Duration {
        match self.place.source {
            Source::Store if *self.redis_answers.borrow() && !*self.is_late.borrow() => SLOW_PACE,
            Source::Store | Source::Redis => PACE,
        }
    }

    /// Waits until the pace is another one: then a sign has to be left that lasts as long as that needs.
    async fn pace_changes(&self, pace: Duration) {
        let (mut answers, mut late) = (self.redis_answers.clone(), self.is_late.clone());
        while self.pace() == pace {
            let changed = tokio::select! {
                changed = answers.changed() => changed,
                changed = late.changed() => changed,
            };
            if changed.is_err() {
                // Without anybody at Redis it stays as it is.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Leaves a sign and looks at those of others. Whether both went well.
    async fn go_round(&mut self, pace: Duration) -> bool {
        let lasts = if pace == SLOW_PACE { SLOW_SIGN_LASTS } else { SIGN_LASTS };
        let source = self.place.source;
        // Together, so that a place that does not answer is known as such in the time of one call.
        let begun = Instant::now();
        let is_well = self.threads_turn();
        let sign = async { is_well && self.leave_sign(self.beat(lasts)).await };
        let (is_left, seen) = tokio::join!(sign, timeout(OWN_CALL_WITHIN, self.place.nodes.beats()));
        if is_left {
            self.last.left(begun);
        }
        let seen = seen.ok().and_then(Result::ok);
        let is_seen = seen.is_some();
        if !is_seen {
            metrics::counter!(READINGS_FAILED, "source" => source.name()).increment(1);
        }
        let (theirs, before) = self.part(seen.unwrap_or_default());
        let seen = if is_seen { Ok(theirs) } else { Err(NotSeen) };
        // Nobody listens when the node ends, which is said elsewhere.
        let _ = self.reports.send(Report { source, seen }).await;
        if let Some(before) = before {
            self.bury(before).await;
        }
        is_left && is_seen
    }

    /// Whether the node may say that it lives: one whose threads hang does not serve.
    fn threads_turn(&mut self) -> bool {
        let hangs = self.threads.hanging();
        if hangs != self.hangs {
            if let Some(thread) = hangs {
                error!(thread, "a thread hangs: the node leaves no signs of life, so that others take over");
            } else {
                info!("all threads turn again");
            }
            self.hangs = hangs;
        }
        if hangs.is_some() {
            metrics::counter!(BEATS_WITHHELD, "source" => self.place.source.name()).increment(1);
        }
        hangs.is_none()
    }

    /// Says goodbye for the node before this one, so that nobody waits until its last sign is old. One that beats on
    /// lives: then its data directory was copied.
    async fn bury(&mut self, last: Beat) {
        let node = last.member.id;
        if self.buried.is_some_and(|count| last.count > count) {
            self.before = None;
            warn!(%node, "the node that had this data directory before still runs: was the directory copied?");
            return;
        }
        let beat = Beat { count: last.count.saturating_add(1), lasts: Duration::ZERO, member: last.member };
        self.buried = Some(beat.count);
        // Where it fails it is done in the next round.
        if self.leave_sign(beat).await {
            info!(%node, source = self.place.source.name(), "said goodbye for the node that was here before");
        }
    }

    /// Signs of those who may live, and the one of the node before this one, where it has said no goodbye.
    fn part(&self, seen: Vec<Beat>) -> (Vec<Beat>, Option<Beat>) {
        let (mut before, theirs): (Vec<Beat>, Vec<Beat>) =
            seen.into_iter().partition(|beat| Some(beat.member.id) == self.before);
        (theirs, before.pop().filter(|beat| !beat.is_goodbye()))
    }

    async fn leave_sign(&self, beat: Beat) -> bool {
        let is_left = matches!(timeout(OWN_CALL_WITHIN, self.place.nodes.beat(beat)).await, Ok(Ok(())));
        if !is_left {
            metrics::counter!(BEATS_FAILED, "source" => self.place.source.name()).increment(1);
        }
        is_left
    }

    fn beat(&self, lasts: Duration) -> Beat {
        let count = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        Beat { member: self.me.clone(), count, lasts }
    }
}

/// Waits until the node is to leave; one whose cluster is gone leaves, too.
async fn told(leave: &mut watch::Receiver<bool>) {
    // What it holds must not be kept by whoever waits.
    drop(leave.wait_for(|leaves| *leaves).await);
}

/// A little before the pace, so that nodes that were started together do not all come at once.
fn early(pace: Duration) -> Duration {
    pace - pace.mul_f64(chance() * 0.05)
}

/// After failures it is tried soon at first, and never more seldom than else.
fn back_off(failures: u32) -> Duration {
    let most = GAP_MIN.saturating_mul(1 << failures.min(4)).min(PACE);
    most - most.mul_f64(chance() * 0.5)
}

/// From 0 to 1.
fn chance() -> f64 {
    // A system without chance makes all nodes come at once, and nothing worse.
    getrandom::u32().map_or(0.0, |drawn| f64::from(drawn) / f64::from(u32::MAX))
}

//! One connection's account: whose it is, where its request stands, what it has had of its share.
//! The [`super::line::Line`] below HTTP and the middleware above it write it together.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::places::Place;
use super::watch::WatchEntry;

/// Requests of one connection that are answered before others on the thread have their turn …
const TURN_REQUESTS: u32 = 8;
/// … or the time after which no further one is, when they cost more.
const TURN_MAX: Duration = Duration::from_micros(500);
/// Bytes that are read ahead of the request that is being answered. A client that sends its next
/// requests early finds room; one that floods waits in its own queue, the kernel's.
const AHEAD_BYTES: u64 = 512;
/// Bytes handed over in one turn of the thread: of a body, or of frames, of which some 1,400 empty pings fit
/// into them; an upload needs one turn of a few microseconds for each.
const TURN_BYTES: usize = 8 * 1024;
/// The same while heads may come. HTTP takes apart all it is handed, and a request of 25 bytes then weighs
/// some three thousand.
const TURN_HEADS_BYTES: usize = 512;

/// Whose connection it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose {
    /// The other end's address, or the one that a proxy gave for the whole connection.
    pub(super) peer: IpAddr,
    /// Whether the other end is a proxy whose requests tell whom they come from.
    pub(super) carries_many: bool,
    /// The address and port of ours that it was opened to.
    pub(super) local: SocketAddr,
}

/// What was answered since the connection was last read from.
#[derive(Clone, Copy)]
struct Exchange {
    began: Instant,
    requests: u32,
}

/// What may come next on a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Heads of requests, among other things.
    Heads,
    /// The rest of a body of known length.
    Body,
    /// Frames of a socket.
    Frames,
}

/// One connection's account, shared by the two sides of it: the line below HTTP asks before it reads, the middleware
/// above it tells where the request stands.
///
/// The door makes it when it lets a connection in, and it ends with the connection. A connection is *idle*, then
/// *busy* from a request's head until its answer is through, then idle again; or it was *upgraded*, and its frames are
/// counted elsewhere; or it is *over* its share, and reads nothing more. Both sides live on one thread, so cells are
/// enough.
pub(crate) struct Meter {
    whose: Whose,
    share: DefaultDirectRateLimiter,
    entry: WatchEntry,
    /// Bytes that may still be read for the request that is being answered.
    room: Cell<u64>,
    busy: Cell<bool>,
    next: Cell<Next>,
    turn: Cell<Option<Exchange>>,
    over: Cell<bool>,
    /// Whether anything was ever asked on it.
    asked: Cell<bool>,
    asker: RefCell<Option<Waker>>,
    reader: RefCell<Option<Waker>>,
    _place: Option<Place>,
}

impl Meter {
    pub(super) fn new(whose: Whose, per_second: NonZeroU32, entry: WatchEntry, place: Option<Place>) -> Rc<Self> {
        let burst = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1));
        Rc::new(Self {
            whose,
            share: RateLimiter::direct(Quota::per_second(per_second).allow_burst(burst)),
            entry,
            room: Cell::new(u64::MAX),
            busy: Cell::new(false),
            next: Cell::new(Next::Heads),
            turn: Cell::new(None),
            over: Cell::new(false),
            asked: Cell::new(false),
            asker: RefCell::default(),
            reader: RefCell::default(),
            _place: place,
        })
    }

    /// The other end, or whom it speaks for as long as the connection lasts.
    pub(crate) const fn peer(&self) -> IpAddr {
        self.whose.peer
    }

    /// Whether each request has to be asked whom it comes from.
    pub(crate) const fn carries_many(&self) -> bool {
        self.whose.carries_many
    }

    /// The address of ours that it was opened to.
    pub(crate) const fn local(&self) -> SocketAddr {
        self.whose.local
    }

    /// A request's head is here; `body` is the length it declares, if it does.
    pub(crate) fn begins(&self, body: Option<u64>) {
        self.entry.served();
        self.busy.set(true);
        self.asked.set(true);
        if let Some(asker) = self.asker.borrow_mut().take() {
            asker.wake();
        }
        self.room.set(body.map_or(u64::MAX, |length| length.saturating_add(AHEAD_BYTES)));
        self.next.set(if body.is_some_and(|length| length > 0) { Next::Body } else { Next::Heads });
    }

    /// Completes when the head of a request has come, at once if one has.
    pub(super) async fn asked(&self) {
        std::future::poll_fn(|context| {
            if self.asked.get() {
                return Poll::Ready(());
            }
            *self.asker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// It became a socket, whose frames are counted where they are read.
    pub(crate) fn upgraded(&self) {
        self.room.set(u64::MAX);
        self.next.set(Next::Frames);
    }

    /// Its answer is through.
    pub(crate) fn ends(&self) {
        self.busy.set(false);
        self.room.set(u64::MAX);
        self.next.set(Next::Heads);
        if let Some(reader) = self.reader.borrow_mut().take() {
            reader.wake();
        }
    }

    /// Whether one more request is within the connection's share.
    pub(crate) fn allows(&self) -> bool {
        !self.over.get() && (self.whose.carries_many || self.share.check().is_ok())
    }

    /// Nothing more is read from it.
    pub(crate) fn end(&self) {
        self.over.set(true);
    }

    /// Whether others on the thread should have their turn before this request is answered.
    pub(crate) fn turn_is_over(&self) -> bool {
        let turn = match self.turn.get() {
            None => Exchange { began: Instant::now(), requests: 1 },
            Some(turn) => Exchange { requests: turn.requests + 1, ..turn },
        };
        self.turn.set(Some(turn));
        turn.requests > TURN_REQUESTS || (turn.requests > 1 && turn.began.elapsed() > TURN_MAX)
    }

    /// The connection is looked at again: whoever waited has had their turn.
    pub(super) fn next_turn(&self) {
        self.turn.set(None);
    }

    /// How much is handed over in a turn of the thread.
    pub(super) fn turn_bytes(&self) -> usize {
        if self.next.get() == Next::Heads { TURN_HEADS_BYTES } else { TURN_BYTES }
    }

    /// How much may be read now; none asks to wait until `waker` is woken.
    pub(super) fn room(&self, waker: &Waker) -> Option<usize> {
        match usize::try_from(self.room.get()).unwrap_or(usize::MAX) {
            0 => {
                *self.reader.borrow_mut() = Some(waker.clone());
                None
            }
            room => Some(room),
        }
    }

    /// So much was read.
    pub(super) fn took(&self, bytes: usize) {
        if self.busy.get() {
            let room = self.room.get();
            if room != u64::MAX {
                self.room.set(room.saturating_sub(bytes as u64));
                if self.room.get() <= AHEAD_BYTES {
                    self.next.set(Next::Heads);
                }
            }
        } else {
            self.entry.waits();
        }
    }

    /// Whether the connection is done for: over its share, or kept us waiting too long for a head.
    pub(super) fn ended(&self, waker: &Waker) -> Option<Ended> {
        if self.over.get() {
            return Some(Ended::OverItsShare);
        }
        self.entry.overdue(waker).then_some(Ended::TooSlow)
    }
}

/// Why a connection is not read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    OverItsShare,
    TooSlow,
}

//! Measures how long peers are silent: one table and one task for all sockets of a worker thread.
//! Invariant: a socket costs one small row here and no timer; noting a sign of life reads no clock.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use schema::limits;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Ticks between two pings: how finely time is told here.
const PING_TICKS: u32 = 16;

/// When silence is asked about, and when it is too long.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often an idle socket is pinged; the first time after a random half to whole of it.
    pub ping: Duration,
    /// Without a byte from the client for this long, a socket is closed with
    /// [`schema::wire::Close::SILENT`]. Exact to a sixteenth of `ping`.
    pub silence: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { ping: limits::PING_INTERVAL, silence: limits::SILENCE_MAX }
    }
}

/// The sockets of one worker thread and their signs of life. Cheap to clone.
#[derive(Clone)]
pub struct Sweep(Rc<RefCell<Table>>);

impl Sweep {
    /// Starts the task that sweeps; it ends when nobody holds the table any more. To be called on
    /// the worker's own thread, inside its runtime, once for each worker: in the function given to
    /// `HttpServer::new`.
    #[must_use]
    pub fn start(pace: Pace) -> Self {
        let tick = (pace.ping / PING_TICKS).max(Duration::from_millis(1));
        let silence = pace.silence.as_nanos().div_ceil(tick.as_nanos());
        let table = Rc::new(RefCell::new(Table {
            now: 0,
            silence: u32::try_from(silence).unwrap_or(u32::MAX),
            rows: Vec::new(),
            free: Vec::new(),
            chance: RandomState::new(),
        }));
        actix_web::rt::spawn(sweep(Rc::downgrade(&table), tick));
        Self(table)
    }

    /// How many sockets this worker has.
    #[must_use]
    pub fn sockets(&self) -> usize {
        let table = self.0.borrow();
        table.rows.len() - table.free.len()
    }

    /// A row for a new socket.
    pub(super) fn join(&self) -> SweepEntry {
        let mut table = self.0.borrow_mut();
        let index = table.free.pop().unwrap_or_else(|| {
            table.rows.push(Row::default());
            table.rows.len() - 1
        });
        // Sockets that came together, after a restart, must not be pinged together for ever.
        let spread = u32::try_from(table.chance.hash_one((index, table.now)) % u64::from(PING_TICKS / 2)).unwrap_or(0);
        let now = table.now;
        table.rows[index] = Row { used: true, heard: now, ping_at: now + PING_TICKS - spread, ..Row::default() };
        drop(table);
        SweepEntry { table: Rc::clone(&self.0), index }
    }
}

/// What a socket has to do about its client's silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask for a sign of life.
    Ping,
    /// Close: there was none.
    End,
}

/// A socket's row, given back when dropped.
pub(super) struct SweepEntry {
    table: Rc<RefCell<Table>>,
    index: usize,
}

impl SweepEntry {
    /// What is due; wakes the context when something becomes due.
    pub(super) fn poll(&self, context: &Context<'_>) -> Option<Due> {
        let row = &mut self.table.borrow_mut().rows[self.index];
        match &mut row.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        row.due.take()
    }

    /// The client gave a sign of life.
    pub(super) fn heard(&self) {
        let table = &mut *self.table.borrow_mut();
        table.rows[self.index].heard = table.now;
    }

    /// While we do not read, silence is ours and not the client's.
    pub(super) fn pause(&self, paused: bool) {
        let table = &mut *self.table.borrow_mut();
        let row = &mut table.rows[self.index];
        if row.paused && !paused {
            row.heard = table.now;
        }
        row.paused = paused;
    }
}

impl Drop for SweepEntry {
    fn drop(&mut self) {
        let table = &mut *self.table.borrow_mut();
        table.rows[self.index] = Row::default();
        table.free.push(self.index);
    }
}

/// Rows lie side by side, so that sweeping tens of thousands is one walk through memory.
struct Table {
    /// In ticks. Time in which the worker was stuck does not count: it was not the clients' silence.
    now: u32,
    silence: u32,
    rows: Vec<Row>,
    free: Vec<usize>,
    chance: RandomState,
}

#[derive(Default)]
struct Row {
    waker: Option<Waker>,
    heard: u32,
    ping_at: u32,
    used: bool,
    paused: bool,
    due: Option<Due>,
}

async fn sweep(table: Weak<RefCell<Table>>, tick: Duration) {
    let mut ticks = interval_at(Instant::now() + tick, tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(table) = table.upgrade() else { return };
        table.borrow_mut().tick();
    }
}

impl Table {
    fn tick(&mut self) {
        self.now += 1;
        for row in self.rows.iter_mut().filter(|row| row.used && !row.paused) {
            let silent = self.now - row.heard;
            if silent >= self.silence {
                row.due = Some(Due::End);
            } else if self.now < row.ping_at {
                continue;
            } else {
                row.ping_at = self.now + PING_TICKS;
                // One that talks anyway need not be asked.
                if silent < PING_TICKS / 2 {
                    continue;
                }
                row.due = Some(Due::Ping);
            }
            if let Some(waker) = &row.waker {
                waker.wake_by_ref();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one socket was asked to do, tick by tick, when its client speaks at the `heard` ticks.
    fn asked(ticks: u32, heard: &[u32]) -> Vec<(u32, Due)> {
        let table = Rc::new(RefCell::new(Table {
            now: 0,
            silence: 40,
            rows: Vec::new(),
            free: Vec::new(),
            chance: RandomState::new(),
        }));
        let entry = Sweep(Rc::clone(&table)).join();
        table.borrow_mut().rows[0].ping_at = 10;
        let mut all = Vec::new();
        for tick in 1..=ticks {
            table.borrow_mut().tick();
            if heard.contains(&tick) {
                entry.heard();
            }
            all.extend(entry.poll(&Context::from_waker(Waker::noop())).map(|due| (tick, due)));
        }
        all
    }

    #[test]
    fn silence_is_asked_about_and_then_ended() {
        assert_eq!(asked(40, &[]), [(10, Due::Ping), (26, Due::Ping), (40, Due::End)]);
        assert_eq!(asked(60, &[10, 26, 42]), [(10, Due::Ping), (26, Due::Ping), (42, Due::Ping), (58, Due::Ping)]);
        assert_eq!(asked(60, &(1..=60).step_by(3).collect::<Vec<_>>()), []);
    }

    #[test]
    fn first_pings_are_spread_and_rows_are_used_again() {
        let table = Table { now: 7, silence: 40, rows: Vec::new(), free: Vec::new(), chance: RandomState::new() };
        let sweep = Sweep(Rc::new(RefCell::new(table)));
        let entries: Vec<_> = (0..1000).map(|_| sweep.join()).collect();
        let mut pings: Vec<_> = sweep.0.borrow().rows.iter().map(|row| row.ping_at - 7).collect();
        pings.sort_unstable();
        pings.dedup();
        assert_eq!(pings, (9..=16).collect::<Vec<_>>());
        drop(entries);
        assert_eq!(sweep.sockets(), 0);
        let _again: Vec<_> = (0..1000).map(|_| sweep.join()).collect();
        assert_eq!((sweep.sockets(), sweep.0.borrow().rows.len()), (1000, 1000));
    }
}

//! Watches the connections of a worker thread that keep it waiting for a request's head: one
//! table and one task for all of them.
//! Invariant: a connection costs one small row here and no timer; noting where it stands reads no clock.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How finely waiting is measured: the patience is kept to a sixteenth of itself.
const TICKS: u32 = 16;

/// The connections of one worker thread. Cheap to clone.
#[derive(Clone)]
pub(super) struct Watch(Rc<RefCell<Table>>);

/// A connection's row, given back when dropped.
pub(super) struct WatchEntry {
    table: Rc<RefCell<Table>>,
    index: usize,
}

struct Table {
    now: u32,
    rows: Vec<Row>,
    free: Vec<usize>,
}

#[derive(Default)]
struct Row {
    /// When the head that is waited for began.
    since: Option<u32>,
    overdue: bool,
    waker: Option<Waker>,
}

impl Watch {
    /// Starts the task that looks at them; it ends when nobody holds the table any more. To be
    /// called on the worker's own thread.
    pub(super) fn start(patience: Duration) -> Self {
        let table = Rc::new(RefCell::new(Table { now: 0, rows: Vec::new(), free: Vec::new() }));
        actix_web::rt::spawn(watch(Rc::downgrade(&table), (patience / TICKS).max(Duration::from_millis(1))));
        Self(table)
    }

    /// A row for a new connection.
    pub(super) fn join(&self) -> WatchEntry {
        let mut table = self.0.borrow_mut();
        let index = table.free.pop().unwrap_or_else(|| {
            table.rows.push(Row::default());
            table.rows.len() - 1
        });
        drop(table);
        WatchEntry { table: Rc::clone(&self.0), index }
    }
}

impl WatchEntry {
    /// A head has begun to come.
    pub(super) fn waits(&self) {
        let table = &mut *self.table.borrow_mut();
        table.rows[self.index].since.get_or_insert(table.now);
    }

    /// A request's head is here: its time does not run any more.
    pub(super) fn served(&self) {
        self.table.borrow_mut().rows[self.index].since = None;
    }

    /// Whether it took too long. `waker` is woken when it does.
    pub(super) fn overdue(&self, waker: &Waker) -> bool {
        let row = &mut self.table.borrow_mut().rows[self.index];
        match &mut row.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        row.overdue
    }
}

impl Drop for WatchEntry {
    fn drop(&mut self) {
        let table = &mut *self.table.borrow_mut();
        table.rows[self.index] = Row::default();
        table.free.push(self.index);
    }
}

impl Table {
    fn tick(&mut self) {
        self.now += 1;
        for row in &mut self.rows {
            // One tick more: the first may have been a short one.
            if row.since.is_some_and(|since| self.now - since > TICKS) && !row.overdue {
                row.overdue = true;
                if let Some(waker) = &row.waker {
                    waker.wake_by_ref();
                }
            }
        }
    }
}

async fn watch(table: Weak<RefCell<Table>>, tick: Duration) {
    let mut ticks = interval_at(Instant::now() + tick, tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(table) = table.upgrade() else { return };
        table.borrow_mut().tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_head_that_does_not_end_is_overdue() {
        let table = Rc::new(RefCell::new(Table { now: 0, rows: Vec::new(), free: Vec::new() }));
        let watch = Watch(Rc::clone(&table));
        let [quiet, slow, quick] = [watch.join(), watch.join(), watch.join()];
        for _ in 0..=TICKS {
            // Drips do not begin the wait anew.
            slow.waits();
            quick.waits();
            table.borrow_mut().tick();
            quick.served();
        }
        let overdue = [&quiet, &slow, &quick].map(|entry| entry.overdue(Waker::noop()));
        assert_eq!(overdue, [false, true, false]);
        drop(slow);
        assert!(!watch.join().overdue(Waker::noop()), "a row is used again, not its past");
        assert_eq!(table.borrow().rows.len(), 3);
    }
}

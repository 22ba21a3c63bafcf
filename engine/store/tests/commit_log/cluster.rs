//! The way from nodes to the cells: statements are under way for a while, their answers are lost, and what was left open
//! is done much later or never.
//! Invariant: all chance is drawn from the seed, so that a seed is a run.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use crate::cells::{Answer, Cells, Statement};

/// What is done wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// A group does not name the marks that it knows of.
    GroupWithoutFence,
    /// A segment is removed without waiting for what it held to be folded.
    RemovedEarly,
    /// Whoever takes a conversation over leaves what its owner had not folded.
    LeftoversForgotten,
    /// A reader looks at what is folded first, and at the owner's log after it.
    FoldedReadFirst,
    /// A group that was answered with nothing is taken for done.
    UnknownAcknowledged,
    /// A conversation is claimed before its owner is fenced.
    ClaimedUnfenced,
    /// A sealed segment is let go before the next one is open: the log of a living node looks like one that is gone.
    NoneOpen,
    /// Whoever goes on removing does not begin with the one that may have been left.
    RemovalForgotten,
}

impl Plant {
    pub(crate) const ALL: [Self; 8] = [
        Self::GroupWithoutFence,
        Self::RemovedEarly,
        Self::LeftoversForgotten,
        Self::FoldedReadFirst,
        Self::UnknownAcknowledged,
        Self::ClaimedUnfenced,
        Self::NoneOpen,
        Self::RemovalForgotten,
    ];
}

/// Numbers that follow from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides.max(1)
    }

    pub(crate) fn happens(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A statement that was sent, by a node or a client that waits.
struct Flight {
    statement: Statement,
    answer: Rc<RefCell<Option<Answer>>>,
}

struct State {
    cells: Cells,
    dice: Dice,
    under_way: Vec<Flight>,
    /// Nobody waits for them any more.
    left_open: Vec<Statement>,
    is_healed: bool,
}

/// A cluster, as all nodes see it.
#[derive(Clone)]
pub(crate) struct Cluster {
    state: Rc<RefCell<State>>,
    pub(crate) plant: Option<Plant>,
}

impl Cluster {
    pub(crate) fn new(seed: u64, logs: u8, plant: Option<Plant>) -> Self {
        let cells = Cells::with_logs(logs, plant == Some(Plant::GroupWithoutFence));
        let (under_way, left_open) = (Vec::new(), Vec::new());
        let state = State { cells, dice: Dice::new(seed), under_way, left_open, is_healed: false };
        Self { state: Rc::new(RefCell::new(state)), plant }
    }

    pub(crate) fn is_planted(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    /// Draws, and looks at the cells, which only whoever judges may.
    pub(crate) fn dice<T>(&self, draw: impl FnOnce(&mut Dice) -> T) -> T {
        draw(&mut self.state.borrow_mut().dice)
    }

    pub(crate) fn cells<T>(&self, look: impl FnOnce(&mut Cells) -> T) -> T {
        look(&mut self.state.borrow_mut().cells)
    }

    /// Sends a statement, and waits for what it is answered.
    pub(crate) async fn ask(&self, statement: Statement) -> Answer {
        let answer = Rc::default();
        self.state.borrow_mut().under_way.push(Flight { statement, answer: Rc::clone(&answer) });
        poll_fn(|_| answer.borrow_mut().take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// The same, as often as it takes: for what may be done twice.
    pub(crate) async fn ask_until_answered(&self, statement: Statement) -> Answer {
        loop {
            match self.ask(statement.clone()).await {
                Answer::Unknown => {}
                answer => return answer,
            }
        }
    }

    /// From now on everything is answered, and nothing is left open.
    pub(crate) fn heal(&self) {
        let mut state = self.state.borrow_mut();
        state.is_healed = true;
        for statement in std::mem::take(&mut state.left_open) {
            if state.dice.happens(50) {
                state.cells.run(&statement);
            }
        }
    }

    /// One of those under way, or left open, is done, or is not.
    pub(crate) fn step(&self) {
        let mut state = self.state.borrow_mut();
        let State { cells, dice, under_way, left_open, is_healed } = &mut *state;
        if !left_open.is_empty() && dice.happens(15) {
            let statement = left_open.swap_remove(dice.below(left_open.len()));
            if dice.happens(70) {
                cells.run(&statement);
            }
            return;
        }
        if under_way.is_empty() {
            return;
        }
        let Flight { statement, answer } = under_way.swap_remove(dice.below(under_way.len()));
        // Whoever sent it may have ended: then it may be done all the same.
        let is_alone = Rc::strong_count(&answer) == 1;
        let fate = if *is_healed { 100 } else { dice.below(100) };
        let answered = match fate {
            0..6 => {
                cells.run(&statement);
                Answer::Unknown
            }
            6..12 if !statement.is_reading() => {
                left_open.push(statement);
                Answer::Unknown
            }
            6..12 => Answer::Unknown,
            12..60 if is_alone => {
                left_open.push(statement);
                Answer::Unknown
            }
            _ => cells.run(&statement),
        };
        *answer.borrow_mut() = Some(answered);
    }
}

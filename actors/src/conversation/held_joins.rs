//! Sessions whose position is beyond what a relay has been told so far: they have seen elsewhere what is still on its
//! way here, or there is no such position.
//! Invariant: none is held for longer than an answer may take.

use schema::{Position, Seq, SessionId, limits};
use tokio::time::Instant;

use super::listener::{Joined, Listener};
use crate::reply::ReplyTo;

/// A session that is held.
pub(super) struct HeldJoin {
    pub(super) listener: Listener,
    pub(super) from: Position,
    pub(super) reply: ReplyTo<Joined>,
    until: Instant,
}

/// All of them. Dropped, they are told to come again.
#[derive(Default)]
pub(super) struct HeldJoins(Vec<HeldJoin>);

impl HeldJoins {
    /// Holds a session; gives it back when there are too many.
    pub(super) fn hold(&mut self, listener: Listener, from: Position, reply: ReplyTo<Joined>) -> Option<HeldJoin> {
        let join = HeldJoin { listener, from, reply, until: Instant::now() + limits::ASK_MAX };
        if self.0.len() >= limits::SUBSCRIBERS_MAX {
            return Some(join);
        }
        self.0.push(join);
        None
    }

    /// Those who need not wait any more: the head has come to where they are.
    pub(super) fn reached(&mut self, head: Seq) -> Vec<HeldJoin> {
        self.0.extract_if(.., |join| join.from.seq <= head).collect()
    }

    /// Those who have waited for too long.
    pub(super) fn late(&mut self, now: Instant) -> Vec<HeldJoin> {
        self.0.extract_if(.., |join| join.until <= now).collect()
    }

    /// A session listens no longer.
    pub(super) fn leave(&mut self, session: SessionId) {
        self.0.retain(|join| join.listener.session != session);
    }

    /// When the first of them has waited for too long.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.0.iter().map(|join| join.until).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

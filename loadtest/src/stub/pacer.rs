//! The thread that writes every stream's tokens when they are due. It is a plain thread because
//! tokio's timers count milliseconds and what is measured here is microseconds.
//! Invariant: one write a token; a blocked reader delays its own stream only, and the delay shows.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::Shape;
use super::server::Counters;
use crate::clock;
use crate::plan::Plan;
use crate::token;

/// How long a reader that takes nothing more is left alone.
const BLOCKED_NS: u64 = 200_000;

/// A stream to be written.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) stream: TcpStream,
    pub(super) plan: Plan,
    pub(super) with_usage: bool,
}

struct Running {
    job: Job,
    next: u32,
    /// Bytes the kernel did not take yet.
    unwritten: Vec<u8>,
    ended: bool,
}

enum Step {
    /// Due again at this time.
    At(u64),
    Finished,
    Gone,
}

/// Runs until the other end of `jobs` is dropped.
pub(super) fn run(jobs: &Receiver<Job>, chunk_bytes: usize, counters: &Counters) {
    clock::sharpen_sleeps();
    let mut shape = Shape::new(chunk_bytes);
    let mut running: HashMap<u64, Running> = HashMap::new();
    let mut due: BinaryHeap<Reverse<(u64, u64)>> = BinaryHeap::new();
    let mut names = 0_u64;
    loop {
        let wait = due.peek().map_or(60 * clock::SECOND, |Reverse((at, _))| at.saturating_sub(clock::now()));
        // An unpaced stream is always due, so new streams are looked for without waiting too.
        match jobs.recv_timeout(Duration::from_nanos(wait)) {
            Ok(job) => {
                names += 1;
                let unwritten = Shape::opening();
                running.insert(names, Running { job, next: 0, unwritten, ended: false });
                due.push(Reverse((clock::now(), names)));
                counters.started.fetch_add(1, Ordering::Relaxed);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while let Some(&Reverse((at, name))) = due.peek() {
            if at > clock::now() {
                break;
            }
            due.pop();
            let Some(stream) = running.get_mut(&name) else { continue };
            match stream.step(&mut shape, counters) {
                Step::At(again) => {
                    let unpaced = stream.job.plan.rate == 0;
                    due.push(Reverse((again, name)));
                    if unpaced {
                        break;
                    }
                }
                Step::Finished => {
                    counters.finished.fetch_add(1, Ordering::Relaxed);
                    running.remove(&name);
                }
                Step::Gone => {
                    counters.gone.fetch_add(1, Ordering::Relaxed);
                    running.remove(&name);
                }
            }
        }
    }
}

impl Running {
    /// Writes what is due: first what is left over, then one token.
    fn step(&mut self, shape: &mut Shape, counters: &Counters) -> Step {
        let plan = self.job.plan;
        while !self.unwritten.is_empty() {
            match self.job.stream.write(&self.unwritten) {
                Ok(0) => return Step::Gone,
                Ok(taken) => drop(self.unwritten.drain(..taken)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    counters.blocked.fetch_add(1, Ordering::Relaxed);
                    return Step::At(clock::now() + BLOCKED_NS);
                }
                Err(_) => return Step::Gone,
            }
        }
        if self.ended {
            return Step::Finished;
        }
        if self.next == plan.tokens {
            self.unwritten = Shape::ending(plan.tokens, self.job.with_usage);
            self.ended = true;
            return Step::At(clock::now());
        }
        let now = clock::now();
        let intended = if plan.rate == 0 { now.max(plan.start_ns) } else { plan.intended(self.next) };
        if intended > now {
            return Step::At(intended);
        }
        let bytes = shape.token(token::encode(self.next, intended, now));
        match self.job.stream.write(bytes) {
            Ok(taken) => self.unwritten.extend_from_slice(&bytes[taken..]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                self.unwritten.extend_from_slice(bytes);
            }
            Err(_) => return Step::Gone,
        }
        counters.tokens.fetch_add(1, Ordering::Relaxed);
        self.next += 1;
        match plan.rate {
            0 => Step::At(clock::now()),
            _ if self.next == plan.tokens => Step::At(clock::now()),
            _ => Step::At(plan.intended(self.next)),
        }
    }
}

//! Who gets a turn, as little scripts: `a5` asks for tenant `a` at a cost of 5, `-` ends the oldest that
//! works, `x` lets the newest that waits go away.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;

type Turn = Pin<Box<dyn Future<Output = Place>>>;

/// Who has begun, in order, at the end of a script; `!` where one was refused.
fn begun(turns: &Turns, script: &str) -> String {
    let tenants: HashMap<char, TenantId> = ('a'..='z').map(|name| (name, TenantId::generate())).collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting: Vec<(char, Turn)> = Vec::new();
    let (mut working, mut told) = (VecDeque::new(), String::new());
    for word in script.split_whitespace() {
        let name = word.chars().next().unwrap();
        match name {
            '-' => drop(working.pop_front()),
            'x' => drop(waiting.pop()),
            _ => match turns.enter(tenants[&name]) {
                Ok(place) => waiting.push((name, Box::pin(place.turn(word[1..].parse().unwrap())))),
                Err(Crowded) => told.push('!'),
            },
        }
        let mut still = Vec::new();
        for (name, mut turn) in waiting {
            match turn.as_mut().poll(&mut context) {
                Poll::Ready(place) => {
                    told.push(name);
                    working.push_back(place);
                }
                Poll::Pending => still.push((name, turn)),
            }
        }
        waiting = still;
    }
    told
}

#[test]
fn turns_are_shared_evenly_and_places_are_left_to_others() {
    for (bounds, script, expected) in [
        ((1, 1, 9), "a1 a1 b1 - - -", "aba"),
        ((2, 1, 9), "a1 a1 a1 b1 - - -", "abaa"),
        ((2, 2, 9), "a1 a1 a1 b1 - - -", "aaba"),
        // What costs less goes first, and a large one waits for one small one of each tenant, not for all.
        ((1, 1, 9), "c1 a9 b1 - - -", "cba"),
        ((1, 1, 19), "c1 a3 b1 b1 b1 b1 - - - - - -", "cbabbb"),
        // One that was away has saved nothing up.
        ((1, 1, 19), "a1 a1 a1 - - b1 a1 b1 - - - -", "aaabab"),
        // One that asks for two at once comes between those who ask for one after the other.
        ((1, 1, 19), "a1 a1 b1 c1 - - b1 - c1 - b1 - c1 -", "abcabcb"),
        // One that goes away before its turn, or after it was given one, holds up nobody.
        ((1, 1, 9), "a1 b1 x c1 -", "ac"),
        // No tenant holds more than it leaves free.
        ((1, 1, 3), "a1 a1 a1 b1 c1 -", "a!b"),
        ((1, 1, 5), "a1 a1 a1 a1 b1 b1 c1 c1 d1", "a!!!"),
    ] {
        let (at_once, each, waiting) = bounds;
        assert_eq!(begun(&Turns::new(at_once, each, waiting), script), expected, "{script}");
    }
}

#[test]
fn all_is_given_back() {
    let turns = Turns::new(2, 1, 6);
    begun(&turns, "a1 a1 b1 c1 x - d1 x e1");
    let state = turns.inner.state();
    assert_eq!((state.inside, state.working, state.waiting.len()), (0, 0, 0));
    assert!(state.tenants.values().all(|share| (share.inside, share.working) == (0, 0)));
    drop(state);
    for _ in 0..2 * REMEMBERED_MAX {
        begun(&turns, "a1");
    }
    assert!(turns.inner.state().tenants.len() <= REMEMBERED_MAX, "those that come no more are forgotten");
}

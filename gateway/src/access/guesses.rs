//! Wrong keys, by the address that shows them: after a few, each further try waits.
//! Invariant: what is kept is bounded, and one right key more or less changes nothing for others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actors::Failure;
use metrics::counter;
use schema::{ErrorCode, Neighbour, limits};
use tokio::time::Instant;

use crate::metrics::RATE_LIMITED;

/// Addresses that are kept; those of them whose wrong keys are long past go first.
const ADDRESSES_MAX: usize = 10_000;

/// Who has shown wrong keys lately.
#[derive(Default)]
pub(super) struct Guesses {
    /// When all that an address has tried is paid for, at one in [`limits::WRONG_KEY_PAUSE`].
    paid_at: Mutex<HashMap<Neighbour, Instant>>,
}

impl Guesses {
    /// Whether an address may try a key that somebody could guess.
    ///
    /// # Errors
    /// `rate_limited`, with the time.
    pub(super) fn may_try(&self, address: Neighbour, now: Instant) -> Result<(), Failure> {
        let owed = self.paid_at().get(&address).map(|paid_at| paid_at.saturating_duration_since(now));
        match owed.and_then(|owed| owed.checked_sub(free())).filter(|wait| !wait.is_zero()) {
            None => Ok(()),
            Some(wait) => {
                counter!(RATE_LIMITED, "by" => "wrong_keys").increment(1);
                let seconds = wait.as_secs() + 1;
                let message = format!("too many wrong keys from this address; wait {seconds} s");
                Err(Failure::later(ErrorCode::RateLimited, message, Duration::from_secs(seconds)))
            }
        }
    }

    /// An address has shown a key that opens nothing.
    pub(super) fn wrong(&self, address: Neighbour, now: Instant) {
        let mut all = self.paid_at();
        if all.len() >= ADDRESSES_MAX {
            all.retain(|_, paid_at| *paid_at > now);
            if all.len() >= ADDRESSES_MAX {
                all.clear();
            }
        }
        let paid_at = all.entry(address).or_insert(now);
        let most = now + free() + limits::WRONG_KEYS_WAIT_MAX;
        *paid_at = ((*paid_at).max(now) + limits::WRONG_KEY_PAUSE).min(most);
    }

    fn paid_at(&self) -> MutexGuard<'_, HashMap<Neighbour, Instant>> {
        self.paid_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an address may owe and try all the same.
fn free() -> Duration {
    limits::WRONG_KEY_PAUSE * (limits::WRONG_KEYS_BURST - 1)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn address(last: u8) -> Neighbour {
        IpAddr::from([192, 0, 2, last]).into()
    }

    #[test]
    fn ten_at_once_and_then_one_a_second() {
        let guesses = Guesses::default();
        let began = Instant::now();
        let mut tried = Vec::new();
        for tenth in 0..200 {
            let now = began + Duration::from_millis(100 * tenth);
            if guesses.may_try(address(1), now).is_ok() {
                guesses.wrong(address(1), now);
                tried.push(tenth);
            }
        }
        assert_eq!(tried.len(), 10 + 19, "{tried:?}");
        assert_eq!(tried[..11], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert!(guesses.may_try(address(2), began).is_ok(), "another address is not touched");
        let wait = guesses.may_try(address(1), began + Duration::from_secs(19)).unwrap_err().retry_after;
        assert!(wait.is_some_and(|wait| wait <= Duration::from_secs(2)), "{wait:?}");
    }

    #[test]
    fn what_was_tried_at_once_is_paid_for_and_not_for_ever() {
        let guesses = Guesses::default();
        let now = Instant::now();
        // A thousand that were under way before the first was known to be wrong.
        (0..1_000).for_each(|_| guesses.wrong(address(1), now));
        let most = limits::WRONG_KEYS_WAIT_MAX;
        assert!(guesses.may_try(address(1), now + most - Duration::from_millis(1)).is_err());
        assert!(guesses.may_try(address(1), now + most).is_ok());
    }

    #[test]
    fn no_more_is_kept_than_is_good() {
        let guesses = Guesses::default();
        let now = Instant::now();
        for n in 0..3 * ADDRESSES_MAX {
            guesses.wrong(IpAddr::from(u32::try_from(n).unwrap().to_be_bytes()).into(), now);
            assert!(guesses.paid_at().len() <= ADDRESSES_MAX);
        }
    }
}

//! The messages of the crash loop's clients, and the replies that they ask for: mostly short, now and then as long as
//! there may be.

use std::cell::RefCell;

use loadtest::plan::Plan;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schema::limits;

/// Characters of one to four bytes, some of which JSON writes longer.
const FILLER: &str = "where is my \"parcel\"?\nseñor 🌿 \\ ";

/// Decides by a seed how long each message is and each reply.
pub(super) struct Words(RefCell<StdRng>);

impl Words {
    pub(super) fn new(seed: u64) -> Self {
        Self(RefCell::new(StdRng::seed_from_u64(seed)))
    }

    /// The next message, with the plan of the reply to it.
    pub(super) fn next(&self) -> String {
        let rng = &mut self.0.borrow_mut();
        let usual = Plan { tokens: 60, rate: 150, start_ns: 0 };
        let plan = match rng.random_range(0..20) {
            // As fast as it is read: what is long shall not take long.
            0 => Plan { tokens: Plan::TOKENS_MAX, rate: 0, ..usual },
            1 | 2 => Plan { tokens: rng.random_range(1..=2_000), rate: 3_000, ..usual },
            _ => usual,
        };
        let bytes = match rng.random_range(0..20) {
            0 => limits::TEXT_BYTES_MAX,
            1..4 => rng.random_range(1..=limits::TEXT_BYTES_MAX),
            _ => 1,
        };
        filled(plan.to_string(), bytes)
    }

    /// Something that was said before, a few kibibytes of it.
    pub(super) fn past(&self) -> String {
        let bytes = self.0.borrow_mut().random_range(1..=8 * 1024);
        filled("some time ago ".into(), bytes)
    }
}

/// Adds to a text until it has `bytes`, or one character less than that.
fn filled(mut text: String, bytes: usize) -> String {
    while text.len() < bytes {
        let room = bytes - text.len();
        match FILLER.get(..room.min(FILLER.len())) {
            Some(piece) => text.push_str(piece),
            None => break,
        }
    }
    text
}

//! How large things are in a world. Most worlds are small, so that thousands of them are quick; a few have
//! what no small world has: long words, replies up to the limit, a long past, readers that are slow.

use schema::limits;

use super::chance::Chance;

/// Characters of one to four bytes, some of which JSON writes longer.
const FILLER: &str = "where is my \"parcel\"?\nseñor 🌿 \\ ";

/// A world's sizes.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// The longest message, in bytes.
    pub text_max: usize,
    /// The longest reply that a model means to say, in bytes; a longer one than allowed is cut.
    pub reply_max: usize,
    /// Whether replies rest on as many and as long passages as there may be.
    pub passages: bool,
    /// Events before it all began.
    pub past: usize,
    /// What a slow reader takes, in bytes a second; none is slow where there is none.
    pub slow_bytes: Option<u64>,
    /// Share of steps in which a listener goes back on its line.
    pub goes_back: f64,
}

impl Sizes {
    pub(super) fn draw(chance: &Chance) -> Self {
        let small = Self { text_max: 64, reply_max: 200, passages: false, past: 0, slow_bytes: None, goes_back: 0.01 };
        let slow = |chance: &Chance| Some((24 << chance.draw(0..=4)) * 1024);
        match chance.draw(0..=999) {
            0..860 => small,
            860..950 => Self { text_max: limits::TEXT_BYTES_MAX, reply_max: 20 * 1024, passages: true, ..small },
            950..980 => Self {
                text_max: limits::TEXT_BYTES_MAX,
                reply_max: limits::REPLY_BYTES_MAX + 16 * 1024,
                passages: true,
                slow_bytes: slow(chance),
                ..small
            },
            _ => Self {
                text_max: limits::TEXT_BYTES_MAX,
                reply_max: 20 * 1024,
                passages: true,
                past: chance.index(3_000),
                slow_bytes: slow(chance),
                goes_back: 0.1,
            },
        }
    }

    /// Whether anything in it is larger than in most worlds.
    pub(super) const fn is_small(&self) -> bool {
        self.past == 0 && self.slow_bytes.is_none() && !self.passages
    }

    /// Words for a message that begins with `first`: mostly short, up to the limit.
    pub(super) fn message(&self, chance: &Chance, first: String) -> String {
        let bytes = log_uniform(chance, self.text_max);
        filled(first, bytes)
    }

    /// How long a reply is to be, in bytes.
    pub(super) fn reply_bytes(&self, chance: &Chance) -> usize {
        // Often enough a really long one, where there are any: two of them fill an outbox.
        if chance.happens(0.4) { chance.index(self.reply_max + 1) } else { log_uniform(chance, self.reply_max) }
    }
}

/// Adds to a text until it has `bytes`, or one character less than that.
pub(super) fn filled(mut text: String, bytes: usize) -> String {
    while text.len() < bytes {
        let room = bytes - text.len();
        match FILLER.get(..room.min(FILLER.len())) {
            Some(piece) => text.push_str(piece),
            None => break,
        }
    }
    text
}

/// Each power of two is as likely as each other.
fn log_uniform(chance: &Chance, most: usize) -> usize {
    let power = chance.index(usize::try_from(most.max(2).ilog2()).unwrap_or(1) + 1);
    (1 << power) + chance.index((1 << power).min(most.saturating_sub(1 << power) + 1))
}

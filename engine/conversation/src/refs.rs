//! Recognises a message sent twice: the senders' newest refs, each with the event that holds it.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use schema::{Author, Ref, Seq, Text, limits};

/// The last [`limits::REFS_MAX`] refs, as digests, so that long ones weigh no more than short ones. A
/// sender's refs are their own: two authors may use the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Refs {
    known: HashMap<u64, Known>,
    order: VecDeque<u64>,
}

/// Digests tell one text from another; a forged collision could only fool its own sender.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Known {
    seq: Seq,
    text: u64,
}

/// What is known about a ref.
pub(super) enum Seen {
    /// Nothing.
    New,
    /// The same message is event `seq`.
    Same(Seq),
    /// It stood for another text.
    Other,
}

impl Refs {
    pub(super) fn look(&self, author: Author, r#ref: &Ref, text: &Text) -> Seen {
        match self.known.get(&digest(&(author, r#ref))) {
            None => Seen::New,
            Some(known) if known.text == digest(text) => Seen::Same(known.seq),
            Some(_) => Seen::Other,
        }
    }

    pub(super) fn learn(&mut self, author: Author, r#ref: &Ref, text: &Text, seq: Seq) {
        let key = digest(&(author, r#ref));
        if self.known.insert(key, Known { seq, text: digest(text) }).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > limits::REFS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

fn digest(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

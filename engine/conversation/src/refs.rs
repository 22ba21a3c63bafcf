//! Recognises a message sent twice: the senders' newest refs, each with the event that holds it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hasher;

use schema::{AgentName, Author, Ref, Seq, Text, limits};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// Digests are stored in snapshots: the keys are for good.
const DIGEST_KEYS: (u64, u64) = (0x7465_7274_756c_6961, 0x7265_6673);

/// Who chose a ref. Theirs are their own: the contact and each agent may use the same.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) author: Author,
    /// Which one, of the agents; none in logs of programs that did not say.
    pub(super) agent: Option<&'a AgentName>,
}

/// The last [`limits::REFS_MAX`] refs, as digests, so that long ones weigh no more than short ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Entry>", into = "Vec<Entry>")]
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

/// One ref in a snapshot: its digest, its event, its text's digest. They stand in their order, oldest first.
type Entry = (u64, Seq, u64);

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
    pub(super) fn look(&self, sender: Sender<'_>, r#ref: &Ref, text: &Text) -> Seen {
        match self.known.get(&name(sender, r#ref)) {
            None => Seen::New,
            Some(known) if known.text == digest(&[text.as_str().as_bytes()]) => Seen::Same(known.seq),
            Some(_) => Seen::Other,
        }
    }

    pub(super) fn learn(&mut self, sender: Sender<'_>, r#ref: &Ref, text: &Text, seq: Seq) {
        let known = Known { seq, text: digest(&[text.as_str().as_bytes()]) };
        self.insert(name(sender, r#ref), known);
    }

    fn insert(&mut self, key: u64, known: Known) {
        if self.known.insert(key, known).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > limits::REFS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

impl From<Vec<Entry>> for Refs {
    fn from(entries: Vec<Entry>) -> Self {
        let mut refs = Self::default();
        for (key, seq, text) in entries {
            refs.insert(key, Known { seq, text });
        }
        refs
    }
}

impl From<Refs> for Vec<Entry> {
    fn from(Refs { known, order }: Refs) -> Self {
        order.into_iter().filter_map(|key| known.get(&key).map(|known| (key, known.seq, known.text))).collect()
    }
}

fn name(sender: Sender<'_>, r#ref: &Ref) -> u64 {
    let author = match sender.author {
        Author::Contact => 0,
        Author::Assistant => 1,
        Author::Human => 2,
        Author::System => 3,
    };
    let r#ref = r#ref.as_str().as_bytes();
    match sender.agent {
        None => digest(&[&[author], r#ref]),
        Some(agent) => digest(&[&[author], agent.as_bytes(), r#ref]),
    }
}

/// The digest of several parts, each fed as plain bytes behind its length: how Rust itself hashes a type may
/// change from version to version.
fn digest(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(DIGEST_KEYS.0, DIGEST_KEYS.1);
    for part in parts {
        hasher.write(&(part.len() as u64).to_le_bytes());
        hasher.write(part);
    }
    hasher.finish()
}

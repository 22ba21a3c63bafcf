//! Like questions as one, with the newest places at which they were asked.

use schema::wire::{UnansweredAt, UnansweredQuestion};
use schema::{ConversationId, Seq, Timestamp, limits};
use serde::{Deserialize, Serialize};

/// Like questions. Its `Debug` does not say what was asked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// How often it was asked, places that are no longer kept included.
    pub count: u64,
    /// The newest places, oldest first; never empty, so that there is always somebody's wording.
    pub places: Vec<Place>,
}

/// One place at which a question was asked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The conversation in which it was asked.
    pub conversation: ConversationId,
    /// The `seq` of the reply that did not answer it.
    pub seq: Seq,
    /// When that reply came.
    pub at: Timestamp,
    /// The question in these very words.
    pub words: String,
    /// Whether somebody of the team said that the reply was wrong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wrong: bool,
}

impl Group {
    /// A question that was asked once.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self { count: 1, places: vec![place] }
    }

    /// When it was asked last.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.places.iter().map(|place| place.at).max().unwrap_or_default()
    }

    /// Asked once more. A place that is known is not counted again, and learns only that it was wrong.
    pub(super) fn add(&mut self, place: Place) -> bool {
        let known = self.places.iter_mut().find(|known| known.is(place.conversation, place.seq));
        if let Some(known) = known {
            let news = place.wrong && !known.wrong;
            known.wrong |= place.wrong;
            return news;
        }
        self.count += 1;
        let at = self.places.partition_point(|known| known.at <= place.at);
        self.places.insert(at, place);
        if self.places.len() > limits::UNANSWERED_PLACES_MAX {
            self.places.remove(0);
        }
        true
    }

    /// Forgets places; says whether there were such.
    pub(super) fn forget(&mut self, gone: impl Fn(&Place) -> bool) -> bool {
        let before = self.places.len();
        self.places.retain(|place| !gone(place));
        let forgotten = before - self.places.len();
        self.count = self.count.saturating_sub(forgotten as u64);
        forgotten > 0
    }

    /// As it is listed under its key.
    #[must_use]
    pub fn view(&self, key: &str) -> UnansweredQuestion {
        let newest = || self.places.iter().rev();
        UnansweredQuestion {
            key: key.to_owned(),
            question: newest().next().map(|place| place.words.clone()).unwrap_or_default(),
            count: self.count,
            last_at: self.last_at(),
            wrong: self.places.iter().any(|place| place.wrong),
            conversations: newest().map(|place| UnansweredAt { id: place.conversation, seq: place.seq }).collect(),
        }
    }
}

impl Place {
    pub(super) fn is(&self, conversation: ConversationId, seq: Seq) -> bool {
        self.conversation == conversation && self.seq == seq
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Group({} times, {} places)", self.count, self.places.len())
    }
}

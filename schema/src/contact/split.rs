//! One contact that is two: identities of it go to a new one.
//!
//! Three writes: the record that has the identities says what has begun, and with that the matter is decided; the new
//! record is written, and takes the identities in the index only from the one that still has them there; the first
//! record gives them away. Whoever reads the first record meanwhile goes on with it, and doing a step twice does no more
//! than doing it once: who comes late finds the identities with somebody else in the index, and writes nobody anew.

use super::{ChangeKind, ContactRecord, Refusals};
use crate::{ChangedBy, ContactId, Identity, Timestamp};

impl ContactRecord {
    /// The record of a new contact who has these identities of this one. Nothing else is known to be theirs; but what was
    /// refused was perhaps refused by them, and holds for both.
    #[must_use]
    pub fn split_off(
        &self,
        id: ContactId,
        identities: &[Identity],
        refusals: &Refusals,
        by: &ChangedBy,
        at: Timestamp,
    ) -> Self {
        let mut new = Self::new(at);
        new.identities = self.identities.iter().filter(|known| identities.contains(&known.identity)).cloned().collect();
        new.consents.clone_from(&refusals.consents);
        new.states.clone_from(&refusals.states);
        new.note(at, by, ChangeKind::SplitFrom { from: id });
        new
    }

    /// These identities are another contact's now.
    pub fn give_away(&mut self, into: ContactId, identities: &[Identity], by: &ChangedBy, at: Timestamp) {
        self.identities.retain(|known| !identities.contains(&known.identity));
        self.note_split(into, by, at);
    }

    /// Notes that identities went to a new contact, from here or from one who was merged into this contact.
    pub fn note_split(&mut self, into: ContactId, by: &ChangedBy, at: Timestamp) {
        self.note(at, by, ChangeKind::Split { into });
    }
}

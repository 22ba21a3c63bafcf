//! Signs of life in the model: a row for each node, which goes by itself as it does in a cluster.

use tokio::time::Instant;

use super::MemoryStore;
use crate::nodes::{BEAT_STANDS, BEATS_MAX, GOODBYE_STANDS};
use crate::{Beat, Nodes, Pending};

/// A sign of life, and when it was left.
pub(super) type Left = (Beat, Instant);

impl Nodes for MemoryStore {
    fn beat(&self, beat: Beat) -> Pending<()> {
        // No script is for it: a world goes as it goes without nodes that know of each other.
        self.lock().beats.insert(beat.member.id, (beat, Instant::now()));
        Box::pin(async { Ok(()) })
    }

    fn beats(&self) -> Pending<Vec<Beat>> {
        let now = Instant::now();
        self.read(|state| {
            let stands = |(beat, left): &&Left| {
                let stands = if beat.is_goodbye() { GOODBYE_STANDS } else { BEAT_STANDS };
                now.duration_since(*left) < stands
            };
            Ok(state.beats.values().filter(stands).take(BEATS_MAX).map(|(beat, _)| beat.clone()).collect())
        })
    }
}

//! What another node, or one that only looks, is told of a conversation here: nothing is started for it.

use schema::ConversationKey;

use super::{Directory, Incarnation, Place, Waking};

/// How a conversation stands here.
pub(crate) enum Seen<I: Incarnation> {
    /// It runs.
    Awake(I),
    /// It is being started.
    Waking(Waking<I>),
    /// It runs nowhere, and nothing is kept from which it could be started without the store.
    Resting,
    /// It crashed, and will be started again.
    Down,
    /// It crashed too often.
    Quarantined,
    /// It is being erased.
    Erasing,
}

impl<I: Incarnation> Directory<I> {
    /// How it stands. One that is ready to be started without the store is so no more: another node may claim it.
    pub(crate) fn let_go(&self, key: ConversationKey) -> Seen<I> {
        let mut shard = self.shard(key);
        let Some(entry) = shard.get_mut(&key) else { return Seen::Resting };
        match &entry.place {
            Place::Awake(incarnation) if incarnation.is_open() => Seen::Awake(incarnation.clone()),
            Place::Waking(waking, _) => Seen::Waking(waking.clone()),
            Place::Down(_) => Seen::Down,
            Place::Quarantined => Seen::Quarantined,
            Place::Erasing => Seen::Erasing,
            Place::Prepared(..) => {
                entry.place = Place::Absent(I::Listening::default());
                Seen::Resting
            }
            Place::Awake(_) | Place::Absent(_) => Seen::Resting,
        }
    }

    /// Its incarnation, if it runs.
    pub(crate) fn running(&self, key: ConversationKey) -> Option<I> {
        match self.shard(key).get(&key).map(|entry| &entry.place) {
            Some(Place::Awake(incarnation)) if incarnation.is_open() => Some(incarnation.clone()),
            _ => None,
        }
    }

    /// All that runs or is being started, as it is at one moment in each shard; and nothing is started without asking
    /// the store that was ready for it: somebody else may have claimed it.
    pub(crate) fn let_go_of_all(&self) -> (Vec<I>, Vec<(ConversationKey, Waking<I>)>) {
        let (mut awake, mut waking) = (Vec::new(), Vec::new());
        for shard in &self.shards {
            for (key, entry) in super::lock(shard).iter_mut() {
                match &entry.place {
                    Place::Awake(incarnation) => awake.push(incarnation.clone()),
                    Place::Waking(start, _) => waking.push((*key, start.clone())),
                    Place::Prepared(..) => entry.place = Place::Absent(I::Listening::default()),
                    Place::Down(_) | Place::Quarantined | Place::Erasing | Place::Absent(_) => {}
                }
            }
        }
        (awake, waking)
    }
}

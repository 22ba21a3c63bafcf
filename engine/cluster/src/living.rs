//! Who lives, as one node sees it at one moment, and how chores are shared out among them.
//! Invariant: a node that comes or goes moves its own share of what is shared out, and nothing else.

use std::collections::BTreeMap;
use std::hash::Hasher;

use engine_store::Member;
use schema::NodeId;
use siphasher::sip::SipHasher13;

/// By what a node sees the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// There are no others: no cluster is configured.
    Single,
    /// Redis and the store can be read.
    Whole,
    /// The store alone can be read.
    WithoutRedis,
    /// Redis alone can be read.
    WithoutStore,
    /// Nothing can be read: who lived last is taken to live on.
    Blind,
}

impl Sight {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Single, Self::Whole, Self::WithoutRedis, Self::WithoutStore, Self::Blind];

    /// Its name for people and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Whole => "whole",
            Self::WithoutRedis => "without_redis",
            Self::WithoutStore => "without_store",
            Self::Blind => "blind",
        }
    }
}

/// Who lives, and by what that is known. It may be wrong about everybody but the node itself: whoever acts on it needs
/// a condition in the store besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Living {
    /// The node that sees it.
    pub me: NodeId,
    /// By what.
    pub sight: Sight,
    /// All who live, the node itself among them until it leaves.
    pub members: BTreeMap<NodeId, Member>,
}

impl Living {
    /// A node that knows of no others.
    #[must_use]
    pub fn alone(me: Member, sight: Sight) -> Self {
        Self { me: me.id, sight, members: BTreeMap::from([(me.id, me)]) }
    }

    /// The one of a node, if it lives.
    #[must_use]
    pub fn get(&self, node: NodeId) -> Option<&Member> {
        self.members.get(&node)
    }

    /// Whose chore it is, of those who live and own, among those whom `among` takes: the same answer on every node that
    /// sees the same ones. None where nobody is left.
    #[must_use]
    pub fn owner_of(&self, chore: u64, among: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        // The highest weight wins (rendezvous hashing): a node that goes leaves its chores to the second highest of
        // each, and all other weights stay what they were.
        let owning = self.members.values().filter(|member| member.owns && among(member.id));
        owning.map(|member| (weight(member.id, chore), member.id)).max().map(|(_, node)| node)
    }
}

fn weight(node: NodeId, chore: u64) -> u64 {
    // Without a key of its own: all nodes have to come to the same.
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(node.as_bytes());
    hasher.write(&chore.to_le_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn living(nodes: &[u8]) -> Living {
        let member = |n: u8| {
            let (address, version) = Default::default();
            Member { id: NodeId::from_bytes([n; 16]), address, version, owns: true }
        };
        let members = nodes.iter().map(|n| (member(*n).id, member(*n))).collect();
        Living { me: NodeId::from_bytes([0; 16]), sight: Sight::Whole, members }
    }

    #[test]
    fn what_one_had_alone_moves_when_it_goes_and_when_it_comes() {
        const CHORES: u64 = 20_000;
        for count in 2..=9_u8 {
            let all: Vec<u8> = (1..=count).collect();
            let before = living(&all);
            for gone in &all {
                let left: Vec<u8> = all.iter().copied().filter(|node| node != gone).collect();
                let after = living(&left);
                let gone = NodeId::from_bytes([*gone; 16]);
                let mut its = 0_u64;
                for chore in 0..CHORES {
                    let owner = before.owner_of(chore, &anybody).unwrap();
                    if owner == gone {
                        its += 1;
                        assert_ne!(after.owner_of(chore, &anybody), Some(gone));
                    } else {
                        assert_eq!(after.owner_of(chore, &anybody), Some(owner), "chore {chore} of one that stays");
                    }
                }
                let even = CHORES / u64::from(count);
                assert!(its > even * 9 / 10 && its < even * 11 / 10, "{its} of {CHORES} among {count}");
            }
        }
    }

    #[test]
    fn the_answer_is_the_same_in_every_version() {
        let living = living(&[1, 2, 3]);
        let owner = |chore| living.owner_of(chore, &anybody).unwrap().as_bytes()[0];
        let owners: Vec<u8> = (0..12).map(owner).collect();
        assert_eq!(owners, EXPECTED);
        assert_eq!(Living { members: BTreeMap::new(), ..living.clone() }.owner_of(1, &anybody), None);
    }

    #[test]
    fn who_owns_nothing_has_no_chores() {
        let all = living(&[1, 2, 3, 4]);
        let mut edged = all.clone();
        let edge = NodeId::from_bytes([2; 16]);
        edged.members.get_mut(&edge).unwrap().owns = false;
        for chore in 0..1_000 {
            let among = |node| node != edge;
            // It is as if it were not there, for all that see it.
            assert_eq!(edged.owner_of(chore, &anybody), all.owner_of(chore, &among), "chore {chore}");
        }
        for member in edged.members.values_mut() {
            member.owns = false;
        }
        assert_eq!(edged.owner_of(1, &anybody), None);
    }

    const fn anybody(_: NodeId) -> bool {
        true
    }

    const EXPECTED: [u8; 12] = [2, 2, 1, 1, 2, 1, 1, 1, 3, 2, 1, 2];
}

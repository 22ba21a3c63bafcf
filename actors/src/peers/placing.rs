//! Where a conversation that this node needs belongs: the decision alone.
//! Invariant: a conversation is never claimed from another node that lives, unless that has let go of it; and never by
//! a node that owns nothing.

use schema::NodeId;

/// What is to be done first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Claim it: nobody who lives has it, but this node perhaps, where it runs no more.
    Claim,
    /// Ask the node that has it.
    Ask(NodeId),
    /// The same as claiming it, for a node that owns nothing: have one wake it that does.
    Entrust,
}

/// What follows from who claimed it last.
pub(crate) fn step(owner: Option<NodeId>, me: NodeId, owns: bool, is_alive: impl FnOnce(NodeId) -> bool) -> Step {
    match owner {
        Some(node) if node != me && is_alive(node) => Step::Ask(node),
        _ if owns => Step::Claim,
        _ => Step::Entrust,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_node_that_lives_is_asked() {
        let [me, other] = [NodeId::generate(), NodeId::generate()];
        for (owner, lives, decided) in [
            (None, true, Step::Claim),
            (Some(me), true, Step::Claim),
            // A node that others hold for dead: what it has it has.
            (Some(me), false, Step::Claim),
            (Some(other), true, Step::Ask(other)),
            (Some(other), false, Step::Claim),
        ] {
            assert_eq!(step(owner, me, true, |_| lives), decided, "{owner:?} {lives}");
            let entrusted = if decided == Step::Claim { Step::Entrust } else { decided };
            assert_eq!(step(owner, me, false, |_| lives), entrusted, "{owner:?} {lives}, which owns nothing");
        }
    }
}

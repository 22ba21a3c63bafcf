//! How conversations pass between nodes, are read, are erased, and what is left of nodes that have ended.
//! Invariant: a claim comes after its fence, and after what its owner before had not folded is folded: so one log at most
//! has events of a conversation that its own partition lacks.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::cells::{Answer, Epoch, Event, Events, Log, Owned, RETIRED, Segment, Seq, Statement, Writer};
use crate::cluster::{Cluster, Plant};
use crate::node::{Node, logs};

/// How appends of another node are kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    /// Those of one conversation, under epochs below this one.
    Mark(Log, Epoch),
    /// All: it is held for dead.
    Close,
}

pub(crate) async fn owner(cluster: &Cluster, log: Log) -> Option<Owned> {
    match cluster.ask_until_answered(Statement::Owner(log)).await {
        Answer::Owner(owned) => owned,
        _ => None,
    }
}

async fn first(cluster: &Cluster, writer: Writer) -> u32 {
    match cluster.ask_until_answered(Statement::First(writer)).await {
        Answer::First(first) => first,
        _ => 0,
    }
}

/// A writer's segments from the first on, in their order.
async fn walk(cluster: &Cluster, writer: Writer) -> Vec<(u32, Box<Segment>)> {
    walk_from_first(cluster, writer).await.1
}

/// The same, and which is the first.
async fn walk_from_first(cluster: &Cluster, writer: Writer) -> (u32, Vec<(u32, Box<Segment>)>) {
    loop {
        let (begin, mut found) = (first(cluster, writer).await, Vec::new());
        let mut at = begin;
        while let Answer::Segment(Some(segment)) = cluster.ask_until_answered(Statement::Segment(writer, at)).await {
            let is_sealed = segment.is_sealed;
            found.push((at, segment));
            if !is_sealed {
                return (begin, found);
            }
            at += 1;
        }
        // It was removed meanwhile, and another one is the first: what it held is folded.
        if first(cluster, writer).await <= at {
            return (begin, found);
        }
    }
}

/// Whether nothing comes any more from this writer that the fence keeps out; not where another fence is above it.
async fn fence(cluster: &Cluster, writer: Writer, fence: Fence) -> bool {
    loop {
        let segments = walk(cluster, writer).await;
        let Some((segment, last)) = segments.last() else { return true };
        let segment = *segment;
        if let Fence::Mark(log, epoch) = fence {
            let marks = segments.iter().filter_map(|(_, segment)| segment.marks.get(&log)).max();
            if marks.is_some_and(|mark| *mark >= epoch) {
                return marks == Some(&epoch);
            }
        }
        if last.is_closed {
            return true;
        }
        // Whatever it is answered, the log says what became of it.
        cluster
            .ask(match fence {
                Fence::Mark(log, epoch) if last.is_sealed => {
                    Statement::Open { writer, segment: segment + 1, mark: Some((log, epoch)), is_closed: false }
                }
                Fence::Close if last.is_sealed => {
                    Statement::Open { writer, segment: segment + 1, mark: None, is_closed: true }
                }
                Fence::Mark(log, epoch) => Statement::Mark { writer, segment, fences: last.fences, log, epoch },
                Fence::Close => Statement::Close { writer, segment },
            })
            .await;
    }
}

/// Becomes a conversation's owner. Whether it did.
pub(crate) async fn take_over(node: Rc<Node>, log: Log, closes: bool) -> bool {
    let cluster = &node.cluster;
    let Some(Owned { epoch: from, writer }) = owner(cluster, log).await else { return false };
    let epoch = from + 1;
    let is_unfenced = cluster.is_planted(Plant::ClaimedUnfenced);
    if is_unfenced && !claim(&node, log, from).await {
        return false;
    }
    if let Some(writer) = writer {
        let by = if closes { Fence::Close } else { Fence::Mark(log, epoch) };
        if writer == node.writer {
            // It has nothing on its way there.
            node.mark(log, epoch);
        } else if !fence(cluster, writer, by).await {
            return false;
        }
        if !cluster.is_planted(Plant::LeftoversForgotten) {
            let segments = walk(cluster, writer).await;
            let of_log = segments.iter().flat_map(|(_, segment)| segment.events.range((log, 0)..=(log, Seq::MAX)));
            let events: Events = of_log.map(|(at, event)| (*at, *event)).collect();
            cluster.ask_until_answered(Statement::Fold(events)).await;
        }
    }
    if !is_unfenced && !claim(&node, log, from).await {
        return false;
    }
    let Answer::Own(own) = cluster.ask_until_answered(Statement::Own(log)).await else { return false };
    let head = own.last_key_value().map_or(0, |(seq, _)| *seq);
    node.owned.borrow_mut().insert(log, (epoch, head));
    true
}

async fn claim(node: &Node, log: Log, from: Epoch) -> bool {
    let writer = node.writer;
    loop {
        match node.cluster.ask(Statement::Claim { log, from, writer }).await {
            Answer::Decided => return true,
            // An earlier try may have been done.
            _ => match owner(&node.cluster, log).await {
                Some(owned) if owned.epoch == from => {}
                owned => return owned == Some(Owned { epoch: from + 1, writer: Some(writer) }),
            },
        }
    }
}

/// A conversation's events, whoever asks; none where there is no such conversation.
pub(crate) async fn read(cluster: &Cluster, log: Log) -> Option<BTreeMap<Seq, Event>> {
    let owned = owner(cluster, log).await?;
    let mut events = BTreeMap::new();
    // The owner's log first: what is gone from it by then is folded.
    let folded_first = cluster.is_planted(Plant::FoldedReadFirst);
    if folded_first && let Answer::Own(own) = cluster.ask_until_answered(Statement::Own(log)).await {
        events.extend(own);
    }
    if let Some(writer) = owned.writer {
        for (_, segment) in walk(cluster, writer).await {
            let of_log = segment.events.range((log, 0)..=(log, Seq::MAX));
            events.extend(of_log.map(|((_, seq), event)| (*seq, *event)));
        }
    }
    if !folded_first && let Answer::Own(own) = cluster.ask_until_answered(Statement::Own(log)).await {
        events.extend(own);
    }
    Some(events)
}

/// Removes a conversation for good.
pub(crate) async fn erase(node: Rc<Node>, log: Log) {
    let cluster = &node.cluster;
    while let Some(Owned { epoch, writer }) = owner(cluster, log).await {
        if let Some(writer) = writer {
            fence(cluster, writer, Fence::Mark(log, RETIRED)).await;
        }
        cluster.ask(Statement::Forget { log, epoch }).await;
    }
    cluster.ask_until_answered(Statement::Clear(log)).await;
}

/// Folds all that a closed writer has left, and removes it. With `closes` it is closed first.
pub(crate) async fn tidy(node: Rc<Node>, writer: Writer, closes: bool) {
    let cluster = &node.cluster;
    if closes {
        fence(cluster, writer, Fence::Close).await;
    }
    let (first, segments) = walk_from_first(cluster, writer).await;
    if let Some(before) = first.checked_sub(1).filter(|_| !cluster.is_planted(Plant::RemovalForgotten)) {
        // Whoever moved on from it may have ended before it was removed.
        cluster.ask_until_answered(Statement::Remove(writer, before)).await;
    }
    if segments.last().is_none_or(|(_, last)| !last.is_closed) {
        return;
    }
    for (at, segment) in segments {
        for log in logs(&segment.events) {
            let of_log = segment.events.range((log, 0)..=(log, Seq::MAX));
            let events: Events = of_log.map(|(at, event)| (*at, *event)).collect();
            cluster.ask_until_answered(Statement::Fold(events)).await;
        }
        node.remove(writer, at).await;
    }
}

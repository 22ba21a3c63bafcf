//! A client's line to a node: in order, slow, and cut in three ways (a clean end, everything under
//! way lost, one side that does not notice).

use std::time::Duration;

use bytestring::ByteString;
use engine::conversation::Command;
use schema::{Position, Ref};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::chance::Chance;

/// What a client asks of its session.
pub(super) enum Ask {
    /// Let me listen from here on.
    Join { r#ref: Ref, from: Position },
    /// A wish put to the conversation.
    Command { r#ref: Ref, command: Command },
}

/// A client's end.
pub(super) struct Line {
    pub(super) asks: mpsc::UnboundedSender<Ask>,
    pub(super) frames: mpsc::UnboundedReceiver<ByteString>,
    /// Loses everything that is under way.
    pub(super) cut: CancellationToken,
}

/// A node's end.
pub(super) struct NodeEnd {
    pub(super) asks: mpsc::UnboundedReceiver<Ask>,
    pub(super) frames: mpsc::UnboundedSender<ByteString>,
}

/// A new line. Its two carriers are spawned on the ground, which is neither client nor node.
pub(super) fn line(chance: &Chance, usual_ms: u64) -> (Line, NodeEnd) {
    let (asks, asks_out) = mpsc::unbounded_channel();
    let (asks_in, node_asks) = mpsc::unbounded_channel();
    let (node_frames, frames_out) = mpsc::unbounded_channel();
    let (frames_in, frames) = mpsc::unbounded_channel();
    let cut = CancellationToken::new();
    // The node may not notice at once that its client is gone.
    let unnoticed = if chance.happens(0.3) { chance.millis(0..=8_000) } else { Duration::ZERO };
    carry(asks_out, asks_in, cut.clone(), chance.fork(), usual_ms, unnoticed);
    carry(frames_out, frames_in, cut.clone(), chance.fork(), usual_ms, Duration::ZERO);
    (Line { asks, frames, cut }, NodeEnd { asks: node_asks, frames: node_frames })
}

fn carry<T: 'static>(
    mut from: mpsc::UnboundedReceiver<T>,
    to: mpsc::UnboundedSender<T>,
    cut: CancellationToken,
    chance: Chance,
    usual_ms: u64,
    unnoticed: Duration,
) {
    tokio::task::spawn_local(async move {
        let carried = async {
            while let Some(thing) = from.recv().await {
                sleep(chance.delay(usual_ms)).await;
                if to.send(thing).is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            biased;
            () = cut.cancelled() => {}
            () = carried => {}
        }
        drop(from);
        sleep(unnoticed).await;
        drop(to);
    });
}

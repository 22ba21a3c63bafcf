//! A client's line to a node: in order, slow, and cut in three ways (a clean end, everything under
//! way lost, one side that does not notice). What comes from the node waits there while the reader is slow.

use std::time::Duration;

use bytestring::ByteString;
use engine_conversation::Command;
use schema::wire::Close;
use schema::{Position, Ref};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::chance::Chance;

/// Frames that two kernels hold for a reader.
const UNDER_WAY_MAX: usize = 8;

/// What a client asks of its session.
pub(super) enum Ask {
    /// Let me listen from here on.
    Join { r#ref: Ref, from: Position },
    /// A wish put to the conversation.
    Command { r#ref: Ref, command: Command },
}

/// What comes from a node.
pub(super) enum Told {
    Frame(ByteString),
    /// The last thing on a line that the node ends.
    Close(Close),
}

/// A client's end.
pub(super) struct Line {
    pub(super) asks: mpsc::UnboundedSender<Ask>,
    pub(super) told: mpsc::UnboundedReceiver<Told>,
    /// Loses everything that is under way.
    pub(super) cut: CancellationToken,
}

/// A node's end.
pub(super) struct NodeEnd {
    pub(super) asks: mpsc::UnboundedReceiver<Ask>,
    pub(super) told: mpsc::Sender<Told>,
}

/// How fast a line is.
#[derive(Clone, Copy)]
pub(super) struct Speed {
    /// Usual delay, in milliseconds.
    pub(super) usual_ms: u64,
    /// Bytes a second that its reader takes; as they come where there is none.
    pub(super) bytes: Option<u64>,
}

/// A new line. Its two carriers are spawned on the ground, which is neither client nor node.
pub(super) fn line(chance: &Chance, speed: Speed) -> (Line, NodeEnd) {
    let (asks, mut asks_out) = mpsc::unbounded_channel();
    let (asks_in, node_asks) = mpsc::unbounded_channel();
    let (node_told, mut told_out) = mpsc::channel(UNDER_WAY_MAX);
    let (told_in, told) = mpsc::unbounded_channel();
    let cut = CancellationToken::new();
    // The node may not notice at once that its client is gone.
    let unnoticed = if chance.happens(0.3) { chance.millis(0..=8_000) } else { Duration::ZERO };
    let (there, back) = (chance.fork(), chance.fork());
    carry(cut.clone(), unnoticed, async move {
        while let Some(ask) = asks_out.recv().await {
            sleep(there.delay(speed.usual_ms)).await;
            if asks_in.send(ask).is_err() {
                break;
            }
        }
        asks_in
    });
    carry(cut.clone(), Duration::ZERO, async move {
        while let Some(told) = told_out.recv().await {
            sleep(back.delay(speed.usual_ms) + speed.time(&told)).await;
            if told_in.send(told).is_err() {
                break;
            }
        }
        told_in
    });
    (Line { asks, told, cut }, NodeEnd { asks: node_asks, told: node_told })
}

impl Speed {
    /// How long a reader takes over something.
    fn time(self, told: &Told) -> Duration {
        match (told, self.bytes) {
            (Told::Frame(frame), Some(bytes)) => Duration::from_micros(frame.len() as u64 * 1_000_000 / bytes.max(1)),
            _ => Duration::ZERO,
        }
    }
}

/// Carries until the line is cut or either end is gone; what is held last goes when that is noticed.
fn carry<T: 'static>(cut: CancellationToken, unnoticed: Duration, carried: impl Future<Output = T> + 'static) {
    tokio::task::spawn_local(async move {
        let mut carried = Box::pin(carried);
        let held = tokio::select! {
            biased;
            () = cut.cancelled() => None,
            held = &mut carried => Some(held),
        };
        sleep(unnoticed).await;
        drop((held, carried));
    });
}

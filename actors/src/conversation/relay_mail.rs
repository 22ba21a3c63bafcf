//! What a relay is told besides what sessions wish, and how it comes into its mailbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use schema::ContactId;
use schema::peer::PeerAsk;
use tokio::sync::oneshot;

use super::mail::Mail;
use crate::failure::Failure;
use crate::peers::{Arrival, Deliver};
use crate::runtime::{SendFailure, Sender};

/// Longest pause before a conversation whose owner has gone is looked for again …
const AGAIN_MAX: Duration = Duration::from_millis(100);
/// … unless it was followed for less than this: then as long as that at most.
const SHORT: Duration = Duration::from_secs(1);

/// What a relay is told besides what sessions wish.
pub(crate) enum Told {
    /// Join at the owner, in these words. What comes of it is answered.
    Begin(PeerAsk, oneshot::Sender<Result<ContactId, Unfollowed>>),
    /// Something has come from the owner's node.
    Arrived(Arrival),
    /// Somebody may have waited too long.
    Tick,
}

/// Why a conversation is not followed.
pub(crate) enum Unfollowed {
    /// It runs nowhere at that node, which has let go of it.
    Resting,
    /// The node does not answer.
    Unreachable,
    /// The node says why.
    Failed(Failure),
}

/// Puts what arrives into a mailbox. A relay that does not keep up is told once that it is over.
pub(super) fn deliver(sender: &Sender<Mail>) -> Deliver {
    let (mailbox, is_over) = (sender.clone(), AtomicBool::new(false));
    Arc::new(move |arrival, bytes| {
        let is_gone = matches!(arrival, Arrival::Gone);
        let told = if is_gone { Ok(()) } else { mailbox.try_send(Mail::Told(Told::Arrived(arrival), bytes)) };
        if (is_gone || matches!(told, Err(SendFailure::Full(_)))) && !is_over.swap(true, Ordering::Relaxed) {
            drop(mailbox.owe(Mail::Told(Told::Arrived(Arrival::Gone), 0)));
        }
    })
}

/// How long, at the most, until a conversation is looked for again that was followed for so long.
pub(super) fn pause(followed_for: Duration) -> Duration {
    if followed_for < SHORT { SHORT } else { AGAIN_MAX }
}

//! Finds where a conversation belongs among several nodes: claims it for this one, or follows it at another; a node that
//! owns nothing has another one wake it.
//! Invariant: it is claimed only from the owner that was read, so that of two nodes that claim one does.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine_store::{Claim, StoreError};
use schema::peer::PeerAsk;
use schema::{ConversationKey, ErrorCode, NodeId, limits};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use super::handle::ConversationHandle;
use super::host::{Host, Keeper};
use super::load::WakeFailure;
use super::mail::Mail;
use super::pulse::Pulse;
use super::relay::RelayActor;
use super::relay_mail::{Told, Unfollowed};
use crate::failure::Failure;
use crate::metrics::PLACINGS;
use crate::peers::{Step, Switchboard, step};
use crate::runtime::{Bounds, Sender, spawn};

/// How often one wake looks where a conversation is, when others are faster or the store does not say.
const TRIES_MAX: u32 = 6;
/// So long it is waited in all for a link to whoever lives, before it is said that they cannot be reached: one that has
/// broken is made anew in less, and so is one to somebody who has just started.
const LINKED_WITHIN: Duration = Duration::from_millis(1_500);
/// The pause before another try, at the longest for each try before it.
const PAUSE: Duration = Duration::from_millis(40);

/// Where it is.
pub(super) enum Placed<'a> {
    /// It is this node's; the permit is for reading it.
    Here(Claim, Option<SemaphorePermit<'a>>),
    /// Another node has it, and a relay follows it.
    There(ConversationHandle),
}

/// Places a conversation that runs nowhere on this node.
pub(super) async fn place<'a>(
    host: &Rc<Host>,
    board: &Arc<Switchboard>,
    keeper: &Rc<dyn Keeper>,
    wakes: &'a Semaphore,
    key: ConversationKey,
) -> Result<Placed<'a>, WakeFailure> {
    let found = |at| metrics::counter!(PLACINGS, "at" => at).increment(1);
    let failed = |error: StoreError| WakeFailure::Failed(Failure::store(&error));
    // Who owns, and does not take it.
    let mut declined = Vec::new();
    let (mut links, until) = (board.links_made(), Instant::now() + LINKED_WITHIN);
    for tries in 0..TRIES_MAX {
        sleep((PAUSE * tries).mul_f64((host.jitter)())).await;
        let owner = {
            let _place = host.owner_reads.acquire().await.ok();
            host.store.owner(key).await.map_err(failed)?
        };
        let step = step(owner.node, board.me(), board.owns(), |node| board.is_alive(node));
        if let Step::Ask(node) = step {
            let wake = !board.owns() && board.taker_of(key, &declined) == Some(node);
            match follow(host, board, keeper, (key, node), wake).await {
                Ok(handle) => {
                    found("relay");
                    return Ok(Placed::There(handle));
                }
                Err(Unfollowed::Resting) => {}
                // It lives, so nobody else may have it, until membership says otherwise.
                Err(Unfollowed::Unreachable) if board.is_alive(node) => {
                    if is_linked_anew(board, &mut links, Some(node), until).await {
                        continue;
                    }
                    found("unreachable");
                    return Err(WakeFailure::Failed(Failure::unreachable()));
                }
                Err(Unfollowed::Unreachable) => continue,
                // It has just lost it, or starts it again.
                Err(Unfollowed::Failed(failure)) if failure.code == ErrorCode::Restarting => continue,
                // It leaves, and has nobody in it: another may have it.
                Err(Unfollowed::Failed(failure)) if wake && failure.code == ErrorCode::Draining => declined.push(node),
                Err(Unfollowed::Failed(failure)) => return Err(WakeFailure::Failed(failure)),
            }
        }
        if !board.owns() {
            let Some(node) = board.taker_of(key, &declined) else {
                if is_linked_anew(board, &mut links, None, until).await {
                    declined.clear();
                    continue;
                }
                found("nowhere");
                return Err(WakeFailure::Failed(Failure::ownerless()));
            };
            match follow(host, board, keeper, (key, node), true).await {
                Ok(handle) => {
                    found("relay");
                    return Ok(Placed::There(handle));
                }
                // It may have it by now: then the store says so.
                Err(Unfollowed::Resting) => {}
                Err(Unfollowed::Unreachable) => declined.push(node),
                Err(Unfollowed::Failed(failure)) if failure.code == ErrorCode::Draining => declined.push(node),
                Err(Unfollowed::Failed(failure)) if failure.code == ErrorCode::Restarting => {}
                Err(Unfollowed::Failed(failure)) => return Err(WakeFailure::Failed(failure)),
            }
            continue;
        }
        if host.phase.is_draining() && board.has_others() {
            return Err(WakeFailure::Failed(Failure::draining()));
        }
        let permit = wakes.acquire().await.ok();
        match host.store.claim_from(key, owner).await {
            Ok(claim) => {
                if let Some(node) = owner.node {
                    board.has_claimed_from(node);
                }
                found("here");
                return Ok(Placed::Here(claim, permit));
            }
            // Somebody else was faster, or nobody knows: look again.
            Err(StoreError::Fenced | StoreError::Unknown(_)) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(WakeFailure::Failed(Failure::restarting()))
}

/// Whether a link was made that was not there when it was looked for; to a node to which there is one none is waited for.
async fn is_linked_anew(board: &Switchboard, seen: &mut u64, node: Option<NodeId>, until: Instant) -> bool {
    let mut linked = pin!(board.linked());
    // From here on none is missed.
    linked.as_mut().enable();
    let is_there = node.is_some_and(|node| board.is_linked(node));
    let is_linked = board.links_made() != *seen || (!is_there && timeout_at(until, linked).await.is_ok());
    *seen = board.links_made();
    is_linked
}

/// Starts a relay, and waits until it follows.
async fn follow(
    host: &Rc<Host>,
    board: &Arc<Switchboard>,
    keeper: &Rc<dyn Keeper>,
    (key, node): (ConversationKey, NodeId),
    wake: bool,
) -> Result<ConversationHandle, Unfollowed> {
    let pulse = Arc::<Pulse>::default();
    let bounds = Bounds { messages: limits::RELAY_MESSAGES_MAX, bytes: limits::RELAY_BYTES_MAX };
    let sender: Sender<Mail> = spawn(bounds, |sender| {
        let (host, board, keeper) = (Rc::clone(host), Arc::clone(board), Rc::clone(keeper));
        RelayActor::new(host, board, keeper, (key, node), sender, Arc::clone(&pulse))
    });
    let (answer, joined) = oneshot::channel();
    // It has just been started, and its mailbox is empty.
    drop(sender.owe(Mail::Told(Told::Begin(PeerAsk::Join { wake }, answer), 0)));
    // It gives up by itself, and so lets go of the answer.
    let contact = joined.await.unwrap_or(Err(Unfollowed::Unreachable))?;
    Ok(ConversationHandle::new(host.worker, key, contact, sender, pulse).of_another_node())
}

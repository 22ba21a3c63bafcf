//! One link to another node, as its transport has it: what is to be sent, and what came.
//! Invariant: frames are handled in the order in which they came; what takes time is answered later, out of it.

use std::sync::Arc;

use engine_store::Opening;
use schema::peer::{PEER_VERSION, PeerAsk, PeerFrame, Stand};
use schema::{ConversationKey, NodeId, limits};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::conversation::{Audience, ConversationHandle, Listener, command};
use crate::failure::Failure;
use crate::frames::{Format, answer_frame};
use crate::outbox::{Outbox, OutboxStream};
use crate::peers::{Answered, Push, Switchboard};
use crate::reply::ReplyTo;
use crate::runtime::spawn_local;
use crate::service::Service;

/// What of a frame can be read whatever is in it.
#[derive(Deserialize)]
struct Envelope {
    r#type: String,
    id: Option<u64>,
    key: Option<ConversationKey>,
}

/// The node's ends of one link. The transport holds it for as long as the link stands: it sends what [`Link::stream`]
/// gives, in that order, until that ends or gives a close; hands in what comes; and drops it when the link is gone,
/// which it finds out by itself in seconds (an end that says nothing must not pass for one that has nothing to say).
/// It has authenticated the other end.
pub struct Link {
    service: Arc<Service>,
    node: NodeId,
    number: u64,
    outbox: Arc<Outbox>,
    /// Bounds what the other end has this one do at once.
    hands: Arc<Semaphore>,
}

/// Why a link is to be ended.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum LinkError {
    /// The other end sends what is no frame.
    #[error("what came over a link is no frame")]
    NoFrame,
    /// The other end speaks another version.
    #[error("the other node speaks version {0} between nodes, and this one {PEER_VERSION}")]
    Version(u32),
    /// The other end says that it is somebody else.
    #[error("the other node says that it is {0}")]
    Name(NodeId),
}

impl Link {
    pub(crate) fn up(service: Arc<Service>, node: NodeId) -> Self {
        let (number, outbox) = service.board.up(node);
        Self { service, node, number, outbox, hands: Arc::new(Semaphore::new(limits::LINK_ASKS_MAX)) }
    }

    /// What is to be sent.
    #[must_use]
    pub fn stream(&self) -> OutboxStream {
        self.outbox.stream()
    }

    /// A frame has come.
    ///
    /// # Errors
    /// The link is of no use: end it.
    pub fn receive(&self, text: &str) -> Result<(), LinkError> {
        let Ok(frame) = serde_json::from_str::<PeerFrame>(text) else { return self.not_understood(text) };
        let (board, node, bytes) = (&self.service.board, self.node, text.len());
        match frame {
            PeerFrame::Hello { version, .. } if version != PEER_VERSION => return Err(LinkError::Version(version)),
            PeerFrame::Hello { node: named, .. } if named != node => return Err(LinkError::Name(named)),
            PeerFrame::Hello { .. } | PeerFrame::Unknown => {}
            PeerFrame::Ask { id, key, what } => self.on_ask(id, key, what),
            PeerFrame::Answer { id, ok, error, decided } => {
                let result = match error {
                    Some(face) => Err(Failure::from_node(face)),
                    None => Ok(ok.unwrap_or(Value::Null)),
                };
                board.answered(node, id, Answered { result, decided }, bytes);
            }
            PeerFrame::Leave { key } => {
                if let Some(handle) = self.owned(key) {
                    handle.leave(Switchboard::session_of(node));
                }
            }
            PeerFrame::Event { key, epoch, event } => board.pushed(node, key, epoch, Push::Event(event), bytes),
            PeerFrame::Delta { key, epoch, turn, offset, text } => {
                board.pushed(node, key, epoch, Push::Delta { turn, offset, text }, bytes);
            }
            PeerFrame::Signal { key, epoch, author, kind } => {
                if board.follows(node, key) {
                    board.pushed(node, key, epoch, Push::Signal { author, kind }, bytes);
                } else if let Some(handle) = self.owned(key) {
                    handle.signal(Switchboard::session_of(node), author, kind);
                }
            }
            PeerFrame::Ended { key, why } => board.ended(node, key, why),
            PeerFrame::Doubt {} => self.service.doubt(Some(Arc::clone(&self.outbox))),
            PeerFrame::Doubted {} => board.has_heard(node, self.number),
        }
        Ok(())
    }

    /// A frame of a kind that is known, with something in it that is not: a later version may say more. It costs the
    /// conversation that it is about, and no other.
    fn not_understood(&self, text: &str) -> Result<(), LinkError> {
        let Envelope { r#type, id, key } = serde_json::from_str(text).map_err(|_| LinkError::NoFrame)?;
        tracing::warn!(node = %self.node, r#type, "another node says what this one does not understand");
        let failure = Failure::restarting();
        match (&*r#type, id, key) {
            ("hello", ..) => return Err(LinkError::NoFrame),
            ("ask", Some(id), _) => answer(&self.outbox, id, Err(failure)),
            ("answer", Some(id), _) => {
                let answered = Answered { result: Err(failure), decided: true };
                self.service.board.answered(self.node, id, answered, text.len());
            }
            // It joins anew, and reads from the store what it has missed.
            ("event" | "delta" | "ended", _, Some(key)) => self.service.board.lost(self.node, key),
            _ => {}
        }
        Ok(())
    }

    /// A conversation that runs here as its owner has it.
    fn owned(&self, key: ConversationKey) -> Option<ConversationHandle> {
        self.service.conversations.running(key).filter(|handle| !handle.is_relay())
    }

    fn on_ask(&self, id: u64, key: ConversationKey, what: PeerAsk) {
        let (outbox, service, node) = (Arc::clone(&self.outbox), Arc::clone(&self.service), self.node);
        let owned = self.owned(key);
        if let PeerAsk::Command { command: wish } = what {
            // At once, so that what one session says stays in its order.
            let admitted = owned.ok_or_else(Failure::restarting);
            return match admitted.and_then(|handle| service.admits(&handle, &wish).map(|()| handle)) {
                Ok(handle) => handle.command(command(wish), ReplyTo::node(outbox, id)),
                Err(failure) => answer(&outbox, id, Err(failure)),
            };
        }
        let Ok(hand) = Arc::clone(&self.hands).try_acquire_owned() else {
            return answer(&outbox, id, Err(Failure::busy()));
        };
        spawn_local(async move {
            let _hand = hand;
            let result = match (what, owned) {
                (PeerAsk::View {}, Some(handle)) => handle.view().await.map(|view| json!(view)),
                (PeerAsk::View {} | PeerAsk::Command { .. }, _) => Err(Failure::restarting()),
                (PeerAsk::Join { wake }, _) => match service.joined(key, wake).await {
                    Ok(Some(handle)) => {
                        let (session, format) = (Switchboard::session_of(node), Format::Peer);
                        let listener =
                            Listener { session, outbox: Arc::clone(&outbox), format, audience: Audience::Team };
                        return handle.follow(listener, ReplyTo::node(outbox, id));
                    }
                    Ok(None) => Ok(json!(Stand::Resting {})),
                    Err(failure) => Err(failure),
                },
                (PeerAsk::Awake {}, _) => service.awake(key).await.map(|awake| match awake {
                    Some(_) => json!(Stand::Awake {}),
                    None => json!(Stand::Resting {}),
                }),
                (PeerAsk::Release {}, _) => Ok(match service.conversations.release(key) {
                    true => json!(Stand::Released {}),
                    false => json!(Stand::Resting {}),
                }),
                (PeerAsk::Open { contact, is_anonymous, at, locale }, _) => {
                    let opening = Opening { contact, is_anonymous, at };
                    service.open(key, opening, locale).await.map(|head| json!(head))
                }
                (PeerAsk::Erase { of_many }, _) => service.erase(key, of_many).await.map(|stand| json!(stand)),
            };
            answer(&outbox, id, result);
        });
    }
}

fn answer(outbox: &Outbox, id: u64, result: Result<Value, Failure>) {
    outbox.push(answer_frame(id, result, false));
}

impl Drop for Link {
    fn drop(&mut self) {
        self.service.board.down(self.node, self.number);
    }
}

//! A session of the simulated world, as the gateway has them: joins in tasks of their own, pulls while its
//! line has room, is closed when it stalls or its node drains, and leaves what it has joined when it ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actors::{Audience, Format, Listener, Outbox, OutboxItem, OutboxStream, ReplyTo, Worker, reply_frame};
use bytestring::ByteString;
use futures_util::StreamExt;
use schema::wire::{Close, ServerFrame};
use schema::{ConversationKey, Fact, Position, Ref, SessionId, Text};
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};

use super::held;
use super::line::{Ask, NodeEnd, Told};
use super::plant::Plant;

/// Between two looks at who has stalled.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A node's sessions.
#[derive(Clone, Default)]
pub(super) struct Sessions {
    outboxes: Rc<RefCell<Vec<Weak<Outbox>>>>,
    /// One has come.
    come: Rc<Notify>,
    plant: Option<Plant>,
    /// What must never be, and was.
    broken: Rc<RefCell<Vec<String>>>,
}

struct Session {
    id: SessionId,
    worker: Rc<Worker>,
    key: ConversationKey,
    outbox: Arc<Outbox>,
    joined: Cell<bool>,
}

impl Sessions {
    pub(super) fn new(plant: Option<Plant>, broken: Rc<RefCell<Vec<String>>>) -> Self {
        Self { outboxes: Rc::default(), come: Rc::default(), plant, broken }
    }

    /// Closes whoever has taken nothing for too long.
    pub(super) async fn sweep(self) {
        loop {
            if self.outboxes.borrow().is_empty() {
                self.come.notified().await;
            }
            sleep(LOOK_EVERY).await;
            let now = Instant::now();
            self.outboxes.borrow_mut().retain(|outbox| match outbox.upgrade() {
                Some(outbox) => {
                    outbox.close_if_stalled(now);
                    true
                }
                None => false,
            });
        }
    }

    /// Tells everybody to come back, as a node does that drains.
    pub(super) fn close_all(&self) {
        let open: Vec<_> = self.outboxes.borrow().iter().filter_map(Weak::upgrade).collect();
        open.iter().for_each(|outbox| outbox.close(Close::GOING_AWAY));
    }

    /// Serves a client until either end is gone.
    pub(super) async fn serve(self, worker: Rc<Worker>, key: ConversationKey, mut end: NodeEnd) {
        let outbox = Outbox::new();
        let mut items = outbox.stream();
        self.outboxes.borrow_mut().push(Arc::downgrade(&outbox));
        self.come.notify_one();
        let (id, joined) = (SessionId::generate(), Cell::new(false));
        let session = Rc::new(Session { id, worker, key, outbox, joined });
        let mut faults = Faults { plant: self.plant, joins: 0, loses: false };
        loop {
            held::outbox(session.outbox.waiting_bytes());
            tokio::select! {
                biased;
                ask = end.asks.recv() => match ask {
                    None => break,
                    Some(Ask::Join { r#ref, from }) => {
                        faults.join();
                        spawn_local(Rc::clone(&session).join(r#ref, from));
                    }
                    Some(Ask::Command { r#ref, command }) => match session.worker.find(key).await {
                        Ok(handle) => handle.command(command, ReplyTo::frame(Arc::clone(&session.outbox), r#ref)),
                        Err(failure) => session.outbox.push(reply_frame(&r#ref, Err(failure))),
                    },
                },
                next = next(&mut items, &end.told) => match next.and_then(|item| faults.change(item)) {
                    None => break,
                    Some(Item::Nothing) => {}
                    Some(Item::Frame(frame)) => {
                        // There is room: it was waited for.
                        if end.told.try_send(Told::Frame(frame)).is_err() {
                            break;
                        }
                    }
                    Some(Item::End(close)) => {
                        match close {
                            Some(close) => drop(end.told.try_send(Told::Close(close))),
                            None => self.broken.borrow_mut().push("a session ended without a close".into()),
                        }
                        break;
                    }
                },
            }
        }
        if self.plant == Some(Plant::NeverLeaves) {
            std::mem::forget(items);
            return;
        }
        // A join may still be on its way: it finds an outbox that nobody reads.
        drop(items);
        if session.joined.get() {
            session.worker.system().leave(key, id);
        }
    }
}

impl Session {
    async fn join(self: Rc<Self>, r#ref: Ref, from: Position) {
        match self.worker.find_here(self.key).await {
            Ok(handle) => {
                self.joined.set(true);
                let outbox = Arc::clone(&self.outbox);
                // In half of the conversations everybody sees what a contact sees.
                let is_even = self.key.conversation.as_bytes().last().is_some_and(|byte| byte % 2 == 0);
                let audience = if is_even { Audience::Contact } else { Audience::Team };
                let (session, format) = (self.id, Format::Socket);
                let listener = Listener { session, outbox: Arc::clone(&outbox), format, audience };
                handle.join(listener, from, ReplyTo::frame(outbox, r#ref));
            }
            Err(failure) => self.outbox.push(reply_frame(&r#ref, Err(failure))),
        }
    }
}

/// What a session has to send.
enum Item {
    Nothing,
    Frame(ByteString),
    /// The last of all; a session that was ended says with which code.
    End(Option<Close>),
}

/// The next item, once the line has room for it; none when the line is gone.
async fn next(items: &mut OutboxStream, line: &Sender<Told>) -> Option<Item> {
    // Only a look: the place is taken when there is something to send.
    drop(line.reserve().await.ok()?);
    Some(match items.next().await {
        Some(OutboxItem::Frame(frame)) => Item::Frame(frame),
        Some(OutboxItem::Ping) => Item::Nothing,
        Some(OutboxItem::Close(close)) => Item::End(Some(close)),
        None => Item::End(None),
    })
}

/// What a session does wrong on purpose.
struct Faults {
    plant: Option<Plant>,
    joins: usize,
    /// The next event is lost.
    loses: bool,
}

impl Faults {
    fn join(&mut self) {
        self.joins += 1;
        self.loses = self.joins > 1 && self.plant == Some(Plant::EventLost);
    }

    fn change(&mut self, item: Item) -> Option<Item> {
        Some(match (self.plant, item) {
            (Some(Plant::EventLost), Item::Frame(frame)) if self.loses && is_event(&frame) => {
                self.loses = false;
                Item::Nothing
            }
            (Some(Plant::NoProgress), Item::Frame(frame)) if is_event(&frame) => Item::End(Some(Close::SLOW_CONSUMER)),
            (Some(Plant::CheckpointUncovered), Item::Frame(frame)) => Item::Frame(uncovered(frame)),
            (Some(Plant::CloseLost), Item::End(_)) => Item::End(None),
            (_, item) => item,
        })
    }
}

fn is_event(frame: &str) -> bool {
    frame.starts_with(r#"{"type":"event""#)
}

/// A checkpoint without its text, whoever it is for.
fn uncovered(frame: ByteString) -> ByteString {
    let Ok(ServerFrame::Event { conversation, mut event }) = serde_json::from_str(&frame) else { return frame };
    if let Fact::Checkpoint { chars, text, .. } = &mut event.fact
        && !text.is_empty()
    {
        *chars = Some(text.chars());
        *text = Text::default();
    }
    serde_json::to_string(&ServerFrame::Event { conversation, event }).map_or(frame, ByteString::from)
}

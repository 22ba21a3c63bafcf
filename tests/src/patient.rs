//! A client that does what the protocol asks of one, whatever happens to its node: sends again with
//! the same ref until it is answered, comes back with its position, and records for the checker
//! everything it sent, was told and was shown.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use loadtest::checker::{Observer, Sender};
use schema::wire::{ClientFrame, Close, ErrorFace, SUBPROTOCOL, ServerFrame};
use schema::{Author, ConversationId, ErrorCode, Position, Ref, Seq};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Without an answer for so long, a message is sent again on the same socket.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Between two attempts to reach a node that does not answer.
const RETRY: Duration = Duration::from_millis(15);
/// After a node has said that a conversation is not to be had there now.
const LEFT: Duration = Duration::from_millis(100);
const CONNECT_MAX: Duration = Duration::from_secs(5);

type Line = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Whose conversation, and where.
#[derive(Clone)]
pub struct Seat {
    /// The node.
    pub address: SocketAddr,
    /// Where it goes, one after another, while a node cannot be reached.
    pub others: Vec<SocketAddr>,
    /// The tenant's key.
    pub key: String,
    /// The conversation.
    pub conversation: ConversationId,
    /// What its refs begin with: no other client of the conversation has the same.
    pub name: String,
    /// Messages under way at once.
    pub window: usize,
    /// How it listens.
    pub ear: Ear,
}

/// How a client listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ear {
    /// What it has seen when it comes for the first time.
    pub seen: Seq,
    /// Bytes a second that it takes; as they come where there is none.
    pub bytes_per_second: Option<u32>,
    /// On every third line it goes back by so many events as soon as it has joined.
    pub goes_back: Seq,
}

/// A message that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// When.
    pub at: Instant,
    /// How long after it was first sent.
    pub took: Duration,
    /// By which node.
    pub by: SocketAddr,
}

/// A line that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    /// When.
    pub at: Instant,
    /// To which node.
    pub to: SocketAddr,
    /// How.
    pub how: Ending,
}

/// How a line has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The node closed it, with a code.
    Closed(u16),
    /// Without a word.
    Cut,
    /// The client left it, as it was told that it does not hear its conversation there.
    Left,
}

/// What has happened so far.
#[derive(Debug)]
pub struct Record {
    /// What it sent and was told.
    pub sender: Sender,
    /// What it was shown.
    pub observer: Observer,
    /// Refusals by code.
    pub refusals: BTreeMap<ErrorCode, usize>,
    /// Closes by code.
    pub closes: BTreeMap<u16, usize>,
    /// Sockets it has had.
    pub sockets: usize,
    /// What was acknowledged, in its order.
    pub taken: Vec<Taken>,
    /// Lines that have ended.
    pub lost: Vec<Lost>,
    /// Refusals that no repetition mends: a client of this kind gets none.
    pub final_refusals: Vec<ErrorFace>,
    /// Joins without an answer.
    joining: usize,
    waiting: VecDeque<String>,
    said: usize,
}

/// The client, alive until dropped.
pub struct Patient {
    record: Arc<Mutex<Record>>,
    life: JoinHandle<()>,
}

/// What gives a client something to say.
#[derive(Clone)]
pub struct Mouth(Arc<Mutex<Record>>);

struct Pending {
    r#ref: Ref,
    text: String,
    first_sent: Instant,
    again_at: Instant,
}

impl Patient {
    /// Begins to listen, and to say what it is given.
    #[must_use]
    pub fn start(seat: Seat) -> Self {
        let record = Arc::new(Mutex::new(Record {
            sender: Sender::new(Author::Contact),
            observer: Observer::default(),
            refusals: BTreeMap::new(),
            closes: BTreeMap::new(),
            sockets: 0,
            taken: Vec::new(),
            lost: Vec::new(),
            final_refusals: Vec::new(),
            joining: 0,
            waiting: VecDeque::new(),
            said: 0,
        }));
        if seat.ear.seen > 0 {
            lock(&record).observer.skipped_to(seat.ear.seen);
        }
        #[allow(clippy::disallowed_methods, reason = "it ends when dropped")]
        let life = tokio::spawn(live(seat, Arc::clone(&record)));
        Self { record, life }
    }

    /// Gives it something to say.
    pub fn say(&self, text: impl Into<String>) {
        self.record().waiting.push_back(text.into());
    }

    /// What has happened so far.
    ///
    /// # Errors
    /// None; a client that panicked has left its record as it was.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }

    /// Whether it has seen everything up to `head`, and has not asked to see more of it again.
    #[must_use]
    pub fn has_seen(&self, head: Seq) -> bool {
        let record = self.record();
        record.joining == 0 && record.observer.seq() == head
    }

    /// Whether everything it was given is acknowledged.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.record().is_done()
    }

    /// To give it something to say from elsewhere.
    #[must_use]
    pub fn mouth(&self) -> Mouth {
        Mouth(Arc::clone(&self.record))
    }
}

impl Mouth {
    /// Gives the client something to say.
    pub fn say(&self, text: impl Into<String>) {
        lock(&self.0).waiting.push_back(text.into());
    }

    /// Whether everything it was given is acknowledged.
    #[must_use]
    pub fn is_done(&self) -> bool {
        lock(&self.0).is_done()
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        self.life.abort();
    }
}

async fn live(seat: Seat, record: Arc<Mutex<Record>>) {
    let mut pending: VecDeque<Pending> = VecDeque::new();
    let mut joins = 0usize;
    let mut nodes = std::iter::once(seat.address).chain(seat.others.iter().copied()).cycle();
    let Some(mut node) = nodes.next() else { return };
    loop {
        let Some(mut line) = connect(node, &seat.key).await else {
            node = nodes.next().unwrap_or(node);
            tokio::time::sleep(RETRY).await;
            continue;
        };
        joins += 1;
        lock(&record).sockets += 1;
        pending.iter_mut().for_each(|pending| pending.again_at = Instant::now());
        let after = {
            let mut record = lock(&record);
            record.observer.comes_back();
            record.observer.position()
        };
        let mut asked = vec![after];
        if joins.is_multiple_of(3) && seat.ear.goes_back > 0 {
            // At once: what was asked for first is still being read.
            asked.push(Position { seq: after.seq.saturating_sub(seat.ear.goes_back), reached: None });
        }
        let mut waiting = Vec::new();
        let mut sent = true;
        for (n, after) in asked.into_iter().enumerate() {
            let Ok(join) = format!("{}-join-{joins}-{n}", seat.name).parse::<Ref>() else { return };
            let frame =
                ClientFrame::Join { r#ref: join.clone(), conversation: Some(seat.conversation), after, locale: None };
            waiting.push((join, after));
            sent = sent && send(&mut line, &frame).await;
        }
        lock(&record).joining = waiting.len();
        let (how, wait) = if sent {
            on_line(&seat, node, &record, &mut line, &mut waiting, &mut pending).await
        } else {
            (Ending::Cut, RETRY)
        };
        lock(&record).lost.push(Lost { at: Instant::now(), to: node, how });
        tokio::time::sleep(wait).await;
    }
}

/// Until the line ends; gives how it did, and how long to leave the node alone.
async fn on_line(
    seat: &Seat,
    node: SocketAddr,
    record: &Mutex<Record>,
    line: &mut Line,
    joins: &mut Vec<(Ref, Position)>,
    pending: &mut VecDeque<Pending>,
) -> (Ending, Duration) {
    loop {
        let now = Instant::now();
        while pending.len() < seat.window {
            let Some((text, said)) = lock(record).next() else { break };
            let Ok(r#ref) = format!("{}-{said}", seat.name).parse::<Ref>() else { return (Ending::Left, RETRY) };
            pending.push_back(Pending { r#ref, text, first_sent: now, again_at: now });
        }
        for due in pending.iter_mut().filter(|pending| pending.again_at <= now) {
            due.again_at = now + ANSWER_MAX;
            lock(record).sender.sends(&due.r#ref, &due.text);
            let frame = ClientFrame::Say {
                r#ref: due.r#ref.clone(),
                conversation: seat.conversation,
                text: due.text.as_str().into(),
                agent: None,
            };
            if !send(line, &frame).await {
                return (Ending::Cut, RETRY);
            }
        }
        // What it is given to say wakes nobody: a short look now and then.
        let look = now + Duration::from_millis(5);
        let next = pending.iter().map(|pending| pending.again_at).min().unwrap_or(look);
        let wake = if pending.len() < seat.window { next.min(look) } else { next };
        let message = tokio::select! {
            biased;
            message = line.next() => message,
            () = sleep_until(wake) => continue,
        };
        match message {
            Some(Ok(Message::Text(text))) => {
                if let Some(bytes) = seat.ear.bytes_per_second {
                    let micros = text.len() as u64 * 1_000_000 / u64::from(bytes.max(1));
                    tokio::time::sleep(Duration::from_micros(micros)).await;
                }
                if !hear(node, record, &text, joins, pending) {
                    return (Ending::Left, LEFT);
                }
            }
            Some(Ok(Message::Close(close))) => {
                let code = close.map_or(1005, |close| close.code.into());
                let mut record = lock(record);
                *record.closes.entry(code).or_default() += 1;
                let in_vain = if code == Close::SLOW_CONSUMER.code { record.observer.was_too_slow() } else { 0 };
                return (Ending::Closed(code), RETRY * (1 << in_vain.min(8)));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return (Ending::Cut, RETRY),
        }
    }
}

/// False when this line is of no more use.
fn hear(
    node: SocketAddr,
    record: &Mutex<Record>,
    raw: &str,
    joins: &mut Vec<(Ref, Position)>,
    pending: &mut VecDeque<Pending>,
) -> bool {
    let mut record = lock(record);
    record.observer.frame(raw);
    let Ok(frame) = serde_json::from_str::<ServerFrame>(raw) else { return false };
    match frame {
        ServerFrame::Event { event, .. } => record.observer.event(&event),
        ServerFrame::Delta(delta) => record.observer.delta(delta.turn, delta.offset, delta.text.as_str()),
        ServerFrame::Reply { r#ref, ok, error } if joins.iter().any(|(join, _)| *join == r#ref) => {
            if let Some(error) = error {
                record.refuse(error);
                return false;
            }
            let asked = joins.iter().position(|(join, _)| *join == r#ref).map(|at| joins.remove(at));
            if let Some((_, from)) = asked {
                record.observer.goes_back(from);
                record.joining = joins.len();
            }
            let after = ok.filter(|ok| ok["complete"] == Value::Bool(false)).and_then(|ok| ok["after"].as_u64());
            if let Some(after) = after {
                record.observer.skipped_to(after);
            }
        }
        ServerFrame::Reply { r#ref, ok, error } => {
            let Some(at) = pending.iter().position(|pending| pending.r#ref == r#ref) else { return true };
            if let Some(seq) = ok.and_then(|ok| ok["seq"].as_u64()) {
                record.sender.acknowledged(&r#ref, seq);
                let now = Instant::now();
                if let Some(done) = pending.remove(at) {
                    record.taken.push(Taken { at: now, took: now - done.first_sent, by: node });
                }
            } else if let Some(error) = error {
                let wait = error.retry_after.map_or(Duration::from_millis(200), Duration::from_secs);
                pending[at].again_at = Instant::now() + wait.min(ANSWER_MAX);
                record.refuse(error);
            }
        }
        ServerFrame::Error { error, conversation } => {
            record.refuse(error);
            return conversation.is_none();
        }
        ServerFrame::GoingAway { .. } | ServerFrame::Hello { .. } | ServerFrame::Signal(_) => {}
    }
    true
}

impl Record {
    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.sender.acknowledged_count() == self.said
    }

    fn next(&mut self) -> Option<(String, usize)> {
        let text = self.waiting.pop_front()?;
        self.said += 1;
        Some((text, self.said))
    }

    fn refuse(&mut self, error: ErrorFace) {
        *self.refusals.entry(error.code).or_default() += 1;
        if error.retry_after.is_none() && error.code != ErrorCode::Quarantined {
            self.final_refusals.push(error);
        }
    }
}

async fn connect(node: SocketAddr, key: &str) -> Option<Line> {
    let mut request = format!("ws://{node}/v1/ws").into_client_request().ok()?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {key}")).ok()?);
    timeout(CONNECT_MAX, connect_async(request)).await.ok()?.ok().map(|(line, _)| line)
}

async fn send(line: &mut Line, frame: &ClientFrame) -> bool {
    let Ok(text) = serde_json::to_string(frame) else { return false };
    line.send(Message::text(text)).await.is_ok()
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

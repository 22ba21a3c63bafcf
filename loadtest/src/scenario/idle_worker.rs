//! One process's share of idle sockets. The first `open` opens a new conversation for each, later
//! ones come back to the same. It obeys two words on its input, `open` and `close`, and
//! answers each with one line of JSON; it ends when its input does.

use std::collections::HashMap;
use std::io::BufRead;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use schema::ConversationId;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::Target as Node;
use crate::clock;
use crate::node::{Place, reply};
use crate::proc;
use crate::socket::{Incoming, Link, Opening};

/// How long a socket waits for the server's half of the closing.
const GOODBYE: Duration = Duration::from_secs(5);

/// A share of the idle sockets; started by `idle`.
#[derive(Clone, Debug, Args)]
pub struct IdleWorker {
    #[command(flatten)]
    pub node: Node,
    #[arg(long)]
    pub connections: usize,
    #[arg(long)]
    pub in_flight: usize,
    #[arg(long)]
    pub arrivals: u32,
    #[arg(long)]
    pub sources: u8,
}

/// A worker's answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Told {
    /// Sockets it holds, or held before it closed them.
    pub sockets: usize,
    /// How long it took.
    pub seconds: f64,
    /// How long each socket took to be joined, in microseconds.
    pub joined_us: Vec<u64>,
    /// Sockets that ended before they were told to.
    pub lost: usize,
    /// The first thing that went wrong.
    pub fault: Option<String>,
}

/// Obeys until its input ends.
///
/// # Errors
/// The node's address is none, or the output is gone.
pub async fn run(args: &IdleWorker) -> Result<()> {
    let _ = proc::raise_file_limit();
    let place = Arc::new(Place::parse(&args.node.url, &args.node.key)?);
    let (words, mut heard) = mpsc::channel(4);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if words.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut held = Held::default();
    while let Some(word) = heard.recv().await {
        let told = match word.trim() {
            "open" => held.open(args, &place).await,
            "close" => held.close().await,
            other => bail!("`{other}` is no word for a worker"),
        };
        println!("{}", serde_json::to_string(&told)?);
    }
    Ok(())
}

#[derive(Default)]
struct Held {
    sockets: JoinSet<bool>,
    conversations: HashMap<usize, ConversationId>,
    stop: watch::Sender<bool>,
}

impl Held {
    async fn open(&mut self, args: &IdleWorker, place: &Arc<Place>) -> Told {
        self.stop.send_replace(false);
        let begun = clock::now();
        let gate = Arc::new(Semaphore::new(args.in_flight));
        let (joined, mut joins) = mpsc::unbounded_channel();
        for nth in 0..args.connections {
            // An arrival rate counts from when the socket should have come, open gates from when it may.
            let due = match args.arrivals {
                0 => None,
                rate => Some(begun + nth as u64 * clock::SECOND / u64::from(rate)),
            };
            if let Some(due) = due {
                clock::until(due).await;
            }
            let Ok(permit) = gate.clone().acquire_owned().await else { break };
            let (place, joined, mut stop) = (place.clone(), joined.clone(), self.stop.subscribe());
            let source = source(&place, args.sources, nth);
            let known = self.conversations.get(&nth).copied();
            let from = due.unwrap_or_else(clock::now);
            self.sockets.spawn(async move {
                let opened = open(&place, source, known).await;
                drop(permit);
                let mut link = match opened {
                    Ok((link, conversation)) => {
                        let _ = joined.send(Ok((nth, conversation, (clock::now() - from) / 1_000)));
                        link
                    }
                    Err(error) => {
                        let _ = joined.send(Err(format!("{error:#}")));
                        return true;
                    }
                };
                // Waiting channels of ten thousand tasks would be kept alive by this sender.
                drop(joined);
                let told_to = async { drop(stop.wait_for(|stop| *stop).await) };
                let ended = tokio::select! {
                    () = sit(&mut link) => true,
                    () = told_to => false,
                };
                if !ended {
                    let _ = tokio::time::timeout(GOODBYE, goodbye(link)).await;
                }
                ended
            });
        }
        drop(joined);
        let mut told = Told::default();
        while let Some(outcome) = joins.recv().await {
            match outcome {
                Ok((nth, conversation, us)) => {
                    self.conversations.insert(nth, conversation);
                    told.joined_us.push(us);
                }
                Err(error) => told.fault = told.fault.or(Some(error)),
            }
        }
        told.sockets = told.joined_us.len();
        told.seconds = (clock::now() - begun) as f64 / 1e9;
        told
    }

    async fn close(&mut self) -> Told {
        let begun = clock::now();
        let mut told = Told { sockets: self.sockets.len(), ..Told::default() };
        self.stop.send_replace(true);
        while let Some(task) = self.sockets.join_next().await {
            told.lost += usize::from(task.unwrap_or(true));
        }
        told.seconds = (clock::now() - begun) as f64 / 1e9;
        told
    }
}

fn source(place: &Place, sources: u8, nth: usize) -> Option<IpAddr> {
    let nth = u8::try_from(nth.checked_rem(sources.into())?).ok()?;
    place.server.ip().is_loopback().then_some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, nth.checked_add(2)?)))
}

async fn open(place: &Place, source: Option<IpAddr>, known: Option<ConversationId>) -> Result<(Link, ConversationId)> {
    let mut link = Link::open(Opening { source, ..place.opening() }).await?.reading(512);
    match known {
        Some(id) => {
            link.queue(format!(r#"{{"type":"join","ref":"join","conversation":"{id}","after":1}}"#).as_bytes());
            reply(&mut link, "join").await?;
            Ok((link, id))
        }
        None => {
            link.queue(br#"{"type":"join","ref":"join"}"#);
            let ok = reply(&mut link, "join").await?;
            let id = ok["conversation"].as_str().context("a join that does not name its conversation")?;
            Ok((link, id.parse()?))
        }
    }
}

/// Answers pings until the server ends the socket.
async fn sit(link: &mut Link) {
    while let Ok((Incoming::Message(_), _)) = link.next().await {}
}

async fn goodbye(mut link: Link) {
    link.queue_close();
    while let Ok((Incoming::Message(_), _)) = link.next().await {}
}

//! Many replies streaming through the node at once, and what each reader got of its own.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use schema::ConversationId;
use schema::wire::ErrorFace;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::clock;
use crate::ledger::{Account, Ledger};
use crate::node::{Node, Place};
use crate::plan::Plan;
use crate::socket::{Incoming, Link};
use crate::stats::{Durations, Percentiles};
use crate::view::View;

/// How long after its last token was due a reply may still end.
const GRACE: Duration = Duration::from_secs(15);

/// One reader with its own conversation.
#[derive(Debug)]
pub struct Reader {
    link: Link,
    conversation: ConversationId,
    said: u32,
}

/// What came of saying something.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// It was stored, after so long, and answered.
    Answered { acknowledged_ns: u64 },
    /// Nothing was done.
    Refused(ErrorFace),
}

/// The timing of one window: the same for every way of reading it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How many replies at once.
    pub streams: usize,
    /// Tokens of each.
    pub tokens: u32,
    /// Tokens a second of each; 0 for as fast as they are read.
    pub rate: u32,
}

/// What one window gave.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Window {
    /// From the stub's write to the reader.
    pub since_sent: Percentiles,
    /// From the intended time to the reader.
    pub since_intended: Percentiles,
    /// How late the stub itself was.
    pub stub_late: Percentiles,
    /// Whether all came.
    pub account: Account,
    /// From the first token's time to the end of the last reply, in seconds.
    pub seconds: f64,
}

impl Pace {
    /// The plan of stream `nth`: starts are spread over one token's time.
    #[must_use]
    pub fn plan(&self, nth: usize, start_ns: u64) -> Plan {
        let spread = match self.rate {
            0 => 0,
            rate => clock::SECOND / u64::from(rate) * nth as u64 / self.streams.max(1) as u64,
        };
        Plan { tokens: self.tokens, rate: self.rate, start_ns: start_ns + spread }
    }

    /// A start far enough ahead for replies to be asked for before it; one that still comes late
    /// begins at its next step.
    #[must_use]
    pub fn start(&self) -> u64 {
        clock::now() + 300_000_000 + self.streams as u64 * 2_000_000
    }

    /// How long everything may take from now.
    #[must_use]
    pub fn patience(&self, start_ns: u64) -> Duration {
        let paced = match self.rate {
            0 => 90,
            rate => u64::from(self.tokens / rate) + 1,
        };
        Duration::from_nanos(start_ns.saturating_sub(clock::now())) + Duration::from_secs(paced) + GRACE
    }
}

/// Opens one conversation and one socket for each of `count` readers.
///
/// # Errors
/// The node refuses one.
pub async fn readers(place: &Place, node: &mut Node, count: usize) -> Result<Vec<Reader>> {
    let mut readers = Vec::with_capacity(count);
    for _ in 0..count {
        let conversation = node.open().await?;
        let link = place.join(place.opening(), conversation).await?.reading(16 * 1024);
        readers.push(Reader { link, conversation, said: 0 });
    }
    Ok(readers)
}

impl Reader {
    /// Its conversation.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// The ref of something new to say.
    pub(crate) fn next_ref(&mut self) -> String {
        self.said += 1;
        format!("say-{}", self.said)
    }

    /// Says something and reads until the reply to it is finished.
    async fn ask(&mut self, plan: Plan, ledger: &mut Ledger) -> Result<()> {
        let re = self.next_ref();
        match self.attempt(&re, plan, ledger).await? {
            Attempt::Answered { .. } => Ok(()),
            Attempt::Refused(error) => bail!("the node answered {}: {}", error.code, error.message),
        }
    }

    /// Says something, for the first time or again, and reads until it is refused or the reply to it is
    /// finished.
    ///
    /// # Errors
    /// The node does anything else.
    pub(crate) async fn attempt(&mut self, re: &str, plan: Plan, ledger: &mut Ledger) -> Result<Attempt> {
        let frame = format!(r#"{{"type":"say","ref":"{re}","conversation":"{}","text":"{plan}"}}"#, self.conversation);
        let sent = clock::now();
        let mut acknowledged = None;
        self.link.queue(frame.as_bytes());
        loop {
            let (incoming, at) = self.link.next().await?;
            let message = match incoming {
                Incoming::Message(message) => message,
                Incoming::Close(code) => bail!("the node closed the socket: {code:?}"),
            };
            let view: View<'_> = serde_json::from_slice(&message).context("a frame that is none")?;
            if view.kind == "delta" {
                let text = view.text.context("a delta without text")?;
                ledger.piece(view.offset.context("a delta without offset")?, text.0.as_bytes(), at);
            } else if let Some(error) = view.error {
                return Ok(Attempt::Refused(error));
            } else if view.kind == "reply" {
                acknowledged = Some(at.saturating_sub(sent));
            } else if let Some(event) = view.finished_reply() {
                ledger.whole(event.text.as_ref().map_or("", |text| &text.0).as_bytes(), at);
                return match event.end {
                    Some("completed") => Ok(Attempt::Answered {
                        acknowledged_ns: acknowledged.context("a reply to what was not acknowledged")?,
                    }),
                    end => bail!("the reply ended {end:?}"),
                };
            }
        }
    }
}

/// One window through the node. The readers come back with it, and with what went wrong.
///
/// # Errors
/// Only for faults of this program; what the node does wrong is in the window and the list.
pub async fn window(mut readers: Vec<Reader>, pace: Pace) -> Result<(Vec<Reader>, Window, Vec<String>)> {
    let start_ns = pace.start();
    let patience = pace.patience(start_ns);
    let mut tasks = JoinSet::new();
    for (nth, mut reader) in readers.drain(..).enumerate() {
        let plan = pace.plan(nth, start_ns);
        tasks.spawn(async move {
            let mut ledger = Ledger::with_room(plan.tokens as usize);
            let outcome = tokio::time::timeout(patience, reader.ask(plan, &mut ledger)).await;
            let outcome = outcome.unwrap_or_else(|_| bail!("the reply did not end within {patience:?}"));
            (nth, reader, ledger, outcome)
        });
    }
    let mut done = Vec::with_capacity(pace.streams);
    while let Some(task) = tasks.join_next().await {
        done.push(task?);
    }
    let end_ns = clock::now();
    done.sort_by_key(|(nth, ..)| *nth);
    let mut faults = Vec::new();
    let mut ledgers = Vec::with_capacity(done.len());
    for (nth, reader, ledger, outcome) in done {
        if let Err(error) = &outcome {
            faults.push(format!("stream {nth}: {error:#}"));
        }
        ledgers.push((ledger, outcome.is_ok()));
        readers.push(reader);
    }
    let window = summed(&ledgers, pace, start_ns, end_ns)?;
    faults.extend(window.account.fault());
    Ok((readers, window, faults))
}

/// Adds up what all readers of a window got.
pub(crate) fn summed(ledgers: &[(Ledger, bool)], pace: Pace, start_ns: u64, end_ns: u64) -> Result<Window> {
    let (mut since_sent, mut since_intended, mut stub_late) = (Durations::new()?, Durations::new()?, Durations::new()?);
    let mut account = Account::default();
    for (ledger, ended) in ledgers {
        account = account.and(ledger.account(u64::from(pace.tokens), *ended));
        for sample in &ledger.samples {
            since_sent.record(sample.since_sent);
            since_intended.record(sample.since_intended);
            stub_late.record(sample.since_intended - sample.since_sent);
        }
    }
    Ok(Window {
        since_sent: since_sent.percentiles(),
        since_intended: since_intended.percentiles(),
        stub_late: stub_late.percentiles(),
        account,
        seconds: end_ns.saturating_sub(start_ns) as f64 / 1e9,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_spread_over_one_token() {
        let pace = Pace { streams: 4, tokens: 10, rate: 50 };
        let starts: Vec<u64> = (0..4).map(|nth| pace.plan(nth, 1_000).start_ns).collect();
        assert_eq!(starts, [1_000, 5_001_000, 10_001_000, 15_001_000]);
        assert_eq!(Pace { rate: 0, ..pace }.plan(3, 1_000).start_ns, 1_000);
    }
}

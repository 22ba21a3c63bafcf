//! Requests that are late: told to have failed in time, kept, and sent to the cluster when a test says so.
//! Invariant: what comes late is byte for byte what the store has sent.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use scylla_proxy::example_db_errors::write_timeout;
use scylla_proxy::{Condition, Reaction, RequestFrame, RequestOpcode, RequestReaction, RequestRule};
use tests::servers::Cassandra;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const STARTUP: u8 = 0x01;
const READY: u8 = 0x02;
const RESULT: u8 = 0x08;

/// Requests that are kept.
pub(super) struct Late(mpsc::UnboundedReceiver<(RequestFrame, Option<u16>)>);

/// Keeps statements with all of these bytes among their values, so many of them.
pub(super) fn keep(values: &[&[u8]], times: usize) -> (RequestRule, Late) {
    let (kept, late) = mpsc::unbounded_channel();
    let execute = Condition::RequestOpcode(RequestOpcode::Execute);
    let with =
        |condition: Condition, value: &&[u8]| condition.and(Condition::BodyContainsCaseSensitive((*value).into()));
    let condition = values.iter().fold(execute, with).and(Condition::TrueForLimitedTimes(times));
    let reaction = RequestReaction::forge_with_error(write_timeout()).with_feedback_when_performed(kept);
    (RequestRule(condition, reaction), Late(late))
}

impl Late {
    /// Sends what was kept, and waits until it is answered. How many they were.
    pub(super) async fn arrive(&mut self) -> anyhow::Result<usize> {
        let real: SocketAddr = Cassandra::shared()?.parse()?;
        let mut stream = TcpStream::connect(real).await?;
        let startup = [0, 1].into_iter().chain(text("CQL_VERSION")).chain(text("3.0.0")).collect::<Vec<u8>>();
        ensure!(ask(&mut stream, STARTUP, &startup).await? == READY, "the cluster takes no connection");
        let mut sent = 0;
        while let Ok((frame, _)) = self.0.try_recv() {
            let answer = ask(&mut stream, frame.opcode as u8, &frame.body).await?;
            ensure!(answer == RESULT, "what is late is answered with {answer}");
            sent += 1;
        }
        Ok(sent)
    }
}

fn text(text: &str) -> impl Iterator<Item = u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
    length.into_iter().chain(text.bytes().collect::<Vec<_>>())
}

/// Sends a frame, and gives the kind of its answer.
async fn ask(stream: &mut TcpStream, kind: u8, body: &[u8]) -> anyhow::Result<u8> {
    let mut frame = vec![0x04, 0, 0, 0, kind];
    frame.extend(u32::try_from(body.len())?.to_be_bytes());
    frame.extend(body);
    stream.write_all(&frame).await?;
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.context("the cluster does not answer")?;
    let length = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    tokio::io::copy(&mut stream.take(length.into()), &mut tokio::io::sink()).await?;
    Ok(head[4])
}

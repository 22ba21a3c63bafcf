//! The socket under the chat: made, watched, made again. Invariant: a drop in mid-reply is
//! repaired by position and ref; the person sees every character once.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use schema::limits;
use schema::wire::{ClientFrame, ErrorBody, SUBPROTOCOL, ServerFrame};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::super::client::Client;
use super::super::error::CliError;
use super::command::{self, Command, Line};
use super::input::Interrupts;
use super::screen::Screen;
use super::talk::{Show, Talk};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a lost node is looked for.
const GONE_MAX: Duration = Duration::from_secs(60);
/// Sockets that may break one after another, each within [`GONE_MAX`].
const DROPS_MAX: usize = 20;
const PAUSE_MIN_MS: u64 = 200;
const PAUSE_MAX_MS: u64 = 5_000;
/// The largest frame taken: an event with a whole reply and its passages is far smaller.
const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A chat's connection to its node.
pub(super) struct Link {
    address: SocketAddr,
    credential: SecretString,
    talk: Talk,
    patience: Duration,
}

/// Why a socket is no longer used.
enum Ended {
    /// The person is done.
    Done,
    /// It broke; the node may have said when to come back, in milliseconds.
    Dropped { pause_ms: Option<u64> },
}

impl Link {
    /// A reply may take as long as `patience`.
    pub(super) fn new(client: &Client, talk: Talk, patience: Duration) -> Self {
        Self { address: client.address(), credential: client.credential().clone(), talk, patience }
    }

    /// Talks until the person is done, or the node refuses or stays away.
    pub(super) async fn run<W: Write>(
        &mut self,
        lines: &mut mpsc::Receiver<String>,
        interrupts: &mut Interrupts,
        screen: &mut Screen<W>,
    ) -> Result<(), CliError> {
        let mut socket = self.connect().await?;
        let mut drops = 0;
        loop {
            let begun = Instant::now();
            let Ended::Dropped { pause_ms } = self.talk_on(&mut socket, lines, interrupts, screen).await? else {
                break;
            };
            drops = if begun.elapsed() < GONE_MAX { drops + 1 } else { 1 };
            if drops > DROPS_MAX {
                return Err(CliError::Lost { address: self.address.to_string() });
            }
            screen.note("the connection is lost; coming back")?;
            tokio::select! {
                found = self.reconnect(pause_ms) => socket = found?,
                () = interrupts.next() => break,
            }
        }
        // The node learns at once that nobody listens; whether it answers does not matter any more.
        let _ = timeout(SEND_TIMEOUT, socket.close(None)).await;
        match self.talk.failures() {
            0 => Ok(()),
            count => Err(CliError::Failed(format!("messages without a whole answer: {count}"))),
        }
    }

    async fn talk_on<W: Write>(
        &mut self,
        socket: &mut Socket,
        lines: &mut mpsc::Receiver<String>,
        interrupts: &mut Interrupts,
        screen: &mut Screen<W>,
    ) -> Result<Ended, CliError> {
        let dropped = Ok(Ended::Dropped { pause_ms: None });
        let join = self.talk.join();
        let unanswered = self.talk.unanswered();
        for frame in [join, unanswered].into_iter().flatten() {
            if !send(socket, &frame).await {
                return dropped;
            }
        }
        let (mut pause_ms, mut prompted, mut stopping) = (None, false, false);
        let mut heard_at = Instant::now();
        let mut asked_at = Instant::now();
        loop {
            if self.talk.ready() && !prompted {
                screen.prompt()?;
                (prompted, stopping) = (true, false);
            }
            let deadline = heard_at + limits::SILENCE_MAX;
            tokio::select! {
                message = timeout_at(deadline, socket.next()) => {
                    let Ok(Some(Ok(message))) = message else { return Ok(Ended::Dropped { pause_ms }) };
                    heard_at = Instant::now();
                    match message {
                        Message::Text(text) => match serde_json::from_str(&text) {
                            Ok(ServerFrame::GoingAway { retry_after_ms }) => pause_ms = Some(retry_after_ms),
                            Ok(frame) => prompted &= self.take(frame, screen)?,
                            // A frame of a later version; clients skip what they do not know.
                            Err(_) => {}
                        },
                        Message::Close(Some(close)) if !comes_back(close.code.into()) => {
                            return Err(CliError::Closed { code: close.code.into(), reason: close.reason.to_string() });
                        }
                        Message::Close(_) => return Ok(Ended::Dropped { pause_ms }),
                        _ => {}
                    }
                }
                line = lines.recv(), if self.talk.ready() => {
                    screen.entered();
                    let Some(line) = line else { return Ok(Ended::Done) };
                    prompted = false;
                    match command::read(&line) {
                        Line::Empty => {}
                        Line::Command(Command::Quit) => return Ok(Ended::Done),
                        Line::Command(Command::Help) => command::help().try_for_each(|line| screen.note(&line))?,
                        Line::Command(Command::Id) => screen.note(&self.talk.conversation().to_string())?,
                        Line::Unknown(name) => {
                            screen.note(&format!("not said: there is no command {name}; /help lists them"))?;
                        }
                        Line::Say(text) if text.len() > limits::TEXT_BYTES_MAX => {
                            screen.note(&format!("not said: longer than {} bytes", limits::TEXT_BYTES_MAX))?;
                        }
                        Line::Say(text) => {
                            asked_at = Instant::now();
                            if let Some(frame) = self.talk.say(text) && !send(socket, &frame).await {
                                return dropped;
                            }
                        }
                    }
                }
                () = interrupts.next() => {
                    if stopping || !self.talk.replying() {
                        return Ok(Ended::Done);
                    }
                    stopping = true;
                    if let Some(frame) = self.talk.cancel() && !send(socket, &frame).await {
                        return dropped;
                    }
                }
                () = sleep(self.patience.saturating_sub(asked_at.elapsed())), if self.talk.replying() => {
                    return Err(CliError::Slow { address: self.address.to_string() });
                }
            }
        }
    }

    /// Shows what a frame brings; false when something was written over the prompt.
    fn take<W: Write>(&mut self, frame: ServerFrame, screen: &mut Screen<W>) -> Result<bool, CliError> {
        let shows: Vec<Show> = self
            .talk
            .on_frame(frame)
            .map_err(|error| CliError::Refused { code: error.code, message: error.message })?;
        for show in &shows {
            screen.show(show)?;
        }
        Ok(shows.is_empty())
    }

    async fn reconnect(&self, pause_ms: Option<u64>) -> Result<Socket, CliError> {
        let gone_at = Instant::now();
        let mut pause = pause_ms.unwrap_or(PAUSE_MIN_MS).min(GONE_MAX.as_millis() as u64 / 2);
        loop {
            // Spread over half to whole, so that a restarted node is not met by all at once.
            let spread = getrandom::u32().map_or(pause, |random| pause / 2 + u64::from(random) % (pause / 2 + 1));
            sleep(Duration::from_millis(spread)).await;
            match self.connect().await {
                Ok(socket) => return Ok(socket),
                Err(CliError::Unreachable { .. } | CliError::Slow { .. }) if gone_at.elapsed() < GONE_MAX => {
                    pause = (pause * 2).clamp(PAUSE_MIN_MS, PAUSE_MAX_MS);
                }
                Err(CliError::Unreachable { address } | CliError::Slow { address }) => {
                    return Err(CliError::Lost { address });
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn connect(&self) -> Result<Socket, CliError> {
        let address = self.address.to_string();
        let strange = |problem: String| CliError::Strange { address: address.clone(), problem };
        let uri = format!("ws://{address}/v1/ws").parse::<http::Uri>().map_err(|error| strange(error.to_string()))?;
        let request = ClientRequestBuilder::new(uri)
            .with_header("Authorization", format!("Bearer {}", self.credential.expose_secret()))
            .with_sub_protocol(SUBPROTOCOL);
        let config = WebSocketConfig::default().max_message_size(Some(FRAME_BYTES_MAX));
        let connected = timeout(CONNECT_TIMEOUT, connect_async_with_config(request, Some(config), true)).await;
        match connected {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(Error::Io(_))) => Err(CliError::Unreachable { address: address.clone() }),
            Ok(Err(Error::Http(response))) => {
                let status = response.status();
                // 503 and 429: it is there, and not now.
                if matches!(status.as_u16(), 429 | 503) {
                    return Err(CliError::Slow { address: address.clone() });
                }
                let body = response.body().as_deref().and_then(|body| serde_json::from_slice::<ErrorBody>(body).ok());
                Err(match body {
                    Some(ErrorBody { error }) => CliError::Refused { code: error.code, message: error.message },
                    None => strange(format!("status {status}")),
                })
            }
            Ok(Err(error)) => Err(strange(error.to_string())),
            Err(_) => Err(CliError::Slow { address: address.clone() }),
        }
    }
}

/// Whether the frame went out.
async fn send(socket: &mut Socket, frame: &ClientFrame) -> bool {
    let Ok(text) = serde_json::to_string(frame) else { return false };
    matches!(timeout(SEND_TIMEOUT, socket.send(Message::text(text))).await, Ok(Ok(())))
}

/// Not after what the protocol calls final, nor when it was our frame that was wrong: it would be
/// wrong again.
const fn comes_back(code: u16) -> bool {
    !matches!(code, 4500..=4999 | 1002 | 1003 | 1007..=1009)
}

#[cfg(test)]
mod tests;

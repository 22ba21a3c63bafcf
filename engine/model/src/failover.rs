//! One turn's models in order: the next is tried until one has begun to speak, and never after.
//! Invariant: the last piece is [`Piece::Ended`], and there is only one.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use schema::limits::REPLY_BYTES_MAX;
use schema::{End, ErrorCode, Usage};
use tokio::time::{Instant, Sleep};

use super::attempt::{Attempt, Close, Phase};
use super::spent::Spent;
use super::{Chunk, CoolDowns, Fitted, LeftOut, ModelError, Prompt, SharedModel, Signal, Sizes, Stop, Talk, Window};

/// What the contact reads when the model wanted a tool and had said nothing.
pub const TOOL_DECLINED: &str = "I cannot do that from here. Is there something I can answer for you instead?";

/// How long to wait for a model. All but `total` begin anew with each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// For the connection alone; the HTTP client sees to it.
    pub connect: Duration,
    /// From the beginning of an attempt to its first words, or to the first sign that it thinks.
    pub first_content: Duration,
    /// The same for the last model that is left: there is nothing to gain by giving up early.
    pub first_content_last: Duration,
    /// Between two signs of life of a model that speaks or thinks.
    pub between_chunks: Duration,
    /// For the whole turn, all attempts together.
    pub total: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_content: Duration::from_secs(10),
            first_content_last: Duration::from_secs(30),
            between_chunks: Duration::from_secs(20),
            total: Duration::from_secs(180),
        }
    }
}

/// What a turn's stream yields.
#[derive(Clone, PartialEq)]
pub enum Piece {
    /// A model is being asked.
    Asking {
        /// The model's name.
        model: String,
        /// The prompt that it was given.
        prompt: Arc<Prompt>,
    },
    /// Words for the contact; not empty.
    Text(String),
    /// The last bytes of those words were a thought that had not said so: they are no part of the reply.
    Unsaid {
        /// Number of UTF-8 bytes.
        bytes: usize,
    },
    /// Something about the reply that is not its words; never before them, and each once.
    Signal(Signal),
    /// Tokens of all attempts so far, as the providers counted them; replaces what was known before.
    Usage(Usage),
    /// A model was given up before its first words, and another is asked.
    FailedOver {
        /// The name of the model that was given up.
        model: String,
        /// Why it was given up.
        error: ModelError,
    },
    /// The turn is over; nothing follows.
    Ended(Ended),
}

/// How a turn ended, and what it used.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The outcome; never `Cancelled`, because a cancelled turn is dropped.
    pub end: End,
    /// The model that answered, or the last one that did not; empty when there was none to ask.
    pub model: String,
    /// Why it failed or broke off.
    pub error: Option<ModelError>,
    /// Tokens and cost of all attempts together.
    pub spent: Spent,
}

/// A turn's stream. It asks nothing until it is polled, and must be polled on a tokio runtime.
/// Dropping it drops the upstream connection at once; [`ReplyStream::spent`] says what to book then.
///
/// - Until the first words any error, silence or early end moves on to the next model. Roles,
///   heartbeats, thinking and counts are not words.
/// - A reply that ends well without a word that can be seen is an error like others.
/// - After the first words an error ends the turn `incomplete`: a second model would not go on
///   where the first stopped.
/// - A model that begins to think is no longer held to `first_content`, only to
///   `between_chunks` and `total`. Heartbeats alone do not count as thinking.
/// - What a model signals before its words is passed on with them: of one that is given up it means nothing.
/// - A reply that only asks for a tool gets [`TOOL_DECLINED`] for its text and is `completed`; one
///   that spoke before is `completed` as it stands.
/// - Nothing is asked twice: a model appears once in a turn, and nothing below retries. Only one that refuses a
///   prompt for its size is asked once more, with a shorter one. That is no failure of the model.
pub struct ReplyStream {
    source: Source,
    timers: Timers,
    cool: Arc<CoolDowns>,
    waiting: VecDeque<SharedModel>,
    attempt: Option<Attempt>,
    /// The model that is asked had a longer prompt first.
    again: bool,
    last_error: Option<(String, ModelError)>,
    spent: Spent,
    out: VecDeque<Piece>,
    /// Lies at or before the moment that matters, so that not every chunk has to move it.
    alarm: Option<Pin<Box<Sleep>>>,
    deadline: Option<Instant>,
    over: bool,
}

/// Where a turn's prompts come from.
pub enum Source {
    /// One prompt for all models, whatever their size.
    Fixed(Arc<Prompt>),
    /// A talk, laid out for each model.
    Talk(Talk),
}

impl From<Arc<Prompt>> for Source {
    fn from(prompt: Arc<Prompt>) -> Self {
        Self::Fixed(prompt)
    }
}

impl From<Talk> for Source {
    fn from(talk: Talk) -> Self {
        Self::Talk(talk)
    }
}

impl Source {
    fn fit(&self, window: Window) -> Fitted {
        match self {
            Self::Fixed(prompt) => Fitted { prompt: Arc::clone(prompt), left_out: LeftOut::default() },
            Self::Talk(talk) => talk.fit(window),
        }
    }
}

impl ReplyStream {
    /// A turn over `models`, in the order to try them.
    #[must_use]
    pub fn new(models: Vec<SharedModel>, source: impl Into<Source>, timers: Timers, cool: Arc<CoolDowns>) -> Self {
        Self {
            source: source.into(),
            timers,
            cool,
            waiting: models.into(),
            attempt: None,
            again: false,
            last_error: None,
            spent: Spent::default(),
            out: VecDeque::new(),
            alarm: None,
            deadline: None,
            over: false,
        }
    }

    /// What was used so far, as it would have to be booked if the turn were dropped now: counts
    /// that have come, and an estimate for the attempt that runs where its own are missing.
    #[must_use]
    pub fn spent(&self) -> Spent {
        let mut spent = self.spent;
        if let Some(attempt) = &self.attempt {
            spent.add(attempt.spent(Close::Cut));
        }
        spent
    }

    fn begin(&mut self, now: Instant) {
        let next = self.waiting.iter().position(|model| !self.cool.rests(model.name(), now)).unwrap_or(0);
        let Some(model) = self.waiting.remove(next) else { return self.fail() };
        let sizes = model.sizes();
        let fitted = self.source.fit(sizes.window());
        self.again = false;
        self.ask(model, fitted, sizes, now);
    }

    fn ask(&mut self, model: SharedModel, fitted: Fitted, sizes: Sizes, now: Instant) {
        self.out.push_back(Piece::Asking { model: model.name().to_owned(), prompt: Arc::clone(&fitted.prompt) });
        self.attempt = Some(Attempt::begin(model, fitted, sizes, now));
    }

    /// Asks a model once more that found the prompt too long, with a shorter one; says whether it does.
    fn ask_shorter(&mut self, error: &ModelError, now: Instant) -> bool {
        let (Some(by), Some(attempt)) = (error.oversize, &self.attempt) else { return false };
        let model = attempt.model();
        let shorter = attempt.shorter(by, |sizes| self.source.fit(sizes.window()));
        let in_time = self.deadline.is_none_or(|deadline| now < deadline);
        let Some((fitted, sizes)) = shorter.filter(|_| attempt.phase() != Phase::Speaking && !self.again && in_time)
        else {
            return false;
        };
        tracing::info!(model = model.name(), detail = error.detail, "prompt too long, asking with a shorter one");
        attempt.count_shortened();
        self.settle(error.code.name(), Close::Broke);
        self.again = true;
        self.ask(model, fitted, sizes, now);
        true
    }

    /// The last model has failed, or there was none.
    fn fail(&mut self) {
        let nothing = || (String::new(), ModelError::new(ErrorCode::ModelUnavailable, "there is no model to ask"));
        let (model, error) = self.last_error.take().unwrap_or_else(nothing);
        self.finish(End::Failed, model, Some(error));
    }

    fn finish(&mut self, end: End, model: String, error: Option<ModelError>) {
        self.over = true;
        self.waiting.clear();
        self.out.push_back(Piece::Ended(Ended { end, model, error, spent: self.spent }));
    }

    /// The attempt is over: its connection is closed and its tokens are booked.
    fn settle(&mut self, outcome: &'static str, close: Close) -> Option<Attempt> {
        let mut attempt = self.attempt.take()?;
        self.spent.add(attempt.settle(outcome, close));
        Some(attempt)
    }

    fn on_chunk(&mut self, chunk: Chunk, now: Instant) {
        let Some(attempt) = &mut self.attempt else { return };
        attempt.heard(now);
        match chunk {
            Chunk::Alive | Chunk::ToolCall { .. } => {}
            Chunk::Thinking => attempt.thinks(),
            Chunk::Unsaid { bytes } => {
                let bytes = attempt.unsays(bytes);
                self.out.extend((bytes > 0).then_some(Piece::Unsaid { bytes }));
            }
            Chunk::Signal(signal) => self.out.extend(attempt.signals(signal).map(Piece::Signal)),
            Chunk::Usage(usage) => {
                attempt.count(usage);
                let mut spent = self.spent;
                spent.add(attempt.spent(Close::Ended));
                self.out.push_back(Piece::Usage(spent.usage));
            }
            Chunk::Text(text) => self.on_text(text, now),
            Chunk::End(stop) => self.on_end(stop, now),
        }
    }

    fn on_text(&mut self, text: String, now: Instant) {
        let Some(attempt) = &mut self.attempt else { return };
        let Some(mut text) = attempt.visible(text) else { return };
        let room = REPLY_BYTES_MAX - attempt.said_bytes().min(REPLY_BYTES_MAX);
        let full = text.len() > room;
        if full {
            text.truncate((0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
        }
        if !text.is_empty() {
            attempt.says(&text, now);
            self.out.push_back(Piece::Text(text));
            self.out.extend(attempt.held_signals().map(Piece::Signal));
        }
        if full && let Some(attempt) = self.settle(End::Length.name(), Close::Cut) {
            self.finish(End::Length, attempt.name(), None);
        }
    }

    fn on_end(&mut self, stop: Stop, now: Instant) {
        let end = match stop {
            Stop::Completed | Stop::Tool => End::Completed,
            Stop::Length => End::Length,
            Stop::Filtered => End::Filtered,
        };
        let blank = self.attempt.as_ref().is_some_and(Attempt::is_blank);
        if blank && matches!(stop, Stop::Completed | Stop::Length) {
            let why = match stop {
                Stop::Length => "the limit of the reply's length was reached before its first word: allow more tokens",
                _ => "the reply ended well and has no words",
            };
            let error = ModelError::new(ErrorCode::ModelBlank, why);
            return self.on_error(error, Close::Ended, now);
        }
        let Some(attempt) = self.settle(end.name(), Close::Ended) else { return };
        self.cool.succeeded(&attempt.name(), now);
        if stop == Stop::Tool && attempt.phase() != Phase::Speaking {
            self.out.push_back(Piece::Text(TOOL_DECLINED.to_owned()));
        }
        self.finish(end, attempt.name(), None);
    }

    fn on_error(&mut self, error: ModelError, close: Close, now: Instant) {
        if self.ask_shorter(&error, now) {
            return;
        }
        let Some(attempt) = self.settle(error.code.name(), close) else { return };
        let model = attempt.name();
        self.cool.failed(&model, &error, now);
        if attempt.phase() == Phase::Speaking {
            return self.finish(End::Incomplete, model, Some(error));
        }
        let timed_out = self.deadline.is_some_and(|deadline| now >= deadline);
        if self.waiting.is_empty() || timed_out {
            return self.finish(End::Failed, model, Some(error));
        }
        attempt.count_failover(&error);
        self.out.push_back(Piece::FailedOver { model: model.clone(), error: error.clone() });
        self.last_error = Some((model, error));
    }

    fn on_timeout(&mut self, now: Instant) {
        let what = match &self.attempt {
            _ if self.deadline.is_some_and(|deadline| now >= deadline) => "the turn took too long",
            Some(attempt) if attempt.phase() == Phase::Waiting => "the model did not begin in time",
            _ => "the model did not go on in time",
        };
        self.on_error(ModelError::new(ErrorCode::ModelTimeout, what), Close::Cut, now);
    }

    /// When the attempt has been silent for too long.
    fn due(&self) -> Option<Instant> {
        let attempt = self.attempt.as_ref()?;
        let last = self.waiting.is_empty();
        let first = if last { self.timers.first_content_last } else { self.timers.first_content };
        let due = match attempt.phase() {
            Phase::Waiting => attempt.started() + first,
            Phase::Thinking | Phase::Speaking => attempt.heard_at() + self.timers.between_chunks,
        };
        Some(self.deadline.map_or(due, |deadline| due.min(deadline)))
    }

    /// Whether the time is up; if not, it will wake the task when it is.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(due) = self.due() else { return false };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if alarm.deadline() > due {
            alarm.as_mut().reset(due);
        }
        while alarm.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return true;
            }
            alarm.as_mut().reset(due);
        }
        false
    }
}

impl Drop for ReplyStream {
    fn drop(&mut self) {
        self.settle(End::Cancelled.name(), Close::Cut);
    }
}

impl Stream for ReplyStream {
    type Item = Piece;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        let this = self.get_mut();
        loop {
            if let Some(piece) = this.out.pop_front() {
                return Poll::Ready(Some(piece));
            }
            if this.over {
                return Poll::Ready(None);
            }
            let now = Instant::now();
            this.deadline.get_or_insert(now + this.timers.total);
            let Some(attempt) = &mut this.attempt else {
                this.begin(now);
                continue;
            };
            // A model that always has something ready never lets the alarm be looked at.
            if this.deadline.is_some_and(|deadline| now >= deadline) {
                this.on_timeout(now);
                continue;
            }
            match attempt.poll(cx) {
                Poll::Ready(Some(Ok(chunk))) => this.on_chunk(chunk, now),
                Poll::Ready(Some(Err(error))) => this.on_error(error, Close::Broke, now),
                Poll::Ready(None) => {
                    this.on_error(ModelError::truncated("the stream ended without an end"), Close::Broke, now);
                }
                Poll::Pending if this.poll_alarm(cx) => this.on_timeout(Instant::now()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

#[cfg(test)]
#[path = "failover_tests.rs"]
mod tests;

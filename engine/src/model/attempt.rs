//! One model asked once: what it said, what it used, when it was last heard.
//! Invariant: whoever begins an attempt settles it, once; that closes its connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use metrics::{counter, histogram};
use schema::Usage;
use tokio::time::Instant;

use super::metrics::{ATTEMPTS, FAILOVERS, FIRST_CONTENT, Labels, TOKENS};
use super::tokens::{cost_microusd, estimate_prompt_tokens, estimate_tokens};
use super::{Chunk, ChunkStream, ModelError, Prompt, SharedModel, Spent};

/// Equal chunks in a row that show a model in a loop.
const REPEATS_MAX: u32 = 100;

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing but signs of life.
    Waiting,
    /// It thinks.
    Thinking,
    /// Its first words have been passed on.
    Speaking,
}

/// How an attempt closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// With the model's own end.
    Ended,
    /// By a failure on the provider's side.
    Broke,
    /// By us, while the provider was at work and will bill it.
    Cut,
}

/// An attempt that runs. Dropping it closes its connection.
pub(super) struct Attempt {
    model: SharedModel,
    stream: Option<ChunkStream>,
    labels: Labels,
    phase: Phase,
    started: Instant,
    heard_at: Option<Instant>,
    said_bytes: usize,
    said_tokens: u64,
    /// The chunk said last, and how often in a row.
    last: (String, u32),
    /// The provider's count, as far as it has come.
    pub(super) usage: Option<Usage>,
}

impl Attempt {
    /// Asks `model`.
    pub(super) fn begin(model: SharedModel, prompt: &Arc<Prompt>, now: Instant) -> Self {
        let stream = Some(model.ask(Arc::clone(prompt)));
        let labels = Labels::of(model.name());
        Self {
            model,
            stream,
            labels,
            phase: Phase::Waiting,
            started: now,
            heard_at: None,
            said_bytes: 0,
            said_tokens: 0,
            last: (String::new(), 0),
            usage: None,
        }
    }

    /// The model's next chunk.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, ModelError>>> {
        self.stream.as_mut().map_or(Poll::Ready(None), |stream| Pin::new(stream).poll_next(cx))
    }

    pub(super) fn name(&self) -> String {
        self.model.name().to_owned()
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// When something came last, or the beginning.
    pub(super) fn heard_at(&self) -> Instant {
        self.heard_at.unwrap_or(self.started)
    }

    pub(super) fn said_bytes(&self) -> usize {
        self.said_bytes
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = Some(now);
    }

    pub(super) fn thinks(&mut self) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Thinking;
        }
    }

    pub(super) fn says(&mut self, text: &str, now: Instant) {
        if self.phase != Phase::Speaking {
            self.phase = Phase::Speaking;
            histogram!(FIRST_CONTENT, "provider" => self.labels.provider.clone(), "model" => self.labels.model.clone())
                .record(now.duration_since(self.started));
        }
        self.said_bytes += text.len();
        self.said_tokens += estimate_tokens(text);
    }

    /// Whether this chunk is one too many of the same. White space neither counts nor ends a row.
    pub(super) fn repeats(&mut self, text: &str) -> bool {
        if text.trim().is_empty() {
            return false;
        }
        if self.last.0 == text {
            self.last.1 += 1;
        } else {
            text.clone_into(&mut self.last.0);
            self.last.1 = 1;
        }
        self.last.1 >= REPEATS_MAX
    }

    /// What it has used if it closes like this. A final count is taken as it is, and so is a count
    /// of zeros, which says that the model is free. Otherwise what is missing is estimated from
    /// what was sent and said, unless the provider failed before it did anything.
    pub(super) fn spent(&self, prompt: &Prompt, close: Close) -> Spent {
        let usage = match (self.usage, close) {
            (Some(known), _) if close == Close::Ended || known == Usage::default() => known,
            (None, Close::Broke) if self.heard_at.is_none() => Usage::default(),
            (known, _) => {
                let mut usage = known.unwrap_or_default();
                if usage.input_tokens == 0 {
                    usage.input_tokens = estimate_prompt_tokens(prompt);
                }
                // A count that came early holds a placeholder for the output.
                usage.output_tokens = usage.output_tokens.max(self.said_tokens);
                usage.estimated = true;
                usage
            }
        };
        Spent { usage, cost_microusd: self.model.price().map(|price| cost_microusd(price, usage)) }
    }

    /// Closes the connection, counts the attempt under `outcome` and gives what it has used.
    pub(super) fn settle(&mut self, prompt: &Prompt, outcome: &'static str, close: Close) -> Spent {
        self.stream = None;
        let Labels { provider, model } = self.labels.clone();
        counter!(ATTEMPTS, "provider" => provider, "model" => model, "outcome" => outcome).increment(1);
        let spent = self.spent(prompt, close);
        let usage = spent.usage;
        for (kind, tokens) in [
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cached", usage.cached_tokens),
            ("cache_write", usage.cache_write_tokens),
        ] {
            if tokens > 0 {
                let Labels { provider, model } = self.labels.clone();
                counter!(TOKENS, "provider" => provider, "model" => model, "kind" => kind).increment(tokens);
            }
        }
        spent
    }

    /// Counts that the next model is asked because of this one.
    pub(super) fn count_failover(&self, error: &ModelError) {
        let Labels { provider, model } = self.labels.clone();
        counter!(FAILOVERS, "provider" => provider, "model" => model, "error" => error.code.name()).increment(1);
    }
}

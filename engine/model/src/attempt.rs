//! One model call: what the model said, what it used, when it was last heard.
//! Invariant: whoever begins an attempt settles it, once; that closes its connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use metrics::{counter, histogram};
use schema::Usage;
use tokio::time::Instant;

use super::metrics::{ATTEMPTS, FAILOVERS, FIRST_CONTENT, LEFT_OUT, Labels, SHORTENED, TOKENS};
use super::tokens::{estimate_prompt_tokens, estimate_tokens};
use super::{
    Chunk, ChunkStream, Fitted, ModelError, Oversize, Prompt, Sent, SharedModel, Signal, SizeLesson, Sizes, Spent,
};

/// White space before the first words that is kept; more of it says no more.
const LEAD_BYTES_MAX: usize = 1024;

/// How many times our estimate an input may be counted …
const INPUT_TIMES_MAX: u64 = 16;
/// … and tokens that may have been used without a trace in what was sent and said: thoughts, a server's own
/// instructions.
const TOKENS_UNSEEN_MAX: u64 = 256 * 1024;

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing came but signs of life.
    Waiting,
    /// The model thinks; nothing can be shown yet.
    Thinking,
    /// The first words have been passed on: no other model takes over from here.
    Speaking,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// By the model's own end.
    Ended,
    /// By a failure on the provider's side.
    Broke,
    /// By this node, while the provider was at work and will bill it.
    Cut,
}

/// An attempt that runs. Dropping it closes its connection.
pub(super) struct Attempt {
    model: SharedModel,
    prompt: Arc<Prompt>,
    /// What was known of the model's size when the prompt was laid out.
    sizes: Sizes,
    stream: Option<ChunkStream>,
    labels: Labels,
    phase: Phase,
    started: Instant,
    heard_at: Option<Instant>,
    said_bytes: usize,
    said_tokens: u64,
    /// What came before the first character that can be seen; empty once that has come.
    lead: String,
    /// Whether anything can be seen of what was said.
    seen: bool,
    /// What it has signalled, each once …
    signals: Vec<Signal>,
    /// … and how many of them were passed on.
    passed: usize,
    /// The provider's count, as far as it has come and can be.
    usage: Option<Usage>,
}

impl Attempt {
    /// Asks `model`, with a prompt that was laid out for these sizes.
    pub(super) fn begin(model: SharedModel, fitted: Fitted, sizes: Sizes, now: Instant) -> Self {
        let Fitted { prompt, left_out } = fitted;
        let stream = Some(model.ask(Arc::clone(&prompt)));
        let labels = Labels::of(model.name());
        for (what, count) in
            [("exchange", left_out.exchanges), ("passage", left_out.passages), ("part", left_out.shortened)]
        {
            if count > 0 {
                let Labels { provider, model } = labels.clone();
                counter!(LEFT_OUT, "provider" => provider, "model" => model, "what" => what).increment(count as u64);
            }
        }
        Self {
            model,
            prompt,
            sizes,
            stream,
            labels,
            phase: Phase::Waiting,
            started: now,
            heard_at: None,
            said_bytes: 0,
            said_tokens: 0,
            lead: String::new(),
            seen: false,
            signals: Vec::new(),
            passed: 0,
            usage: None,
        }
    }

    /// The model's next chunk; none after the last.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, ModelError>>> {
        self.stream.as_mut().map_or(Poll::Ready(None), |stream| Pin::new(stream).poll_next(cx))
    }

    /// The size of the prompt that was sent, in estimated tokens.
    fn sent(&self) -> Sent {
        Sent { estimate: estimate_prompt_tokens(&self.prompt), max_output_tokens: self.prompt.max_output_tokens.into() }
    }

    /// The model has refused the prompt for its size: that is remembered. Gives a shorter one for it and what
    /// is known now, if `fit` can lay one out that differs.
    pub(super) fn shorter(&self, by: Oversize, fit: impl Fn(Sizes) -> Fitted) -> Option<(Fitted, Sizes)> {
        let (sent, mut sizes) = (self.sent(), self.sizes);
        self.model.learn(SizeLesson::Refused { sent, by });
        sizes.learn(SizeLesson::Refused { sent, by });
        let fitted = fit(sizes);
        if fitted.prompt != self.prompt {
            return Some((fitted, sizes));
        }
        sizes.halve(sent);
        Some((fit(sizes), sizes)).filter(|(fitted, _)| fitted.prompt != self.prompt)
    }

    pub(super) fn model(&self) -> SharedModel {
        Arc::clone(&self.model)
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

    /// The provider counts. A count that cannot be is as if there were none: it would be booked, and use up
    /// what the tenant may spend.
    pub(super) fn count(&mut self, usage: Usage) {
        let input_max = (INPUT_TIMES_MAX * estimate_prompt_tokens(&self.prompt)).max(TOKENS_UNSEEN_MAX);
        let output_max = u64::from(self.prompt.max_output_tokens).saturating_add(TOKENS_UNSEEN_MAX);
        let input = usage.input_tokens.max(usage.cached_tokens).max(usage.cache_write_tokens);
        if input > input_max || usage.output_tokens > output_max {
            tracing::warn!(model = self.model.name(), ?usage, "a count of tokens that cannot be is left out");
            self.usage = None;
        } else {
            self.usage = Some(usage);
        }
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

    /// Takes text in and gives what is to be passed on of it. Nothing is until something can be seen; then
    /// the empty lines before it are left out.
    pub(super) fn visible(&mut self, text: String) -> Option<String> {
        if self.seen {
            return Some(text).filter(|text| !text.is_empty());
        }
        let Some(at) = text.find(is_seen) else {
            if self.lead.len() + text.len() <= LEAD_BYTES_MAX {
                self.lead.push_str(&text);
            }
            return None;
        };
        self.seen = true;
        let lead = std::mem::take(&mut self.lead);
        let words = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |line| line + 1);
        match lead.rfind('\n') {
            _ if words > 0 => text.get(words..).map(str::to_owned),
            Some(line) => Some(format!("{}{text}", lead.get(line + 1..).unwrap_or_default())),
            None => Some(lead + &text),
        }
    }

    /// It signals something; gives what is to be passed on now. A second time it says nothing new, so that
    /// what is kept is bounded.
    pub(super) fn signals(&mut self, signal: Signal) -> Option<Signal> {
        if self.signals.contains(&signal) {
            return None;
        }
        self.signals.push(signal);
        if self.phase != Phase::Speaking {
            return None;
        }
        self.passed = self.signals.len();
        Some(signal)
    }

    /// What was signalled before the first words, to be passed on with them.
    pub(super) fn held_signals(&mut self) -> impl Iterator<Item = Signal> + use<> {
        let held = self.signals.get(self.passed..).unwrap_or_default().to_vec();
        self.passed = self.signals.len();
        held.into_iter()
    }

    /// Whether nothing can be seen of what it said.
    pub(super) fn is_blank(&self) -> bool {
        !self.seen
    }

    /// The last bytes were a thought; gives how many of them have been passed on.
    pub(super) fn unsays(&mut self, bytes: usize) -> usize {
        let passed = bytes.min(self.said_bytes);
        self.said_bytes -= passed;
        if self.said_bytes == 0 {
            self.seen = false;
            self.lead.clear();
        }
        passed
    }

    /// What it has used if it closes like this. A final count is taken as it is, and so is a count
    /// of zeros, which says that the model is free. Otherwise what is missing is estimated from
    /// what was sent and said, unless the provider failed before it did anything.
    pub(super) fn spent(&self, close: Close) -> Spent {
        let usage = match (self.usage, close) {
            (Some(known), _) if close == Close::Ended || known == Usage::default() => known,
            (None, Close::Broke) if self.heard_at.is_none() => Usage::default(),
            (known, _) => {
                let mut usage = known.unwrap_or_default();
                if usage.input_tokens == 0 {
                    usage.input_tokens = estimate_prompt_tokens(&self.prompt);
                }
                // A count that came early holds a placeholder for the output.
                usage.output_tokens = usage.output_tokens.max(self.said_tokens);
                usage.estimated = true;
                usage
            }
        };
        Spent { usage, cost_microusd: self.model.price().map(|price| price.cost_microusd(&usage)) }
    }

    /// Closes the connection, counts the attempt under `outcome` and gives what it has used.
    pub(super) fn settle(&mut self, outcome: &'static str, close: Close) -> Spent {
        self.stream = None;
        if let Some(tokens) = self.usage.map(|usage| usage.input_tokens).filter(|tokens| *tokens > 0) {
            self.model.learn(SizeLesson::Counted { sent: self.sent(), tokens });
        }
        let Labels { provider, model } = self.labels.clone();
        counter!(ATTEMPTS, "provider" => provider, "model" => model, "outcome" => outcome).increment(1);
        let spent = self.spent(close);
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

    /// Counts that the same model is asked again, with less.
    pub(super) fn count_shortened(&self) {
        let Labels { provider, model } = self.labels.clone();
        counter!(SHORTENED, "provider" => provider, "model" => model).increment(1);
    }

    /// Counts that the next model is asked because of this one.
    pub(super) fn count_failover(&self, error: &ModelError) {
        let Labels { provider, model } = self.labels.clone();
        counter!(FAILOVERS, "provider" => provider, "model" => model, "error" => error.code.name()).increment(1);
    }
}

/// Whether a character leaves anything on a screen.
fn is_seen(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !schema::is_invisible(c)
}

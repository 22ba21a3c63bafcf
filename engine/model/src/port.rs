//! The `Model` port: a prompt in, a stream of typed chunks out, exactly one terminal item.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use schema::{ErrorCode, HandoffReason, Locale, Passage, Price, Text, Usage};

use super::oversize::Oversize;
use super::window::{SizeLesson, Sizes};

/// A model's reply as it comes. The last item is [`Chunk::End`] or an error, and there is only
/// one such. Dropping the stream closes the upstream connection at once.
pub type ChunkStream = Pin<Box<dyn Stream<Item = Result<Chunk, ModelError>> + Send>>;

/// A model that answers prompts: one adapter for each dialect, and the built-in answerer.
pub trait Model: Send + Sync + 'static {
    /// `provider/model`, or `builtin`.
    fn name(&self) -> &str;

    /// Begins one attempt. No retries inside; timers are the caller's, but for connecting.
    fn ask(&self, prompt: Arc<Prompt>) -> ChunkStream;

    /// What its tokens cost; none when the configuration has no price.
    fn price(&self) -> Option<Price> {
        None
    }

    /// What is known of its context and reply length.
    fn sizes(&self) -> Sizes {
        Sizes::default()
    }

    /// An attempt has taught something about its size: to be remembered for the next one.
    fn learn(&self, _lesson: SizeLesson) {}
}

/// A model, shared by the turns that ask it.
pub type SharedModel = Arc<dyn Model>;

/// What one model call receives. Between turns of a conversation it only grows at its end, as long as it fits.
#[derive(Clone, PartialEq)]
pub struct Prompt {
    /// Instructions, tone and rules; the same for all turns under one profile version.
    pub system: Arc<str>,
    /// The talk so far, oldest first, the contact's newest words (with the passages found for
    /// them) last. Roles alternate, beginning with the contact.
    pub lines: Vec<PromptLine>,
    /// The contact's newest words alone, for a model that reads `passages` itself.
    pub question: Text,
    /// What the contact said in the turns before, the last few, oldest first: for the same.
    pub before: Vec<Text>,
    /// In which language the contact's page or app is, where it said so: for the same.
    pub locale: Option<Locale>,
    /// What was found in the tenant's documents for this question, with the numbers the prompt gives
    /// them: these are to be recorded with the reply, so that later prompts repeat them exactly.
    pub passages: Vec<Passage>,
    /// Length limit of the reply.
    pub max_output_tokens: u32,
}

/// One side's words in a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptLine {
    /// The side that said it.
    pub role: Role,
    /// The text of that side.
    pub text: Text,
}

/// The two sides every dialect knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The contact, whom providers call user.
    User,
    /// Our side: assistant or human agent.
    Assistant,
}

/// A piece of a model's stream.
#[derive(Clone, PartialEq)]
pub enum Chunk {
    /// Words for the contact; not empty.
    Text(String),
    /// The connection lives, and that is all: a heartbeat, a role, a fragment of something longer.
    Alive,
    /// The model thinks: it lives, and there is nothing to show.
    Thinking,
    /// The last bytes of text were a thought that had not said so: they are taken back.
    Unsaid {
        /// Number of UTF-8 bytes.
        bytes: usize,
    },
    /// Something about the reply that is not its words.
    Signal(Signal),
    /// The model asks for a tool; parsed, and declined until tools exist.
    ToolCall {
        /// The tool's name.
        name: String,
        /// Its arguments, as the model wrote them.
        arguments: String,
    },
    /// Tokens known so far; replaces what was known before. A model that costs nothing sends
    /// zeros first, or its tokens would be estimated.
    Usage(Usage),
    /// The protocol's terminal mark was seen.
    End(Stop),
}

/// What a model tells of its reply beside the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It says that it does not know, of all that was asked or of a part.
    Unanswered,
    /// The contact wants a person.
    HandoffRequested(HandoffReason),
}

/// Why a model stopped by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It had said all it had to say.
    Completed,
    /// A length limit cut it.
    Length,
    /// The provider withheld the rest.
    Filtered,
    /// It waits for a tool's result.
    Tool,
}

/// Why an attempt failed; each error maps to one public code.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{code}: {detail}")]
pub struct ModelError {
    /// One of the `model_*` codes.
    pub code: ErrorCode,
    /// The provider's word on when to come again.
    pub retry_after: Option<Duration>,
    /// For the log: status and kind, never prompt or reply.
    pub detail: String,
    /// Set when the prompt was too long for it.
    pub oversize: Option<Oversize>,
}

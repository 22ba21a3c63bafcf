//! Language models: the `Model` port, three dialects behind it, and what a turn does to get a good reply of them.

mod anthropic;
mod attempt;
mod budget;
mod cooldown;
mod errors;
mod failover;
mod first_words;
mod gemini;
mod harmless;
mod http;
mod joined;
mod language;
mod lenient;
mod manners;
mod markdown;
mod mend;
pub mod metrics;
mod notes;
mod openai;
mod oversize;
mod port;
mod probe;
mod prompt;
mod redacted;
mod registry;
mod replay;
mod sse;
mod tags;
mod thoughts;
mod tokens;
mod window;

pub use anthropic::Anthropic;
pub use cooldown::CoolDowns;
pub use failover::{Ended, Failover, Piece, Source, Spent, TOOL_DECLINED, Timers};
pub use gemini::Gemini;
pub use http::{Http, install_crypto_provider};
pub use joined::{Joined, Pieces};
pub use manners::Lessons;
pub use openai::OpenAi;
pub use oversize::Oversize;
pub use port::{
    Chunk, ChunkStream, Model, ModelError, Prompt, PromptLine, Role, SharedModel, Signal, SizeLesson, Stop,
};
pub use prompt::{Fitted, LeftOut, Setting, Talk};
pub use registry::{ModelSettings, ProviderSettings, Registry, RegistryError};
pub use replay::Grammar;
pub use schema::{OutputLimit, Price};
pub use tokens::{estimate_prompt_tokens, estimate_tokens};
pub use window::{Rate, Sent, Sizes, Window};

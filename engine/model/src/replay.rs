//! A recorded reply read again, without a network: for tools and tests that look at streams.

use super::anthropic::AnthropicDialect;
use super::gemini::GeminiDialect;
use super::openai::OpenAiDialect;
use super::sse::{Decoder, Dialect};
use super::taken_back::take_back;
use super::thoughts::Begins;
use super::{Chunk, ModelError};

/// A provider's stream grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// OpenAI's chat completions.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini's `streamGenerateContent`.
    Gemini,
}

impl Grammar {
    /// Every grammar.
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Gemini];

    /// The chunks of a body that came in these pieces, and why it is not whole, if it is not. How a body
    /// is cut makes no difference. What a reply took back is not among them.
    #[must_use]
    pub fn replay<'a>(self, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Chunk>, Option<ModelError>) {
        match self {
            Self::OpenAi => read(OpenAiDialect::default(), pieces),
            Self::Anthropic => read(AnthropicDialect::default(), pieces),
            Self::Gemini => read(GeminiDialect::default(), pieces),
        }
    }
}

fn read<'a>(dialect: impl Dialect, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Chunk>, Option<ModelError>) {
    let (mut decoder, mut chunks) = (Decoder::new(dialect, Begins::Openly), Vec::new());
    for piece in pieces {
        if let Err(error) = decoder.feed(piece, &mut chunks) {
            return (take_back(chunks), Some(error));
        }
    }
    let error = decoder.finish(&mut chunks).err();
    (take_back(chunks), error)
}

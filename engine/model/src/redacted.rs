//! How prompts and replies print: how much there is, never what it says.

use std::fmt;

use super::{Chunk, Piece, Prompt};

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { system, lines, question, before, locale, passages, max_output_tokens } = self;
        let mut prompt = f.debug_struct("Prompt");
        prompt
            .field("system", &system.len())
            .field("lines", lines)
            .field("question", question)
            .field("before", &before.len())
            .field("locale", locale);
        prompt.field("passages", passages).field("max_output_tokens", max_output_tokens).finish()
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Alive => f.write_str("Alive"),
            Self::Thinking => f.write_str("Thinking"),
            Self::Unsaid { bytes } => write!(f, "Unsaid({bytes} bytes)"),
            Self::Signal(signal) => f.debug_tuple("Signal").field(signal).finish(),
            Self::ToolCall { name, arguments } => write!(f, "ToolCall({} + {} bytes)", name.len(), arguments.len()),
            Self::Usage(usage) => f.debug_tuple("Usage").field(usage).finish(),
            Self::End(stop) => f.debug_tuple("End").field(stop).finish(),
        }
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asking { model, prompt } => {
                f.debug_struct("Asking").field("model", model).field("prompt", prompt).finish()
            }
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Unsaid { bytes } => write!(f, "Unsaid({bytes} bytes)"),
            Self::Signal(signal) => f.debug_tuple("Signal").field(signal).finish(),
            Self::Usage(usage) => f.debug_tuple("Usage").field(usage).finish(),
            Self::FailedOver { model, error } => {
                f.debug_struct("FailedOver").field("model", model).field("error", error).finish()
            }
            Self::Ended(ended) => f.debug_tuple("Ended").field(ended).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use schema::{Passage, Usage};

    use super::super::{ModelError, PromptLine, Role, Stop};
    use super::*;

    #[test]
    fn nothing_that_is_said_is_printed() {
        let canary = || "canary".to_owned();
        let passage = Passage { n: 1, source: canary(), heading: canary(), text: canary().into() };
        let prompt = Prompt {
            system: "canary".into(),
            lines: vec![PromptLine { role: Role::User, text: canary().into() }],
            question: canary().into(),
            before: Vec::new(),
            locale: None,
            passages: vec![passage],
            max_output_tokens: 1,
        };
        let chunks = [
            Chunk::Text(canary()),
            Chunk::ToolCall { name: canary(), arguments: canary() },
            Chunk::Usage(Usage::default()),
            Chunk::End(Stop::Completed),
        ];
        let error = ModelError::json(&serde_json::from_str::<u8>("\"canary\"").unwrap_err());
        let pieces = [Piece::Text(canary()), Piece::FailedOver { model: "m".into(), error }];
        let printed = format!("{prompt:?} {prompt:#?} {chunks:?} {pieces:?}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}

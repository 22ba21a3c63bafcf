//! Recognises a refusal of a prompt for its size, and reads the sizes: every server has its own words.
//! Invariant: only what a server says itself is read, its message and not what it may quote of the request;
//! and only numbers are kept of it.

use serde_json::Value;

/// Bytes of a message that are read. A server that quotes the prompt does so behind its own words.
const MESSAGE_BYTES_MAX: usize = 600;

/// A prompt was refused for its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oversize {
    /// Tokens that the model takes, where the refusal says it.
    pub limit: Option<u64>,
    /// Tokens of the prompt by the server's count, where it says that.
    pub prompt: Option<u64>,
}

/// Words for machines that mean this and nothing else.
const KINDS: &[&str] = &[
    "context_length_exceeded",
    "exceed_context_size_error",
    "context_window_exceeded",
    "tokens_limit_reached",
    "model_context_window_exceeded",
    "input_too_long",
    "prompt_too_long",
];

/// Fields that hold the two numbers.
const LIMIT_FIELDS: &[&str] = &["n_ctx", "max_model_len", "context_length", "max_context_length"];
const PROMPT_FIELDS: &[&str] = &["n_prompt_tokens", "prompt_tokens", "input_tokens"];

/// How servers say it, in small letters. `L` stands for the limit, `P` for the prompt's length, `N` for a
/// number that is neither. Those that say more come first.
const PHRASES: &[&str] = &[
    // OpenAI, Azure, DeepSeek, vLLM, OpenRouter: `… (P in the messages, N in the completion)`.
    "maximum context length is L tokens. however, you requested N tokens (P in the messages",
    "maximum context length is L tokens. however, you requested about N tokens (P of text input",
    "maximum context length is L tokens and your request has P input tokens",
    "maximum context length is L tokens. however, your request has P input tokens",
    "maximum context length is L tokens. however, your messages resulted in P tokens",
    "maximum context length is L tokens, however you requested N tokens (P in your prompt",
    "passed P input tokens and requested N output tokens. however, the model's context length is only L tokens",
    "passed P input characters and requested N output tokens. however, the model's context length is only L tokens",
    "maximum context length of L tokens. you requested a total of N tokens: P tokens from the input",
    "maximum context length is L",
    "maximum context length of L",
    // xAI.
    "maximum prompt length is L but the request contains P tokens",
    // vLLM, with a prompt that alone is too long.
    "prompt (length P) is longer than the maximum model length of L",
    "prompt (length P) exceeds the maximum length L",
    // Anthropic.
    "prompt is too long: P tokens > L maximum",
    "exceed context limit: P + N > L",
    // Fireworks.
    "prompt is too long: P, model maximum context length: L",
    // Gemini and Vertex.
    "input token count (P) exceeds the maximum number of tokens allowed (L)",
    "input token count exceeds the maximum number of tokens allowed (L)",
    "input token count exceeds the maximum number of tokens allowed L",
    "input token count is P but model only supports up to L",
    // llama.cpp.
    "request (P tokens) exceeds the available context size (L tokens)",
    "exceeds the available context size",
    "context size has been exceeded",
    "context shift is disabled",
    // Mistral.
    "prompt contains P tokens and N draft tokens, too large for model with L maximum context length",
    "prompt contains P tokens, too large for model with L maximum context length",
    "too large for model with L maximum context length",
    // SGLang.
    "input (P tokens) is longer than the model's context length (L tokens)",
    "longer than the model's context length",
    // Hugging Face's text generation.
    "`inputs` tokens + `max_new_tokens` must be <= L. given: P `inputs` tokens",
    "`inputs` must have less than L tokens. given: P",
    // Cohere.
    "number of tokens in the prompt cannot exceed L - received P",
    "number of tokens in the prompt cannot exceed L – received P",
    "too many tokens: total number of tokens",
    // LM Studio.
    "keep the first P tokens when context the overflows. however, the model is loaded with context length of only L",
    "keep the first P tokens when context overflows. however, the model is loaded with context length of only L",
    "loaded with context length of only L",
    "initial prompt is greater than the context length",
    "reached context length of L tokens",
    // TabbyAPI, ExLlama.
    "prompt length P is greater than max_seq_len L",
    "context length P is greater than max_seq_len L",
    // GitHub's models.
    "request body too large for",
    // Ollama.
    "exceeded max context length by N tokens",
    "input length exceeds the context length",
    // Bedrock, and the rest.
    "input is too long for requested model",
    "exceeds the context window",
    "exceeds the context length",
    "exceeds the model's context",
    "exceeds maximum context length",
    "exceeds the maximum context length",
    "context window exceeded",
    "context length exceeded",
    "reduce the length of the messages",
    "prompt is too long",
    "prompt too long",
];

impl Oversize {
    /// What a body says, if it says this.
    #[must_use]
    pub fn said(body: &[u8]) -> Option<Self> {
        let parsed = serde_json::from_slice::<Value>(body.trim_ascii()).ok();
        let Some(parsed) = parsed else {
            // A page of HTML or a line of text; what was cut off in the middle of JSON says nothing for sure.
            let text = String::from_utf8_lossy(body.get(..MESSAGE_BYTES_MAX).unwrap_or(body)).into_owned();
            return if text.trim_start().starts_with(['{', '[']) { None } else { Self::of_message(&text) };
        };
        let mut found = None;
        for object in levels(&parsed) {
            let fields = |names: &[&str]| names.iter().find_map(|name| object.get(*name).and_then(Value::as_u64));
            let kind = ["type", "code", "status", "error_type"]
                .iter()
                .any(|name| object.get(*name).and_then(Value::as_str).is_some_and(|kind| KINDS.contains(&kind)));
            let message = match object {
                Value::String(text) => Self::of_message(text),
                object => ["message", "error", "detail"]
                    .iter()
                    .find_map(|name| object.get(*name).and_then(Value::as_str).and_then(Self::of_message)),
            };
            if kind || message.is_some() {
                let message = message.unwrap_or_default();
                let here = Self {
                    limit: fields(LIMIT_FIELDS).or(message.limit),
                    prompt: fields(PROMPT_FIELDS).or(message.prompt),
                };
                let before: Self = found.unwrap_or_default();
                found = Some(Self { limit: here.limit.or(before.limit), prompt: here.prompt.or(before.prompt) });
            }
        }
        found
    }

    fn of_message(message: &str) -> Option<Self> {
        let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
        let message = message.get(..end).unwrap_or_default().to_lowercase();
        PHRASES.iter().find_map(|phrase| matched(&message, phrase))
    }

    /// The sizes alone, for the log.
    pub(super) fn numbers(self) -> String {
        let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
        format!("{} tokens, at most {}", number(self.prompt), number(self.limit))
    }
}

/// The places of a body in which a server speaks: itself, `error`, the first of a list, `detail`, and what
/// a gateway passes on of the server behind it.
fn levels(body: &Value) -> impl Iterator<Item = &Value> {
    let first = body.as_array().map_or(Some(body), |items| items.first());
    let error = first.and_then(|first| first.get("error"));
    let details = first.and_then(|first| first.get("detail"));
    let inner = error.and_then(|error| error.get("error"));
    let message = first.and_then(|first| first.get("message")).filter(|message| message.is_object());
    [first, message, details, error, inner].into_iter().flatten()
}

/// The numbers of a phrase where a message has it.
fn matched(message: &str, phrase: &str) -> Option<Oversize> {
    let mut pieces = phrase.split_inclusive(['L', 'P', 'N']).map(|piece| {
        let slot = piece.chars().next_back().filter(|slot| matches!(slot, 'L' | 'P' | 'N'));
        (slot.map_or(piece, |slot| piece.strip_suffix(slot).unwrap_or(piece)), slot)
    });
    let (first, slot) = pieces.next()?;
    // Where a phrase may begin: few places, because the first words are long.
    message.match_indices(first).find_map(|(at, _)| {
        let mut rest = message.get(at + first.len()..)?;
        let mut found = Oversize::default();
        let mut slot = slot;
        let mut pieces = pieces.clone();
        loop {
            if let Some(slot) = slot {
                let (number, behind) = leading_number(rest)?;
                rest = behind;
                match slot {
                    'L' => found.limit = Some(number),
                    'P' => found.prompt = Some(number),
                    _ => {}
                }
            }
            let Some((literal, next)) = pieces.next() else { return Some(found) };
            rest = rest.strip_prefix(literal)?;
            slot = next;
        }
    })
}

/// A whole number at the beginning of a text, with or without signs between its thousands, and what follows.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let mut end = 0;
    let mut digits = String::new();
    for (at, c) in text.char_indices() {
        let more = || text.get(at + 1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        match c {
            '0'..='9' => digits.push(c),
            ',' | '_' if !digits.is_empty() && more() => {}
            _ => break,
        }
        end = at + 1;
    }
    Some((digits.parse().ok()?, text.get(end..)?))
}

#[cfg(test)]
#[path = "oversize_tests.rs"]
mod tests;

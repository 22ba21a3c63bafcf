//! The Messages dialect of Anthropic.
//! Invariant: only `message_stop` ends a reply well; unknown events and unknown deltas are passed over.

use std::sync::Arc;

use reqwest::Url;
use reqwest::header::HeaderValue;
use schema::Usage;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::http::{Http, join, secret_header, stream};
use super::sse::{Decoder, Dialect, Str, ToolCalls};
use super::{Chunk, ChunkStream, Model, ModelError, Price, Prompt, Role, Stop};

/// Where Anthropic itself listens; a base URL of this dialect does not include its version.
pub(super) const BASE: &str = "https://api.anthropic.com";
/// The version of the dialect that this file speaks.
const VERSION: &str = "2023-06-01";

/// A model behind a Messages endpoint.
#[derive(Debug)]
pub struct Anthropic {
    name: String,
    model: String,
    http: Http,
    url: Url,
    key: Option<SecretString>,
    price: Option<Price>,
}

impl Anthropic {
    /// `model` as the endpoint calls it. `base` has no version, as Anthropic's own libraries want
    /// it; one that ends in `/v1` is understood too.
    #[must_use]
    pub fn new(model: &str, http: Http, base: &Url, key: Option<SecretString>, price: Option<Price>) -> Self {
        let versioned = base.path().trim_end_matches('/').ends_with("/v1");
        let url = join(base, if versioned { &["messages"] } else { &["v1", "messages"] });
        Self { name: format!("anthropic/{model}"), model: model.to_owned(), http, url, key, price }
    }
}

impl Model for Anthropic {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&self, prompt: Arc<Prompt>) -> ChunkStream {
        let mut request = self.http.post(self.url.clone(), body(&self.model, &prompt));
        request = request.header("anthropic-version", HeaderValue::from_static(VERSION));
        if let Some(key) = self.key.as_ref().and_then(|key| secret_header("", key)) {
            request = request.header("x-api-key", key);
        }
        stream(request, Decoder::new(AnthropicDialect::default()))
    }

    fn price(&self) -> Option<Price> {
        self.price
    }
}

/// The request. The system text and the last message carry a cache mark: the whole prompt is the
/// beginning of the next turn's, so the provider may keep all of it. Marks are not part of what
/// is kept, so that they may move on.
pub(super) fn body(model: &str, prompt: &Prompt) -> Vec<u8> {
    let last = prompt.lines.len().saturating_sub(1);
    let messages = prompt.lines.iter().enumerate().map(|(at, line)| Message {
        role: match line.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content: [Block::new(line.text.as_str(), at == last)],
    });
    let request = Request {
        model,
        stream: true,
        max_tokens: prompt.max_output_tokens,
        system: (!prompt.system.is_empty()).then(|| [Block::new(&prompt.system, true)]),
        messages: messages.collect(),
    };
    serde_json::to_vec(&request).unwrap_or_default()
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    stream: bool,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[Block<'a>; 1]>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: [Block<'a>; 1],
}

#[derive(Serialize)]
struct Block<'a> {
    r#type: &'static str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
struct CacheControl {
    r#type: &'static str,
}

impl<'a> Block<'a> {
    fn new(text: &'a str, cache: bool) -> Self {
        Self { r#type: "text", text, cache_control: cache.then_some(CacheControl { r#type: "ephemeral" }) }
    }
}

/// Folds Messages events.
#[derive(Debug, Default)]
pub(super) struct AnthropicDialect {
    stop: Option<Stop>,
    tools: ToolCalls,
    usage: Counts,
}

impl Dialect for AnthropicDialect {
    fn event(&mut self, name: &str, data: &str, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        // The name on the event line saves reading the data of events that say nothing to us.
        let kind = match name {
            "message" => read::<Kind<'_>>(data)?.kind.map(|kind| kind.0).unwrap_or_default(),
            name => name.into(),
        };
        match kind.as_ref() {
            "message_start" => {
                let event: MessageStart = read(data)?;
                self.count(event.message.and_then(|message| message.usage), out);
            }
            "content_block_start" => self.block_start(&read(data)?, out)?,
            "content_block_delta" => self.block_delta(&read(data)?, out)?,
            "message_delta" => {
                let event: MessageDelta<'_> = read(data)?;
                if let Some(reason) = event.delta.and_then(|delta| delta.stop_reason) {
                    self.stop = Some(stop_of(&reason.0));
                }
                self.count(event.usage, out);
            }
            "message_stop" => self.tools.end(self.stop.unwrap_or(Stop::Completed), out),
            kind if kind == "error" || kind.ends_with("_error") => {
                return Err(ModelError::in_band(data.as_bytes()));
            }
            _ => {}
        }
        Ok(())
    }

    fn body_ended(&mut self, _: &mut Vec<Chunk>) -> Result<(), ModelError> {
        Err(ModelError::truncated("the body ended without message_stop"))
    }
}

impl AnthropicDialect {
    fn block_start(&mut self, event: &BlockStart<'_>, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let Some(block) = event.content_block else { return Ok(()) };
        match read::<Kind<'_>>(block.get())?.kind.as_ref().map(|kind| kind.0.as_ref()) {
            Some("text") => out.extend(Str::words(read::<TextBlock<'_>>(block.get())?.text).map(Chunk::Text)),
            Some("tool_use") => {
                let tool: ToolBlock<'_> = read(block.get())?;
                self.tools.add(event.index.unwrap_or(0), tool.name.as_ref().map(|name| name.0.as_ref()), "")?;
            }
            Some("thinking" | "redacted_thinking") => out.push(Chunk::Thinking),
            _ => {}
        }
        Ok(())
    }

    fn block_delta(&mut self, event: &BlockDelta<'_>, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let Some(delta) = event.delta else { return Ok(()) };
        match read::<Kind<'_>>(delta.get())?.kind.as_ref().map(|kind| kind.0.as_ref()) {
            Some("text_delta") => out.extend(Str::words(read::<TextBlock<'_>>(delta.get())?.text).map(Chunk::Text)),
            Some("thinking_delta" | "signature_delta") => out.push(Chunk::Thinking),
            Some("input_json_delta") => {
                let fragment: JsonDelta<'_> = read(delta.get())?;
                let arguments = fragment.partial_json.as_ref().map_or("", |text| text.0.as_ref());
                self.tools.add(event.index.unwrap_or(0), None, arguments)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts are cumulative: what is given replaces what was known, what is not stays.
    fn count(&mut self, given: Option<Counts>, out: &mut Vec<Chunk>) {
        let Some(given) = given else { return };
        let before = self.usage;
        self.usage = Counts {
            input_tokens: given.input_tokens.or(before.input_tokens),
            output_tokens: given.output_tokens.or(before.output_tokens),
            cache_read_input_tokens: given.cache_read_input_tokens.or(before.cache_read_input_tokens),
            cache_creation_input_tokens: given.cache_creation_input_tokens.or(before.cache_creation_input_tokens),
        };
        if self.usage != before {
            out.push(Chunk::Usage(self.usage.total()));
        }
    }
}

fn read<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, ModelError> {
    serde_json::from_str(data).map_err(|error| ModelError::json(&error))
}

fn stop_of(reason: &str) -> Stop {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "refusal" => Stop::Filtered,
        // A paused turn waits for us to run the provider's tool further: the same to us.
        "tool_use" | "pause_turn" => Stop::Tool,
        _ => Stop::Completed,
    }
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct MessageStart {
    message: Option<StartedMessage>,
}

#[derive(Deserialize)]
struct StartedMessage {
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct BlockStart<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    content_block: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct BlockDelta<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct TextBlock<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct ToolBlock<'a> {
    #[serde(borrow)]
    name: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct JsonDelta<'a> {
    #[serde(borrow)]
    partial_json: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct MessageDelta<'a> {
    #[serde(borrow)]
    delta: Option<StopDelta<'a>>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct StopDelta<'a> {
    #[serde(borrow)]
    stop_reason: Option<Str<'a>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}

impl Counts {
    /// Anthropic counts cached input apart; our input includes it.
    fn total(self) -> Usage {
        let cached_tokens = self.cache_read_input_tokens.unwrap_or(0);
        let cache_write_tokens = self.cache_creation_input_tokens.unwrap_or(0);
        Usage {
            input_tokens: self
                .input_tokens
                .unwrap_or(0)
                .saturating_add(cached_tokens)
                .saturating_add(cache_write_tokens),
            output_tokens: self.output_tokens.unwrap_or(0),
            cached_tokens,
            cache_write_tokens,
            estimated: false,
        }
    }
}

#[cfg(test)]
#[path = "anthropic_tests.rs"]
mod tests;

//! The Messages dialect of Anthropic.
//! Invariant: only `message_stop` ends a reply well; unknown events and unknown deltas are passed over.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{RequestBuilder, Url};
use schema::Usage;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::{Http, join, secret_header};
use super::http::{Asking, stream};
use super::lenient::{Count, Maybe, Word, object, side, text};
use super::manners::{Lessons, Manners, Parameter, Refusals};
use super::sse::{Dialect, GRACE, ToolCalls};
use super::thoughts::Begins;
use super::{Chunk, ChunkStream, Model, ModelError, Price, Prompt, Role, SizeLesson, Sizes, Stop};

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
    key: Option<HeaderValue>,
    price: Option<Price>,
    manners: Manners,
}

impl Anthropic {
    /// `model` as the endpoint calls it. `base` has no version, as Anthropic's own libraries want
    /// it; one that ends in `/v1` is understood too. What its server refuses is kept in `learned`.
    #[must_use]
    pub fn new(
        model: &str,
        http: Http,
        base: &Url,
        key: Option<&SecretString>,
        price: Option<Price>,
        learned: &Lessons,
    ) -> Self {
        let versioned = base.path().trim_end_matches('/').ends_with("/v1");
        let url = join(base, if versioned { &["messages"] } else { &["v1", "messages"] });
        let key = key.and_then(|key| secret_header("", key));
        let begins = if url.host_str() == Some("api.anthropic.com") { Begins::Apart } else { Begins::Openly };
        let manners = Manners::new(learned, url.as_str(), model).beginning(Some(begins));
        Self { name: format!("anthropic/{model}"), model: model.to_owned(), http, url, key, price, manners }
    }

    /// With the operator's word on how many tokens prompt and reply have together.
    #[must_use]
    pub fn with_context(self, context_tokens: Option<u64>) -> Self {
        Self { manners: self.manners.with_context(context_tokens), ..self }
    }
}

impl Model for Anthropic {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&self, prompt: Arc<Prompt>) -> ChunkStream {
        let (http, url) = (self.http.clone(), self.url.clone());
        let request = Request { http, url, key: self.key.clone(), model: self.model.clone(), prompt };
        stream::<AnthropicDialect>(request, self.manners.clone())
    }

    fn price(&self) -> Option<Price> {
        self.price
    }

    fn sizes(&self) -> Sizes {
        self.manners.sizes()
    }

    fn learn(&self, lesson: SizeLesson) {
        self.manners.sized(lesson);
    }
}

/// What is needed to ask, also a second time.
struct Request {
    http: Http,
    url: Url,
    key: Option<HeaderValue>,
    model: String,
    prompt: Arc<Prompt>,
}

impl Asking for Request {
    fn request(&self, without: Refusals) -> RequestBuilder {
        let request = self.http.post(self.url.clone(), body(&self.model, &self.prompt, without));
        let request = request.header("anthropic-version", HeaderValue::from_static(VERSION));
        match &self.key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        }
    }

    fn sends(&self, without: Refusals) -> Refusals {
        let marks = !without.has(Parameter::CacheControl);
        if marks { Refusals::of(&[Parameter::CacheControl]) } else { Refusals::NONE }
    }
}

/// The request. The system text and the last message carry a cache mark: the whole prompt is the
/// beginning of the next turn's, so the provider may keep all of it. Marks are not part of what
/// is kept, so that they may move on.
pub(super) fn body(model: &str, prompt: &Prompt, without: Refusals) -> Vec<u8> {
    let marks = !without.has(Parameter::CacheControl);
    let last = prompt.lines.len().saturating_sub(1);
    let messages = prompt.lines.iter().enumerate().map(|(at, line)| Message {
        role: match line.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content: [Cached::new(line.text.as_str(), marks && at == last)],
    });
    let request = Body {
        model,
        stream: true,
        max_tokens: prompt.max_output_tokens,
        system: (!prompt.system.is_empty()).then(|| [Cached::new(&prompt.system, marks)]),
        messages: messages.collect(),
    };
    serde_json::to_vec(&request).unwrap_or_default()
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[Cached<'a>; 1]>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: [Cached<'a>; 1],
}

#[derive(Serialize)]
struct Cached<'a> {
    r#type: &'static str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
struct CacheControl {
    r#type: &'static str,
}

impl<'a> Cached<'a> {
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
            "message" if data.trim().is_empty() || data.trim() == "null" => return Ok(()),
            "message" => object::<Kind<'_>>(data)?.kind.get().unwrap_or_default().to_owned(),
            name => name.to_owned(),
        };
        match kind.as_str() {
            "message_start" => {
                let event: MessageStart<'_> = object(data)?;
                self.count(event.message.0.and_then(|message| message.usage), out);
            }
            "content_block_start" => self.block_start(&object(data)?, out)?,
            "content_block_delta" => self.block_delta(&object(data)?, out)?,
            "message_delta" => {
                let event: MessageDelta<'_> = object(data)?;
                if let Some(reason) = event.delta.0.as_ref().and_then(|delta| delta.stop_reason.get()) {
                    self.stop = Some(stop_of(reason));
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

    fn body_ended(&mut self, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let Some(stop) = self.stop else {
            return Err(ModelError::truncated("the body ended without message_stop or a reason to stop"));
        };
        self.tools.end(stop, out);
        Ok(())
    }

    fn grace(&self) -> Option<Duration> {
        self.stop.map(|_| GRACE)
    }
}

impl AnthropicDialect {
    fn block_start(&mut self, event: &BlockStart<'_>, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let Some(block) = &event.content_block.0 else { return Ok(()) };
        match block.kind.get() {
            Some("text") => out.extend(text(block.text)?.map(Chunk::Text)),
            Some("tool_use") => self.tools.add(event.index.0.unwrap_or(0), block.name.get(), "")?,
            Some("thinking" | "redacted_thinking") => out.push(Chunk::Thinking),
            _ => {}
        }
        Ok(())
    }

    fn block_delta(&mut self, event: &BlockDelta<'_>, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let Some(delta) = &event.delta.0 else { return Ok(()) };
        match delta.kind.get() {
            Some("text_delta") => out.extend(text(delta.text)?.map(Chunk::Text)),
            Some("thinking_delta" | "signature_delta") => out.push(Chunk::Thinking),
            Some("input_json_delta") => {
                let arguments = text(delta.partial_json).ok().flatten().unwrap_or_default();
                self.tools.add(event.index.0.unwrap_or(0), None, &arguments)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts are cumulative: what is given replaces what was known, what is not stays.
    fn count(&mut self, given: Option<&RawValue>, out: &mut Vec<Chunk>) {
        let Some(given) = side::<Maybe<Counts>>(given).0 else { return };
        let before = self.usage;
        let newer = |given: Count, before: Count| Count(given.0.or(before.0));
        self.usage = Counts {
            input_tokens: newer(given.input_tokens, before.input_tokens),
            output_tokens: newer(given.output_tokens, before.output_tokens),
            cache_read_input_tokens: newer(given.cache_read_input_tokens, before.cache_read_input_tokens),
            cache_creation_input_tokens: newer(given.cache_creation_input_tokens, before.cache_creation_input_tokens),
        };
        if self.usage != before {
            out.push(Chunk::Usage(self.usage.total()));
        }
    }
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
    #[serde(rename = "type", borrow, default)]
    kind: Word<'a>,
}

#[derive(Deserialize)]
struct MessageStart<'a> {
    #[serde(borrow, default)]
    message: Maybe<StartedMessage<'a>>,
}

#[derive(Deserialize)]
struct StartedMessage<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct BlockStart<'a> {
    #[serde(default)]
    index: Count,
    #[serde(borrow, default)]
    content_block: Maybe<Block<'a>>,
}

#[derive(Deserialize)]
struct BlockDelta<'a> {
    #[serde(default)]
    index: Count,
    #[serde(borrow, default)]
    delta: Maybe<Block<'a>>,
}

/// A block, or a piece of one.
#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Word<'a>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Word<'a>,
    #[serde(borrow, default)]
    partial_json: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct MessageDelta<'a> {
    #[serde(borrow, default)]
    delta: Maybe<StopDelta<'a>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StopDelta<'a> {
    #[serde(borrow, default)]
    stop_reason: Word<'a>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Counts {
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
}

impl Counts {
    /// Anthropic counts cached input apart; our input includes it.
    fn total(self) -> Usage {
        let cached_tokens = self.cache_read_input_tokens.0.unwrap_or(0);
        let cache_write_tokens = self.cache_creation_input_tokens.0.unwrap_or(0);
        Usage {
            input_tokens: self
                .input_tokens
                .0
                .unwrap_or(0)
                .saturating_add(cached_tokens)
                .saturating_add(cache_write_tokens),
            output_tokens: self.output_tokens.0.unwrap_or(0),
            cached_tokens,
            cache_write_tokens,
            estimated: false,
        }
    }
}

#[cfg(test)]
#[path = "anthropic_tests.rs"]
mod tests;

//! The chat-completions dialect, as OpenAI speaks it and as its many imitators do.
//! Invariant: nothing is required of an event but that it is JSON; what is missing, null or new is passed
//! over, and only text that cannot be read is a fault.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{RequestBuilder, Url};
use schema::Usage;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::{Http, join, secret_header};
use super::http::{Asking, stream};
use super::lenient::{Count, List, Maybe, Word, object, says, side, text};
use super::manners::{Lessons, Manners, Parameter, Refusals, by_name};
use super::probe::Probe;
use super::sse::{Dialect, GRACE, ToolCalls};
use super::thoughts::Begins;
use super::{Chunk, ChunkStream, Model, ModelError, OutputLimit, Price, Prompt, Role, SizeLesson, Sizes, Stop};

/// Where OpenAI itself listens; a base URL of this dialect includes its version.
pub(super) const BASE: &str = "https://api.openai.com/v1";

/// A model behind a chat-completions endpoint.
#[derive(Debug)]
pub struct OpenAi {
    name: String,
    model: String,
    http: Http,
    url: Url,
    key: Option<HeaderValue>,
    price: Option<Price>,
    manners: Manners,
}

impl OpenAi {
    /// `model` as the endpoint calls it. `base` is used as it is, as OpenAI's own libraries do:
    /// for most servers it ends in `/v1`. Local servers often want no key. What its server refuses is
    /// kept in `learned`.
    #[must_use]
    pub fn new(
        model: &str,
        http: Http,
        base: &Url,
        key: Option<&SecretString>,
        price: Option<Price>,
        learned: &Lessons,
    ) -> Self {
        let url = join(base, &["chat", "completions"]);
        let key = key.and_then(|key| secret_header("Bearer ", key));
        let begins = if official(&url) { Some(Begins::Apart) } else { by_name(model) };
        let manners = Manners::new(learned, url.as_str(), model).beginning(begins);
        Self { name: format!("openai/{model}"), model: model.to_owned(), http, url, key, price, manners }
    }

    /// With what the configuration says of its server: how the limit of a reply's length is called, and
    /// whether a count of tokens is asked for.
    #[must_use]
    pub fn sending(self, limit: OutputLimit, stream_options: bool) -> Self {
        let mut without = match limit {
            OutputLimit::Auto => Refusals::NONE,
            OutputLimit::MaxTokens => Refusals::of(&[Parameter::MaxCompletionTokens]),
            OutputLimit::MaxCompletionTokens => Refusals::of(&[Parameter::MaxTokens]),
            OutputLimit::Omitted => Refusals::of(&[Parameter::MaxTokens, Parameter::MaxCompletionTokens]),
        };
        if !stream_options {
            without = without.with(Parameter::StreamOptions);
        }
        Self { manners: self.manners.without(without), ..self }
    }

    /// With the operator's word on how many tokens prompt and reply have together.
    #[must_use]
    pub fn with_context(self, context_tokens: Option<u64>) -> Self {
        Self { manners: self.manners.with_context(context_tokens), ..self }
    }

    /// With the word of the configuration that its replies begin in the middle of a thought.
    #[must_use]
    pub fn beginning_in_thought(self) -> Self {
        Self { manners: self.manners.beginning(Some(Begins::InThought)), ..self }
    }
}

impl Model for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&self, prompt: Arc<Prompt>) -> ChunkStream {
        let (http, url) = (self.http.clone(), self.url.clone());
        let request = Request { http, url, key: self.key.clone(), model: self.model.clone(), prompt };
        stream::<OpenAiDialect>(request, self.manners.clone())
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

fn official(url: &Url) -> bool {
    url.host_str() == Some("api.openai.com")
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
        let body = body(&self.model, &self.prompt, official(&self.url), without);
        let request = self.http.post(self.url.clone(), body);
        match &self.key {
            Some(key) => request.header(AUTHORIZATION, key),
            None => request,
        }
    }

    fn sends(&self, without: Refusals) -> Refusals {
        sent(official(&self.url), without)
    }

    fn probe(&self) -> Option<Probe> {
        let mut base = self.url.clone();
        base.path_segments_mut().ok()?.pop().pop();
        let (http, key, model) = (self.http.clone(), self.key.clone(), self.model.clone());
        (!official(&self.url)).then_some(Probe { http, base, key, model })
    }
}

/// What a request has of what may be refused. OpenAI's newer models refuse the old name of the limit; most
/// imitators know only that one.
fn sent(official: bool, without: Refusals) -> Refusals {
    let mut limits = [Parameter::MaxTokens, Parameter::MaxCompletionTokens];
    if official {
        limits.reverse();
    }
    let limit = limits.into_iter().find(|limit| !without.has(*limit));
    let others = [Parameter::StreamOptions, Parameter::Obfuscation, Parameter::System];
    let others = others.into_iter().filter(|parameter| match parameter {
        Parameter::Obfuscation => official && !without.has(Parameter::StreamOptions),
        _ => true,
    });
    others.filter(|parameter| !without.has(*parameter)).chain(limit).fold(Refusals::NONE, Refusals::with)
}

/// The request. The messages come last, so that a longer talk only makes the body longer at its end.
pub(super) fn body(model: &str, prompt: &Prompt, official: bool, without: Refusals) -> Vec<u8> {
    let sent = sent(official, without);
    let apart = sent.has(Parameter::System) && !prompt.system.is_empty();
    let system = apart.then(|| Message { role: "system", content: prompt.system.as_ref().into() });
    let lines = prompt.lines.iter().enumerate().map(|(at, line)| Message {
        role: match line.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content: if at == 0 && !sent.has(Parameter::System) {
            prompt.system_before(line).into()
        } else {
            line.text.as_str().into()
        },
    });
    let limit = |parameter| sent.has(parameter).then_some(prompt.max_output_tokens);
    let request = Body {
        model,
        stream: true,
        stream_options: sent.has(Parameter::StreamOptions).then(|| StreamOptions {
            include_usage: true,
            include_obfuscation: sent.has(Parameter::Obfuscation).then_some(false),
        }),
        max_tokens: limit(Parameter::MaxTokens),
        max_completion_tokens: limit(Parameter::MaxCompletionTokens),
        messages: system.into_iter().chain(lines).collect(),
    };
    serde_json::to_vec(&request).unwrap_or_default()
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
    /// Random padding of every delta, which costs more to read than the words.
    #[serde(skip_serializing_if = "Option::is_none")]
    include_obfuscation: Option<bool>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: std::borrow::Cow<'a, str>,
}

/// Folds chat-completion chunks.
///
/// `[DONE]` is the terminal mark. Many servers never send it but do send a finish reason: then a
/// clean end of the body counts as terminal too. A connection that is cut does not, nor does a
/// clean end without a finish reason.
#[derive(Debug, Default)]
pub(super) struct OpenAiDialect {
    stop: Option<Stop>,
    tools: ToolCalls,
    usage: Option<Usage>,
    /// The number of the choice we read: that of the first.
    choice: Option<u64>,
    /// The model has said a word.
    spoke: bool,
}

impl Dialect for OpenAiDialect {
    fn event(&mut self, name: &str, data: &str, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let data = data.trim();
        if data == "[DONE]" {
            self.tools.end(self.stop(), out);
            return Ok(());
        }
        if data.is_empty() || data == "null" {
            return Ok(());
        }
        let event: Event<'_> = object(data)?;
        if name == "error" || says(event.error) {
            return Err(ModelError::in_band(data.as_bytes()));
        }
        let usage = side::<Maybe<UsageBody<'_>>>(event.usage).0;
        if let Some(usage) = usage.and_then(|usage| usage.known(self.usage)) {
            self.usage = Some(usage);
            out.push(Chunk::Usage(usage));
        }
        // We ask for one choice; a server that sends more still has only one answer for us.
        let choices = event.choices.0;
        let number = |choice: &Choice<'_>| choice.index.0.unwrap_or(0);
        self.choice = self.choice.or_else(|| choices.iter().map(number).min());
        let Some(choice) = choices.iter().find(|choice| Some(number(choice)) == self.choice) else { return Ok(()) };
        let before = out.len();
        self.choice(choice, data, out)?;
        self.spoke |= out.get(before..).is_some_and(|new| new.iter().any(|chunk| matches!(chunk, Chunk::Text(_))));
        Ok(())
    }

    fn body_ended(&mut self, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        if self.stop.is_none() {
            return Err(ModelError::truncated("the body ended without [DONE] or a finish reason"));
        }
        self.tools.end(self.stop(), out);
        Ok(())
    }

    fn grace(&self) -> Option<Duration> {
        self.stop.map(|_| GRACE)
    }

    fn whole(&mut self, json: &str, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        self.event("message", json, out)?;
        self.body_ended(out)
    }
}

impl OpenAiDialect {
    fn choice(&mut self, choice: &Choice<'_>, data: &str, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        // Some gateways send the message where its pieces belong: as the only event, or again at the end.
        let message = choice.message.filter(|_| !self.spoke && choice.delta.is_none());
        if let Some(delta) = choice.delta.or(message) {
            let delta: Delta<'_> = object(delta.get())?;
            if [delta.reasoning_content, delta.reasoning, delta.reasoning_details, delta.thinking]
                .map(says)
                .contains(&true)
            {
                out.push(Chunk::Thinking);
            }
            content_of(delta.content, out)?;
            // A refusal is what the model has to say.
            out.extend(text(delta.refusal)?.map(Chunk::Text));
            for call in delta.tool_calls.0 {
                self.tool_call(call)?;
            }
        }
        content_of(choice.text, out)?;
        match choice.finish_reason.get() {
            None => {}
            Some("error") => return Err(ModelError::in_band(data.as_bytes())),
            Some(reason) => self.stop = Some(stop_of(reason)),
        }
        Ok(())
    }

    fn tool_call(&mut self, call: ToolCall<'_>) -> Result<(), ModelError> {
        let function = call.function.0.unwrap_or_default();
        // Without an index, an id or a name begins a call and anything else goes on with the last.
        let index = call.index.0.unwrap_or_else(|| {
            let begins = self.tools.is_empty() || says(call.id) || function.name.get().is_some();
            if begins { self.tools.next_index() } else { self.tools.last_index() }
        });
        // Text, or an object instead of its text.
        let arguments = function.arguments.map(RawValue::get).unwrap_or_default();
        let written = serde_json::from_str::<String>(arguments).ok();
        self.tools.add(index, function.name.get(), written.as_deref().unwrap_or(arguments))
    }

    fn stop(&self) -> Stop {
        match self.stop {
            Some(Stop::Completed) | None if !self.tools.is_empty() => Stop::Tool,
            Some(stop) => stop,
            None => Stop::Completed,
        }
    }
}

/// Content is text, null, or with some servers one typed part or a list of them.
fn content_of(content: Option<&RawValue>, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
    let raw = content.map(RawValue::get).unwrap_or_default();
    if !raw.starts_with(['[', '{']) {
        out.extend(text(content)?.map(Chunk::Text));
        return Ok(());
    }
    let parts: Vec<&RawValue> = if raw.starts_with('[') {
        serde_json::from_str(raw).map_err(|error| ModelError::json(&error))?
    } else {
        content.into_iter().collect()
    };
    for part in parts {
        if !part.get().starts_with('{') {
            out.extend(text(Some(part))?.map(Chunk::Text));
            continue;
        }
        let part: Part<'_> = object(part.get())?;
        let kind = part.kind.get().unwrap_or("text");
        if kind.contains("think") || kind.contains("thought") || kind.contains("reason") {
            out.push(Chunk::Thinking);
        } else if kind == "refusal" {
            out.extend(text(part.refusal)?.map(Chunk::Text));
        } else {
            out.extend(text(part.text)?.map(Chunk::Text));
        }
    }
    Ok(())
}

fn stop_of(reason: &str) -> Stop {
    match reason {
        "length" | "max_tokens" | "model_length" => Stop::Length,
        "content_filter" | "safety" | "refusal" => Stop::Filtered,
        "tool_calls" | "function_call" | "tool_use" => Stop::Tool,
        _ => Stop::Completed, // Imitators invent words for a plain end.
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    choices: List<Choice<'a>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: Count,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    /// Where completions of the kind before chat have it.
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    finish_reason: Word<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: List<ToolCall<'a>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Word<'a>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ToolCall<'a> {
    #[serde(default)]
    index: Count,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function: Maybe<Function<'a>>,
}

#[derive(Default, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Word<'a>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct UsageBody<'a> {
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    #[serde(borrow, default)]
    prompt_tokens_details: Option<&'a RawValue>,
    /// DeepSeek's place for the cached part.
    #[serde(default)]
    prompt_cache_hit_tokens: Count,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Count,
}

impl UsageBody<'_> {
    /// What this adds to what was known, or nothing for `{}` and for repetitions.
    fn known(&self, before: Option<Usage>) -> Option<Usage> {
        if self.prompt_tokens.0.is_none() && self.completion_tokens.0.is_none() {
            return None;
        }
        let mut usage = before.unwrap_or_default();
        usage.input_tokens = self.prompt_tokens.0.unwrap_or(usage.input_tokens);
        usage.output_tokens = self.completion_tokens.0.unwrap_or(usage.output_tokens);
        let details = side::<Maybe<PromptDetails>>(self.prompt_tokens_details).0;
        let cached = details.and_then(|details| details.cached_tokens.0);
        usage.cached_tokens = cached.or(self.prompt_cache_hit_tokens.0).unwrap_or(usage.cached_tokens);
        (before != Some(usage)).then_some(usage)
    }
}

#[cfg(test)]
#[path = "openai_tests.rs"]
mod tests;

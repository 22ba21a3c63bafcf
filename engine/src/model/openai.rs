//! The chat-completions dialect, as OpenAI speaks it and as its many imitators do.
//! Invariant: nothing is required of an event but that it is JSON; what is missing, null or new is passed over.

use std::sync::Arc;

use reqwest::Url;
use reqwest::header::AUTHORIZATION;
use schema::Usage;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::http::{Http, join, secret_header, stream};
use super::sse::{Decoder, Dialect, Str, ToolCalls};
use super::{Chunk, ChunkStream, Model, ModelError, Price, Prompt, Role, Stop};

/// Where OpenAI itself listens; a base URL of this dialect includes its version.
pub(super) const BASE: &str = "https://api.openai.com/v1";

/// A model behind a chat-completions endpoint.
#[derive(Debug)]
pub struct OpenAi {
    name: String,
    model: String,
    http: Http,
    url: Url,
    key: Option<SecretString>,
    price: Option<Price>,
}

impl OpenAi {
    /// `model` as the endpoint calls it. `base` is used as it is, as OpenAI's own libraries do:
    /// for most servers it ends in `/v1`. Local servers often want no key.
    #[must_use]
    pub fn new(model: &str, http: Http, base: &Url, key: Option<SecretString>, price: Option<Price>) -> Self {
        let url = join(base, &["chat", "completions"]);
        Self { name: format!("openai/{model}"), model: model.to_owned(), http, url, key, price }
    }
}

impl Model for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&self, prompt: Arc<Prompt>) -> ChunkStream {
        let official = self.url.host_str() == Some("api.openai.com");
        let mut request = self.http.post(self.url.clone(), body(&self.model, &prompt, official));
        if let Some(key) = self.key.as_ref().and_then(|key| secret_header("Bearer ", key)) {
            request = request.header(AUTHORIZATION, key);
        }
        stream(request, Decoder::new(OpenAiDialect::default()))
    }

    fn price(&self) -> Option<Price> {
        self.price
    }
}

/// The request. The messages come last, so that a longer talk only makes the body longer at its end.
pub(super) fn body(model: &str, prompt: &Prompt, official: bool) -> Vec<u8> {
    let system = (!prompt.system.is_empty()).then_some(Message { role: "system", content: &prompt.system });
    let lines = prompt.lines.iter().map(|line| Message {
        role: match line.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content: line.text.as_str(),
    });
    let request = Request {
        model,
        stream: true,
        stream_options: StreamOptions { include_usage: true, include_obfuscation: official.then_some(false) },
        // OpenAI's newer models refuse the old name of the limit; imitators know only that one.
        max_tokens: (!official).then_some(prompt.max_output_tokens),
        max_completion_tokens: official.then_some(prompt.max_output_tokens),
        messages: system.into_iter().chain(lines).collect(),
    };
    serde_json::to_vec(&request).unwrap_or_default()
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    stream: bool,
    stream_options: StreamOptions,
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
    content: &'a str,
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
}

impl Dialect for OpenAiDialect {
    fn event(&mut self, name: &str, data: &str, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let data = data.trim();
        if data == "[DONE]" {
            self.tools.end(self.stop(), out);
            return Ok(());
        }
        if data.is_empty() {
            return Ok(());
        }
        let event: Event<'_> = serde_json::from_str(data).map_err(|error| ModelError::json(&error))?;
        if name == "error" || event.error.is_some_and(|error| error.get() != "null") {
            return Err(ModelError::in_band(data.as_bytes()));
        }
        if let Some(usage) = event.usage.and_then(|usage| usage.known(self.usage)) {
            self.usage = Some(usage);
            out.push(Chunk::Usage(usage));
        }
        // We ask for one choice; a server that sends more still has only one answer for us.
        let mut choices = event.choices.unwrap_or_default().into_iter();
        match choices.find(|choice| choice.index.unwrap_or(0) == 0) {
            Some(choice) => self.choice(choice, data, out),
            None => Ok(()),
        }
    }

    fn body_ended(&mut self, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        if self.stop.is_none() {
            return Err(ModelError::truncated("the body ended without [DONE] or a finish reason"));
        }
        self.tools.end(self.stop(), out);
        Ok(())
    }
}

impl OpenAiDialect {
    fn choice(&mut self, choice: Choice<'_>, data: &str, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        if let Some(delta) = choice.delta {
            if Str::words(delta.reasoning_content).or(Str::words(delta.reasoning)).is_some() {
                out.push(Chunk::Thinking);
            }
            if let Some(content) = delta.content {
                content_of(content, out)?;
            }
            for call in delta.tool_calls.unwrap_or_default() {
                self.tool_call(call)?;
            }
        }
        match choice.finish_reason.as_ref().map(|reason| reason.0.as_ref()) {
            None | Some("") => {}
            Some("error") => return Err(ModelError::in_band(data.as_bytes())),
            Some(reason) => self.stop = Some(stop_of(reason)),
        }
        Ok(())
    }

    fn tool_call(&mut self, call: ToolCall<'_>) -> Result<(), ModelError> {
        let function = call.function.unwrap_or_default();
        let name = function.name.as_ref().map(|name| name.0.as_ref());
        // Without an index, an id or a name begins a call and anything else goes on with the last.
        let index = call.index.unwrap_or_else(|| {
            let begins = self.tools.is_empty() || call.id.is_some() || name.is_some_and(|name| !name.is_empty());
            if begins { self.tools.next_index() } else { self.tools.last_index() }
        });
        let arguments = function.arguments.map(RawValue::get).unwrap_or_default();
        match serde_json::from_str::<Str<'_>>(arguments) {
            Ok(text) => self.tools.add(index, name, &text.0),
            Err(_) if arguments == "null" => self.tools.add(index, name, ""),
            Err(_) => self.tools.add(index, name, arguments), // An object instead of its text.
        }
    }

    fn stop(&self) -> Stop {
        match self.stop {
            Some(Stop::Completed) | None if !self.tools.is_empty() => Stop::Tool,
            Some(stop) => stop,
            None => Stop::Completed,
        }
    }
}

/// Content is text, null, or with some servers a list of typed parts.
fn content_of(content: &RawValue, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
    let raw = content.get();
    if raw.starts_with('"') {
        let text: Str<'_> = serde_json::from_str(raw).map_err(|error| ModelError::json(&error))?;
        out.extend(Str::words(Some(text)).map(Chunk::Text));
    } else if raw.starts_with('[') {
        let parts: Vec<Part<'_>> = serde_json::from_str(raw).map_err(|error| ModelError::json(&error))?;
        for part in parts {
            match part.kind.as_ref().map(|kind| kind.0.as_ref()) {
                None | Some("text") => out.extend(Str::words(part.text).map(Chunk::Text)),
                Some(_) => out.push(Chunk::Thinking),
            }
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
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    usage: Option<UsageBody>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<Str<'a>>,
    #[serde(borrow)]
    reasoning: Option<Str<'a>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
    #[serde(borrow)]
    text: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct ToolCall<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Default, Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Str<'a>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct UsageBody {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    /// DeepSeek's place for the cached part.
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

impl UsageBody {
    /// What this adds to what was known, or nothing for `{}` and for repetitions.
    fn known(&self, before: Option<Usage>) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let mut usage = before.unwrap_or_default();
        usage.input_tokens = self.prompt_tokens.unwrap_or(usage.input_tokens);
        usage.output_tokens = self.completion_tokens.unwrap_or(usage.output_tokens);
        let cached = self.prompt_tokens_details.as_ref().and_then(|details| details.cached_tokens);
        usage.cached_tokens = cached.or(self.prompt_cache_hit_tokens).unwrap_or(usage.cached_tokens);
        (before != Some(usage)).then_some(usage)
    }
}

#[cfg(test)]
#[path = "openai_tests.rs"]
mod tests;

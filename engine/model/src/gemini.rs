//! The `streamGenerateContent` dialect of Gemini.
//! Invariant: a reply ends well only when a finish or block reason was seen and the body then ended cleanly.

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
use super::lenient::{Count, List, Maybe, Word, object, says, side, text};
use super::manners::{Lessons, Manners, Parameter, Refusals};
use super::sse::{Dialect, GRACE, ToolCalls};
use super::thoughts::Begins;
use super::{Chunk, ChunkStream, Model, ModelError, Price, Prompt, Role, SizeLesson, Sizes, Stop};

/// Where Gemini itself listens; a base URL of this dialect does not include its version.
pub(super) const BASE: &str = "https://generativelanguage.googleapis.com";

/// A model behind a Gemini endpoint.
#[derive(Debug)]
pub struct Gemini {
    name: String,
    http: Http,
    url: Url,
    key: Option<HeaderValue>,
    price: Option<Price>,
    manners: Manners,
}

impl Gemini {
    /// `model` as the endpoint calls it. `base` has no version, as Google's own libraries want
    /// it; one that ends in `/v1beta` or `/v1` is understood too.
    /// What its server refuses is kept in `learned`.
    #[must_use]
    pub fn new(
        model: &str,
        http: Http,
        base: &Url,
        key: Option<&SecretString>,
        price: Option<Price>,
        learned: &Lessons,
    ) -> Self {
        let path = base.path().trim_end_matches('/');
        let versioned = path.ends_with("/v1beta") || path.ends_with("/v1");
        let base = if versioned { base.clone() } else { join(base, &["v1beta"]) };
        let mut url = join(&base, &["models", &format!("{model}:streamGenerateContent")]);
        url.set_query(Some("alt=sse")); // Without it the answer is one JSON array.
        // In a header, because addresses end up in logs.
        let key = key.and_then(|key| secret_header("", key));
        let official = base.host_str() == Some("generativelanguage.googleapis.com");
        let begins = if official { Begins::Apart } else { Begins::Openly };
        let manners = Manners::new(learned, base.as_str(), model).beginning(Some(begins));
        Self { name: format!("gemini/{model}"), http, url, key, price, manners }
    }

    /// With the operator's word on how many tokens prompt and reply have together.
    #[must_use]
    pub fn with_context(self, context_tokens: Option<u64>) -> Self {
        Self { manners: self.manners.with_context(context_tokens), ..self }
    }
}

impl Model for Gemini {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&self, prompt: Arc<Prompt>) -> ChunkStream {
        let request = Request { http: self.http.clone(), url: self.url.clone(), key: self.key.clone(), prompt };
        stream::<GeminiDialect>(request, self.manners.clone())
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
    prompt: Arc<Prompt>,
}

impl Asking for Request {
    fn request(&self, without: Refusals) -> RequestBuilder {
        let request = self.http.post(self.url.clone(), body(&self.prompt, without));
        match &self.key {
            Some(key) => request.header("x-goog-api-key", key),
            None => request,
        }
    }

    fn sends(&self, without: Refusals) -> Refusals {
        let apart = !without.has(Parameter::System);
        if apart { Refusals::of(&[Parameter::System]) } else { Refusals::NONE }
    }
}

/// The request. The contents come last, so that a longer talk only makes the body longer at its end.
pub(super) fn body(prompt: &Prompt, without: Refusals) -> Vec<u8> {
    // Open models behind this dialect know no instructions apart from the talk.
    let apart = !without.has(Parameter::System);
    let contents = prompt.lines.iter().enumerate().map(|(at, line)| Content {
        role: Some(match line.role {
            Role::User => "user",
            Role::Assistant => "model",
        }),
        parts: [TextPart {
            text: if at == 0 && !apart { prompt.system_before(line).into() } else { line.text.as_str().into() },
        }],
    });
    let request = Body {
        generation_config: GenerationConfig { max_output_tokens: prompt.max_output_tokens },
        system_instruction: (apart && !prompt.system.is_empty())
            .then(|| Content { role: None, parts: [TextPart { text: prompt.system.as_ref().into() }] }),
        contents: contents.collect(),
    };
    serde_json::to_vec(&request).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    generation_config: GenerationConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig {
    max_output_tokens: u32,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: [TextPart<'a>; 1],
}

#[derive(Serialize)]
struct TextPart<'a> {
    text: std::borrow::Cow<'a, str>,
}

/// Folds Gemini responses. There is no terminal mark: some models repeat a finish reason on every
/// response, so the last one counts, and only when the body has ended.
#[derive(Debug, Default)]
pub(super) struct GeminiDialect {
    stop: Option<Stop>,
    tools: ToolCalls,
    usage: Option<Usage>,
}

impl Dialect for GeminiDialect {
    fn event(&mut self, _: &str, data: &str, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        if matches!(data.trim(), "" | "[DONE]" | "null") {
            return Ok(());
        }
        let response: Response<'_> = object(data)?;
        if says(response.error) {
            return Err(ModelError::in_band(data.as_bytes()));
        }
        if let Some(usage) = side::<Maybe<Counts>>(response.usage_metadata).0.map(Counts::total)
            && self.usage != Some(usage)
        {
            self.usage = Some(usage);
            out.push(Chunk::Usage(usage));
        }
        let feedback = response.prompt_feedback.0.unwrap_or_default();
        if feedback.block_reason.get().is_some_and(|reason| reason != "BLOCK_REASON_UNSPECIFIED") {
            self.stop = Some(Stop::Filtered);
        }
        if let Some(candidate) = response.candidates.0.into_iter().next() {
            self.candidate(candidate, out)?;
        }
        Ok(())
    }

    fn body_ended(&mut self, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let stop = match self.stop {
            None => return Err(ModelError::truncated("the body ended without a finish reason")),
            Some(Stop::Completed) if !self.tools.is_empty() => Stop::Tool, // Gemini says STOP for calls too.
            Some(stop) => stop,
        };
        self.tools.end(stop, out);
        Ok(())
    }

    /// A reason may come with each response, and more words after it.
    fn grace(&self) -> Option<Duration> {
        self.stop.map(|_| 3 * GRACE)
    }
}

impl GeminiDialect {
    fn candidate(&mut self, candidate: Candidate<'_>, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        for part in candidate.content.0.map(|content| content.parts.0).unwrap_or_default() {
            if let Some(call) = part.function_call.0 {
                let index = self.tools.next_index(); // Whole calls, several to a response, often without ids.
                self.tools.add(index, call.name.get(), call.args.map_or("{}", RawValue::get))?;
            } else if says(part.thought) && part.thought.map(RawValue::get) != Some("\"false\"") {
                out.push(Chunk::Thinking);
            } else {
                out.extend(text(part.text)?.map(Chunk::Text));
            }
        }
        match candidate.finish_reason.get() {
            None | Some("FINISH_REASON_UNSPECIFIED") => {}
            Some(reason) => self.stop = Some(stop_of(reason)),
        }
        Ok(())
    }
}

fn stop_of(reason: &str) -> Stop {
    match reason {
        "MAX_TOKENS" => Stop::Length,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" | "MISSING_THOUGHT_SIGNATURE" => {
            Stop::Tool
        }
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "OTHER" => Stop::Filtered,
        reason if reason.starts_with("IMAGE_") => Stop::Filtered,
        _ => Stop::Completed,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    #[serde(borrow, default)]
    candidates: List<Candidate<'a>>,
    #[serde(borrow, default)]
    prompt_feedback: Maybe<PromptFeedback<'a>>,
    #[serde(borrow, default)]
    usage_metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow, default)]
    content: Maybe<CandidateContent<'a>>,
    #[serde(borrow, default)]
    finish_reason: Word<'a>,
}

#[derive(Deserialize)]
struct CandidateContent<'a> {
    #[serde(borrow, default)]
    parts: List<Part<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thought: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function_call: Maybe<FunctionCall<'a>>,
}

#[derive(Deserialize)]
struct FunctionCall<'a> {
    #[serde(borrow, default)]
    name: Word<'a>,
    #[serde(borrow, default)]
    args: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback<'a> {
    #[serde(borrow, default)]
    block_reason: Word<'a>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Counts {
    prompt_token_count: Count,
    candidates_token_count: Count,
    thoughts_token_count: Count,
    cached_content_token_count: Count,
    tool_use_prompt_token_count: Count,
}

impl Counts {
    /// Gemini counts thoughts and tool prompts apart; our output and input include them.
    fn total(self) -> Usage {
        let sum = |a: Count, b: Count| a.0.unwrap_or(0).saturating_add(b.0.unwrap_or(0));
        Usage {
            input_tokens: sum(self.prompt_token_count, self.tool_use_prompt_token_count),
            output_tokens: sum(self.candidates_token_count, self.thoughts_token_count),
            cached_tokens: self.cached_content_token_count.0.unwrap_or(0),
            cache_write_tokens: 0,
            estimated: false,
        }
    }
}

#[cfg(test)]
#[path = "gemini_tests.rs"]
mod tests;

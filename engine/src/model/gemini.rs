//! The `streamGenerateContent` dialect of Gemini.
//! Invariant: a reply ends well only when a finish or block reason was seen and the body then ended cleanly.

use std::sync::Arc;

use reqwest::Url;
use schema::Usage;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::http::{Http, join, secret_header, stream};
use super::sse::{Decoder, Dialect, Str, ToolCalls};
use super::{Chunk, ChunkStream, Model, ModelError, Price, Prompt, Role, Stop};

/// Where Gemini itself listens; a base URL of this dialect does not include its version.
pub(super) const BASE: &str = "https://generativelanguage.googleapis.com";

/// A model behind a Gemini endpoint.
#[derive(Debug)]
pub struct Gemini {
    name: String,
    http: Http,
    url: Url,
    key: Option<SecretString>,
    price: Option<Price>,
}

impl Gemini {
    /// `model` as the endpoint calls it. `base` has no version, as Google's own libraries want
    /// it; one that ends in `/v1beta` or `/v1` is understood too.
    #[must_use]
    pub fn new(model: &str, http: Http, base: &Url, key: Option<SecretString>, price: Option<Price>) -> Self {
        let path = base.path().trim_end_matches('/');
        let versioned = path.ends_with("/v1beta") || path.ends_with("/v1");
        let base = if versioned { base.clone() } else { join(base, &["v1beta"]) };
        let mut url = join(&base, &["models", &format!("{model}:streamGenerateContent")]);
        url.set_query(Some("alt=sse")); // Without it the answer is one JSON array.
        Self { name: format!("gemini/{model}"), http, url, key, price }
    }
}

impl Model for Gemini {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&self, prompt: Arc<Prompt>) -> ChunkStream {
        let mut request = self.http.post(self.url.clone(), body(&prompt));
        // In a header, because addresses end up in logs.
        if let Some(key) = self.key.as_ref().and_then(|key| secret_header("", key)) {
            request = request.header("x-goog-api-key", key);
        }
        stream(request, Decoder::new(GeminiDialect::default()))
    }

    fn price(&self) -> Option<Price> {
        self.price
    }
}

/// The request. The contents come last, so that a longer talk only makes the body longer at its end.
pub(super) fn body(prompt: &Prompt) -> Vec<u8> {
    let contents = prompt.lines.iter().map(|line| Content {
        role: Some(match line.role {
            Role::User => "user",
            Role::Assistant => "model",
        }),
        parts: [TextPart { text: line.text.as_str() }],
    });
    let request = Request {
        generation_config: GenerationConfig { max_output_tokens: prompt.max_output_tokens },
        system_instruction: (!prompt.system.is_empty())
            .then(|| Content { role: None, parts: [TextPart { text: &prompt.system }] }),
        contents: contents.collect(),
    };
    serde_json::to_vec(&request).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
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
    text: &'a str,
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
        if data.trim().is_empty() || data.trim() == "[DONE]" {
            return Ok(());
        }
        let response: Response<'_> = serde_json::from_str(data).map_err(|error| ModelError::json(&error))?;
        if response.error.is_some() {
            return Err(ModelError::in_band(data.as_bytes()));
        }
        if let Some(usage) = response.usage_metadata.map(|counts| counts.total())
            && self.usage != Some(usage)
        {
            self.usage = Some(usage);
            out.push(Chunk::Usage(usage));
        }
        let blocked = response.prompt_feedback.and_then(|feedback| feedback.block_reason);
        if blocked.is_some_and(|reason| !matches!(reason.0.as_ref(), "" | "BLOCK_REASON_UNSPECIFIED")) {
            self.stop = Some(Stop::Filtered);
        }
        if let Some(candidate) = response.candidates.unwrap_or_default().into_iter().next() {
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
}

impl GeminiDialect {
    fn candidate(&mut self, candidate: Candidate<'_>, out: &mut Vec<Chunk>) -> Result<(), ModelError> {
        for part in candidate.content.and_then(|content| content.parts).unwrap_or_default() {
            if let Some(call) = part.function_call {
                let index = self.tools.next_index(); // Whole calls, several to a response, often without ids.
                let arguments = call.args.map_or("{}", RawValue::get);
                self.tools.add(index, call.name.as_ref().map(|name| name.0.as_ref()), arguments)?;
            } else if part.thought.unwrap_or(false) {
                out.push(Chunk::Thinking);
            } else {
                out.extend(Str::words(part.text).map(Chunk::Text));
            }
        }
        match candidate.finish_reason.as_ref().map(|reason| reason.0.as_ref()) {
            None | Some("" | "FINISH_REASON_UNSPECIFIED") => {}
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
    #[serde(borrow)]
    candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    prompt_feedback: Option<PromptFeedback<'a>>,
    usage_metadata: Option<Counts>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow)]
    content: Option<CandidateContent<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct CandidateContent<'a> {
    #[serde(borrow)]
    parts: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    thought: Option<bool>,
    #[serde(borrow)]
    function_call: Option<FunctionCall<'a>>,
}

#[derive(Deserialize)]
struct FunctionCall<'a> {
    #[serde(borrow)]
    name: Option<Str<'a>>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback<'a> {
    #[serde(borrow)]
    block_reason: Option<Str<'a>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    prompt_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
}

impl Counts {
    /// Gemini counts thoughts and tool prompts apart; our output and input include them.
    fn total(self) -> Usage {
        let sum = |a: Option<u64>, b: Option<u64>| a.unwrap_or(0).saturating_add(b.unwrap_or(0));
        Usage {
            input_tokens: sum(self.prompt_token_count, self.tool_use_prompt_token_count),
            output_tokens: sum(self.candidates_token_count, self.thoughts_token_count),
            cached_tokens: self.cached_content_token_count.unwrap_or(0),
            cache_write_tokens: 0,
            estimated: false,
        }
    }
}

#[cfg(test)]
#[path = "gemini_tests.rs"]
mod tests;

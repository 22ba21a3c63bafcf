//! How each dialect says the same things, written down from its documentation and not from our decoder.

use super::{Script, Step};

/// One of the three dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Chat completions.
    OpenAi,
    /// Messages.
    Anthropic,
    /// `streamGenerateContent`.
    Gemini,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Gemini];

    /// The name before the slash.
    #[must_use]
    pub const fn provider(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// What a reply begins with before its first words: not content in any dialect.
    #[must_use]
    pub fn begin(self) -> Step {
        Step::Send(match self {
            Self::OpenAi => event(
                r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            ),
            Self::Anthropic => {
                named(
                    "message_start",
                    r#"{"type":"message_start","message":{"id":"m","role":"assistant","content":[],"usage":{"input_tokens":20,"output_tokens":1}}}"#,
                ) + &named("ping", r#"{"type":"ping"}"#)
                    + &named(
                        "content_block_start",
                        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                    )
            }
            Self::Gemini => event(
                r#"{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"index":0}],"usageMetadata":{"promptTokenCount":20}}"#,
            ),
        })
    }

    /// Some words.
    #[must_use]
    pub fn text(self, words: &str) -> Step {
        let words = serde_json::Value::from(words);
        Step::Send(match self {
            Self::OpenAi => {
                event(&format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{words}}},"finish_reason":null}}]}}"#))
            }
            Self::Anthropic => named(
                "content_block_delta",
                &format!(
                    r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{words}}}}}"#
                ),
            ),
            Self::Gemini => event(&format!(
                r#"{{"candidates":[{{"content":{{"role":"model","parts":[{{"text":{words}}}]}},"index":0}}]}}"#
            )),
        })
    }

    /// A good end with usage: 20 tokens read, 4 written.
    #[must_use]
    pub fn end(self) -> Step {
        Step::Send(match self {
            Self::OpenAi => {
                event(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#)
                    + &event(r#"{"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":4,"total_tokens":24}}"#)
                    + &event("[DONE]")
            }
            Self::Anthropic => {
                named("content_block_stop", r#"{"type":"content_block_stop","index":0}"#)
                    + &named(
                        "message_delta",
                        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":4}}"#,
                    )
                    + &named("message_stop", r#"{"type":"message_stop"}"#)
            }
            Self::Gemini => event(
                r#"{"candidates":[{"content":{"role":"model","parts":[]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":4,"totalTokenCount":24}}"#,
            ),
        })
    }

    /// A whole reply to a prompt of so many tokens.
    #[must_use]
    pub fn reply_to(self, tokens: u64, words: &str) -> Script {
        let counted = |step: Step| match step {
            Step::Send(text) => {
                let names = ["\"input_tokens\":", "\"promptTokenCount\":", "\"prompt_tokens\":"];
                Step::Send(
                    names
                        .iter()
                        .fold(text, |text, name| text.replace(&format!("{name}20"), &format!("{name}{tokens}"))),
                )
            }
            other => other,
        };
        Script::stream([counted(self.begin()), self.text(words), counted(self.end())])
    }

    /// How it refuses a prompt of so many tokens where it takes fewer.
    #[must_use]
    pub fn too_long(self, tokens: u64, limit: u64) -> Script {
        Script::status(
            400,
            &match self {
                Self::OpenAi => format!(
                    r#"{{"error":{{"code":400,"message":"request ({tokens} tokens) exceeds the available context size ({limit} tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":{tokens},"n_ctx":{limit}}}}}"#
                ),
                Self::Anthropic => format!(
                    r#"{{"type":"error","error":{{"type":"invalid_request_error","message":"prompt is too long: {tokens} tokens > {limit} maximum"}}}}"#
                ),
                Self::Gemini => format!(
                    r#"{{"error":{{"code":400,"message":"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({limit}).","status":"INVALID_ARGUMENT"}}}}"#
                ),
            },
        )
    }

    /// An error inside a stream that began with status 200.
    #[must_use]
    pub fn overloaded(self) -> Step {
        Step::Send(match self {
            Self::OpenAi => event(r#"{"error":{"message":"we are overloaded","type":"server_error","code":"503"}}"#),
            Self::Anthropic => {
                named("error", r#"{"type":"error","error":{"type":"overloaded_error","message":"we are overloaded"}}"#)
            }
            Self::Gemini => event(r#"{"error":{"code":503,"message":"we are overloaded","status":"UNAVAILABLE"}}"#),
        })
    }

    /// A whole reply, a word a piece.
    #[must_use]
    pub fn reply(self, words: &[&str]) -> Script {
        let words = words.iter().map(|words| self.text(words));
        Script::stream([self.begin()].into_iter().chain(words).chain([self.end()]))
    }
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

fn named(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

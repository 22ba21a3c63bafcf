//! Chat completions as they are seen in the wild.

use super::super::sse::tests::{check, decoded, events};
use super::*;

fn rows(rows: &[(&str, &[&str], &str)]) {
    check(OpenAiDialect::default, rows);
}

#[test]
fn the_documented_stream() {
    rows(&[
        (
            "role, text, finish, usage, done",
            &[
                r#"{"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
                r#"{"choices":[{"index":0,"delta":{"content":"Hel"}}],"obfuscation":"xyz"}"#,
                r#"{"choices":[{"index":0,"delta":{"content":"lo \"you\"\n"}}]}"#,
                r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
                r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":8}}}"#,
                "[DONE]",
            ],
            "Hel | lo \"you\"\n | (9/2 8+0 cached) | completed",
        ),
        (
            "nothing after the end counts",
            &["[DONE]", r#"{"choices":[{"delta":{"content":"late"}}]}"#, "not json"],
            "completed",
        ),
        (
            "length and filter",
            &[r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"length"}]}"#, "[DONE]"],
            "a | length",
        ),
        ("filter", &[r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#, "[DONE]"], "filtered"),
    ]);
}

#[test]
fn imitators_are_understood() {
    rows(&[
        (
            "empty reasons, empty usage, null message, no ids",
            &[
                r#"{"choices":[{"delta":{"content":"a"},"message":null,"finish_reason":""}],"usage":{}}"#,
                r#"{"choices":[{"delta":null,"finish_reason":null}]}"#,
                r#"{"choices":null}"#,
                r#"{"id":7,"created":"now","choices":[{"delta":{"content":"b"},"extra":{"x":[1]},"logprobs":null}]}"#,
                "[DONE]",
            ],
            "a | b | completed",
        ),
        (
            "no [DONE], but a finish reason and a clean end",
            &[r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#],
            "a | completed",
        ),
        ("an invented reason", &[r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"eos"}]}"#], "a | completed"),
        ("neither", &[r#"{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}"#], "a | model_truncated"),
        (
            "reasoning beside text",
            &[
                r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
                r#"{"choices":[{"delta":{"reasoning":"hm","content":null}}]}"#,
                r#"{"choices":[{"delta":{"reasoning_content":"","content":"a"}}]}"#,
                "[DONE]",
            ],
            "(thinking) | (thinking) | a | completed",
        ),
        (
            "content in parts",
            &[
                r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"a"},{"type":"text","text":""}]}}]}"#,
                "[DONE]",
            ],
            "(thinking) | a | completed",
        ),
        (
            "a second choice is not ours",
            &[r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]}"#, "[DONE]"],
            "a | completed",
        ),
        (
            "usage on every chunk, repeated",
            &[
                r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#,
                r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#,
                r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"prompt_cache_hit_tokens":4},"timings":{}}"#,
                "[DONE]",
            ],
            "(5/1) | a | (5/2 4+0 cached) | completed",
        ),
        ("blank data", &["", "[DONE]"], "completed"),
    ]);
    assert_eq!(
        decoded(OpenAiDialect::default(), "data:{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata:[DONE]"),
        "a | completed",
        "no space behind the colon, no blank line at the end"
    );
}

#[test]
fn tool_calls_are_put_together() {
    rows(&[
        (
            "fragments of two calls in shared chunks",
            &[
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}},{"index":1,"id":"b","function":{"name":"g","arguments":"{\"x\""}}]}}]}"#,
                r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":":1}"}},{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
                r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
                "[DONE]",
            ],
            r#"(f {}) | (g {"x":1}) | tool"#,
        ),
        (
            "no index, arguments as an object, finish says stop",
            &[
                r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":{"x":1}}},{"function":{"name":"g","arguments":null}}]}}]}"#,
                r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
                "[DONE]",
            ],
            r#"(f {"x":1}) | (g ) | tool"#,
        ),
    ]);
}

#[test]
fn errors_inside_the_stream() {
    rows(&[
        ("an error object", &[r#"{"error":{"message":"x","type":"server_error","code":null}}"#], "model_unavailable"),
        (
            "after text",
            &[r#"{"choices":[{"delta":{"content":"a"}}]}"#, r#"{"error":{"code":429}}"#],
            "a | model_rate_limited",
        ),
        (
            "a finish reason that is one",
            &[r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"error"}]}"#],
            "a | model_unavailable",
        ),
        ("null is none", &[r#"{"error":null,"choices":[]}"#, "[DONE]"], "completed"),
        ("not JSON", &[r#"{"choices":[{"delta":{"content":"a"}}]}"#, "{broken"], "a | model_protocol"),
        ("JSON of another kind", &["[1,2]"], "model_protocol"),
    ]);
    let named = "event: error\ndata: {\"message\":\"x\",\"code\":\"401\"}\n\n";
    assert_eq!(decoded(OpenAiDialect::default(), named), "model_refused");
    assert_eq!(decoded(OpenAiDialect::default(), &events(&[])), "model_truncated");
}

#[test]
fn the_request_says_what_the_server_understands() {
    let prompt = Prompt {
        system: "Be brief.".into(),
        lines: vec![super::super::PromptLine { role: Role::User, text: "Hi".into() }],
        question: "Hi".into(),
        passages: Vec::new(),
        max_output_tokens: 7,
    };
    let text = |official| String::from_utf8(body("m", &prompt, official)).unwrap();
    assert_eq!(
        text(false),
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":7,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"#
    );
    assert_eq!(
        text(true),
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},"max_completion_tokens":7,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"#
    );
}

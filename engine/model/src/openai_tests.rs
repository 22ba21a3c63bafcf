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
        before: Vec::new(),
        locale: None,
        passages: Vec::new(),
        max_output_tokens: 7,
    };
    let text = |official| String::from_utf8(body("m", &prompt, official, Refusals::NONE)).unwrap();
    assert_eq!(
        text(false),
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":7,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"#
    );
    assert_eq!(
        text(true),
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},"max_completion_tokens":7,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"#
    );
}

#[test]
fn side_fields_never_break_a_reply() {
    let hello = r#"{"choices":[{"index":"0","delta":{"content":"Hello"}}]}"#;
    for usage in [
        r#"{"prompt_tokens":9.0,"completion_tokens":4.4}"#,
        r#"{"prompt_tokens":"9","completion_tokens":" 4 "}"#,
        r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":"none","total_tokens":-1}"#,
        r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":[{"cached_tokens":1}]}"#,
    ] {
        let last = format!(r#"{{"choices":[],"usage":{usage}}}"#);
        rows(&[(usage, &[hello, &last, "[DONE]"], "Hello | (9/4) | completed")]);
    }
    for usage in [
        r#"{"prompt_tokens":-9,"completion_tokens":null}"#,
        r#"{"prompt_tokens":[],"completion_tokens":{}}"#,
        r#"{"prompt_tokens":1e999}"#,
        "[1]",
        "\"none\"",
        "false",
    ] {
        let last = format!(r#"{{"choices":null,"usage":{usage}}}"#);
        rows(&[(usage, &[hello, &last, "[DONE]"], "Hello | completed")]);
    }
    rows(&[
        (
            "an index of its own, the same throughout",
            &[
                r#"{"choices":[{"index":1,"delta":{"content":"a"}}]}"#,
                r#"{"choices":[{"index":"1","delta":{"content":"b"},"finish_reason":false,"logprobs":7}],"system_fingerprint":[]}"#,
                "[DONE]",
            ],
            "a | b | completed",
        ),
        (
            "one choice that is no list, nulls, no error",
            &[
                r#"{"choices":{"index":null,"delta":{"content":"a","tool_calls":null,"role":5,"reasoning":null}},"error":""}"#,
                "null",
                r#"{"choices":[null,7],"error":{},"service_tier":null}"#,
                r#"{"choices":[{"delta":{"tool_calls":[{"index":"x","function":7}]}}],"error":false}"#,
                "[DONE]",
            ],
            "a | ( ) | tool",
        ),
    ]);
}

#[test]
fn scalars_are_text_and_what_cannot_be_is_a_fault() {
    let content = |content: &str| format!(r#"{{"choices":[{{"delta":{{"content":{content}}}}}]}}"#);
    for (given, shown) in [
        ("19", "19 | completed"),
        ("19.50", "19.50 | completed"),
        ("-0.10", "-0.10 | completed"),
        ("true", "true | completed"),
        ("false", "false | completed"),
        ("null", "completed"),
        (r#"{"type":"text","text":7}"#, "7 | completed"),
        (r#"["a",1,{"text":"b"},null]"#, "a | 1 | b | completed"),
        (r#"[{"type":"refusal","refusal":"No."}]"#, "No. | completed"),
        (r#"{"type":"text","text":["a"]}"#, "model_protocol"),
        (r#"[["a"]]"#, "model_protocol"),
    ] {
        rows(&[(given, &[&content(given), "[DONE]"], shown)]);
    }
    rows(&[("a delta that is none", &[r#"{"choices":[{"delta":"lost?"}]}"#], "model_protocol")]);
}

#[test]
fn a_refusal_is_what_the_model_says_and_thoughts_are_not() {
    rows(&[
        (
            "a refusal",
            &[
                r#"{"choices":[{"delta":{"role":"assistant","content":null,"refusal":""}}]}"#,
                r#"{"choices":[{"delta":{"refusal":"I can't help "}}]}"#,
                r#"{"choices":[{"delta":{"refusal":"with that."},"finish_reason":"stop"}]}"#,
                "[DONE]",
            ],
            "I can't help  | with that. | completed",
        ),
        (
            "thoughts in fields of their own",
            &[
                r#"{"choices":[{"delta":{"reasoning_details":[{"text":"hm"}]}}]}"#,
                r#"{"choices":[{"delta":{"thinking":{"a":1}}}]}"#,
                r#"{"choices":[{"delta":{"content":[{"type":"reasoning","text":"hm"}]}}]}"#,
                r#"{"choices":[{"delta":{"content":"a"}}]}"#,
                "[DONE]",
            ],
            "(thinking) | (thinking) | (thinking) | a | completed",
        ),
        (
            "thoughts in the text",
            &[
                r#"{"choices":[{"delta":{"content":"<thi"}}]}"#,
                r#"{"choices":[{"delta":{"content":"nk>the margin</think"}}]}"#,
                r#"{"choices":[{"delta":{"content":">\n\nHello <"}}]}"#,
                "[DONE]",
            ],
            "(thinking) | Hello  | < | completed",
        ),
        ("text of completions", &[r#"{"choices":[{"text":"a","index":0,"finish_reason":"stop"}]}"#], "a | completed"),
    ]);
}

#[test]
fn what_a_server_refuses_is_left_out() {
    use Parameter::{MaxCompletionTokens, MaxTokens, Obfuscation, StreamOptions, System};
    let prompt = Prompt {
        system: "Be brief.".into(),
        lines: vec![super::super::PromptLine { role: Role::User, text: "Hi".into() }],
        question: "Hi".into(),
        before: Vec::new(),
        locale: None,
        passages: Vec::new(),
        max_output_tokens: 7,
    };
    let talk = r#""messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"#;
    let usage = r#""stream_options":{"include_usage":true},"#;
    for (official, without, request) in [
        (false, &[MaxTokens][..], format!(r#"{{"model":"m","stream":true,{usage}"max_completion_tokens":7,{talk}"#)),
        (false, &[MaxTokens, MaxCompletionTokens], format!(r#"{{"model":"m","stream":true,{usage}{talk}"#)),
        (false, &[StreamOptions], format!(r#"{{"model":"m","stream":true,"max_tokens":7,{talk}"#)),
        (
            true,
            &[MaxCompletionTokens, Obfuscation],
            format!(r#"{{"model":"m","stream":true,{usage}"max_tokens":7,{talk}"#),
        ),
        (
            false,
            &[System, StreamOptions],
            r#"{"model":"m","stream":true,"max_tokens":7,"messages":[{"role":"user","content":"Be brief.\n\nHi"}]}"#
                .into(),
        ),
    ] {
        let body = body("m", &prompt, official, Refusals::of(without));
        assert_eq!(String::from_utf8(body).unwrap(), request, "{without:?}");
    }
}

//! Messages streams, documented and seen.

use super::super::sse::tests::{check, decoded};
use super::*;

const START: &str = r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":10,"cache_read_input_tokens":90,"cache_creation_input_tokens":5,"output_tokens":1}}}"#;
const TEXT: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn rows(rows: &[(&str, &[&str], &str)]) {
    check(AnthropicDialect::default, rows);
}

#[test]
fn the_documented_stream() {
    rows(&[
        (
            "all of it",
            &[
                START,
                r#"{"type":"ping"}"#,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                TEXT,
                r#"{"type":"content_block_stop","index":0}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}"#,
                STOP,
                TEXT,
            ],
            "(105/1 90+5 cached) | Hi | (105/15 90+5 cached) | completed",
        ),
        (
            "thinking",
            &[
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"x"}}"#,
                TEXT,
                STOP,
            ],
            "(thinking) | (thinking) | (thinking) | Hi | completed",
        ),
        (
            "two tools",
            &[
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
                r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#,
                r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"u","name":"g","input":{}}}"#,
                r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":":1}"}}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":3}}"#,
                STOP,
            ],
            r#"(0/3) | (f {"a":1}) | (g ) | tool"#,
        ),
    ]);
    for (reason, end) in [
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "completed"),
        ("refusal", "filtered"),
        ("pause_turn", "tool"),
        ("something_new", "completed"),
    ] {
        let delta = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}"}}}}"#);
        rows(&[(reason, &[&delta, STOP], end)]);
    }
}

#[test]
fn what_is_new_or_missing_is_passed_over() {
    rows(&[
        (
            "unknown events and deltas, odd shapes of known names",
            &[
                r#"{"type":"weather_report","delta":"sunny","usage":[1]}"#,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"hologram","text":{"x":1}}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"hologram_delta","text":5}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{}}}"#,
                r#"{"type":"content_block_delta"}"#,
                r#"{"type":"message_start","message":null}"#,
                r#"{"type":"message_delta","delta":null,"usage":{}}"#,
                r#"{}"#,
                TEXT,
                STOP,
            ],
            "Hi | completed",
        ),
        ("no mark", &[START, TEXT], "(105/1 90+5 cached) | Hi | model_truncated"),
        (
            "a stop reason and a clean end say the same as the mark",
            &[TEXT, r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#],
            "Hi | completed",
        ),
    ]);
}

#[test]
fn errors_nested_and_flat() {
    rows(&[
        (
            "nested",
            &[TEXT, r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#],
            "Hi | model_unavailable",
        ),
        ("rate", &[r#"{"type":"error","error":{"type":"rate_limit_error"}}"#], "model_rate_limited"),
        ("flat", &[r#"{"type":"error","code":"authentication_error","message":"x"}"#], "model_refused"),
        ("flat type", &[r#"{"type":"invalid_request_error","message":"x"}"#], "model_bad_request"),
        ("not JSON", &["{broken"], "model_protocol"),
    ]);
    let named = "event: error\ndata: {\"error\":{\"type\":\"timeout_error\"}}\n\n";
    assert_eq!(decoded(AnthropicDialect::default(), named), "model_timeout");
}

#[test]
fn base_urls_with_and_without_a_version() {
    for base in ["http://127.0.0.1:9", "http://127.0.0.1:9/", "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/"] {
        let base = Url::parse(base).unwrap();
        let http = Http::new(&base, Duration::from_secs(1)).unwrap();
        let model = Anthropic::new("m", http, &base, Some(&SecretString::from("k")), None, &Lessons::default());
        assert_eq!(model.url.as_str(), "http://127.0.0.1:9/v1/messages");
        assert!(!format!("{model:?}").contains("\"k\""));
    }
}

#[test]
fn the_request_marks_what_may_be_kept() {
    let prompt = Prompt {
        system: "Be brief.".into(),
        lines: [(Role::User, "a"), (Role::Assistant, "b"), (Role::User, "c")]
            .map(|(role, text)| super::super::PromptLine { role, text: text.into() })
            .into(),
        question: "c".into(),
        before: Vec::new(),
        locale: None,
        passages: Vec::new(),
        max_output_tokens: 7,
    };
    assert_eq!(
        String::from_utf8(body("m", &prompt, Refusals::NONE)).unwrap(),
        concat!(
            r#"{"model":"m","stream":true,"max_tokens":7,"#,
            r#""system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],"messages":["#,
            r#"{"role":"user","content":[{"type":"text","text":"a"}]},"#,
            r#"{"role":"assistant","content":[{"type":"text","text":"b"}]},"#,
            r#"{"role":"user","content":[{"type":"text","text":"c","cache_control":{"type":"ephemeral"}}]}]}"#
        )
    );
}

#[test]
fn side_fields_never_break_a_reply() {
    rows(&[
        (
            "counts and indexes of any kind",
            &[
                r#"{"type":"message_start","message":{"id":7,"usage":{"input_tokens":10.0,"output_tokens":"1","cache_read_input_tokens":-3}}}"#,
                r#"{"type":"content_block_start","index":"0","content_block":{"type":"text","text":null}}"#,
                r#"{"type":"content_block_delta","index":"zero","delta":{"type":"text_delta","text":19.50}}"#,
                r#"{"type":"content_block_delta","index":null,"delta":{"type":"text_delta","text":true}}"#,
                r#"{"type":"content_block_delta","delta":"none"}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":5},"usage":[1]}"#,
                STOP,
            ],
            "(10/1) | 19.50 | true | completed",
        ),
        (
            "text that is none",
            &[r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":["a"]}}"#],
            "model_protocol",
        ),
    ]);
}

//! Gemini streams, documented and seen.

use super::super::sse::tests::check;
use super::*;

fn rows(rows: &[(&str, &[&str], &str)]) {
    check(GeminiDialect::default, rows);
}

#[test]
fn the_documented_stream() {
    rows(&[
        (
            "text, thoughts, cumulative usage, finish on the last",
            &[
                r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hm","thought":true}]}}],"usageMetadata":{"promptTokenCount":7,"thoughtsTokenCount":2,"totalTokenCount":9}}"#,
                r#"{"candidates":[{"content":{"parts":[{"text":"Hel"},{"text":"lo"}]},"index":0}],"modelVersion":"x"}"#,
                r#"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"thoughtsTokenCount":2,"cachedContentTokenCount":4,"toolUsePromptTokenCount":1}}"#,
            ],
            "(7/2) | (thinking) | Hel | lo | (8/5 4+0 cached) | completed",
        ),
        (
            "a finish reason on every response",
            &[
                r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#,
                r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"MAX_TOKENS"}]}"#,
            ],
            "a | b | length",
        ),
        (
            "calls, several in a response, and STOP",
            &[
                r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"x":1}}},{"functionCall":{"name":"g"}}]},"finishReason":"STOP"}]}"#,
            ],
            r#"(f {"x":1}) | (g {}) | tool"#,
        ),
        (
            "a blocked prompt",
            &[r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{}}"#],
            "(0/0) | filtered",
        ),
    ]);
    for (reason, end) in [
        ("SAFETY", "filtered"),
        ("RECITATION", "filtered"),
        ("OTHER", "filtered"),
        ("IMAGE_SAFETY", "filtered"),
        ("MALFORMED_FUNCTION_CALL", "tool"),
        ("MISSING_THOUGHT_SIGNATURE", "tool"),
        ("SOMETHING_NEW", "completed"),
        ("FINISH_REASON_UNSPECIFIED", "model_truncated"),
    ] {
        let last = format!(r#"{{"candidates":[{{"finishReason":"{reason}"}}]}}"#);
        rows(&[(reason, &[&last], end)]);
    }
}

#[test]
fn what_goes_wrong() {
    rows(&[
        ("no finish reason", &[r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#], "a | model_truncated"),
        ("nothing at all", &[], "model_truncated"),
        ("an error", &[r#"{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}"#], "model_unavailable"),
        ("a rate limit", &[r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#], "model_rate_limited"),
        (
            "nulls",
            &[r#"{"candidates":null,"promptFeedback":null,"usageMetadata":null,"error":null}"#],
            "model_truncated",
        ),
        ("not JSON", &["{broken"], "model_protocol"),
    ]);
}

#[test]
fn the_key_stays_out_of_the_address() {
    for base in ["http://127.0.0.1:9", "http://127.0.0.1:9/", "http://127.0.0.1:9/v1beta", "http://127.0.0.1:9/v1beta/"]
    {
        let base = Url::parse(base).unwrap();
        let http = Http::new(&base, Duration::from_secs(1)).unwrap();
        let model = Gemini::new("flash", http, &base, Some(&SecretString::from("k")), None, &Lessons::default());
        assert_eq!(model.url.as_str(), "http://127.0.0.1:9/v1beta/models/flash:streamGenerateContent?alt=sse");
    }
}

#[test]
fn the_request_in_its_own_words() {
    let prompt = Prompt {
        system: "Be brief.".into(),
        lines: [(Role::User, "a"), (Role::Assistant, "b")]
            .map(|(role, text)| super::super::PromptLine { role, text: text.into() })
            .into(),
        question: "a".into(),
        before: Vec::new(),
        locale: None,
        passages: Vec::new(),
        max_output_tokens: 7,
    };
    assert_eq!(
        String::from_utf8(body(&prompt, Refusals::NONE)).unwrap(),
        concat!(
            r#"{"generationConfig":{"maxOutputTokens":7},"systemInstruction":{"parts":[{"text":"Be brief."}]},"#,
            r#""contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]}]}"#
        )
    );
}

#[test]
fn side_fields_never_break_a_reply() {
    rows(&[
        (
            "counts of any kind, an odd feedback, a thought as text",
            &[
                r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":"true"}]},"index":"0"}],"promptFeedback":[],"usageMetadata":{"promptTokenCount":7.0,"candidatesTokenCount":"3","thoughtsTokenCount":-1,"cachedContentTokenCount":null}}"#,
                r#"{"candidates":{"content":{"parts":{"text":19.50}},"finishReason":"STOP","safetyRatings":7},"usageMetadata":"none","modelVersion":{}}"#,
                "null",
            ],
            "(7/3) | (thinking) | 19.50 | completed",
        ),
        ("text that is none", &[r#"{"candidates":[{"content":{"parts":[{"text":{"a":1}}]}}]}"#], "model_protocol"),
    ]);
}

#[test]
fn instructions_go_before_the_talk_where_they_may_not_stand_apart() {
    let prompt = Prompt {
        system: "Be brief.".into(),
        lines: vec![super::super::PromptLine { role: Role::User, text: "a".into() }],
        question: "a".into(),
        before: Vec::new(),
        locale: None,
        passages: Vec::new(),
        max_output_tokens: 7,
    };
    assert_eq!(
        String::from_utf8(body(&prompt, Refusals::of(&[Parameter::System]))).unwrap(),
        r#"{"generationConfig":{"maxOutputTokens":7},"contents":[{"role":"user","parts":[{"text":"Be brief.\n\na"}]}]}"#
    );
}

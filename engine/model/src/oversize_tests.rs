//! Refusals as servers write them. Texts are those of their sources, documentation and bug reports.

use super::*;

fn openai(message: &str, kind: &str) -> String {
    serde_json::json!({"error": {"message": message, "type": "invalid_request_error", "param": "messages", "code": kind}})
        .to_string()
}

fn plain(message: &str) -> String {
    serde_json::json!({ "error": message }).to_string()
}

fn vllm(message: &str) -> String {
    serde_json::json!({"object": "error", "message": message, "type": "BadRequestError", "param": null, "code": 400})
        .to_string()
}

#[test]
fn every_servers_refusal_is_read() {
    let both = |limit, prompt| Some((Some(limit), Some(prompt)));
    let limit = |limit| Some((Some(limit), None));
    let nothing = Some((None, None));
    let gemini = |message: &str| {
        serde_json::json!([{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}]).to_string()
    };
    let anthropic = |message: &str| {
        serde_json::json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}, "request_id": "req_1"})
            .to_string()
    };
    type Row = (&'static str, String, Option<(Option<u64>, Option<u64>)>);
    let rows: Vec<Row> = vec![
        (
            "OpenAI, with a completion",
            openai(
                "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (7976 in the messages, 1024 in the completion). Please reduce the length of the messages or completion.",
                "context_length_exceeded",
            ),
            both(8192, 7976),
        ),
        (
            "OpenAI, messages alone",
            openai(
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 150021 tokens. Please reduce the length of the messages.",
                "context_length_exceeded",
            ),
            both(128_000, 150_021),
        ),
        (
            "OpenAI, without numbers",
            openai(
                "Your input exceeds the context window of this model. Please adjust your input and try again.",
                "context_length_exceeded",
            ),
            nothing,
        ),
        ("Groq", openai("Please reduce the length of the messages or completion.", "context_length_exceeded"), nothing),
        (
            "OpenRouter",
            serde_json::json!({"error": {"message": "This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 tokens (8000 of text input, 1000 in the output). Please reduce the length of either one.", "code": 400}}).to_string(),
            both(8192, 8000),
        ),
        ("Anthropic", anthropic("prompt is too long: 210523 tokens > 200000 maximum"), both(200_000, 210_523)),
        (
            "Anthropic, with its answer",
            anthropic(
                "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again",
            ),
            both(200_000, 188_240),
        ),
        (
            "Gemini",
            gemini("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
            both(1_048_576, 1_200_000),
        ),
        (
            "Gemini, older",
            gemini("The input token count exceeds the maximum number of tokens allowed 30720."),
            limit(30_720),
        ),
        (
            "Vertex",
            gemini(
                "Unable to submit request because the input token count is 40000 but model only supports up to 32768. Reduce the input token count and try again.",
            ),
            both(32_768, 40_000),
        ),
        (
            "llama.cpp",
            serde_json::json!({"error": {"code": 400, "message": "request (2518 tokens) exceeds the available context size (2048 tokens), try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 2518, "n_ctx": 2048}}).to_string(),
            both(2048, 2518),
        ),
        (
            "llama.cpp, older",
            serde_json::json!({"error": {"code": 400, "message": "the request exceeds the available context size. try increasing the context size or enable context shift", "type": "invalid_request_error"}}).to_string(),
            nothing,
        ),
        (
            "llama.cpp, in the stream",
            serde_json::json!({"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}}).to_string(),
            nothing,
        ),
        (
            "vLLM",
            vllm(
                "This model's maximum context length is 2048 tokens. However, you requested 2500 tokens (1476 in the messages, 1024 in the completion). Please reduce the length of the messages or completion.",
            ),
            both(2048, 1476),
        ),
        (
            "vLLM, newer",
            openai(
                "'max_tokens' or 'max_completion_tokens' is too large: 1024. This model's maximum context length is 2048 tokens and your request has 1500 input tokens (1024 > 2048 - 1500).",
                "400",
            ),
            both(2048, 1500),
        ),
        (
            "vLLM, newest",
            vllm(
                "You passed 4097 input tokens and requested 100 output tokens. However, the model's context length is only 4096 tokens, resulting in a maximum input length of 3996 tokens. Please reduce the length of the input prompt.",
            ),
            both(4096, 4097),
        ),
        (
            "vLLM, a prompt alone",
            vllm("The decoder prompt (length 3000) is longer than the maximum model length of 2048."),
            both(2048, 3000),
        ),
        (
            "SGLang",
            vllm("The input (5000 tokens) is longer than the model's context length (4096 tokens)."),
            both(4096, 5000),
        ),
        (
            "SGLang, with its answer",
            vllm(
                "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 5000 tokens: 4000 tokens from the input messages and 1000 tokens for the completion.",
            ),
            both(4096, 4000),
        ),
        (
            "text generation",
            serde_json::json!({"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 1024 `max_new_tokens`", "error_type": "validation"}).to_string(),
            both(4096, 4000),
        ),
        (
            "text generation, a prompt alone",
            plain("Input validation error: `inputs` must have less than 4095 tokens. Given: 5000"),
            both(4095, 5000),
        ),
        (
            "Mistral",
            serde_json::json!({"object": "error", "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", "type": "invalid_request_prompt", "code": 3051}).to_string(),
            both(32_768, 40_000),
        ),
        (
            "Cohere",
            serde_json::json!({"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000. Try using a shorter prompt."}).to_string(),
            both(4081, 5000),
        ),
        (
            "xAI",
            plain("This model's maximum prompt length is 131072 but the request contains 150000 tokens."),
            both(131_072, 150_000),
        ),
        (
            "Fireworks",
            openai("The prompt is too long: 140000, model maximum context length: 131071", "invalid"),
            both(131_071, 140_000),
        ),
        (
            "LM Studio",
            plain(
                "Trying to keep the first 3012 tokens when context the overflows. However, the model is loaded with context length of only 2048 tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input",
            ),
            both(2048, 3012),
        ),
        (
            "LM Studio, older",
            plain("The number of tokens to keep from the initial prompt is greater than the context length."),
            nothing,
        ),
        ("LM Studio, no overflow", plain("Reached context length of 4,096 tokens with this model"), limit(4096)),
        ("Ollama", plain("prompt too long; exceeded max context length by 345 tokens"), nothing),
        ("Ollama, older", plain("the input length exceeds the context length"), nothing),
        ("TabbyAPI", serde_json::json!({"detail": "Prompt length 5000 is greater than max_seq_len 4096"}).to_string(), both(4096, 5000)),
        (
            "GitHub",
            serde_json::json!({"error": {"code": "tokens_limit_reached", "message": "Request body too large for gpt-4o model. Max size: 8000 tokens."}}).to_string(),
            nothing,
        ),
        ("Bedrock", serde_json::json!({"message": "Input is too long for requested model."}).to_string(), nothing),
        ("a line of text", "prompt is too long: 3000 tokens > 2048 maximum".into(), both(2048, 3000)),
        (
            "a gateway around it",
            serde_json::json!({"message": {"error": {"x": 1}}, "error": {"error": {"message": "This model's maximum context length is 2048", "code": "x"}}}).to_string(),
            limit(2048),
        ),
        // What is something else.
        (
            "too many at once",
            serde_json::json!({"error": {"message": "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 7200", "type": "tokens", "code": "rate_limit_exceeded"}}).to_string(),
            None,
        ),
        (
            "the reply's limit",
            openai("max_tokens is too large: 9000. This model supports at most 4096 completion tokens", "invalid"),
            None,
        ),
        (
            "a quotation of what was sent",
            serde_json::json!({"detail": [{"loc": ["body"], "msg": "bad", "input": "maximum context length is 300 tokens"}]}).to_string(),
            None,
        ),
        (
            "behind the server's own words",
            openai(&format!("Invalid value: {} prompt is too long", "x".repeat(700)), "invalid"),
            None,
        ),
        ("half of JSON", r#"{"error":{"message":"prompt is too long: 3000 tokens > 2048 maximum"#.into(), None),
        ("nothing", String::new(), None),
        ("a page", "<html>413 Request Entity Too Large</html>".into(), None),
    ];
    for (name, body, expected) in rows {
        let read = Oversize::said(body.as_bytes()).map(|oversize| (oversize.limit, oversize.prompt));
        assert_eq!(read, expected, "{name}: {body}");
    }
}

#[test]
fn a_long_message_costs_no_more_than_its_length() {
    for message in ["prompt length 1".repeat(40), "1".repeat(600), "maximum context length is ".repeat(30)] {
        let began = std::time::Instant::now();
        for _ in 0..100 {
            let _ = Oversize::said(openai(&message, "x").as_bytes());
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(2), "{message}");
    }
}

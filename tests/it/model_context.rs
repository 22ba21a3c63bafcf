//! Models with little room: a talk that is longer than their context goes on, through a node.

use schema::{End, ErrorCode};
use serde_json::{Value, json};
use tests::node::Node;
use tests::stream::{reply_of, text_of};
use tests::upstream::{Dialect, Recorded, Upstream};

/// Tokens of a request by a count that is not ours: one for each three characters, and the wished reply.
fn counted(request: &Recorded) -> (u64, u64) {
    fn chars(value: &Value) -> u64 {
        match value {
            Value::String(text) => text.chars().count() as u64,
            Value::Array(items) => items.iter().map(chars).sum(),
            Value::Object(fields) => fields.values().map(chars).sum(),
            _ => 0,
        }
    }
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let prompt =
        ["system", "messages", "contents", "systemInstruction"].iter().map(|name| chars(&body[*name])).sum::<u64>() / 3;
    let output = ["/max_tokens", "/generationConfig/maxOutputTokens"].iter().find_map(|path| body.pointer(path));
    (prompt, output.and_then(Value::as_u64).unwrap())
}

/// A model that refuses what is longer than so many tokens, and else says so much.
async fn small(dialect: Dialect, tokens: u64, words: &str) -> Upstream {
    let upstream = Upstream::start().await.unwrap();
    let words = words.to_owned();
    upstream.answer_by(move |request| {
        let (prompt, output) = counted(request);
        if prompt + output > tokens { dialect.too_long(prompt, tokens) } else { dialect.reply_to(prompt, &words) }
    });
    upstream
}

fn node(upstream: &Upstream, dialect: Dialect) -> Node {
    let version = if dialect == Dialect::OpenAi { "/v1" } else { "" };
    let base = format!("{}{version}", upstream.url());
    let variable = format!("{}_BASE_URL", dialect.provider().to_uppercase());
    let (key, model) = (format!("{}_API_KEY", dialect.provider().to_uppercase()), format!("{}/a", dialect.provider()));
    Node::start(&[(variable.as_str(), base.as_str()), (key.as_str(), "k"), ("TERTULIA_MODEL", model.as_str())])
}

/// What a request says, line by line, without the instructions.
fn talk(request: &Recorded) -> Vec<String> {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let lines = [&body["messages"], &body["contents"]].into_iter().find_map(Value::as_array).unwrap();
    let text = |line: &Value| {
        let places = ["/content/0/text", "/parts/0/text", "/content"];
        places.iter().find_map(|place| line.pointer(place)?.as_str()).unwrap().to_owned()
    };
    lines.iter().filter(|line| line["role"] != "system").map(text).collect()
}

const TURNS: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn a_talk_longer_than_a_models_context_goes_on() {
    let answer = "The grinder has forty steps and a warranty of two years. ".repeat(4);
    for dialect in Dialect::ALL {
        let upstream = small(dialect, 2_048, &answer).await;
        let node = node(&upstream, dialect);
        let api = node.api();
        let about = |thing: &str| {
            format!(
                "# The {thing}\n\nThe {thing} has a warranty of two years. {}",
                "It grinds coffee evenly. ".repeat(30)
            )
        };
        for thing in ["grinder", "kettle", "press"] {
            let document = json!({"source": format!("{thing}.md"), "text": about(thing)});
            assert_eq!(api.post("/v1/knowledge", &document).await.status, 200, "{thing}");
        }
        let id = api.open().await;
        let (mut begun_anew, mut before, mut with_passages) = (0, Vec::<String>::new(), 0);
        for turn in 0..TURNS {
            let question =
                format!("Question {turn}: what warranty has the grinder? {}", "I have had it for long. ".repeat(4));
            let reply = api.ask(id, &format!("r{turn}"), &question).await;
            let ended = reply_of(&reply).unwrap();
            assert_eq!((ended.end, &ended.made.error), (End::Completed, &None), "{dialect:?}, turn {turn}");
            assert_eq!(text_of(&reply).trim(), answer.trim());
            let lines = talk(upstream.requests().last().unwrap());
            let asked = lines.last().unwrap();
            assert!(asked.contains(&question), "{dialect:?}, turn {turn}: {asked}");
            assert!(asked.contains("Answer in English."), "{asked}");
            // The log says what the model was given, no more and no less.
            assert_eq!(asked.matches("\n</doc-").count(), ended.made.passages.len(), "{dialect:?}, turn {turn}");
            assert!(ended.made.passages.iter().all(|passage| asked.contains(passage.text.as_str())));
            with_passages += usize::from(!ended.made.passages.is_empty());
            begun_anew += usize::from(lines.first() != before.first());
            assert!(turn < 10 || lines[0].starts_with("[The beginning of the conversation is left out here.]"));
            before = lines;
        }
        assert_eq!(with_passages, TURNS, "{dialect:?}");
        let requests = upstream.requests().len();
        assert!((TURNS + 1..TURNS + 4).contains(&requests), "{dialect:?}: it is refused at first: {requests}");
        assert!(begun_anew <= TURNS * 2 / 3, "{dialect:?}: {begun_anew} prompts began anew");
        let metrics = api.metrics().await;
        for name in ["tertulia_model_prompts_shortened_total", "tertulia_model_prompt_left_out_total"] {
            assert!(metrics.contains(&format!("{name}{{")), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_does_not_even_hold_the_question_is_told() {
    let upstream = small(Dialect::OpenAi, 300, "Yes.").await;
    let node = node(&upstream, Dialect::OpenAi);
    let api = node.api();
    let id = api.open().await;
    for turn in 0..3 {
        let reply = api.ask(id, &format!("r{turn}"), "What does it cost?").await;
        let ended = reply_of(&reply).unwrap();
        let error = ended.made.error.as_deref();
        assert_eq!((ended.end, error), (End::Failed, Some(ErrorCode::ModelContextTooSmall.name())));
        assert_eq!(ended.made.usage.input_tokens, 0, "it did nothing");
    }
    assert!(upstream.requests().len() <= 6, "each was tried once more at most");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_word_on_a_context_is_kept_to() {
    let upstream = small(Dialect::OpenAi, u64::MAX, &"It is good. ".repeat(40)).await;
    let base = format!("{}/v1", upstream.url());
    let node = Node::start(&[
        ("OPENAI_BASE_URL", base.as_str()),
        ("TERTULIA_MODEL", "openai/a"),
        ("TERTULIA_PROVIDERS__OPENAI__CONTEXT_TOKENS", "3000"),
    ]);
    let api = node.api();
    let id = api.open().await;
    for turn in 0..20 {
        let reply = api.ask(id, &format!("r{turn}"), &"Is it good? ".repeat(40)).await;
        assert_eq!(reply_of(&reply).unwrap().end, End::Completed, "turn {turn}");
    }
    let most = upstream.requests().iter().map(counted).map(|(prompt, output)| prompt + output).max().unwrap();
    assert!(most <= 3_000, "{most}");
}

/// Some cut a prompt in silence, the instructions first.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_tells_its_context_is_listened_to() {
    for (path, page) in [
        ("/v1/models", r#"{"data":[{"id":"a","max_model_len":3000}]}"#),
        ("/props", r#"{"default_generation_settings":{"n_ctx":3000}}"#),
        ("/api/ps", r#"{"models":[{"name":"a:latest","context_length":3000}]}"#),
    ] {
        let upstream = small(Dialect::OpenAi, u64::MAX, &"It is good. ".repeat(40)).await;
        upstream.tell(path, page);
        let node = node(&upstream, Dialect::OpenAi);
        let api = node.api();
        let id = api.open().await;
        for turn in 0..20 {
            let reply = api.ask(id, &format!("r{turn}"), &"Is it good? ".repeat(40)).await;
            assert_eq!(reply_of(&reply).unwrap().end, End::Completed, "{path}, turn {turn}");
        }
        let whole = |request| counted(request).0 + counted(request).1;
        let most = upstream.requests().iter().map(whole).max().unwrap();
        assert!(most <= 3_000, "{path}: {most}");
        let read = upstream.read();
        assert!(read.iter().all(|page| page.header("authorization") == Some("Bearer k")), "{path}");
        let asked = read.iter().filter(|page| page.line.ends_with(path)).count();
        assert_eq!(asked, 1, "{path}: it is asked once");
    }
}

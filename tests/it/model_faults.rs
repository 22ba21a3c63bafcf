//! Every fault of a provider, in every dialect, through the real adapters and real sockets.
#![allow(clippy::unwrap_used, reason = "clippy does not see that helpers of tests are tests")]

use std::sync::Arc;
use std::time::Duration;

use engine_model::{
    CoolDowns, Ended, Joined, ModelSettings, Piece, Pieces, Prompt, PromptLine, ProviderSettings, Registry,
    ReplyStream, Role, Timers,
};
use futures_util::StreamExt;
use schema::limits::MODEL_FRAME_BYTES_MAX;
use tests::upstream::{Dialect, Script, Step, Upstream};
use tokio::time::timeout;

/// Longer than any machine takes for what is ready, so that only real stalls run into it.
const PATIENCE: Duration = Duration::from_secs(60);
/// For the timers a row means to run out.
const SHORT: Duration = Duration::from_millis(300);
const CANARY: &str = "my card number is 4111";

fn patient() -> Timers {
    Timers {
        connect: PATIENCE,
        first_content: PATIENCE,
        first_content_last: PATIENCE,
        between_chunks: PATIENCE,
        total: 2 * PATIENCE,
    }
}

fn prompt() -> Arc<Prompt> {
    let line = |role, text: &str| PromptLine { role, text: text.into() };
    Arc::new(Prompt {
        system: "Be kind.".into(),
        lines: vec![line(Role::User, "Hello?"), line(Role::Assistant, "Yes?"), line(Role::User, CANARY)],
        question: CANARY.into(),
        before: Vec::new(),
        locale: None,
        passages: Vec::new(),
        max_output_tokens: 50,
    })
}

fn registry(upstream: &Upstream, dialect: Dialect, models: &[&str], timers: Timers) -> Registry {
    let version = if dialect == Dialect::OpenAi { "/v1" } else { "" };
    let provider = ProviderSettings {
        key: Some("sk-secret".into()),
        base: Some(format!("{}{version}", upstream.url())),
        ..ProviderSettings::default()
    };
    let settings = ModelSettings {
        list: models.iter().map(|model| format!("{}/{model}", dialect.provider())).collect(),
        openai: provider.clone(),
        anthropic: provider.clone(),
        gemini: provider,
        timers,
        ..ModelSettings::default()
    };
    Registry::new(settings, None).unwrap()
}

/// A turn over models `a` and `b` (or as many as named) of one dialect, all at `upstream`.
fn turn(upstream: &Upstream, dialect: Dialect, models: &[&str], timers: Timers) -> ReplyStream {
    let registry = registry(upstream, dialect, models, timers);
    ReplyStream::new(registry.candidates(&[]).unwrap(), prompt(), timers, Arc::<CoolDowns>::default())
}

/// Runs a turn to its end and shows it: failovers, the whole text, the end.
async fn shown(mut pieces: impl Pieces) -> String {
    let (mut shown, mut text) = (Vec::new(), String::new());
    while let Some(piece) = pieces.next().await {
        match piece {
            Piece::Asking { .. } | Piece::Usage(_) | Piece::Signal(_) => {}
            Piece::Text(more) => text.push_str(&more),
            Piece::Unsaid { bytes } => text.truncate(text.len() - bytes),
            Piece::FailedOver { model, error } => {
                assert!(!error.detail.contains("4111") && !error.detail.contains("sk-secret"), "{error}");
                let model = model.split_once('/').map_or("", |(_, model)| model);
                shown.push(format!("{model} {}", error.code));
            }
            Piece::Ended(Ended { end, model, error, spent }) => {
                let model = model.split_once('/').map_or("", |(_, model)| model);
                let error = error.map(|error| format!(" {}", error.code)).unwrap_or_default();
                let usage = if spent.usage.estimated {
                    String::new()
                } else {
                    format!(" {}/{}", spent.usage.input_tokens, spent.usage.output_tokens)
                };
                shown.extend((!text.is_empty()).then(|| format!("{text:?}")));
                shown.push(format!("{} {model}{error}{usage}", end.name()));
            }
        }
    }
    shown.join(" | ")
}

/// Model `a` meets the fault; `b` would answer well if it were asked.
async fn check(name: &str, dialect: Dialect, fault: Script, timers: Timers, expected: &str) {
    let upstream = Upstream::start().await.unwrap();
    upstream.push(fault);
    upstream.push(dialect.reply(&["well"]));
    let result = shown(turn(&upstream, dialect, &["a", "b"], timers)).await;
    assert_eq!(result, expected, "{name} in {dialect:?}");
    let asked = upstream.requests().len();
    assert_eq!(asked, 1 + usize::from(expected.starts_with("a ")), "{name} in {dialect:?}: nothing is asked twice");
    upstream.replying(0).await;
}

const WELL: &str = "\"well\" | completed b";

#[tokio::test]
async fn before_the_first_words_every_fault_fails_over() {
    for dialect in Dialect::ALL {
        let begun = |steps: Vec<Step>| Script::stream([dialect.begin()].into_iter().chain(steps));
        let rows = [
            ("401", Script::status(401, "{}"), "a model_refused"),
            ("403", Script::status(403, "{}"), "a model_refused"),
            (
                "404",
                Script::status(404, &format!(r#"{{"error":{{"message":"{CANARY}","type":"{CANARY}"}}}}"#)),
                "a model_bad_request",
            ),
            ("413", Script::status(413, "too large"), "a model_bad_request"),
            ("429", Script::status(429, "{}").header("retry-after", "2"), "a model_rate_limited"),
            ("500", Script::status(500, "<html>"), "a model_unavailable"),
            ("529", Script::status(529, "{}"), "a model_unavailable"),
            ("redirect", Script::status(307, "").header("location", "/elsewhere"), "a model_protocol"),
            ("empty body", Script::stream([]), "a model_truncated"),
            ("cut before the status", Script::cut_at_once(), "a model_unavailable"),
            ("cut after the role", begun(vec![Step::Cut]), "a model_truncated"),
            ("early end", begun(vec![]), "a model_truncated"),
            ("broken JSON", begun(vec![Step::Send("data: {\"choi\n\n".into())]), "a model_protocol"),
            ("overloaded in the stream", begun(vec![dialect.overloaded()]), "a model_unavailable"),
            (
                "one JSON document",
                Script::status(200, r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]"#),
                "a model_rate_limited",
            ),
            (
                "huge event",
                begun(vec![Step::Send(format!("data: {}\n\n", "x".repeat(MODEL_FRAME_BYTES_MAX + 1)))]),
                "a model_protocol",
            ),
        ];
        for (name, fault, failover) in rows {
            // What an attempt used that had begun is estimated, and then the turn's sum is.
            let usage = if fault.begins() { "" } else { " 20/4" };
            check(name, dialect, fault, patient(), &format!("{failover} | {WELL}{usage}")).await;
        }
    }
}

#[tokio::test]
async fn a_silent_model_is_given_up() {
    let timers = Timers { first_content: SHORT, ..patient() };
    for dialect in Dialect::ALL {
        for (name, fault) in [
            ("no status", Script::silence()),
            ("no words", Script::stream([dialect.begin(), Step::Stall])),
            ("heartbeats", Script::stream([dialect.begin()].into_iter().chain(heartbeats(200)).chain([Step::Stall]))),
        ] {
            check(name, dialect, fault, timers, &format!("a model_timeout | {WELL}")).await;
        }
    }
}

fn heartbeats(count: usize) -> impl Iterator<Item = Step> {
    (0..count).flat_map(|_| [Step::Send(": still here\n\n".into()), Step::Gap(Duration::from_millis(10))])
}

#[tokio::test]
async fn after_the_first_words_a_fault_ends_the_turn_incomplete() {
    for dialect in Dialect::ALL {
        let said = |steps: Vec<Step>| {
            Script::stream([dialect.begin(), dialect.text("Good "), dialect.text("day")].into_iter().chain(steps))
        };
        let rows = [
            ("early end", said(vec![]), "model_truncated"),
            ("early end without chunks", said(vec![]).until_close(), "model_truncated"),
            ("cut", said(vec![Step::Cut]), "model_truncated"),
            ("broken JSON", said(vec![Step::Send("data: {\"choices\": oops}\n\n".into())]), "model_protocol"),
            ("half an event", said(vec![Step::Send("data: {\"choi".into())]), "model_truncated"),
            ("overloaded", said(vec![dialect.overloaded()]), "model_unavailable"),
            (
                "huge event",
                said(vec![Step::Send(format!("data: {}\n\n", "x".repeat(MODEL_FRAME_BYTES_MAX + 1)))]),
                "model_protocol",
            ),
        ];
        for (name, fault, error) in rows {
            check(name, dialect, fault, patient(), &format!("\"Good day\" | incomplete a {error}")).await;
        }
        let stalled = said(vec![Step::Stall]);
        let timers = Timers { between_chunks: SHORT, ..patient() };
        check("stall", dialect, stalled, timers, "\"Good day\" | incomplete a model_timeout").await;
        let drip = said(heartbeats(500).collect());
        let timers = Timers { total: 3 * SHORT, ..patient() };
        check("endless drip", dialect, drip, timers, "\"Good day\" | incomplete a model_timeout").await;
        let ruled = dialect.reply(&["─"; 200]);
        let expected = format!("{:?} | completed a 20/4", "─".repeat(200));
        check("a ruled line is no loop", dialect, ruled, patient(), &expected).await;
    }
}

#[tokio::test]
async fn odd_but_whole_streams_are_complete() {
    for dialect in Dialect::ALL {
        let whole = || dialect.reply(&["¿Qué ", "tal", "? 🐦"]);
        let slow = [dialect.begin(), Step::Gap(SHORT), dialect.text("¿Qué tal? 🐦"), Step::Gap(SHORT), dialect.end()];
        for (name, script) in [
            ("plain", whole()),
            ("byte by byte", whole().byte_by_byte()),
            ("until close", whole().until_close()),
            ("slow", Script::stream(slow)),
        ] {
            check(name, dialect, script, patient(), "\"¿Qué tal? 🐦\" | completed a 20/4").await;
        }
    }
}

#[tokio::test]
async fn odd_events_are_read_for_what_they_say() {
    let done = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let said = |content: &str| format!(r#"{{"choices":[{{"delta":{{"content":"{content}"}}}}]}}"#);
    let events = |events: &[&str]| Script::stream(events.iter().map(|event| Step::Send(format!("data: {event}\n\n"))));
    let stalled = Script::stream([
        Step::Send(format!("data: {}\n\ndata: {done}\n\n", said("Hi"))),
        // A heartbeat is no last word.
        Step::Send(": still here\n\n".into()),
        Step::Stall,
    ]);
    let message = r#"{"choices":[{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#;
    for (name, script, expected) in [
        ("done, and then silence", stalled, "\"Hi\" | completed a"),
        (
            "half of a character",
            events(&[&said("9 \\ud83d"), &said("\\ude00 am"), done, "[DONE]"]),
            "\"9 😀 am\" | completed a",
        ),
        (
            "a number that is none",
            events(&[r#"{"choices":[{"delta":{"content":"Hi"},"logprobs":{"content":[{"logprob":NaN}]}}]}"#, done]),
            "\"Hi\" | completed a",
        ),
        ("a message for its pieces", events(&[message, "[DONE]"]), "\"Hi\" | completed a"),
        ("the message again", events(&[&said("Hi"), message, "[DONE]"]), "\"Hi\" | completed a"),
        ("one document", Script::status(200, message), "\"Hi\" | completed a"),
    ] {
        let upstream = Upstream::start().await.unwrap();
        upstream.push(script);
        let shown = timeout(PATIENCE / 2, shown(turn(&upstream, Dialect::OpenAi, &["a"], patient()))).await;
        assert!(shown.as_ref().is_ok_and(|shown| shown.starts_with(expected)), "{name}: {shown:?}");
    }
}

#[tokio::test]
async fn a_count_that_cannot_be_is_none() {
    let upstream = Upstream::start().await.unwrap();
    upstream.push(Script::stream([
        Dialect::OpenAi.text("Nine to five."),
        Step::Send(
            concat!(
                "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":4294967295}}\n\n",
                "data: [DONE]\n\n"
            )
            .into(),
        ),
    ]));
    let pieces: Vec<Piece> = turn(&upstream, Dialect::OpenAi, &["a"], patient()).collect().await;
    let Some(Piece::Ended(ended)) = pieces.last() else { panic!("{pieces:?}") };
    assert!(ended.spent.usage.estimated && ended.spent.usage.output_tokens < 100, "{ended:?}");
}

#[tokio::test]
async fn a_good_end_without_a_word_is_a_failure() {
    for dialect in Dialect::ALL {
        for (name, words) in
            [("nothing", &[][..]), ("white space", &["\n", " \u{200b}"]), ("a thought", &["<think>hm", "</think>\n"])]
        {
            let blank = dialect.reply(words);
            check(name, dialect, blank, patient(), &format!("a model_blank | {WELL} 40/8")).await;
        }
        let upstream = Upstream::start().await.unwrap();
        upstream.push(dialect.reply(&[]));
        assert_eq!(shown(turn(&upstream, dialect, &["a"], patient())).await, "failed a model_blank 20/4");
    }
}

#[tokio::test]
async fn thoughts_are_not_shown() {
    for dialect in Dialect::ALL {
        for (name, words, left) in [
            ("marked", &["<thi", "nk>the margin</th", "ink>\n\nHello ", "there."][..], "Hello there."),
            ("twice", &["<reasoning>a</reasoning>Hello", " <think>b</think> there."], "Hello there."),
            ("in code", &["Write `<thi", "nk>`, as I do."], "Write `<think>`, as I do."),
            ("without a beginning", &["The margin ", "is 40%.\n</think>", "\nHello there."], "Hello there."),
        ] {
            let expected = format!("{left:?} | completed a 20/4");
            check(name, dialect, dialect.reply(words), patient(), &expected).await;
            check(name, dialect, dialect.reply(words).byte_by_byte(), patient(), &expected).await;
        }
    }
}

#[tokio::test]
async fn a_model_that_begins_in_thought_is_remembered() {
    let upstream = Upstream::start().await.unwrap();
    let dialect = Dialect::OpenAi;
    let registry = registry(&upstream, dialect, &["a"], patient());
    for (name, gap) in [("first", Duration::from_millis(500)), ("second", Duration::from_millis(500))] {
        let pause = || Step::Gap(gap);
        let words = [dialect.text("The margin"), pause(), dialect.text("</think>Hello."), dialect.end()];
        upstream.push(Script::stream(words));
        let turn = ReplyStream::new(registry.candidates(&[]).unwrap(), prompt(), patient(), Arc::default());
        let pieces: Vec<Piece> = turn.collect().await;
        let said = |words: &str| pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains(words)));
        assert!(said("Hello."), "{name}");
        assert_eq!(said("margin"), name == "first", "{name}: nobody had heard it before");
    }
}

#[tokio::test]
async fn what_a_server_refuses_is_learned_once() {
    let unsupported = |parameter: &str| {
        format!(r#"{{"error":{{"message":"Unsupported parameter: {parameter}","param":"{parameter}"}}}}"#)
    };
    let extra = r#"{"type":"invalid_request_error","message":{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}}"#;
    for (name, refusals, without, with) in [
        ("the limit's old name", vec![(400, unsupported("max_tokens"))], "max_tokens", Some("max_completion_tokens")),
        ("stream options", vec![(422, extra.to_owned())], "stream_options", None),
        ("stream options, with status 200", vec![(200, unsupported("stream_options"))], "stream_options", None),
        (
            "both names of the limit, and options",
            vec![
                (400, unsupported("max_tokens")),
                (400, unsupported("stream_options")),
                (400, unsupported("max_completion_tokens")),
            ],
            "max_completion_tokens",
            None,
        ),
    ] {
        let upstream = Upstream::start().await.unwrap();
        let registry = registry(&upstream, Dialect::OpenAi, &["a", "b"], patient());
        let refused = refusals.len();
        for (status, body) in refusals {
            upstream.push(Script::status(status, &body));
        }
        // The second time, and another model of the same server: nothing is refused any more.
        for model in ["openai/a", "openai/a", "openai/b"] {
            upstream.push(Dialect::OpenAi.reply(&["Hi"]));
            let models = registry.candidates(&[model.to_owned()]).unwrap();
            let turn = ReplyStream::new(models, prompt(), patient(), Arc::default());
            assert!(shown(turn).await.starts_with("\"Hi\" | completed"), "{name}: {model}");
        }
        let requests = upstream.requests();
        assert_eq!(requests.len(), refused + 3, "{name}");
        for request in &requests[refused..] {
            let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            assert!(body.get(without).is_none(), "{name}: {body}");
            assert!(with.is_none_or(|with| body.get(with).is_some()), "{name}: {body}");
        }
    }
    // A refusal of something else is one, and asked once.
    let upstream = Upstream::start().await.unwrap();
    upstream.push(Script::status(400, r#"{"error":{"message":"max_tokens is too large: at most 40"}}"#));
    assert_eq!(shown(turn(&upstream, Dialect::OpenAi, &["a"], patient())).await, "failed a model_bad_request 0/0");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn an_imitator_that_never_says_done_is_believed_on_a_clean_end_only() {
    let finish = || Step::Send("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n".into());
    let said = |last: Vec<Step>| Script::stream([Dialect::OpenAi.text("Hi"), finish()].into_iter().chain(last));
    check("clean", Dialect::OpenAi, said(vec![]), patient(), "\"Hi\" | completed a").await;
    let cut = said(vec![Step::Cut]);
    check("cut", Dialect::OpenAi, cut, patient(), "\"Hi\" | incomplete a model_truncated").await;
}

#[tokio::test]
async fn when_none_is_left_the_last_error_and_its_wait_are_told() {
    for dialect in Dialect::ALL {
        let upstream = Upstream::start().await.unwrap();
        upstream.push(Script::status(529, "{}"));
        upstream.push(
            Script::status(429, "{}")
                .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
                .header("retry-after", "Sun, 06 Nov 1994 08:49:44 GMT"),
        );
        let pieces: Vec<Piece> = turn(&upstream, dialect, &["a", "b"], patient()).collect().await;
        let Some(Piece::Ended(ended)) = pieces.last() else { panic!("{pieces:?}") };
        let error = ended.error.clone().unwrap();
        assert_eq!((ended.end.name(), error.code.name()), ("failed", "model_rate_limited"));
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(upstream.requests().len(), 2);
    }
}

#[tokio::test]
async fn nobody_listens() {
    let upstream = Upstream::start().await.unwrap();
    let gone = turn(&upstream, Dialect::OpenAi, &["a"], patient());
    drop(upstream);
    assert_eq!(shown(gone).await, "failed a model_unavailable 0/0");
}

#[tokio::test]
async fn dropping_a_turn_closes_the_socket() {
    for dialect in Dialect::ALL {
        for (name, script) in [
            ("before the status", Script::silence()),
            ("before the words", Script::stream([dialect.begin(), Step::Stall])),
            ("in mid-reply", Script::stream([dialect.begin(), dialect.text("Hi"), Step::Stall])),
        ] {
            let upstream = Upstream::start().await.unwrap();
            upstream.push(script);
            let mut turn = Joined::new(turn(&upstream, dialect, &["a"], patient()));
            if name == "in mid-reply" {
                while !matches!(turn.next().await, Some(Piece::Text(_))) {}
                assert_eq!(turn.inner().spent().usage.output_tokens, 1);
            } else {
                tokio::select! {
                    () = upstream.replying(1) => {}
                    () = async { while turn.next().await.is_some() {} } => panic!("{name} in {dialect:?} ended"),
                }
            }
            drop(turn);
            upstream.open(0).await;
            upstream.replying(0).await;
        }
    }
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_whole_reply() {
    for dialect in Dialect::ALL {
        let upstream = Upstream::start().await.unwrap();
        let version = if dialect == Dialect::OpenAi { "/v1" } else { "" };
        let provider = ProviderSettings {
            key: Some("k".into()),
            base: Some(format!("{}{version}/", upstream.url())),
            // Whoever knows it does not ask.
            context_tokens: Some(8_192),
        };
        let settings = ModelSettings {
            openai: provider.clone(),
            anthropic: provider.clone(),
            gemini: provider,
            ..ModelSettings::default()
        };
        let registry = Registry::new(settings, None).unwrap();
        let names = [format!("{}/m", dialect.provider())];
        for _ in 0..5 {
            upstream.push(dialect.reply(&["Hi"]));
            let models = registry.candidates(&names).unwrap();
            let turn = ReplyStream::new(models, prompt(), patient(), Arc::default());
            assert_eq!(shown(turn).await, "\"Hi\" | completed m 20/4");
        }
        assert_eq!(upstream.requests().len(), 5);
        // On a crowded machine the body's last bytes may come late once.
        assert!(upstream.accepted() <= 2, "{dialect:?} used {} connections", upstream.accepted());
    }
}

#[tokio::test]
async fn requests_are_what_each_dialect_wants() {
    let rows = [
        (Dialect::OpenAi, "POST /v1/chat/completions", "authorization", "Bearer sk-secret", "/messages/3/content"),
        (Dialect::Anthropic, "POST /v1/messages", "x-api-key", "sk-secret", "/messages/2/content/0/text"),
        (
            Dialect::Gemini,
            "POST /v1beta/models/a:streamGenerateContent?alt=sse",
            "x-goog-api-key",
            "sk-secret",
            "/contents/2/parts/0/text",
        ),
    ];
    for (dialect, line, header, key, newest) in rows {
        let upstream = Upstream::start().await.unwrap();
        upstream.push(dialect.reply(&["Hi"]));
        shown(turn(&upstream, dialect, &["a"], patient())).await;
        let [request] = upstream.requests().try_into().unwrap();
        assert_eq!((request.line.as_str(), request.header(header)), (line, Some(key)));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("anthropic-version").is_some(), dialect == Dialect::Anthropic);
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(body.pointer(newest).and_then(|text| text.as_str()), Some(CANARY), "{dialect:?}");
    }
}

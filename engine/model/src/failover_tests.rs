//! Turns as rows: what each model does, and what the turn then is. Time is virtual.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use schema::{HandoffReason, Text};

use super::super::{ChunkStream, Model, Oversize, Price, PromptLine, Role, SizeLesson};
use super::*;

/// A model that follows a script, one word a step:
/// `!u`, `!a`, `!c` signals (unanswered, asked, complaint), `=words` text (`_` is a space, `/` a line's end), `-n` text taken back, `alive`, `think`, `tool`, `use:in/out`, `end:stop`, `err:code`, `eof`, `wait:ms`.
struct Scripted {
    name: String,
    script: Vec<String>,
    asked: AtomicUsize,
    open: Arc<AtomicUsize>,
    price: Option<Price>,
}

impl Scripted {
    fn new(name: &str, script: &str) -> Arc<Self> {
        let script = script.split_whitespace().map(str::to_owned).collect();
        let price = (name != "free").then_some(Price {
            input_microusd_per_million: 1_000_000,
            cached_microusd_per_million: 100_000,
            output_microusd_per_million: 10_000_000,
        });
        Arc::new(Self { name: name.into(), script, asked: AtomicUsize::new(0), open: Arc::default(), price })
    }
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Model for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&self, _: Arc<Prompt>) -> ChunkStream {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        let (open, script) = (Open(Arc::clone(&self.open)), self.script.clone());
        Box::pin(async_stream::stream! {
            let _open = open;
            for step in script {
                match step.split_once(':').unwrap_or((&step, "")) {
                    ("wait", millis) => tokio::time::sleep(Duration::from_millis(millis.parse().unwrap())).await,
                    ("err", code) => {
                        let code = *ErrorCode::ALL.iter().find(|known| known.name() == code).unwrap();
                        yield Err(ModelError { retry_after: Some(Duration::from_secs(2)), ..ModelError::new(code, "") });
                        return;
                    }
                    ("eof", _) => return,
                    (word, argument) => yield Ok(chunk(word, argument)),
                }
            }
            std::future::pending::<()>().await;
        })
    }

    fn price(&self) -> Option<Price> {
        self.price
    }
}

fn chunk(word: &str, argument: &str) -> Chunk {
    match word {
        "alive" => Chunk::Alive,
        "think" => Chunk::Thinking,
        "tool" => Chunk::ToolCall { name: "f".into(), arguments: "{}".into() },
        "use" => {
            let (input, output) = argument.split_once('/').unwrap();
            let (input_tokens, output_tokens) = (input.parse().unwrap(), output.parse().unwrap());
            Chunk::Usage(Usage { input_tokens, output_tokens, ..Usage::default() })
        }
        "end" => Chunk::End(match argument {
            "length" => Stop::Length,
            "filtered" => Stop::Filtered,
            "tool" => Stop::Tool,
            _ => Stop::Completed,
        }),
        "!u" => Chunk::Signal(Signal::Unanswered),
        "!a" => Chunk::Signal(Signal::HandoffRequested(HandoffReason::Asked)),
        "!c" => Chunk::Signal(Signal::HandoffRequested(HandoffReason::Complaint)),
        word => match word.strip_prefix('-') {
            Some(bytes) => Chunk::Unsaid { bytes: bytes.parse().unwrap() },
            None => Chunk::Text(word.strip_prefix('=').unwrap().replace('_', " ").replace('/', "\n")),
        },
    }
}

fn prompt() -> Arc<Prompt> {
    let words = "x".repeat(120); // 30 tokens and 8 of framing
    let lines = vec![PromptLine { role: Role::User, text: words.as_str().into() }];
    Arc::new(Prompt {
        system: "".into(),
        lines,
        question: Text::default(),
        before: Vec::new(),
        locale: None,
        passages: Vec::new(),
        max_output_tokens: 9,
    })
}

fn turn(models: &[Arc<Scripted>], cool: &Arc<CoolDowns>) -> ReplyStream {
    let timers = Timers {
        connect: Duration::from_secs(1),
        first_content: Duration::from_secs(10),
        first_content_last: Duration::from_secs(30),
        between_chunks: Duration::from_secs(5),
        total: Duration::from_secs(60),
    };
    let models = models.iter().map(|model| Arc::clone(model) as SharedModel).collect();
    ReplyStream::new(models, prompt(), timers, Arc::clone(cool))
}

fn shown(piece: &Piece) -> String {
    match piece {
        Piece::Asking { model, .. } => format!("ask {model}"),
        Piece::Text(text) => text.clone(),
        Piece::Unsaid { bytes } => format!("(-{bytes})"),
        Piece::Signal(Signal::Unanswered) => "!u".into(),
        Piece::Signal(Signal::HandoffRequested(reason)) => format!("!{}", reason.name()),
        Piece::Usage(usage) => format!("({}/{})", usage.input_tokens, usage.output_tokens),
        Piece::FailedOver { model, error } => format!("{model} {}", error.code),
        Piece::Ended(Ended { end, model, error, spent }) => {
            let usage = spent.usage;
            let about = if usage.estimated { "~" } else { "" };
            let error = error.as_ref().map(|error| format!(" {}", error.code)).unwrap_or_default();
            format!("{} {model}{error} {about}{}/{}", end.name(), usage.input_tokens, usage.output_tokens)
        }
    }
}

async fn run(scripts: &[&str]) -> (String, Duration) {
    let models: Vec<_> =
        scripts.iter().zip(["a", "b", "c"]).map(|(script, name)| Scripted::new(name, script)).collect();
    let begun = Instant::now();
    let pieces: Vec<Piece> = turn(&models, &Arc::default()).collect().await;
    for model in &models {
        assert!(model.asked.load(Ordering::SeqCst) <= 1, "{} was asked twice", model.name);
        assert_eq!(model.open.load(Ordering::SeqCst), 0, "{} is still open", model.name);
    }
    let ends = pieces.iter().filter(|piece| matches!(piece, Piece::Ended(_))).count();
    assert!(ends == 1 && matches!(pieces.last(), Some(Piece::Ended(_))), "{pieces:?}");
    (pieces.iter().map(shown).collect::<Vec<_>>().join(" | "), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn turns() {
    let rows: &[(&[&str], &str)] = &[
        // One model.
        (&["=Hi =there use:9/2 end:completed"], "ask a | Hi | there | (9/2) | completed a 9/2"),
        (&["=Hi end:length"], "ask a | Hi | length a ~38/1"),
        (&["end:filtered"], "ask a | filtered a ~38/0"),
        (&["use:0/0 =free end:completed"], "ask a | (0/0) | free | completed a 0/0"),
        (&[], "failed  model_unavailable 0/0"),
        (&["err:model_refused"], "ask a | failed a model_refused 0/0"),
        (&["eof"], "ask a | failed a model_truncated 0/0"),
        // Signals come with the words or after them, each once.
        (&["!u =Hi !u !c =there !c end:"], "ask a | Hi | !u | !complaint | there | completed a ~38/3"),
        (&["!a end:"], "ask a | failed a model_blank ~38/0"),
        (&["!a !u eof", "=Hi !u end:"], "ask a | a model_truncated | ask b | Hi | !u | completed b ~76/1"),
        (&["=Hi !u eof", "=no end:"], "ask a | Hi | !u | incomplete a model_truncated ~38/1"),
        // Before the first words everything may fail over.
        (&["err:model_unavailable", "=Hi end:"], "ask a | a model_unavailable | ask b | Hi | completed b ~38/1"),
        (
            &["alive think use:5/1 eof", "=Hi use:9/2 end:"],
            "ask a | (5/1) | a model_truncated | ask b | Hi | (14/3) | completed b ~14/3",
        ),
        (
            &["err:model_refused", "err:model_rate_limited"],
            "ask a | a model_refused | ask b | failed b model_rate_limited 0/0",
        ),
        (&["wait:10001 =late end:", "=Hi end:"], "ask a | a model_timeout | ask b | Hi | completed b ~76/1"),
        // Heartbeats do not put off the first words; thinking does, and is bounded in its turn.
        (
            &["alive wait:6000 alive wait:6000 =late end:", "=Hi end:"],
            "ask a | a model_timeout | ask b | Hi | completed b ~76/1",
        ),
        (&["think wait:4000 think wait:4000 alive wait:4000 =Hi end:", "=no"], "ask a | Hi | completed a ~38/1"),
        (&["think wait:5001 think =late", "=Hi end:"], "ask a | a model_timeout | ask b | Hi | completed b ~76/1"),
        // The last model gets longer.
        (&["err:model_refused", "wait:29000 =Hi end:"], "ask a | a model_refused | ask b | Hi | completed b ~38/1"),
        (
            &["err:model_refused", "wait:31000 =Hi end:"],
            "ask a | a model_refused | ask b | failed b model_timeout ~38/0",
        ),
        // After the first words an error is the end.
        (&["=Hi err:model_unavailable", "=no"], "ask a | Hi | incomplete a model_unavailable ~38/1"),
        (&["=Hi eof", "=no"], "ask a | Hi | incomplete a model_truncated ~38/1"),
        (
            &["=Hi wait:4000 alive wait:4000 =you wait:5001 =late", "=no"],
            "ask a | Hi | you | incomplete a model_timeout ~38/2",
        ),
        (&["=Hi use:9/1 err:model_truncated"], "ask a | Hi | (9/1) | incomplete a model_truncated ~9/1"),
        // A good end without a word that can be seen is an attempt that failed.
        (&["use:9/4 end:"], "ask a | (9/4) | failed a model_blank 9/4"),
        (&["end:", "=Hi end:"], "ask a | a model_blank | ask b | Hi | completed b ~76/1"),
        (&["=_/ =/\u{200b}\u{feff} end:", "=Hi end:"], "ask a | a model_blank | ask b | Hi | completed b ~76/1"),
        (&["think end:length", "=Hi end:"], "ask a | a model_blank | ask b | Hi | completed b ~76/1"),
        (&["end:", "=/ end:"], "ask a | a model_blank | ask b | failed b model_blank ~76/0"),
        // Empty lines before the words are left out, the line's own indent is not.
        (&["=/ =_/__Hi =_there/ end:"], "ask a |   Hi |  there\n | completed a ~38/3"),
        (&["=/ =_ =_Hi end:"], "ask a |   Hi | completed a ~38/1"),
        // What is taken back is no reply, and was seen.
        (&["=Hm =Hi -2 end:"], "ask a | Hm | Hi | (-2) | completed a ~38/2"),
        (&["=/Hm -3 end:", "=no"], "ask a | Hm | (-2) | incomplete a model_blank ~38/1"),
        // Tools are declined.
        (
            &["tool end:tool", "=no"],
            "ask a | I cannot do that from here. Is there something I can answer for you instead? | completed a ~38/0",
        ),
        (&["=Wait tool end:tool"], "ask a | Wait | completed a ~38/1"),
    ];
    for (scripts, expected) in rows {
        assert_eq!(run(scripts).await.0, *expected, "{scripts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_whole_turn_is_bounded() {
    let thinks = format!("{} end:", "think wait:4000 ".repeat(100));
    let (shown, took) = run(&[&thinks, "=no"]).await;
    assert_eq!((shown.as_str(), took.as_secs()), ("ask a | failed a model_timeout ~38/0", 60));
    let speaks = "=word wait:4000 ".repeat(100);
    let (shown, took) = run(&[&speaks]).await;
    assert!(shown.ends_with("incomplete a model_timeout ~38/15"), "{shown}");
    assert_eq!(took.as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn equal_chunks_are_no_loop_and_a_long_reply_is_cut() {
    for ruled in ["─", "la_", "0", "..."] {
        let (shown, _) = run(&[&format!("{}end:", format!("={ruled} ").repeat(2_000))]).await;
        assert!(shown.contains("| completed a"), "{ruled}");
        assert_eq!(shown.split(" | ").filter(|piece| *piece == ruled.replace('_', " ")).count(), 2_000, "{ruled}");
    }

    let long = format!("={} ={} end:", "é".repeat(REPLY_BYTES_MAX / 2 - 1), "日本");
    let models = [Scripted::new("a", &long)];
    let pieces: Vec<Piece> = turn(&models, &Arc::default()).collect().await;
    let text: String = pieces
        .iter()
        .filter_map(|piece| if let Piece::Text(text) = piece { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(text.len(), REPLY_BYTES_MAX - 2, "the next character did not fit whole");
    assert!(matches!(pieces.last(), Some(Piece::Ended(Ended { end: End::Length, error: None, .. }))));
}

#[tokio::test(start_paused = true)]
async fn a_resting_model_is_skipped_while_there_is_another() {
    let cool = Arc::new(CoolDowns::default());
    let limited = Scripted::new("a", "err:model_rate_limited");
    let well = Scripted::new("b", "=Hi end:");
    let both = [Arc::clone(&limited), Arc::clone(&well)];
    let order = |pieces: Vec<Piece>| -> String {
        let asked = pieces
            .into_iter()
            .filter_map(|piece| if let Piece::Asking { model, .. } = piece { Some(model) } else { None });
        asked.collect()
    };
    assert_eq!(order(turn(&both, &cool).collect().await), "ab");
    assert_eq!(order(turn(&both, &cool).collect().await), "b", "a asked for two seconds");
    assert_eq!(order(turn(&both[..1], &cool).collect().await), "a", "there is no other");
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(order(turn(&both, &cool).collect().await), "ab");
    let down = Scripted::new("b", "err:model_unavailable");
    assert_eq!(order(turn(&[limited, down], &cool).collect().await), "ba", "the resting one is the last resort");
}

#[tokio::test(start_paused = true)]
async fn dropping_closes_the_attempt_and_its_cost_is_known() {
    let model = Scripted::new("a", "use:40/1 =four =more wait:100000");
    let mut turn = turn(&[Arc::clone(&model)], &Arc::default());
    while !matches!(turn.next().await, Some(Piece::Text(text)) if text == "more") {}
    assert_eq!(model.open.load(Ordering::SeqCst), 1);
    let spent = turn.spent();
    assert_eq!((spent.usage.input_tokens, spent.usage.output_tokens, spent.usage.estimated), (40, 2, true));
    assert_eq!(spent.cost_microusd, Some(60));
    drop(turn);
    assert_eq!(model.open.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn costs_of_attempts_add_up_by_their_own_prices() {
    let models = [Scripted::new("a", "use:100/0 err:model_unavailable"), Scripted::new("free", "use:0/0 =Hi end:")];
    let pieces: Vec<Piece> = turn(&models, &Arc::default()).collect().await;
    let Some(Piece::Ended(ended)) = pieces.last() else { panic!("{pieces:?}") };
    assert_eq!((ended.spent.cost_microusd, ended.model.as_str()), (Some(100), "free"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_before_it_is_polled() {
    let model = Scripted::new("a", "=Hi end:");
    let mut turn = turn(&[Arc::clone(&model)], &Arc::default());
    assert_eq!(model.asked.load(Ordering::SeqCst), 0);
    turn.next().await;
    assert_eq!(model.asked.load(Ordering::SeqCst), 1);
}

/// A model of so many tokens that counts like our estimate, times a rate, and says what it refuses or not.
struct Small {
    name: String,
    tokens: u64,
    rate: f64,
    says: bool,
    sizes: std::sync::Mutex<Sizes>,
    asked: std::sync::Mutex<Vec<u64>>,
}

impl Small {
    fn new(tokens: u64, rate: f64, says: bool) -> Arc<Self> {
        Arc::new(Self {
            name: format!("small-{tokens}"),
            tokens,
            rate,
            says,
            sizes: Default::default(),
            asked: Default::default(),
        })
    }
}

impl Model for Small {
    fn name(&self) -> &str {
        &self.name
    }

    fn sizes(&self) -> Sizes {
        *self.sizes.lock().unwrap()
    }

    fn learn(&self, lesson: SizeLesson) {
        self.sizes.lock().unwrap().learn(lesson);
    }

    fn ask(&self, prompt: Arc<Prompt>) -> ChunkStream {
        let input = (super::super::estimate_prompt_tokens(&prompt) as f64 * self.rate) as u64;
        self.asked.lock().unwrap().push(input);
        let whole = input + u64::from(prompt.max_output_tokens);
        let chunks = if whole > self.tokens {
            let said = |number| Some(number).filter(|_| self.says);
            let oversize = Some(Oversize { limit: said(self.tokens), prompt: said(input) });
            vec![Err(ModelError { oversize, ..ModelError::new(ErrorCode::ModelContextTooSmall, "") })]
        } else {
            let usage = Usage { input_tokens: input, output_tokens: 30, ..Usage::default() };
            let words = Chunk::Text("It is good. ".repeat(10));
            vec![Ok(words), Ok(Chunk::Usage(usage)), Ok(Chunk::End(Stop::Completed))]
        };
        Box::pin(futures_util::stream::iter(chunks))
    }
}

/// A talk of so many turns with a model; gives each turn's pieces.
async fn talk_with(models: &[SharedModel], turns: u64, instructions: usize) -> Vec<Vec<Piece>> {
    let assistant = schema::Assistant { instructions: "i".repeat(instructions), ..Default::default() };
    let (business, cool) = (schema::Business::default(), Arc::<CoolDowns>::default());
    let mut transcript = engine_conversation::Transcript::default();
    let mut all = Vec::new();
    for seq in (1..=2 * turns).step_by(2) {
        let line = |seq, author, text: &str| engine_conversation::Line {
            seq,
            at: schema::Timestamp::default(),
            author,
            text: text.into(),
            cut: false,
            begins_late: false,
        };
        transcript.ask(line(seq, schema::Author::Contact, &format!("{seq} {}", "How is that? ".repeat(20))));
        let found =
            schema::Passage { n: 1, source: "a.md".into(), heading: String::new(), text: "word ".repeat(200).into() };
        let setting = super::super::Setting {
            assistant: &assistant,
            business: &business,
            channel: Default::default(),
            locale: None,
        };
        let talk = Talk::new(setting, transcript.clone(), vec![found]);
        let timers = Timers::default();
        let turn = ReplyStream::new(models.to_vec(), talk, timers, Arc::clone(&cool));
        let pieces: Vec<Piece> = turn.collect().await;
        assert!(models.iter().all(|model| !cool.rests(model.name(), Instant::now())), "a refusal for size is no fault");
        transcript.answer(line(seq + 1, schema::Author::Assistant, &"It is good. ".repeat(10)), seq, Vec::new());
        all.push(pieces);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_long_talk_with_a_small_model_goes_on() {
    for (name, tokens, rate, says, refusals) in [
        ("it says its size", 2_048, 1.0, true, 1),
        ("it counts twice as much as we do", 2_048, 2.0, true, 2),
        ("it counts less", 2_048, 0.7, true, 1),
        ("it says nothing", 4_096, 1.0, false, 2),
        ("it has room", 200_000, 1.0, true, 0),
    ] {
        let model = Small::new(tokens, rate, says);
        let turns = talk_with(&[Arc::clone(&model) as SharedModel], 40, 200).await;
        for (at, pieces) in turns.iter().enumerate() {
            let Some(Piece::Ended(ended)) = pieces.last() else { panic!("{name}: {pieces:?}") };
            assert_eq!((ended.end, &ended.error), (End::Completed, &None), "{name}, turn {at}");
            let asked = pieces.iter().filter(|piece| matches!(piece, Piece::Asking { .. })).count();
            assert!(asked <= 2, "{name}, turn {at}");
            assert!(!pieces.iter().any(|piece| matches!(piece, Piece::FailedOver { .. })), "{name}");
            let Some(Piece::Asking { prompt, .. }) =
                pieces.iter().rev().find(|piece| matches!(piece, Piece::Asking { .. }))
            else {
                panic!("{name}: nobody was asked")
            };
            assert!(prompt.lines.last().unwrap().text.as_str().contains(&format!("\n{} How", 2 * at + 1)), "{name}");
            assert_eq!(
                ended.spent.usage.input_tokens,
                *model.asked.lock().unwrap().get(asked_until(&turns, at)).unwrap(),
                "{name}: what was refused costs nothing"
            );
        }
        let asked = model.asked.lock().unwrap().len();
        assert!(asked <= 40 + refusals, "{name}: {} refusals, it is remembered", asked - 40);
    }
}

/// The number of the request that answered a turn, from 0 on.
fn asked_until(turns: &[Vec<Piece>], at: usize) -> usize {
    let asked = turns.iter().take(at + 1).flatten().filter(|piece| matches!(piece, Piece::Asking { .. })).count();
    asked - 1
}

#[tokio::test(start_paused = true)]
async fn instructions_that_are_too_long_fail_over_and_then_fail() {
    let (small, large) = (Small::new(512, 1.0, true), Small::new(100_000, 1.0, true));
    let [pieces] = talk_with(&[Arc::clone(&small) as SharedModel], 1, 9_000).await.try_into().unwrap();
    let Some(Piece::Ended(ended)) = pieces.last() else { panic!("{pieces:?}") };
    let code = ended.error.as_ref().map(|error| error.code);
    assert_eq!((ended.end, code), (End::Failed, Some(ErrorCode::ModelContextTooSmall)));
    assert_eq!(small.asked.lock().unwrap().len(), 2, "it was tried with less");
    let models: [SharedModel; 2] = [small, large];
    let [pieces] = talk_with(&models, 1, 9_000).await.try_into().unwrap();
    assert!(
        matches!(pieces.last(), Some(Piece::Ended(ended)) if ended.end == End::Completed && ended.model == "small-100000")
    );
}

//! Decoders under arbitrary cuts, damage and noise, and the helpers of the dialects' own tests.

use proptest::prelude::*;

use super::super::anthropic::AnthropicDialect;
use super::super::gemini::GeminiDialect;
use super::super::openai::OpenAiDialect;
use super::*;

/// A body of nameless events.
pub(crate) fn events(events: &[&str]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// What a whole body decodes to, one word or two for each chunk.
pub(crate) fn decoded<D: Dialect>(dialect: D, body: &str) -> String {
    shown(&decode(dialect, [body.as_bytes()]))
}

/// Checks rows of events and what they decode to.
pub(crate) fn check<D: Dialect>(dialect: impl Fn() -> D, rows: &[(&str, &[&str], &str)]) {
    for (name, given, expected) in rows {
        assert_eq!(decoded(dialect(), &events(given)), *expected, "{name}");
    }
}

type Decoded = (Vec<Chunk>, Option<ModelError>);

fn decode<'a, D: Dialect>(dialect: D, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = Decoder::new(dialect, Begins::Openly);
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.feed(piece, &mut out) {
            return (out, Some(error));
        }
    }
    let error = decoder.finish(&mut out).err();
    (out, error)
}

fn shown((chunks, error): &Decoded) -> String {
    let chunk = |chunk: &Chunk| match chunk {
        Chunk::Text(text) => text.clone(),
        Chunk::Alive => "(alive)".into(),
        Chunk::Thinking => "(thinking)".into(),
        Chunk::Unsaid { bytes } => format!("(-{bytes})"),
        Chunk::Signal(signal) => format!("{signal:?}"),
        Chunk::ToolCall { name, arguments } => format!("({name} {arguments})"),
        Chunk::Usage(usage) if usage.cached_tokens + usage.cache_write_tokens > 0 => format!(
            "({}/{} {}+{} cached)",
            usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cache_write_tokens
        ),
        Chunk::Usage(usage) => format!("({}/{})", usage.input_tokens, usage.output_tokens),
        Chunk::End(stop) => format!("{stop:?}").to_lowercase(),
    };
    let error = error.iter().map(|error| error.code.name().to_owned());
    chunks.iter().map(chunk).chain(error).collect::<Vec<_>>().join(" | ")
}

const OPENAI: &str = concat!(
    ": keep-alive\r\n\r\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\r\n\r\n",
    "data: {\"choices\":[{\"delta\":{\"content\":\"Grüße \\\"canary\\\" 🐦\"}}]}\n\n",
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n",
    "data: [DONE]\n\n"
);

const ANTHROPIC: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n",
    "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    "event: content_block_delta\ndata: {\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"canary ¡olé!\"}}\n\n",
    "event: message_delta\ndata: {\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
);

const GEMINI: &str = concat!(
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"canary \"},{\"text\":\"日本\"}]}}],\"usageMetadata\":{\"promptTokenCount\":4}}\r\n\r\n",
    "data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":5}}\r\n\r\n"
);

const WHOLE: [&str; 3] = [
    "Grüße \"canary\" 🐦 | (3/2) | (f {}) | tool",
    "(3/1) | canary ¡olé! | (3/9) | completed",
    "(4/0) | canary  | 日本 | (4/5) | completed",
];

/// The same bytes through each of the three.
fn each(pieces: [&[&[u8]]; 3]) -> [Decoded; 3] {
    let [a, b, c] = pieces;
    [
        decode(OpenAiDialect::default(), a.iter().copied()),
        decode(AnthropicDialect::default(), b.iter().copied()),
        decode(GeminiDialect::default(), c.iter().copied()),
    ]
}

fn cut<'a>(body: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    places.extend([0, body.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

/// Every stream, however bad, has one terminal item, and it is the last.
fn assert_one_end((chunks, error): &Decoded) {
    let ends = chunks.iter().filter(|chunk| matches!(chunk, Chunk::End(_))).count();
    assert_eq!(ends + usize::from(error.is_some()), 1, "{chunks:?} {error:?}");
    assert!(error.is_some() || matches!(chunks.last(), Some(Chunk::End(_))));
    assert!(error.iter().all(|error| !error.detail.contains("canary")), "{error:?}");
}

#[test]
fn byte_by_byte_is_the_same_as_whole() {
    let bodies = [OPENAI, ANTHROPIC, GEMINI].map(str::as_bytes);
    let bytes = bodies.map(|body| body.chunks(1).collect::<Vec<_>>());
    let split = each([&bytes[0], &bytes[1], &bytes[2]]);
    let whole = each([&bodies[..1], &bodies[1..2], &bodies[2..]]);
    assert_eq!(whole.each_ref().map(shown), WHOLE);
    assert_eq!(split.each_ref().map(shown), WHOLE);
}

#[test]
fn every_truncation_ends_incomplete_or_whole() {
    for (body, whole) in [OPENAI, ANTHROPIC, GEMINI].into_iter().zip(WHOLE) {
        for at in 0..body.len() {
            let part = &body.as_bytes()[..at];
            for result in each([&[part], &[part], &[part]]) {
                assert_one_end(&result);
                let shown = shown(&result);
                // All that may be missing from a reply that passes for whole is its last count.
                let text = |shown: &str| shown.split(" | ").filter(|part| !part.ends_with(')')).collect::<String>();
                if result.1.is_none() {
                    assert_eq!(text(&shown), text(whole), "cut at {at}");
                }
            }
        }
    }
}

#[test]
fn an_oversized_event_is_refused() {
    let huge = format!("data: {}\n\n", "x".repeat(MODEL_FRAME_BYTES_MAX + 1));
    assert_eq!(decoded(OpenAiDialect::default(), &huge), "model_protocol");
}

#[test]
fn tool_calls_are_bounded() {
    let mut tools = ToolCalls::default();
    assert!(tools.add(0, None, &"x".repeat(TOOL_BYTES_MAX + 1)).is_err());
    let mut tools = ToolCalls::default();
    assert!((0..1000).any(|index| tools.add(index, Some("f"), "").is_err()));
}

proptest! {
    #[test]
    fn cuts_do_not_change_what_is_decoded(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        let bodies = [OPENAI, ANTHROPIC, GEMINI].map(|body| cut(body.as_bytes(), &cuts));
        let split = each([&bodies[0], &bodies[1], &bodies[2]]);
        prop_assert_eq!(split.each_ref().map(shown), WHOLE);
    }

    #[test]
    fn noise_never_panics_and_has_one_end(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        for result in each([&[&noise], &[&noise], &[&noise]]) {
            assert_one_end(&result);
        }
    }

    #[test]
    fn damage_never_panics_and_has_one_end(
        which in 0..3usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut body = [OPENAI, ANTHROPIC, GEMINI][which].as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        for result in each([&[&body], &[&body], &[&body]]) {
            assert_one_end(&result);
        }
    }

    #[test]
    fn json_of_any_shape_never_panics(name in "[a-z_]{0,20}", json in r#"\{"(choices|type|delta|usage|candidates|error)":(null|1|"x"|\[\]|\{\}|\[\{\}\]|\[1\])\}"#) {
        let body = format!("event: {name}\ndata: {json}\n\n");
        for result in each([&[body.as_bytes()], &[body.as_bytes()], &[body.as_bytes()]]) {
            assert_one_end(&result);
        }
    }
}

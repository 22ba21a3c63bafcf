//! Lessons of a server's answers: which parameters it refuses, how its models begin to speak, and how
//! much they take.
//! Invariant: bounded, shared by all worker threads; what one reply has taught another can correct.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::thoughts::Begins;
use super::{SizeLesson, Sizes};

/// Servers and models remembered; further ones are asked without what was learned.
const KEPT_MAX: usize = 512;
/// Replies in a row after which what is known of how a model begins is given up for the contrary.
const CONTRARY_MAX: u8 = 3;

/// A part of a request that some servers do not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    /// The limit of a reply's length, under its old name.
    MaxTokens,
    /// The limit of a reply's length, under its new name.
    MaxCompletionTokens,
    /// The wish for padding to be left out.
    Obfuscation,
    /// The wish for a count of tokens.
    StreamOptions,
    /// Marks of what the provider may keep.
    CacheControl,
    /// Instructions apart from the talk.
    System,
}

impl Parameter {
    /// How refusals name it, in small letters; those that stand within others come first.
    const ALL: [(Self, &'static [&'static str]); 6] = [
        (Self::Obfuscation, &["include_obfuscation"]),
        (Self::StreamOptions, &["stream_options", "include_usage"]),
        (Self::MaxTokens, &["max_tokens"]),
        (Self::MaxCompletionTokens, &["max_completion_tokens"]),
        (Self::CacheControl, &["cache_control"]),
        (
            Self::System,
            &[
                "system role",
                "role system",
                "role 'system'",
                "system instruction",
                "developer instruction",
                "systeminstruction",
                "system_instruction",
            ],
        ),
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The parameter that a refusal names, of those that were sent.
    pub(super) fn refused(body: &[u8], sent: Refusals) -> Option<Self> {
        let body = String::from_utf8_lossy(body).to_ascii_lowercase();
        let named = |name: &str| {
            body.match_indices(name).any(|(at, name)| {
                let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let before = body.get(..at).and_then(|before| before.chars().next_back());
                let after = body.get(at + name.len()..).and_then(|after| after.chars().next());
                !before.is_some_and(part) && !after.is_some_and(part)
            })
        };
        let mut all = Self::ALL.iter().filter(|(parameter, _)| sent.has(*parameter));
        let (parameter, _) = all.find(|(_, names)| names.iter().any(|name| named(name)))?;
        // A limit may be named because of its value: then another name would not help.
        let limit = matches!(parameter, Self::MaxTokens | Self::MaxCompletionTokens);
        let of_value =
            ["too large", "too high", "too many", "at most", "maximum", "less than", "greater than", "exceed"];
        let of_name = ["unsupported", "not supported", "unrecogni", "unknown", "extra", "unexpected", "instead"];
        let says = |words: &[&str]| words.iter().any(|word| body.contains(word));
        (!limit || says(&of_name) || !says(&of_value)).then_some(*parameter)
    }
}

/// Parameters that are to be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusals(u8);

impl Refusals {
    pub(super) const NONE: Self = Self(0);

    /// A set of these parameters.
    pub(super) fn of(parameters: &[Parameter]) -> Self {
        Self(parameters.iter().fold(0, |bits, parameter| bits | parameter.bit()))
    }

    pub(super) const fn has(self, parameter: Parameter) -> bool {
        self.0 & parameter.bit() != 0
    }

    pub(super) const fn with(self, parameter: Parameter) -> Self {
        Self(self.0 | parameter.bit())
    }
}

/// All that was learned, by address and model. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Lessons {
    lessons: Arc<Mutex<HashMap<(String, String), Lesson>>>,
}

/// What is known of one model, or under an empty name of its server.
#[derive(Clone, Copy, Debug, Default)]
struct Lesson {
    refused: Option<Refusals>,
    begins: Option<Begins>,
    /// Replies in a row that have shown the contrary.
    contrary: u8,
    sizes: Sizes,
    /// Its server was asked for its size.
    asked: bool,
}

/// What the answers of one model's server have taught.
#[derive(Clone, Debug)]
pub(super) struct Manners {
    learned: Lessons,
    server: String,
    model: String,
    /// What the configuration says is to be left out.
    preset: Refusals,
    /// What the configuration says of its context, in tokens.
    context_tokens: Option<u64>,
    /// How it begins by its configuration or its name, until it has shown.
    expected: Option<Begins>,
}

impl Manners {
    pub(super) fn new(learned: &Lessons, server: &str, model: &str) -> Self {
        Self {
            learned: learned.clone(),
            server: server.to_owned(),
            model: model.to_owned(),
            preset: Refusals::NONE,
            context_tokens: None,
            expected: None,
        }
    }

    /// With parameters that are never to be sent.
    pub(super) fn without(self, preset: Refusals) -> Self {
        Self { preset, ..self }
    }

    /// With so many tokens for prompt and reply together.
    pub(super) fn with_context(self, context_tokens: Option<u64>) -> Self {
        Self { context_tokens, ..self }
    }

    /// With what is known beforehand of how its replies begin.
    pub(super) fn beginning(self, expected: Option<Begins>) -> Self {
        Self { expected, ..self }
    }

    /// What to leave out: what this model refused, or else what another of the same server did.
    pub(super) fn refused(&self) -> Refusals {
        let lessons = self.learned.lock();
        let of = |model: &str| lessons.get(&(self.server.clone(), model.to_owned()))?.refused;
        let learned = of(&self.model).or_else(|| of("")).unwrap_or_default();
        Refusals(learned.0 | self.preset.0)
    }

    /// The server took a request without these parameters.
    pub(super) fn refuses(&self, refused: Refusals) {
        self.learned.note(&self.server, &self.model, |lesson| lesson.refused = Some(refused));
        self.learned.note(&self.server, "", |lesson| lesson.refused = lesson.refused.or(Some(refused)));
    }

    /// The model's context and longest reply, as far as they are known.
    pub(super) fn sizes(&self) -> Sizes {
        let known = self.learned.lock().get(&(self.server.clone(), self.model.clone())).map(|lesson| lesson.sizes);
        known.unwrap_or_default().configured(self.context_tokens)
    }

    /// Takes in what an attempt has taught about the model's size.
    pub(super) fn sized(&self, lesson: SizeLesson) {
        self.learned.note(&self.server, &self.model, |known| known.sizes.learn(lesson));
    }

    /// Whether its server is to be asked for the model's context: once, if nothing is known of it.
    pub(super) fn size_is_to_be_asked(&self) -> bool {
        let mut first = false;
        if self.context_tokens.is_none() {
            self.learned.note(&self.server, &self.model, |known| {
                first = !std::mem::replace(&mut known.asked, true) && known.sizes.window().tokens.is_none();
            });
        }
        first
    }

    /// Takes in the context that its server has told.
    pub(super) fn told(&self, tokens: u64) {
        tracing::info!(model = self.model, tokens, "the model's server tells its context");
        self.learned.note(&self.server, &self.model, |known| known.sizes.told(tokens));
    }

    /// How its next reply will begin, and whether that is a guess that a reply should prove first.
    pub(super) fn begins(&self) -> (Begins, bool) {
        if self.expected == Some(Begins::Apart) {
            return (Begins::Apart, false);
        }
        let known =
            self.learned.lock().get(&(self.server.clone(), self.model.clone())).and_then(|lesson| lesson.begins);
        match known.or(self.expected) {
            Some(begins) => (begins, false),
            None => (Begins::Openly, true),
        }
    }

    /// A reply has shown how they begin. What is known is not given up for one: anybody may have a model
    /// write a mark.
    pub(super) fn began(&self, begins: Begins) {
        self.learned.note(&self.server, &self.model, |lesson| {
            let contrary = if lesson.begins.is_some_and(|known| known != begins) { lesson.contrary + 1 } else { 0 };
            let convinced = lesson.begins.is_none() || contrary >= CONTRARY_MAX;
            (lesson.begins, lesson.contrary) = match convinced {
                true => (Some(begins), 0),
                false => (lesson.begins, contrary),
            };
        });
    }
}

/// How a model with this name is known to begin: some are asked with the opening mark already written.
pub(super) fn by_name(model: &str) -> Option<Begins> {
    let model = model.to_ascii_lowercase();
    let mut words = model.split(|c: char| !c.is_ascii_alphanumeric());
    let mut before = "";
    let thinks = words.any(|word| {
        let negated = matches!(std::mem::replace(&mut before, word), "non" | "no" | "not");
        !negated && matches!(word, "r1" | "qwq" | "thinking" | "reasoner" | "reasoning")
    });
    thinks.then_some(Begins::InThought)
}

impl Lessons {
    fn note(&self, server: &str, model: &str, change: impl FnOnce(&mut Lesson)) {
        let mut lessons = self.lock();
        let key = (server.to_owned(), model.to_owned());
        if lessons.len() < KEPT_MAX || lessons.contains_key(&key) {
            change(lessons.entry(key).or_default());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Lesson>> {
        self.lessons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_is_refused() {
        use Parameter::{CacheControl, MaxCompletionTokens, MaxTokens, Obfuscation, StreamOptions, System};
        let old = &[MaxTokens, StreamOptions, System][..];
        let new = &[MaxCompletionTokens, StreamOptions, Obfuscation][..];
        for (body, sent, refused) in [
            (r#"{"error":{"message":"Unsupported parameter: max_tokens","param":"max_tokens"}}"#, old, Some(MaxTokens)),
            ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", old, Some(MaxTokens)),
            (
                r#"{"message":{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}}"#,
                old,
                Some(StreamOptions),
            ),
            ("Unrecognized request argument supplied: stream_options", old, Some(StreamOptions)),
            ("stream_options.include_obfuscation: unknown field", new, Some(Obfuscation)),
            ("max_completion_tokens: Extra inputs are not permitted", new, Some(MaxCompletionTokens)),
            ("max_tokens is too large: 9000. This model supports at most 4096 completion tokens", old, None),
            ("max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens", old, None),
            ("my_max_tokens2 is unknown", old, None),
            ("max_tokens is unknown", new, None),
            ("cache_control: Extra inputs are not permitted", &[CacheControl][..], Some(CacheControl)),
            ("System role not supported", old, Some(System)),
            ("the prompt is too long", old, None),
            ("", old, None),
        ] {
            assert_eq!(Parameter::refused(body.as_bytes(), Refusals::of(sent)), refused, "{body}");
        }
    }

    #[test]
    fn what_one_model_taught_holds_for_its_server_until_another_says_otherwise() {
        let learned = Lessons::default();
        let manners = |server: &str, model: &str| Manners::new(&learned, server, model);
        let refused = Refusals::of(&[Parameter::MaxTokens]);
        manners("s", "a").refuses(refused);
        assert_eq!(manners("s", "b").refused(), refused);
        assert_eq!(manners("t", "a").refused(), Refusals::NONE);
        let other = refused.with(Parameter::MaxCompletionTokens);
        manners("s", "b").refuses(other);
        assert_eq!((manners("s", "a").refused(), manners("s", "b").refused()), (refused, other));
        for n in 0..2 * KEPT_MAX {
            manners("s", &n.to_string()).began(Begins::Openly);
        }
        assert!(learned.lock().len() <= KEPT_MAX);
    }

    #[test]
    fn one_reply_does_not_overturn_what_is_known() {
        use Begins::{Apart, InThought, Openly};
        let learned = Lessons::default();
        let manners = |name: &str| Manners::new(&learned, "s", name).beginning(by_name(name));
        for (name, replies, expected) in [
            ("a", &[][..], (Openly, true)),
            ("b", &[InThought], (InThought, false)),
            ("c", &[Openly, InThought, InThought, Openly, InThought, InThought], (Openly, false)),
            ("d", &[Openly, InThought, InThought, InThought], (InThought, false)),
            ("e", &[InThought, Openly, Openly], (InThought, false)),
            ("f-reasoning", &[], (InThought, false)),
            ("g-reasoning", &[Openly], (Openly, false)),
        ] {
            for reply in replies {
                manners(name).began(*reply);
            }
            assert_eq!(manners(name).begins(), expected, "{name}");
        }
        let apart = manners("b").beginning(Some(Apart));
        assert_eq!(apart.begins(), (Apart, false), "nothing was to be learned");
        for (name, thinks) in [
            ("deepseek-r1", true),
            ("qwen3-235b-a22b-thinking-2507", true),
            ("org/QwQ-32B", true),
            ("grok-4-fast-non-reasoning", false),
            ("gpt-x", false),
            ("r12", false),
        ] {
            assert_eq!(by_name(name).is_some(), thinks, "{name}");
        }
    }
}

//! The metrics of models: names once, described once. Label values come from the configuration, are bounded here, and
//! never name a tenant.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use metrics::{SharedString, Unit, describe_counter, describe_histogram};

/// Attempts that ended; labels `provider`, `model`, `outcome` (an end's name or an error code).
pub const ATTEMPTS: &str = "tertulia_model_attempts_total";
/// From the beginning of an attempt to its first words; labels `provider`, `model`.
pub const FIRST_CONTENT: &str = "tertulia_model_first_content_seconds";
/// Attempts given up before their first words in favour of the next model; labels `provider`, `model`, `error`.
pub const FAILOVERS: &str = "tertulia_model_failovers_total";
/// Tokens; labels `provider`, `model`, `kind` (`input`, `output`, `cached`, `cache_write`).
pub const TOKENS: &str = "tertulia_model_tokens_total";

/// Prompts that were refused for their size and sent again, shorter; labels `provider`, `model`.
pub const SHORTENED: &str = "tertulia_model_prompts_shortened_total";
/// What found no room in prompts; labels `provider`, `model`, `what` (`exchange`, `passage`, `part` of a message).
pub const LEFT_OUT: &str = "tertulia_model_prompt_left_out_total";

/// Models that have a label value of their own; those named later share `other`.
const MODELS_MAX: usize = 64;

/// Tells the recorder what these are. To be called once, after it was installed.
pub fn describe() {
    describe_counter!(ATTEMPTS, Unit::Count, "model calls, by outcome");
    describe_histogram!(FIRST_CONTENT, Unit::Seconds, "time from the beginning of a model call to its first words");
    describe_counter!(
        FAILOVERS,
        Unit::Count,
        "model calls given up before their first words, so that the next model was asked"
    );
    describe_counter!(SHORTENED, Unit::Count, "prompts that were refused for their size and sent again, shorter");
    describe_counter!(
        LEFT_OUT,
        Unit::Count,
        "parts left out of prompts for lack of room, by kind: exchanges, passages, parts of messages"
    );
    describe_counter!(TOKENS, Unit::Count, "tokens read and written, by the provider's count or an estimate");
}

/// The labels of a model.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    pub(super) provider: SharedString,
    pub(super) model: SharedString,
}

impl Labels {
    /// Labels for `provider/model` or a bare name. Tenants choose names too, so only the first
    /// few are told apart.
    pub(super) fn of(name: &str) -> Self {
        static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains(name) {
            if seen.len() >= MODELS_MAX {
                let provider = known_provider(name);
                return Self { provider: provider.into(), model: "other".into() };
            }
            seen.insert(name.to_owned());
        }
        let (provider, model) = name.split_once('/').unwrap_or((name, name));
        Self { provider: provider.to_owned().into(), model: model.to_owned().into() }
    }
}

fn known_provider(name: &str) -> &'static str {
    let provider = name.split('/').next().unwrap_or_default();
    ["openai", "anthropic", "gemini", "builtin"].into_iter().find(|known| *known == provider).unwrap_or("other")
}

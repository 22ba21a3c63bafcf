//! Turns the configuration into the settings of models.

use engine_config::Config;
use engine_model::{Lessons, ModelSettings, ProviderSettings, Timers};

/// Every provider's access, the list, prices and timers.
#[must_use]
pub(crate) fn settings(config: &Config) -> ModelSettings {
    let provider = |settings: &engine_config::ProviderSettings| ProviderSettings {
        key: settings.key.clone(),
        base: Some(settings.base_url.clone()),
        context_tokens: settings.context_tokens,
    };
    let (models, openai) = (&config.models, &config.providers.openai);
    ModelSettings {
        list: config.model_list.iter().map(ToString::to_string).collect(),
        openai: ProviderSettings {
            key: openai.key.clone(),
            base: Some(openai.base_url.clone()),
            context_tokens: openai.context_tokens,
        },
        anthropic: provider(&config.providers.anthropic),
        gemini: provider(&config.providers.gemini),
        prices: config.prices.iter().map(|(name, price)| (name.to_string(), *price)).collect(),
        timers: Timers {
            connect: models.connect,
            first_content: models.first_content,
            first_content_last: models.first_content_last,
            between_chunks: models.between_chunks,
            total: models.total,
        },
        output_limit: openai.output_limit,
        no_stream_options: !openai.stream_options,
        begin_in_thought: openai.begin_in_thought.iter().map(|model| format!("openai/{model}")).collect(),
        lessons: Lessons::default(),
    }
}

//! From the configuration to what models are built from.

use engine::config::Config;
use engine::model::{ModelSettings, ProviderSettings, Timers};

/// Every provider's access, the list, prices and timers.
#[must_use]
pub(crate) fn settings(config: &Config) -> ModelSettings {
    let provider = |settings: &engine::config::ProviderSettings| ProviderSettings {
        key: settings.key.clone(),
        base: Some(settings.base_url.clone()),
    };
    let models = &config.models;
    ModelSettings {
        list: config.model_list.iter().map(ToString::to_string).collect(),
        openai: provider(&config.providers.openai),
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
    }
}

//! Turns names in the configuration into models that can be asked.
//! Invariant: one registry for each worker thread, because an adapter's connections belong to the thread that made them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::metrics::Labels;
use super::{
    Anthropic, Gemini, Http, Lessons, OpenAi, OutputLimit, Price, SharedModel, Timers, anthropic, gemini, openai,
};

/// Adapters kept for reuse; models named later are built for each turn, which costs little.
const KEPT_MAX: usize = 256;

/// The settings a registry is built from.
#[derive(Clone, Debug, Default)]
pub struct ModelSettings {
    /// Models in the order in which they are tried for tenants who name none.
    pub list: Vec<String>,
    /// OpenAI, and whatever speaks its chat completions.
    pub openai: ProviderSettings,
    /// Anthropic, and whatever speaks its Messages.
    pub anthropic: ProviderSettings,
    /// Gemini, and whatever speaks its `streamGenerateContent`.
    pub gemini: ProviderSettings,
    /// What models cost, by `provider/model`.
    pub prices: BTreeMap<String, Price>,
    /// How long a turn waits for models.
    pub timers: Timers,
    /// How chat-completions servers are told the limit of a reply's length.
    pub output_limit: OutputLimit,
    /// Whether they are not asked for a count of tokens.
    pub no_stream_options: bool,
    /// Models whose replies begin in the middle of a thought, by their full names.
    pub begin_in_thought: Vec<String>,
    /// What servers' answers have taught; shared by the registries of all worker threads.
    pub lessons: Lessons,
}

/// Address, key and context of one provider's models.
#[derive(Clone, Debug, Default)]
pub struct ProviderSettings {
    /// The API key; none or empty: requests carry no key.
    pub key: Option<SecretString>,
    /// An address in place of the provider's own.
    pub base: Option<String>,
    /// Tokens of prompt and reply together, for all its models; none: learned from the models.
    pub context_tokens: Option<u64>,
}

/// Why a name gives no model, in words for whoever wrote it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RegistryError {
    #[error("`{0}` is no model: write `openai/<model>`, `anthropic/<model>`, `gemini/<model>` or `builtin`")]
    UnknownProvider(String),
    #[error("`{name}` needs a key: set {provider}_API_KEY, or {provider}_BASE_URL for a server that wants none")]
    NoKey {
        /// The model's name as it was written.
        name: String,
        /// The provider, as its environment variables begin.
        provider: &'static str,
    },
    #[error("the environment variable {variable} is not a usable address: {reason}")]
    Base {
        /// The variable that has to change.
        variable: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    #[error("`builtin` is not available here")]
    NoBuiltin,
    #[error("the HTTP client cannot be set up: {0}")]
    Http(String),
}

/// Finds models by name, and keeps their adapters and connections for reuse.
pub struct Registry {
    settings: ModelSettings,
    builtin: Option<SharedModel>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    models: HashMap<String, SharedModel>,
    /// One pool for each base address.
    pools: HashMap<String, Http>,
}

impl Registry {
    /// A registry for the calling worker thread. `builtin` answers to that name.
    ///
    /// # Errors
    /// When a name of the node's own list cannot be found, so that a node fails at its start and
    /// not at its first conversation.
    pub fn new(settings: ModelSettings, builtin: Option<SharedModel>) -> Result<Self, RegistryError> {
        let registry = Self::unchecked(settings, builtin);
        for name in &registry.settings.list {
            Labels::of(name);
            registry.model(name)?;
        }
        Ok(registry)
    }

    /// The same, of settings that have been checked: each worker thread builds its own.
    #[must_use]
    pub fn unchecked(settings: ModelSettings, builtin: Option<SharedModel>) -> Self {
        Self { settings, builtin, kept: Mutex::default() }
    }

    /// The model of this name.
    ///
    /// # Errors
    /// When the name or the provider's settings do not do.
    pub fn model(&self, name: &str) -> Result<SharedModel, RegistryError> {
        if name == "builtin" {
            return self.builtin.clone().ok_or(RegistryError::NoBuiltin);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = kept.models.get(name) {
            return Ok(Arc::clone(model));
        }
        let model = self.build(name, &mut kept.pools)?;
        if kept.models.len() < KEPT_MAX {
            kept.models.insert(name.to_owned(), Arc::clone(&model));
        }
        Ok(model)
    }

    /// The models of these names in order; the node's own list when there are none.
    ///
    /// # Errors
    /// The first name that gives no model.
    pub fn candidates(&self, names: &[String]) -> Result<Vec<SharedModel>, RegistryError> {
        let names = if names.is_empty() { &self.settings.list } else { names };
        names.iter().map(|name| self.model(name)).collect()
    }

    /// The node's own list: what tenants who name no model get, if their plan has no list.
    #[must_use]
    pub fn list(&self) -> &[String] {
        &self.settings.list
    }

    /// How long to wait for a model.
    pub fn timers(&self) -> Timers {
        self.settings.timers
    }

    fn build(&self, name: &str, pools: &mut HashMap<String, Http>) -> Result<SharedModel, RegistryError> {
        let unknown = || RegistryError::UnknownProvider(name.to_owned());
        let (provider, model) = name.split_once('/').ok_or_else(unknown)?;
        if model.is_empty() || model.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(unknown());
        }
        let price = self.settings.prices.get(name).copied();
        let learned = &self.settings.lessons;
        // The provider's own server wants a key; one of one's own may not.
        let key = |settings: &ProviderSettings, provider, own| match key_of(settings) {
            None if base_of(settings).is_none_or(|base| base == own) => {
                Err(RegistryError::NoKey { name: name.to_owned(), provider })
            }
            key => Ok(key),
        };
        Ok(match provider {
            "openai" => {
                let settings = &self.settings.openai;
                let key = key(settings, "OPENAI", openai::BASE)?;
                let (http, base) = self.reach(settings, "OPENAI_BASE_URL", openai::BASE, pools)?;
                let adapter = OpenAi::new(model, http, &base, key.as_ref(), price, learned)
                    .sending(self.settings.output_limit, !self.settings.no_stream_options)
                    .with_context(settings.context_tokens);
                let in_thought = self.settings.begin_in_thought.iter().any(|known| known == name);
                Arc::new(if in_thought { adapter.beginning_in_thought() } else { adapter })
            }
            "anthropic" => {
                let settings = &self.settings.anthropic;
                let key = key(settings, "ANTHROPIC", anthropic::BASE)?;
                let (http, base) = self.reach(settings, "ANTHROPIC_BASE_URL", anthropic::BASE, pools)?;
                let adapter = Anthropic::new(model, http, &base, key.as_ref(), price, learned);
                Arc::new(adapter.with_context(settings.context_tokens))
            }
            "gemini" => {
                let settings = &self.settings.gemini;
                let key = key(settings, "GEMINI", gemini::BASE)?;
                let (http, base) = self.reach(settings, "GEMINI_BASE_URL", gemini::BASE, pools)?;
                let adapter = Gemini::new(model, http, &base, key.as_ref(), price, learned);
                Arc::new(adapter.with_context(settings.context_tokens))
            }
            _ => return Err(unknown()),
        })
    }

    fn reach(
        &self,
        settings: &ProviderSettings,
        variable: &'static str,
        own: &str,
        pools: &mut HashMap<String, Http>,
    ) -> Result<(Http, Url), RegistryError> {
        let wrong = |reason: &str| RegistryError::Base { variable, reason: reason.to_owned() };
        let base = Url::parse(base_of(settings).unwrap_or(own)).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong("it must begin with http:// or https://"));
        }
        if base.query().is_some() || base.fragment().is_some() || !base.username().is_empty() {
            return Err(wrong("it must have no user name, query or fragment"));
        }
        let http = match pools.get(base.as_str()) {
            Some(http) => http.clone(),
            None => {
                let http = Http::new(&base, self.settings.timers.connect).map_err(RegistryError::Http)?;
                pools.entry(base.to_string()).or_insert(http).clone()
            }
        };
        Ok((http, base))
    }
}

/// An empty key is no key: an empty environment variable means the same as none.
fn key_of(settings: &ProviderSettings) -> Option<SecretString> {
    settings.key.clone().filter(|key| !key.expose_secret().trim().is_empty())
}

fn base_of(settings: &ProviderSettings) -> Option<&str> {
    settings.base.as_deref().map(str::trim).filter(|base| !base.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(openai: [&str; 2], anthropic: [&str; 2], gemini: [&str; 2]) -> ModelSettings {
        let provider = |[key, base]: [&str; 2]| ProviderSettings {
            key: Some(SecretString::from(key)),
            base: Some(base.to_owned()),
            context_tokens: None,
        };
        ModelSettings {
            openai: provider(openai),
            anthropic: provider(anthropic),
            gemini: provider(gemini),
            ..ModelSettings::default()
        }
    }

    #[test]
    fn names_give_models_or_say_what_to_set() {
        let local = ["", "http://127.0.0.1:1/v1"];
        let keyed = ["key", "http://127.0.0.1:1"];
        type Row = (&'static str, [[&'static str; 2]; 3], Result<&'static str, &'static str>);
        let rows: &[Row] = &[
            ("openai/gpt-x", [local, ["", ""], ["", ""]], Ok("openai/gpt-x")),
            ("openai/meta/llama", [keyed, ["", ""], ["", ""]], Ok("openai/meta/llama")),
            ("openai/gpt-x", [["", ""], keyed, keyed], Err("OPENAI_API_KEY")),
            ("anthropic/claude-y", [keyed, keyed, ["", ""]], Ok("anthropic/claude-y")),
            ("openai/gpt-x", [["", openai::BASE], keyed, keyed], Err("OPENAI_API_KEY")),
            ("anthropic/claude-y", [keyed, local, keyed], Ok("anthropic/claude-y")),
            ("anthropic/claude-y", [keyed, ["", ""], keyed], Err("ANTHROPIC_API_KEY")),
            ("gemini/flash", [["", ""], ["", ""], keyed], Ok("gemini/flash")),
            ("gemini/flash", [keyed, keyed, ["", gemini::BASE]], Err("GEMINI_API_KEY")),
            ("gemini/flash", [keyed, keyed, ["key", "not an address"]], Err("GEMINI_BASE_URL")),
            ("openai/x", [["key", "ftp://h"], keyed, keyed], Err("http:// or https://")),
            ("openai/x", [["key", "http://h/v1?key=1"], keyed, keyed], Err("no user name, query")),
            ("builtin", [keyed, keyed, keyed], Err("not available")),
            ("openai/", [keyed, keyed, keyed], Err("openai/<model>")),
            ("mistral/x", [keyed, keyed, keyed], Err("`mistral/x` is no model")),
            ("gpt-x", [keyed, keyed, keyed], Err("is no model")),
        ];
        for (name, [openai, anthropic, gemini], expected) in rows {
            let registry = Registry::new(settings(*openai, *anthropic, *gemini), None).unwrap();
            match (registry.model(name), expected) {
                (Ok(model), Ok(expected)) => assert_eq!(model.name(), *expected),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
                (Ok(model), Err(part)) => panic!("{name} gave {} and not {part}", model.name()),
                (Err(error), Ok(_)) => panic!("{name}: {error}"),
            }
        }
    }

    #[test]
    fn the_nodes_own_list_is_checked_at_the_start_and_used_by_default() {
        let mut good = settings(["", "http://127.0.0.1:1"], ["", ""], ["", ""]);
        good.list = vec!["openai/a".into(), "openai/b".into()];
        let registry = Registry::new(good.clone(), None).unwrap();
        let names = |list: &[String]| -> Vec<String> {
            registry.candidates(list).unwrap().iter().map(|model| model.name().to_owned()).collect()
        };
        assert_eq!(names(&[]), ["openai/a", "openai/b"]);
        assert_eq!(names(&["openai/c".into()]), ["openai/c"]);
        good.list.push("anthropic/x".into());
        assert!(Registry::new(good, None).is_err());
    }
}

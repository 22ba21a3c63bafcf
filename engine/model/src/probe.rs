//! Asks an operator's own server for its model's context. Some servers cut a prompt that is too long in
//! silence, so that no refusal ever teaches it.
//! Invariant: asked once, beside the talk and after its first answer; that there is nothing to learn is no fault.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;

use super::client::{Http, document, join};

/// How long all questions together may take.
const ASKED_FOR: Duration = Duration::from_secs(10);

/// What is needed to ask.
pub(super) struct Probe {
    pub(super) http: Http,
    /// Up to and with the version.
    pub(super) base: Url,
    pub(super) key: Option<HeaderValue>,
    /// As the server calls it.
    pub(super) model: String,
}

/// How a page is read.
type Reader = fn(&Value, &str) -> Option<u64>;

/// Pages by their path, those below the version first, and how they are read.
const PAGES: [(bool, &[&str], Reader); 4] = [
    (true, &["models"], listed),
    // llama.cpp.
    (false, &["props"], props),
    // LM Studio.
    (false, &["api", "v0", "models"], loaded),
    // Ollama.
    (false, &["api", "ps"], running),
];

impl Probe {
    /// Tokens of the model's context, if its server says it.
    pub(super) async fn ask(self) -> Option<u64> {
        tokio::time::timeout(ASKED_FOR, self.read()).await.ok().flatten()
    }

    async fn read(&self) -> Option<u64> {
        let mut root = self.base.clone();
        if let Ok(mut path) = root.path_segments_mut() {
            path.pop_if_empty().pop();
        }
        for (versioned, path, read) in PAGES {
            let url = join(if versioned { &self.base } else { &root }, path);
            let key = self.key.as_ref();
            let request = key.into_iter().fold(self.http.get_once(url), |asked, key| asked.header(AUTHORIZATION, key));
            let page = document(request).await;
            if let Some(tokens) = page.and_then(|page| read(&serde_json::from_str(&page).ok()?, &self.model)) {
                return Some(tokens);
            }
        }
        None
    }
}

/// The entry of a model, or the only one: many servers of one model do not mind how it is called.
fn entry<'a>(list: &'a Value, names: &[&str], model: &str) -> Option<&'a Value> {
    let entries = list.as_array()?;
    let called = |entry: &&Value| {
        names
            .iter()
            .filter_map(|name| entry.get(*name)?.as_str())
            .any(|name| name == model || name.strip_suffix(":latest") == Some(model))
    };
    entries.iter().find(called).or_else(|| entries.first().filter(|_| entries.len() == 1))
}

/// The list of models, as vLLM, llama.cpp, OpenRouter, Groq, Mistral and others give it. What a model was
/// trained for says nothing about what its server gives it.
fn listed(page: &Value, model: &str) -> Option<u64> {
    let entry = entry(page.get("data").unwrap_or(page), &["id"], model)?;
    let fields = ["max_model_len", "loaded_context_length", "context_length", "context_window", "max_context_length"];
    let own = fields.iter().find_map(|name| entry.get(*name)?.as_u64());
    own.or_else(|| entry.pointer("/meta/n_ctx")?.as_u64())
}

fn props(page: &Value, _: &str) -> Option<u64> {
    page.pointer("/default_generation_settings/n_ctx")?.as_u64()
}

fn loaded(page: &Value, model: &str) -> Option<u64> {
    entry(page.get("data")?, &["id"], model)?.get("loaded_context_length")?.as_u64()
}

fn running(page: &Value, model: &str) -> Option<u64> {
    entry(page.get("models")?, &["name", "model"], model)?.get("context_length")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_for_the_model_that_is_asked() {
        type Row = (&'static str, Reader, &'static str, Option<u64>);
        let rows: &[Row] = &[
            ("vLLM", listed, r#"{"data":[{"id":"m","max_model_len":4096}]}"#, Some(4_096)),
            ("another of two", listed, r#"{"data":[{"id":"x","max_model_len":1},{"id":"y"}]}"#, None),
            ("one of another name", listed, r#"{"data":[{"id":"x.gguf","meta":{"n_ctx":2048}}]}"#, Some(2_048)),
            ("what it was trained for", listed, r#"{"data":[{"id":"m","meta":{"n_ctx_train":8192}}]}"#, None),
            ("OpenRouter", listed, r#"{"data":[{"id":"a"},{"id":"m","context_length":131072}]}"#, Some(131_072)),
            ("Groq", listed, r#"{"data":[{"id":"m","context_window":131072}]}"#, Some(131_072)),
            ("Together, a list alone", listed, r#"[{"id":"m","context_length":8193}]"#, Some(8_193)),
            ("a word for a number", listed, r#"{"data":[{"id":"m","context_length":"long"}]}"#, None),
            ("llama.cpp", props, r#"{"default_generation_settings":{"n_ctx":2048},"total_slots":4}"#, Some(2_048)),
            (
                "LM Studio",
                loaded,
                r#"{"data":[{"id":"m","max_context_length":131072,"loaded_context_length":4096}]}"#,
                Some(4_096),
            ),
            ("Ollama", running, r#"{"models":[{"name":"m:latest","context_length":4096}]}"#, Some(4_096)),
            ("no page of these", running, "[]", None),
        ];
        for (name, read, page, tokens) in rows {
            assert_eq!(read(&serde_json::from_str(page).unwrap(), "m"), *tokens, "{name}");
        }
    }
}

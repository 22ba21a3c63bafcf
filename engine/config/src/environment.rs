//! Settings from environment variables.

use std::ffi::OsString;

use super::error::{ConfigError, Place};
use super::keys::{self, Path};
use super::services;

/// Names that programs of this kind share, short ones of ours, and the settings they stand for.
const PLAIN: [(&str, &[&str]); 10] = [
    ("OPENAI_API_KEY", &["providers", "openai", "key"]),
    ("OPENAI_BASE_URL", &["providers", "openai", "base_url"]),
    ("ANTHROPIC_API_KEY", &["providers", "anthropic", "key"]),
    ("ANTHROPIC_BASE_URL", &["providers", "anthropic", "base_url"]),
    ("GEMINI_API_KEY", &["providers", "gemini", "key"]),
    ("GEMINI_BASE_URL", &["providers", "gemini", "base_url"]),
    ("TERTULIA_STORE", &["store", "url"]),
    ("TERTULIA_REDIS", &["redis", "url"]),
    ("TERTULIA_PEER_LISTEN", &["peer", "listen"]),
    ("TERTULIA_PEER_SECRET", &["peer", "secret"]),
];

/// How all other settings' names begin.
const OURS: &str = "TERTULIA_";

/// A variable that is a setting.
#[derive(Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) path: Path,
    pub(super) value: String,
}

/// The variables that are settings; those of the full name come last, so that they win.
pub(super) fn read(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    all: &[Path],
) -> Result<Vec<Variable>, ConfigError> {
    let mut found = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str() else { continue };
        let plain = PLAIN.iter().find(|(known, _)| *known == name);
        if value.is_empty() || (plain.is_none() && !name.starts_with(OURS)) {
            continue;
        }
        let path = match plain {
            Some((_, path)) => path.iter().map(ToString::to_string).collect(),
            None => match all.iter().find(|path| keys::variable(path) == name) {
                Some(path) => path.clone(),
                // The command line reads the first one itself.
                None if name == "TERTULIA_CONFIG" || services::is_of_one(name, &value) => continue,
                None => {
                    let nearest = keys::nearest_variable(name, all);
                    return Err(ConfigError::UnknownKey { place: Place::Environment, key: name.into(), nearest });
                }
            },
        };
        let value = value.into_string().map_err(|_| ConfigError::BadValue {
            place: Place::Environment,
            key: name.into(),
            problem: "is not valid UTF-8".into(),
        })?;
        found.push((plain.is_none(), Variable { name: name.into(), path, value }));
    }
    found.sort_by_key(|(ours, _)| *ours);
    Ok(found.into_iter().map(|(_, variable)| variable).collect())
}

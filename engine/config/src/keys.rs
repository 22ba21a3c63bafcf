//! All settings, the names of their environment variables, and the setting that a wrong key
//! probably meant. The default file is the list.

use toml::de::{DeTable, DeValue};

/// Under this table every key is a model's name, and holds the keys of [`PRICE_KEYS`].
const PRICES: &str = "prices";
const PRICE_KEYS: [&str; 3] = ["input", "cached", "output"];

/// A setting's path, outermost table first.
pub(super) type Path = Vec<String>;

/// Every setting of the default file.
pub(super) fn all(defaults: &DeTable<'_>) -> Vec<Path> {
    let mut paths = vec![vec![PRICES.to_string()]];
    collect(defaults, &mut Vec::new(), &mut paths);
    paths
}

fn collect(table: &DeTable<'_>, above: &mut Path, paths: &mut Vec<Path>) {
    for (key, value) in table {
        above.push(key.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => collect(inner, above, paths),
            _ => paths.push(above.clone()),
        }
        above.pop();
    }
}

/// Whether a setting or a table of settings has this path.
pub(super) fn known(path: &[String], all: &[Path]) -> bool {
    match path {
        [top, _model] if top == PRICES => true,
        [top, _model, key] if top == PRICES => PRICE_KEYS.contains(&key.as_str()),
        _ => all.iter().any(|known| known.starts_with(path)),
    }
}

/// Whether a setting must not be shown.
pub(super) fn secret(path: &[String]) -> bool {
    path.last().is_some_and(|key| matches!(key.as_str(), "key" | "api_key" | "password" | "secret"))
}

/// The path as it is written in messages.
pub(super) fn dotted(path: &[String]) -> String {
    let quoted = |part: &String| {
        let bare = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if bare && !part.is_empty() { part.clone() } else { format!("\"{}\"", part.escape_debug()) }
    };
    path.iter().map(quoted).collect::<Vec<_>>().join(".")
}

/// The environment variable of a setting.
pub(super) fn variable(path: &[String]) -> String {
    format!("TERTULIA_{}", path.join("__").to_uppercase())
}

/// The setting that was probably meant by `path`.
pub(super) fn nearest(path: &[String], all: &[Path]) -> Option<String> {
    if let [top, model, key] = path
        && top == PRICES
    {
        let meant = closest(key, PRICE_KEYS.iter().map(ToString::to_string))?;
        return Some(dotted(&[top.clone(), model.clone(), meant]));
    }
    // A key that exists in another table: most often it was written below the wrong header.
    let elsewhere = all.iter().find(|known| known.last() == path.last() && !secret(known));
    // Tables too: a header may be mistyped.
    let known = all.iter().flat_map(|known| (1..=known.len()).map(|depth| dotted(&known[..depth])));
    let by_spelling = closest(&dotted(path), known);
    by_spelling.or_else(|| elsewhere.or_else(|| part(path, all)).map(|known| dotted(known)))
}

/// So many mistypings are likelier than a word too many.
const MISTYPED_MAX: usize = 2;

/// The variable that was probably meant by `name`.
pub(super) fn nearest_variable(name: &str, all: &[Path]) -> Option<String> {
    let one_underscore = all.iter().map(|path| variable(path)).find(|known| known.replace("__", "_") == name);
    let by_spelling = || closest(name, all.iter().map(|path| variable(path)));
    let (_, below) = name.split_once('_')?;
    let by_words = || part(&[below.to_lowercase()], all).map(|path| variable(path));
    // Whole words say more than several mistypings.
    let mistyped = || by_spelling().filter(|known| strsim::damerau_levenshtein(name, known) <= MISTYPED_MAX);
    one_underscore.or_else(mistyped).or_else(by_words).or_else(by_spelling)
}

/// The setting whose words `path` begins or ends with, in `data_dir` and `server.listen`, or that begins or ends with
/// the words of `path`, as `limits.messages_burst` does: the one that has the most words of it, and the fewest others.
fn part<'a>(path: &[String], all: &'a [Path]) -> Option<&'a Path> {
    let words = |path: &[String]| -> Vec<String> {
        let parts = path.iter().flat_map(|part| part.split(['_', '-', '.']));
        parts.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let meant = words(path);
    if meant.is_empty() {
        return None;
    }
    let shared = |known: &[String]| match known.len() <= meant.len() {
        true => (meant.starts_with(known) || meant.ends_with(known)).then_some(known.len()),
        false => (known.starts_with(&meant) || known.ends_with(&meant)).then_some(meant.len()),
    };
    let candidates = all.iter().filter_map(|known| {
        let known_words = words(known);
        shared(&known_words).map(|shared| ((std::cmp::Reverse(shared), known_words.len()), known))
    });
    candidates.min_by_key(|(rank, _)| *rank).map(|(_, known)| known)
}

/// The candidate with the fewest mistypings, if that is few enough for its length.
fn closest(found: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(found, &candidate), candidate))
        .min_by_key(|(mistypings, _)| *mistypings)
        .filter(|(mistypings, candidate)| *mistypings <= (candidate.len() / 4).clamp(2, 6))
        .map(|(_, candidate)| candidate)
}

//! Writes the default file with the values in force.

use std::fmt::Write;

use toml::Spanned;
use toml::de::DeValue;

use super::DEFAULT;
use super::keys::{self, Path};
use super::merge::Merged;
use super::settings::Config;

/// The default file with every changed value in its place. Invariant: no secret is in it.
pub(super) fn write(merged: &Merged<'_>, config: &Config) -> String {
    let mut out = String::with_capacity(DEFAULT.len() + 256);
    let mut table = Path::new();
    for line in DEFAULT.lines() {
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = header.split('.').map(String::from).collect();
        }
        match key_of(line) {
            Some(key) => {
                let mut path = table.clone();
                path.push(key.into());
                write_setting(&mut out, key, &path, line, merged);
            }
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
        if line == "[prices]" {
            write_prices(&mut out, config);
        }
    }
    out
}

/// The key that a line of the default file sets.
pub(super) fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(" = ")?;
    key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_').then_some(key)
}

fn write_setting(out: &mut String, key: &str, path: &[String], line: &str, merged: &Merged<'_>) {
    // Writing to a `String` cannot fail.
    let _ = match merged.changed(path) {
        // One that is set to nothing is not set, however the nothing is quoted.
        Some(_) if keys::secret(path) && is_empty(merged, path) => writeln!(out, "{line}"),
        Some(_) if keys::secret(path) => writeln!(out, "{key} = \"\" # it is set; secrets are not shown"),
        Some(_) if has_password(path, merged) => {
            writeln!(out, "{key} = \"\" # it is set; it has a password in it, and secrets are not shown")
        }
        Some(value) => writeln!(out, "{key} = {value}"),
        None => writeln!(out, "{line}"),
    };
}

/// Whether it is an address with a name or a password in it.
fn has_password(path: &[String], merged: &Merged<'_>) -> bool {
    let Some(DeValue::String(text)) = merged.find(path).map(Spanned::get_ref) else { return false };
    text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))
}

/// Whether a text without anything in it stands there.
fn is_empty(merged: &Merged<'_>, path: &[String]) -> bool {
    matches!(merged.find(path).map(Spanned::get_ref), Some(DeValue::String(text)) if text.is_empty())
}

fn write_prices(out: &mut String, config: &Config) {
    let dollars = |micros: u64| format!("\"{}.{:06}\"", micros / 1_000_000, micros % 1_000_000);
    for (name, price) in &config.prices {
        let name = toml::Value::String(name.to_string());
        let input = dollars(price.input_microusd_per_million);
        let cached = dollars(price.cached_microusd_per_million);
        let output = dollars(price.output_microusd_per_million);
        // Bare TOML strings may be written '…' or "…"; both are fine as a quoted key.
        let _ = writeln!(out, "{name} = {{ input = {input}, cached = {cached}, output = {output} }}");
    }
}

//! Lays one source over another. Invariant: every value keeps a span that leads back to where it
//! was written, so that a complaint can say where.

use std::ops::Range;
use std::path::Path as FilePath;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::DEFAULT;
use super::environment::Variable;
use super::error::{ConfigError, Place};
use super::keys::{self, Path};

/// All sources as one table.
pub(super) struct Merged<'a> {
    pub(super) table: DeTable<'a>,
    pub(super) keys: Vec<Path>,
    origins: Vec<Piece<'a>>,
}

/// One source's part of the span numbers.
struct Piece<'a> {
    span: Range<usize>,
    text: &'a str,
    kind: Kind<'a>,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Default,
    File(&'a FilePath),
    Variable(&'a str),
}

impl<'a> Merged<'a> {
    /// The defaults alone.
    pub(super) fn defaults() -> Result<Self, ConfigError> {
        let mut merged = Self { table: DeTable::new(), keys: Vec::new(), origins: Vec::new() };
        merged.table = merged.document(DEFAULT, Kind::Default)?;
        merged.keys = keys::all(&merged.table);
        Ok(merged)
    }

    /// Lays a file over what is there.
    pub(super) fn file(&mut self, path: &'a FilePath, text: &'a str) -> Result<(), ConfigError> {
        let table = self.document(text, Kind::File(path))?;
        self.check_keys(&table, &mut Vec::new())?;
        overlay(&mut self.table, table);
        Ok(())
    }

    /// Lays a variable over what is there. Its type is the default's: texts need no quotes.
    pub(super) fn variable(&mut self, variable: &'a Variable) -> Result<(), ConfigError> {
        let Variable { name, path, value } = variable;
        let start = self.begin(value, Kind::Variable(name));
        let parsed = match self.find(path).map(Spanned::get_ref) {
            Some(DeValue::String(_)) => DeValue::String(value.into()),
            old => match DeValue::parse(value.trim()) {
                Ok(parsed) => shifted(parsed, start).into_inner(),
                Err(_) => {
                    let problem = format!("expected {}", kind_of(old));
                    return Err(ConfigError::BadValue { place: Place::Environment, key: name.clone(), problem });
                }
            },
        };
        let mut value = Spanned::new(start..start + value.len(), parsed);
        for key in path.iter().rev() {
            let span = value.span();
            let key = Spanned::new(span.clone(), key.as_str().into());
            value = Spanned::new(span, DeValue::Table(DeTable::from_iter([(key, value)])));
        }
        if let DeValue::Table(table) = value.into_inner() {
            self.check_keys(&table, &mut Vec::new())?;
            overlay(&mut self.table, table);
        }
        Ok(())
    }

    /// The value at a path.
    pub(super) fn find(&self, path: &[String]) -> Option<&Spanned<DeValue<'a>>> {
        let (last, tables) = path.split_last()?;
        let mut table = &self.table;
        for key in tables {
            match table.get(key.as_str())?.get_ref() {
                DeValue::Table(inner) => table = inner,
                _ => return None,
            }
        }
        table.get(last.as_str())
    }

    /// The text of a value that is not the default, as TOML.
    pub(super) fn changed(&self, path: &[String]) -> Option<String> {
        let value = self.find(path)?;
        let origin = self.origin(value.span().start)?;
        let span = value.span();
        match (origin.kind, value.get_ref()) {
            (Kind::Default, _) => None,
            (Kind::Variable(_), DeValue::String(text)) => Some(toml::Value::String(text.to_string()).to_string()),
            _ => origin.text.get(span.start - origin.span.start..span.end - origin.span.start).map(|t| t.trim().into()),
        }
    }

    /// A complaint about the setting at `path`.
    pub(super) fn bad_value(&self, path: &[&str], problem: impl Into<String>) -> ConfigError {
        let path: Path = path.iter().map(ToString::to_string).collect();
        let at = self.find(&path).map_or(0, |value| value.span().start);
        self.complaint(at, &path, problem.into())
    }

    /// A complaint about the value whose span begins at `at`.
    pub(super) fn complain(&self, at: usize, problem: &str) -> ConfigError {
        let mut path = Vec::new();
        trace(&self.table, at, &mut path);
        // What stands where a secret belongs is not repeated.
        let problem = if keys::secret(&path) { "expected a text in quotes".into() } else { plain(problem) };
        self.complaint(at, &path, problem)
    }

    fn complaint(&self, at: usize, path: &[String], problem: String) -> ConfigError {
        let key = match self.origin(at).map(|origin| origin.kind) {
            Some(Kind::Variable(name)) => name.into(),
            _ => keys::dotted(path),
        };
        ConfigError::BadValue { place: self.place(at), key, problem }
    }

    fn place(&self, at: usize) -> Place {
        let Some(origin) = self.origin(at) else { return Place::Environment };
        let line = 1 + origin.text.bytes().take(at - origin.span.start).filter(|byte| *byte == b'\n').count();
        match origin.kind {
            Kind::Default => Place::Default { line },
            Kind::File(path) => Place::File { path: path.into(), line },
            Kind::Variable(_) => Place::Environment,
        }
    }

    fn origin(&self, at: usize) -> Option<&Piece<'a>> {
        self.origins.iter().find(|origin| origin.span.contains(&at))
    }

    fn document(&mut self, text: &'a str, kind: Kind<'a>) -> Result<DeTable<'a>, ConfigError> {
        let start = self.begin(text, kind);
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            place: self.place(start + error.span().map_or(0, |span| span.start)),
            problem: one_line(error.message()),
        })?;
        Ok(shifted_table(table.into_inner(), start))
    }

    /// Reserves span numbers for a source; the one past its end is its own too.
    fn begin(&mut self, text: &'a str, kind: Kind<'a>) -> usize {
        let start = self.origins.last().map_or(0, |origin| origin.span.end);
        self.origins.push(Piece { span: start..start + text.len() + 1, text, kind });
        start
    }

    fn check_keys(&self, table: &DeTable<'_>, above: &mut Path) -> Result<(), ConfigError> {
        for (key, value) in table {
            above.push(key.get_ref().to_string());
            if !keys::known(above, &self.keys) {
                let place = self.place(key.span().start);
                let nearest = keys::nearest(above, &self.keys);
                return Err(ConfigError::UnknownKey { place, key: keys::dotted(above), nearest });
            }
            if let DeValue::Table(inner) = value.get_ref() {
                self.check_keys(inner, above)?;
            }
            above.pop();
        }
        Ok(())
    }
}

/// Puts `over` on `under`, table by table, value by value.
fn overlay<'a>(under: &mut DeTable<'a>, over: DeTable<'a>) {
    for (key, value) in over {
        let span = value.span();
        match (under.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value.into_inner()) {
            (Some(DeValue::Table(under)), DeValue::Table(over)) => overlay(under, over),
            (_, value) => {
                under.insert(key, Spanned::new(span, value));
            }
        }
    }
}

fn shifted_table(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    table
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            (Spanned::new(span.start + by..span.end + by, key.into_inner()), shifted(value, by))
        })
        .collect()
}

fn shifted(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shifted_table(table, by)),
        DeValue::Array(mut items) => {
            for item in items.iter_mut() {
                let moved = shifted(std::mem::replace(item, Spanned::new(0..0, DeValue::Boolean(false))), by);
                *item = moved;
            }
            DeValue::Array(items)
        }
        other => other,
    };
    Spanned::new(span.start + by..span.end + by, value)
}

/// The path of the value whose span holds `at`. Tables are always looked into: the parts of one may
/// be written far apart.
fn trace(table: &DeTable<'_>, at: usize, path: &mut Path) -> bool {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        let inside = matches!(value.get_ref(), DeValue::Table(inner) if trace(inner, at, path));
        let span = value.span();
        if inside || key.span().contains(&at) || span.contains(&at) || span.start == at {
            return true;
        }
        path.pop();
    }
    false
}

fn kind_of(value: Option<&DeValue<'_>>) -> &'static str {
    match value {
        Some(DeValue::Integer(_)) => "a whole number",
        Some(DeValue::Boolean(_)) => "true or false",
        Some(DeValue::Table(_)) => "an inline table such as { \"openai/gpt-x\" = { input = 1.25, output = 10 } }",
        _ => "another kind of value",
    }
}

/// The words for what comes as JSON in those for a file of settings.
fn plain(problem: &str) -> String {
    let mut problem = one_line(problem);
    for (theirs, ours) in [
        ("expected a boolean", "expected true or false"),
        ("expected a string", "expected a text in quotes"),
        ("expected an object", "expected a table of settings"),
    ] {
        problem = problem.replace(theirs, ours);
    }
    problem
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

//! Styles of an ODT document: what they mean for a paragraph, and whether they hide it.

use std::collections::HashMap;

use engine_text::raised::Shift;
use quick_xml::events::BytesStart;

use super::package::{Step, value};

/// Styles that stand on each other, at most.
const PARENTS_MAX: usize = 16;

/// What a style means for its paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Title,
    Heading(usize),
}

/// One style as it is written.
#[derive(Debug, Default)]
struct Style {
    role: Option<Role>,
    /// Its words are struck or hidden, or are not although its parent's are.
    is_struck: Option<bool>,
    is_hidden: Option<bool>,
    /// Where its words stand to their line; `None` within says that they stand on it.
    shift: Option<Option<Shift>>,
    parent: Option<String>,
}

/// Styles by name: those of paragraphs and those of words have names of their own.
#[derive(Debug, Default)]
pub(super) struct Styles {
    paragraphs: HashMap<String, Style>,
    words: HashMap<String, Style>,
    /// The style being read: its name, and whether it is one of words.
    open: Option<(String, bool, Style)>,
}

impl Styles {
    /// Takes in a step of a part with styles in it.
    pub(super) fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Open(start) => self.open(start),
            Step::Close("style") => {
                if let Some((name, is_of_words, style)) = self.open.take() {
                    let styles = if is_of_words { &mut self.words } else { &mut self.paragraphs };
                    styles.insert(name, style);
                }
            }
            Step::Close(_) | Step::Words(_) => {}
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) {
        match start.local_name().into_inner() {
            "style" => {
                let is_of_words = match value(start, "family").as_deref() {
                    Some("text") => true,
                    Some("paragraph") => false,
                    _ => return self.open = None,
                };
                let Some(name) = value(start, "name") else { return };
                let level = value(start, "default-outline-level").and_then(|level| level.parse().ok());
                let role = level.filter(|level| *level > 0).map(Role::Heading).or_else(|| role_of(&name));
                let style = Style { role, parent: value(start, "parent-style-name"), ..Style::default() };
                self.open = Some((name, is_of_words, style));
            }
            "text-properties" => {
                let Some((_, _, style)) = &mut self.open else { return };
                let through =
                    value(start, "text-line-through-style").or_else(|| value(start, "text-line-through-type"));
                style.is_struck = through.map(|through| through != "none").or(style.is_struck);
                style.shift = value(start, "text-position").map(|place| shift_of(&place)).or(style.shift);
                style.is_hidden = value(start, "display").map(|display| display == "none").or(style.is_hidden);
            }
            _ => {}
        }
    }

    /// What a paragraph's style means, and whether its words are out of sight.
    pub(super) fn of_paragraph(&self, name: Option<&str>) -> (Option<Role>, bool) {
        let Some(name) = name else { return (None, false) };
        let (role, is_out) = look(&self.paragraphs, name);
        (role.or_else(|| role_of(name)), is_out)
    }

    /// Where words of this style stand to their line.
    pub(super) fn shift(&self, name: &str) -> Option<Shift> {
        let mut at = self.words.get(name);
        for _ in 0..PARENTS_MAX {
            let style = at?;
            if let Some(shift) = style.shift {
                return shift;
            }
            at = style.parent.as_ref().and_then(|name| self.words.get(name));
        }
        None
    }

    /// Whether words of this style are out of sight.
    pub(super) fn hides(&self, name: &str) -> bool {
        look(&self.words, name).1
    }
}

/// Of `super 58%` or `-33% 58%`.
fn shift_of(place: &str) -> Option<Shift> {
    let first = place.split_whitespace().next()?;
    let by = || first.trim_end_matches('%').parse::<f64>().ok();
    match first {
        "super" => Some(Shift::Raised),
        "sub" => Some(Shift::Lowered),
        _ if by().is_some_and(|by| by > 0.0) => Some(Shift::Raised),
        _ if by().is_some_and(|by| by < 0.0) => Some(Shift::Lowered),
        _ => None,
    }
}

/// What a style and those it stands on say.
fn look(styles: &HashMap<String, Style>, name: &str) -> (Option<Role>, bool) {
    let (mut role, mut is_struck, mut is_hidden) = (None, None, None);
    let mut at = Some(name);
    for _ in 0..PARENTS_MAX {
        let Some(name) = at else { break };
        role = role.or_else(|| role_of(name));
        let Some(style) = styles.get(name) else { break };
        role = role.or(style.role);
        is_struck = is_struck.or(style.is_struck);
        is_hidden = is_hidden.or(style.is_hidden);
        at = style.parent.as_deref();
    }
    (role, is_struck == Some(true) || is_hidden == Some(true))
}

/// Names of styles that come with every program are English in the file; blanks are written `_20_`.
fn role_of(name: &str) -> Option<Role> {
    let name = name.replace("_20_", "").replace(' ', "").to_ascii_lowercase();
    if name == "title" {
        return Some(Role::Title);
    }
    let level = name.strip_prefix("heading")?.parse::<usize>().ok()?;
    (1..=10).contains(&level).then_some(Role::Heading(level))
}

//! Styles of a DOCX document: what they mean for a paragraph, and whether they hide it.

use std::collections::HashMap;

use engine_text::raised::Shift;
use quick_xml::events::BytesStart;

use super::package::{Step, each, value};
use super::{Kind, Unreadable};

/// Styles that stand on each other, at most.
const BASED_MAX: usize = 16;

/// What a style means for its paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Title,
    Heading(usize),
    ListItem,
}

/// What takes words out of sight: hidden, struck once, struck twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks([Option<bool>; 3]);

const MARKS: [&str; 3] = ["vanish", "strike", "dstrike"];

impl Marks {
    /// Takes in an element of a run's properties.
    pub(super) fn note(&mut self, start: &BytesStart<'_>) {
        let name = start.local_name();
        if let Some(at) = MARKS.iter().position(|mark| *mark == name.into_inner()) {
            self.0[at] = Some(is_on(start));
        }
    }

    /// What holds where others are said beneath.
    fn over(self, beneath: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].or(beneath.0[at])))
    }

    /// Whether words with these marks, in this character style and this paragraph style, are out of sight.
    /// What both styles say is said twice, and so not at all; what the words say themselves goes before.
    pub(super) fn hide(self, character: Self, paragraph: Self) -> bool {
        (0..MARKS.len()).any(|at| {
            let of_styles = character.0[at].unwrap_or(false) != paragraph.0[at].unwrap_or(false);
            self.0[at].unwrap_or(of_styles)
        })
    }
}

/// Whether an element that switches something on does so.
pub(super) fn is_on(start: &BytesStart<'_>) -> bool {
    !matches!(value(start, "val").as_deref(), Some("0" | "false" | "off" | "none"))
}

/// Where an element of a run's properties sets its words.
pub(super) fn shift_of(start: &BytesStart<'_>) -> Option<Shift> {
    match value(start, "val").as_deref() {
        Some("superscript") => Some(Shift::Raised),
        Some("subscript") => Some(Shift::Lowered),
        _ => None,
    }
}

/// One style as it is written.
#[derive(Clone, Debug, Default)]
struct Style {
    role: Option<Role>,
    marks: Marks,
    shift: Option<Shift>,
    based_on: Option<String>,
}

/// Styles by id: ids are in the language of whoever wrote the document, names are not.
#[derive(Debug, Default)]
pub(super) struct Styles {
    by_id: HashMap<String, Style>,
    /// That of paragraphs that name none.
    default: Option<String>,
}

impl Styles {
    pub(super) fn read(xml: &str) -> Result<Self, Unreadable> {
        let mut styles = Self::default();
        let (mut id, mut style, mut in_marks) = (None, Style::default(), false);
        each(Kind::Docx, xml, |step| match step {
            Step::Open(start) => match start.local_name().into_inner() {
                "style" => {
                    id = value(start, "styleId");
                    style = Style::default();
                    let is_default = value(start, "default").is_some_and(|on| on == "1" || on == "true");
                    if is_default && value(start, "type").as_deref() == Some("paragraph") {
                        styles.default.clone_from(&id);
                    }
                }
                "name" => style.role = value(start, "val").and_then(|name| role_of(&name)).or(style.role),
                "basedOn" => style.based_on = value(start, "val"),
                "outlineLvl" => {
                    let level = value(start, "val").and_then(|level| level.parse::<usize>().ok());
                    let level = level.filter(|level| *level < 9);
                    style.role = style.role.or(level.map(|level| Role::Heading(level + 1)));
                }
                "rPr" => in_marks = true,
                "vertAlign" if in_marks => style.shift = shift_of(start),
                _ if in_marks => style.marks.note(start),
                _ => {}
            },
            Step::Close("rPr") => in_marks = false,
            Step::Close("style") => {
                if let Some(id) = id.take() {
                    styles.by_id.insert(id, std::mem::take(&mut style));
                }
            }
            Step::Close(_) | Step::Words(_) => {}
        })?;
        Ok(styles)
    }

    /// Where words in a style stand to their line.
    pub(super) fn shift(&self, id: &str) -> Option<Shift> {
        let mut at = self.by_id.get(id);
        for _ in 0..BASED_MAX {
            let style = at?;
            if style.shift.is_some() {
                return style.shift;
            }
            at = style.based_on.as_ref().and_then(|id| self.by_id.get(id));
        }
        None
    }

    /// What a style and those it stands on say; without an id, what holds for every paragraph.
    pub(super) fn of(&self, id: Option<&str>) -> (Option<Role>, Marks) {
        let mut role = None;
        let mut marks = Marks::default();
        let mut at = id.or(self.default.as_deref());
        for _ in 0..BASED_MAX {
            let Some(id) = at else { break };
            let Some(style) = self.by_id.get(id) else {
                role = role.or_else(|| role_of(id));
                break;
            };
            role = role.or(style.role).or_else(|| role_of(id));
            marks = marks.over(style.marks);
            at = style.based_on.as_deref();
        }
        (role, marks)
    }
}

fn role_of(name: &str) -> Option<Role> {
    let name: String = name.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    if name == "title" {
        return Some(Role::Title);
    }
    if name.starts_with("list") && name != "listparagraph" {
        return Some(Role::ListItem);
    }
    let level = name.strip_prefix("heading")?.parse::<usize>().ok()?;
    (1..=9).contains(&level).then_some(Role::Heading(level))
}

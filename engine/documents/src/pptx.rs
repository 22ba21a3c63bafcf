//! PPTX: every slide that is shown, a section with its lists, tables, diagrams and notes.
//! Invariant: a slide is read once, however often the presentation names it.

use std::collections::{HashMap, HashSet};

use quick_xml::events::BytesStart;
use quick_xml::events::attributes::Attribute;

use super::blocks::{Block, write};
use super::cells::COPIES_FREE;
use super::package::{Package, Relation, Step, each};
use super::pptx_slide::{Role, SHAPES_MAX, Shape, Slide, title};
use super::{Kind, LeftOut, ReadDocument, Unreadable, WhyLeftOut};

const MAIN: &str = "ppt/presentation.xml";
/// Slides left out that are told of one presentation.
const LEFT_OUT_MAX: usize = 20;

pub(super) fn read(bytes: &[u8]) -> Result<ReadDocument, Unreadable> {
    let mut package = Package::open(Kind::Pptx, bytes)?;
    let presentation = package.main_part(MAIN)?;
    let parts = package.relations(MAIN)?;
    let core = package.title("docProps/core.xml")?.filter(|title| !title.to_lowercase().contains("powerpoint"));
    let mut reading = Reading {
        package,
        shapes_left: SHAPES_MAX,
        copies: bytes.len().max(COPIES_FREE),
        blocks: Vec::new(),
        left_out: Vec::new(),
    };
    let mut seen = HashSet::new();
    for (number, id) in (1..).zip(slides(&presentation)?) {
        let Some(part) = parts.get(&id).map(|relation| relation.part.as_str()) else { continue };
        if !seen.insert(part) {
            continue;
        }
        if let Some(hidden) = reading.slide(part, number)? {
            reading.leave_out(format!("slide {number}"), WhyLeftOut::Hidden, hidden);
        }
    }
    let left_out = reading.left_out;
    let (own, markdown) = write(reading.blocks);
    let title = own.or(core);
    let markdown = match &title {
        Some(title) if !markdown.trim().is_empty() => super::pdf_text::under(title, &markdown),
        _ => markdown,
    };
    Ok(ReadDocument { title, markdown, left_out, ..ReadDocument::default() })
}

/// The ids of the slides, in their order.
fn slides(xml: &str) -> Result<Vec<String>, Unreadable> {
    let mut slides = Vec::new();
    each(Kind::Pptx, xml, |step| {
        // It has a number called `id` too: that of the part has a prefix.
        if let Step::Open(start) = step
            && start.local_name().into_inner() == "sldId"
            && let Some(id) = prefixed_id(start)
        {
            slides.push(id);
        }
    })?;
    Ok(slides)
}

fn prefixed_id(start: &BytesStart<'_>) -> Option<String> {
    let mut attributes = start.attributes();
    let mut found = attributes.with_checks(false).flatten();
    let is_one = |one: &Attribute<'_>| one.key.prefix().is_some() && one.key.local_name().into_inner() == "id";
    found.find(is_one).map(|one| one.value.to_string())
}

struct Reading<'a> {
    package: Package<'a>,
    shapes_left: usize,
    /// Bytes that cells over several places may still be repeated with.
    copies: usize,
    blocks: Vec<Block>,
    left_out: Vec<LeftOut>,
}

impl Reading<'_> {
    fn leave_out(&mut self, what: String, why: WhyLeftOut, chars: usize) {
        if self.left_out.len() < LEFT_OUT_MAX {
            self.left_out.push(LeftOut { what, why, chars });
        }
    }

    /// Takes in a slide; gives the characters of one that is not shown.
    fn slide(&mut self, part: &str, number: usize) -> Result<Option<usize>, Unreadable> {
        let Some((mut shapes, is_hidden)) = self.shapes(part, true)? else { return Ok(None) };
        if is_hidden {
            return Ok(Some(chars(&shapes)));
        }
        let relations = self.package.relations(part)?;
        let title = title(&mut shapes);
        let mut body: Vec<Block> = Vec::new();
        for shape in shapes {
            match shape {
                Shape::Text(_, blocks) => body.extend(blocks),
                Shape::Table(table) => body.push(table),
                Shape::Diagram(id) => self.diagram(&relations, &id, &mut body)?,
            }
        }
        self.charts(&relations, number)?;
        let notes = relations.values().find(|relation| relation.kind == "notesSlide").map(|notes| notes.part.clone());
        if let Some(notes) = notes {
            self.notes(&notes, &mut body)?;
        }
        self.blocks.extend(match title {
            // The first one's is what the presentation is called.
            Some((words, true)) if self.blocks.is_empty() => Some(Block::Title(words)),
            Some((words, _)) => Some(Block::Heading(1, words)),
            None if body.is_empty() => None,
            // Else what it says would stand below the title of the one before.
            None => Some(Block::Heading(1, format!("Slide {number}"))),
        });
        self.blocks.append(&mut body);
        Ok(None)
    }

    /// What a part shows, and whether it is hidden; `lists` of lines that do not say that they are none.
    fn shapes(&mut self, part: &str, lists: bool) -> Result<Option<(Vec<Shape>, bool)>, Unreadable> {
        let Some(xml) = self.package.part(part)? else { return Ok(None) };
        let mut slide = Slide::new(lists, &mut self.shapes_left, &mut self.copies);
        each(Kind::Pptx, &xml, |step| slide.step(step))?;
        slide.finish().map(Some)
    }

    /// Tells of the charts on a slide: their values are not read.
    fn charts(&mut self, relations: &HashMap<String, Relation>, number: usize) -> Result<(), Unreadable> {
        let charts = relations.values().filter(|one| one.kind == "chart" || one.kind == "chartEx");
        let mut parts: Vec<&str> = charts.map(|one| one.part.as_str()).collect();
        parts.sort_unstable();
        for part in parts.into_iter().take(LEFT_OUT_MAX) {
            let Some(xml) = self.package.part(part)? else { continue };
            let (mut in_value, mut chars) = (false, 0);
            each(Kind::Pptx, &xml, |step| match step {
                Step::Open(start) => in_value = matches!(start.local_name().into_inner(), "v" | "t" | "pt"),
                Step::Close(_) => in_value = false,
                Step::Words(words) => chars += if in_value { words.trim().chars().count() } else { 0 },
            })?;
            self.leave_out(format!("chart on slide {number}"), WhyLeftOut::Unread, chars);
        }
        Ok(())
    }

    /// What the presenter wrote below the slide.
    fn notes(&mut self, part: &str, body: &mut Vec<Block>) -> Result<(), Unreadable> {
        for shape in self.shapes(part, false)?.map(|(shapes, _)| shapes).unwrap_or_default() {
            if let Shape::Text(Role::Body, blocks) = shape {
                body.extend(blocks);
            }
        }
        Ok(())
    }

    /// The words of a diagram, an item each.
    fn diagram(
        &mut self,
        relations: &HashMap<String, Relation>,
        id: &str,
        body: &mut Vec<Block>,
    ) -> Result<(), Unreadable> {
        let Some(part) = relations.get(id).map(|relation| relation.part.clone()) else { return Ok(()) };
        let Some(xml) = self.package.part(&part)? else { return Ok(()) };
        let (mut in_text, mut words) = (false, String::new());
        each(Kind::Pptx, &xml, |step| match step {
            Step::Open(start) => in_text = start.local_name().into_inner() == "t",
            Step::Close("t") => in_text = false,
            Step::Close("pt") if !words.trim().is_empty() => body.push(Block::Item(0, std::mem::take(&mut words))),
            Step::Close("p") if !words.is_empty() => words.push(' '),
            Step::Words(more) if in_text => words.push_str(more),
            Step::Close(_) | Step::Words(_) => {}
        })
    }
}

fn chars(shapes: &[Shape]) -> usize {
    let mut words = String::new();
    for shape in shapes {
        match shape {
            Shape::Text(_, blocks) => blocks.iter().for_each(|block| block.flatten(&mut words)),
            Shape::Table(table) => table.flatten(&mut words),
            Shape::Diagram(_) => {}
        }
    }
    words.chars().count()
}

#[cfg(test)]
#[path = "pptx_tests.rs"]
mod tests;

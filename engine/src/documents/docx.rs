//! DOCX: the words of the document with its headings, lists and tables.
//! Invariant: nothing is inflated past a bound, and no element is kept beyond its end.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::markdown::Writer;
use super::{Kind, Page, Unreadable};

/// All parts that are read, inflated.
const INFLATED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What any archive may inflate to, however small it is …
const INFLATED_BYTES_FREE: u64 = 1024 * 1024;
/// … and beyond that times its size: a document of nothing but alike table rows comes to fifty, a bomb to a
/// thousand.
const INFLATED_TIMES_MAX: u64 = 100;
/// Parts of the archive.
const PARTS_MAX: usize = 20_000;
/// Elements within each other.
const DEPTH_MAX: usize = 4_096;

pub(super) fn read(bytes: &[u8]) -> Result<Page, Unreadable> {
    let malformed = Unreadable::Malformed(Kind::Docx);
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| malformed.clone())?;
    if archive.len() > PARTS_MAX {
        return Err(Unreadable::Bomb);
    }
    let times = (bytes.len() as u64).saturating_mul(INFLATED_TIMES_MAX);
    let mut room = INFLATED_BYTES_MAX.min(times.saturating_add(INFLATED_BYTES_FREE));
    let document = part(&mut archive, "word/document.xml", &mut room)?.ok_or(malformed)?;
    let styles =
        part(&mut archive, "word/styles.xml", &mut room)?.map(|xml| styles(&xml)).transpose()?.unwrap_or_default();
    let core = part(&mut archive, "docProps/core.xml", &mut room)?;
    let mut body = Body::new(&styles);
    each(&document, |step| body.step(step))?;
    let title = core.map(|xml| title(&xml)).transpose()?.flatten().or(body.title.take());
    let markdown = body.writer.finish();
    let markdown = match &title {
        Some(title) if !markdown.trim().is_empty() => super::pdf_text::under(title, &markdown),
        _ => markdown,
    };
    Ok(Page { title, markdown, ..Page::default() })
}

/// One part, inflated into the room that is left for all.
fn part(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str, room: &mut u64) -> Result<Option<String>, Unreadable> {
    let Ok(file) = archive.by_name(name) else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(*room + 1).read_to_end(&mut bytes).map_err(|_| Unreadable::Malformed(Kind::Docx))?;
    *room = room.checked_sub(bytes.len() as u64).ok_or(Unreadable::Bomb)?;
    String::from_utf8(bytes).map(Some).map_err(|_| Unreadable::Malformed(Kind::Docx))
}

/// What is met on the way through a part, names without their prefix.
#[derive(Clone, Copy)]
enum Step<'a> {
    Open(&'a BytesStart<'a>),
    Close(&'a str),
    Words(&'a str),
}

fn each(xml: &str, mut step: impl FnMut(Step<'_>)) -> Result<(), Unreadable> {
    let mut reader = Reader::from_str(xml);
    let mut depth = 0usize;
    loop {
        match reader.read_event().map_err(|_| Unreadable::Malformed(Kind::Docx))? {
            Event::Start(start) => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(Unreadable::TooDeep);
                }
                step(Step::Open(&start));
            }
            Event::Empty(start) => {
                step(Step::Open(&start));
                step(Step::Close(start.local_name().into_inner()));
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                step(Step::Close(end.local_name().into_inner()));
            }
            Event::Text(text) => step(Step::Words(&text.xml10_content())),
            Event::CData(text) => step(Step::Words(&text.xml10_content())),
            Event::GeneralRef(entity) => {
                let known = match &*entity {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => entity.resolve_char_ref().ok().flatten(),
                };
                if let Some(c) = known {
                    step(Step::Words(c.encode_utf8(&mut [0; 4])));
                }
            }
            // What comes after the last element is not looked at; an element left open is an error.
            Event::Eof if depth == 0 => return Ok(()),
            Event::Eof => return Err(Unreadable::Malformed(Kind::Docx)),
            _ => {}
        }
    }
}

fn value(start: &BytesStart<'_>, wanted: &str) -> Option<String> {
    // Unchecked: to see that no name comes twice, each would be compared with all before it.
    let mut attributes = start.attributes();
    let found = attributes.with_checks(false).flatten().find(|one| one.key.local_name().into_inner() == wanted)?;
    Some(found.value.to_string())
}

/// What a style means for its paragraph.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Title,
    Heading(usize),
    ListItem,
}

/// Styles by id: ids are in the language of whoever wrote the document, names are not.
fn styles(xml: &str) -> Result<HashMap<String, Style>, Unreadable> {
    let mut styles = HashMap::new();
    let mut id = None;
    each(xml, |step| {
        let Step::Open(start) = step else { return };
        match start.local_name().into_inner() {
            "style" => id = value(start, "styleId"),
            "name" => {
                let style = value(start, "val").and_then(|name| style_of(&name));
                if let (Some(id), Some(style)) = (&id, style) {
                    styles.insert(id.clone(), style);
                }
            }
            "outlineLvl" => {
                let level =
                    value(start, "val").and_then(|level| level.parse::<usize>().ok()).filter(|level| *level < 9);
                if let (Some(id), Some(level)) = (&id, level) {
                    styles.entry(id.clone()).or_insert(Style::Heading(level + 1));
                }
            }
            _ => {}
        }
    })?;
    Ok(styles)
}

fn style_of(name: &str) -> Option<Style> {
    let name: String = name.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    if name == "title" {
        return Some(Style::Title);
    }
    if name.starts_with("list") && name != "listparagraph" {
        return Some(Style::ListItem);
    }
    let level = name.strip_prefix("heading")?.parse::<usize>().ok()?;
    (1..=9).contains(&level).then_some(Style::Heading(level))
}

fn title(xml: &str) -> Result<Option<String>, Unreadable> {
    let (mut inside, mut words) = (false, String::new());
    each(xml, |step| match step {
        Step::Open(start) => inside |= start.local_name().into_inner() == "title",
        Step::Close("title") => inside = false,
        Step::Close(_) => {}
        Step::Words(more) if inside => words.push_str(more),
        Step::Words(_) => {}
    })?;
    Ok(super::pdf_text::title(&words))
}

/// The document's body while it is walked through.
struct Body<'a> {
    styles: &'a HashMap<String, Style>,
    writer: Writer,
    title: Option<String>,
    /// Words of the paragraph.
    words: String,
    style: Option<Style>,
    /// How deep the paragraph stands in lists, when it is an item.
    item: Option<usize>,
    /// Lists that are open.
    lists: usize,
    in_text: bool,
    /// Elements open within one that repeats or was deleted.
    skipped: usize,
    /// Tables that are open; only the outermost is one in the answer.
    tables: usize,
    rows: Vec<Vec<String>>,
}

impl<'a> Body<'a> {
    fn new(styles: &'a HashMap<String, Style>) -> Self {
        Self {
            styles,
            writer: Writer::default(),
            title: None,
            words: String::new(),
            style: None,
            item: None,
            lists: 0,
            in_text: false,
            skipped: 0,
            tables: 0,
            rows: Vec::new(),
        }
    }

    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Open(_) if self.skipped > 0 => self.skipped += 1,
            Step::Close(_) if self.skipped > 0 => self.skipped -= 1,
            Step::Open(start) => self.open(start),
            Step::Close(name) => self.close(name),
            Step::Words(words) if self.in_text && self.skipped == 0 => self.words.push_str(words),
            Step::Words(_) => {}
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) {
        match start.local_name().into_inner() {
            // The same words again for older programs; words that were deleted or moved away.
            "Fallback" | "del" | "moveFrom" => self.skipped = 1,
            "p" if self.tables == 0 => {
                self.words.clear();
                self.style = None;
                self.item = None;
            }
            "pStyle" => self.style = value(start, "val").and_then(|id| self.style(&id)),
            "ilvl" => self.item = value(start, "val").and_then(|level| level.parse().ok()).or(Some(0)),
            // Number 0 takes an item out of the list its style puts it in.
            "numId" if value(start, "val").as_deref() == Some("0") => self.item = None,
            "numId" => self.item = self.item.or(Some(0)),
            "t" => self.in_text = true,
            "tab" => self.words.push('\t'),
            "br" | "cr" => self.words.push('\n'),
            "noBreakHyphen" => self.words.push('-'),
            "tbl" => {
                self.tables += 1;
                if self.tables == 1 {
                    self.end_lists(0);
                    self.rows.clear();
                }
            }
            "tr" if self.tables == 1 => self.rows.push(Vec::new()),
            "tc" if self.tables == 1 => self.words.clear(),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "t" => self.in_text = false,
            "p" if self.tables > 0 => self.words.push(' '),
            "p" => self.end_paragraph(),
            "tc" if self.tables == 1 => {
                let words = std::mem::take(&mut self.words);
                if let Some(row) = self.rows.last_mut() {
                    row.push(words);
                }
            }
            "tbl" => {
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 {
                    self.writer.table(&std::mem::take(&mut self.rows));
                    self.words.clear();
                }
            }
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        let words = std::mem::take(&mut self.words);
        if words.trim().is_empty() {
            return;
        }
        let item = self.item.or((self.style == Some(Style::ListItem)).then_some(0));
        match (self.style, item) {
            (Some(Style::Title), _) => {
                self.end_lists(0);
                self.title = self.title.take().or_else(|| super::pdf_text::title(&words));
                self.write(&words);
                self.writer.end_heading(1);
            }
            (Some(Style::Heading(level)), _) => {
                self.end_lists(0);
                self.write(&words);
                self.writer.end_heading(level + 1);
            }
            (_, Some(level)) => {
                let depth = level.min(8) + 1;
                self.end_lists(depth);
                while self.lists < depth {
                    self.writer.begin_list(None);
                    self.lists += 1;
                }
                self.writer.begin_item();
                self.write(&words);
                self.writer.end_paragraph();
            }
            _ => {
                self.end_lists(0);
                self.write(&words);
                self.writer.end_paragraph();
            }
        }
    }

    fn write(&mut self, words: &str) {
        for (n, line) in words.trim().lines().enumerate() {
            if n > 0 {
                self.writer.line_break();
            }
            self.writer.text(line);
        }
    }

    fn end_lists(&mut self, depth: usize) {
        while self.lists > depth {
            self.writer.end_list();
            self.lists -= 1;
        }
    }

    fn style(&self, id: &str) -> Option<Style> {
        self.styles.get(id).copied().or_else(|| style_of(id))
    }
}

#[cfg(test)]
#[path = "docx_tests.rs"]
mod tests;

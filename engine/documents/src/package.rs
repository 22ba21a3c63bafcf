//! Documents that are archives of XML: their parts, and the events of reading one.
//! Invariant: nothing is inflated past a bound, and no element is kept beyond its end.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, Read};

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::{Kind, Unreadable};

/// All parts that are read, inflated.
const INFLATED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What any archive may inflate to, however small it is …
pub(super) const INFLATED_BYTES_FREE: u64 = 1024 * 1024;
/// … and beyond that times its size: a document of nothing but alike table rows comes to fifty, a bomb to a
/// thousand.
const INFLATED_TIMES_MAX: u64 = 100;
/// Parts of the archive.
const PARTS_MAX: usize = 20_000;
/// Elements within each other.
pub(super) const DEPTH_MAX: usize = 4_096;

/// An archive being read.
pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    kind: Kind,
    /// Bytes that may still be inflated.
    room: u64,
}

impl<'a> Package<'a> {
    pub(super) fn open(kind: Kind, bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| Unreadable::Malformed(kind))?;
        if archive.len() > PARTS_MAX {
            return Err(Unreadable::Bomb);
        }
        let times = (bytes.len() as u64).saturating_mul(INFLATED_TIMES_MAX);
        let room = INFLATED_BYTES_MAX.min(times.saturating_add(INFLATED_BYTES_FREE));
        Ok(Self { archive, kind, room })
    }

    /// One part as text, if there is one of this name.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<String>, Unreadable> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
        String::from_utf8(bytes).map(Some).map_err(|_| Unreadable::Malformed(self.kind))
    }

    /// One part that must be there.
    pub(super) fn main_part(&mut self, name: &str) -> Result<String, Unreadable> {
        self.part(name)?.ok_or(Unreadable::Malformed(self.kind))
    }

    /// What a part of an Office document refers to, by the ids that it uses.
    pub(super) fn relations(&mut self, part: &str) -> Result<HashMap<String, Relation>, Unreadable> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let mut relations = HashMap::new();
        let Some(xml) = self.part(&resolved(folder, &format!("_rels/{name}.rels")))? else { return Ok(relations) };
        each(self.kind, &xml, |step| {
            if let Step::Open(start) = step
                && let (Some(id), Some(target)) = (value(start, "Id"), value(start, "Target"))
            {
                let kind = value(start, "Type").and_then(|kind| kind.rsplit('/').next().map(str::to_owned));
                relations.insert(id, Relation { part: resolved(folder, &target), kind: kind.unwrap_or_default() });
            }
        })?;
        Ok(relations)
    }

    /// One part, inflated into the room that is left for all.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        let Ok(file) = self.archive.by_name(name) else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(self.room + 1).read_to_end(&mut bytes).map_err(|_| Unreadable::Malformed(self.kind))?;
        self.room = self.room.checked_sub(bytes.len() as u64).ok_or(Unreadable::Bomb)?;
        Ok(Some(bytes))
    }

    /// The title in a part of the document's properties.
    pub(super) fn title(&mut self, name: &str) -> Result<Option<String>, Unreadable> {
        let Some(xml) = self.part(name)? else { return Ok(None) };
        let (mut inside, mut words) = (false, String::new());
        each(self.kind, &xml, |step| match step {
            Step::Open(start) => inside |= start.local_name().into_inner() == "title",
            Step::Close("title") => inside = false,
            Step::Close(_) => {}
            Step::Words(more) if inside => words.push_str(more),
            Step::Words(_) => {}
        })?;
        Ok(super::pdf_text::title(&words))
    }
}

/// What one part is to another.
pub(super) struct Relation {
    /// The other's name.
    pub(super) part: String,
    /// The last word of the relation's type: `slide`, `notesSlide`.
    pub(super) kind: String,
}

/// The name of a part that another names, itself in a folder.
pub(super) fn resolved(folder: &str, target: &str) -> String {
    let mut steps: Vec<&str> = match target.starts_with('/') {
        true => Vec::new(),
        false => folder.split('/').filter(|step| !step.is_empty()).collect(),
    };
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    steps.join("/")
}

/// What is met on the way through a part, names without their prefix.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Open(&'a BytesStart<'a>),
    Close(&'a str),
    Words(&'a str),
}

pub(super) fn each(kind: Kind, xml: &str, mut step: impl FnMut(Step<'_>)) -> Result<(), Unreadable> {
    let mut reader = Reader::from_str(xml);
    let mut depth = 0usize;
    loop {
        match reader.read_event().map_err(|_| Unreadable::Malformed(kind))? {
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
            Event::Eof => return Err(Unreadable::Malformed(kind)),
            _ => {}
        }
    }
}

/// An attribute, whatever its prefix.
pub(super) fn value(start: &BytesStart<'_>, wanted: &str) -> Option<String> {
    // Unchecked: to see that no name comes twice, each would be compared with all before it.
    let mut attributes = start.attributes();
    let found = attributes.with_checks(false).flatten().find(|one| one.key.local_name().into_inner() == wanted)?;
    Some(unescape(&found.value).map_or_else(|_| found.value.to_string(), Cow::into_owned))
}

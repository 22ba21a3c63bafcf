//! Documents cut into passages: small enough to quote, large enough to be understood alone.
//! Invariant: no word is lost, no passage is longer than `PASSAGE_CHARS_MAX`, the same text gives
//! the same passages, and the time taken grows with the text only.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use schema::TYPED_SOURCE;
use schema::limits::PASSAGE_CHARS_MAX;

use super::blocks::{self, Block, Kind, OUTLINE_MARK};
use super::sentences::sentences;
use super::written;

/// Prose is gathered up to about this many characters: shorter passages are found more exactly.
const GATHER_CHARS: usize = 800;
/// A sentence this long or shorter may lead into each piece of a list, table or listing.
const LEAD_CHARS_MAX: usize = 240;
/// A table's head this long or shorter is repeated above each piece.
const TABLE_HEAD_CHARS_MAX: usize = 400;

/// Between a heading and the one below it.
const JOINT: &str = " › ";
/// Sections that are listed with the heading above them, and how long the list may be, in characters.
const OUTLINE_MAX: usize = 24;
const OUTLINE_CHARS_MAX: usize = 600;

/// A passage before it is indexed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The headings above it, outermost first, joined with ` › `.
    pub(crate) heading: String,
    /// Its words: paragraphs, lists, tables and listings, nothing in them escaped. See [`super::written`].
    pub(crate) text: String,
}

/// The passages of a document. What a team typed stays as it was typed; names that end in `.txt`, `.text` or `.log`
/// are plain text, all others Markdown.
pub(crate) fn pieces(source: &str, text: &str) -> Vec<Piece> {
    let name = source.to_ascii_lowercase();
    let is_plain = [".txt", ".text", ".log"].iter().any(|end| name.ends_with(end));
    let mut packer = Packer::default();
    let take = |block: Block| packer.add(&block);
    // Somebody has written marks into a plain text, and has seen them as they are.
    let is_marked_up = || !engine_text::plain::is_made(text) && engine_text::plain::is_markdown(text);
    if source.starts_with(TYPED_SOURCE) || is_plain && is_marked_up() {
        written::of_typed(text, take);
    } else if is_plain {
        blocks::of_plain(text, take);
    } else {
        blocks::of_markdown(text, take);
    }
    packer.flush();
    outlined(&packer.pieces)
}

/// What stands below a heading in sections of its own is listed with it: `Our cabins` has `Wren`, `Alder` and
/// `Heron`. Who asks what there is is answered so.
fn outlined(pieces: &[Piece]) -> Vec<Piece> {
    let mut below: HashMap<&str, Vec<&str>> = HashMap::new();
    for piece in pieces {
        if let Some((above, title)) = piece.heading.rsplit_once(JOINT) {
            let titles = below.entry(above).or_default();
            if !titles.contains(&title) && titles.len() <= OUTLINE_MAX {
                titles.push(title);
            }
        }
    }
    let list = |heading: &str| {
        let titles = below.get(heading)?;
        let asks = titles.iter().any(|title| title.ends_with(['?', '？', '؟']));
        let fits = (2..=OUTLINE_MAX).contains(&titles.len()) && !asks;
        let list = titles.iter().map(|title| format!("{OUTLINE_MARK}{title}")).collect::<Vec<_>>().join("\n");
        (fits && list.chars().count() <= OUTLINE_CHARS_MAX).then_some(list)
    };
    let mut told: HashSet<&str> = HashSet::new();
    let mut outlined: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        // A passage of its own: what the heading says itself answers other questions.
        let above = piece.heading.rsplit_once(JOINT).map(|(above, _)| above);
        if let Some(above) = above.filter(|above| !told.contains(*above))
            && let Some(list) = list(above)
        {
            told.insert(above);
            outlined.push(Piece { heading: above.to_string(), text: list });
        }
        outlined.push(piece.clone());
    }
    outlined
}

#[derive(Default)]
struct Packer {
    pieces: Vec<Piece>,
    heading: Rc<str>,
    text: String,
    chars: usize,
    /// The last sentence of the prose just added: it may lead into what follows.
    lead: Option<String>,
}

impl Packer {
    fn add(&mut self, block: &Block) {
        if self.heading != block.heading {
            self.flush();
            self.lead = None;
            self.heading = block.heading.clone();
        }
        match &block.kind {
            Kind::Prose => {
                for part in prose_parts(&block.text) {
                    self.add_prose(&part);
                }
                self.lead = sentences(&block.text).last().map(|last| (*last).to_string());
            }
            kind => {
                let whole = render(kind, &block.text);
                let room = PASSAGE_CHARS_MAX.saturating_sub(self.chars + 2);
                if whole.chars().count() <= room {
                    self.append(&whole);
                } else {
                    self.add_apart(kind, &block.text, &whole);
                }
                // A listing or table in the middle of a list does not lead on.
                self.lead = None;
            }
        }
    }

    fn add_prose(&mut self, part: &str) {
        let together = self.chars + 2 + part.chars().count();
        let fits = together <= GATHER_CHARS || (self.chars < LEAD_CHARS_MAX && together <= PASSAGE_CHARS_MAX);
        if !fits {
            self.flush();
        }
        self.append(part);
    }

    /// What does not fit below the text so far stands in passages of its own, each led in.
    fn add_apart(&mut self, kind: &Kind, text: &str, whole: &str) {
        self.flush();
        let lead = self.lead.take().filter(|lead| lead.chars().count() <= LEAD_CHARS_MAX).unwrap_or_default();
        let room = PASSAGE_CHARS_MAX - lead.chars().count() - 2;
        let parts =
            if whole.chars().count() <= room { vec![whole.to_string()] } else { parts_of_lines(kind, text, room) };
        for part in parts {
            if !lead.is_empty() {
                self.append(&lead);
            }
            self.append(&part);
            self.flush();
        }
    }

    fn append(&mut self, part: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
            self.chars += 2;
        }
        self.text.push_str(part);
        self.chars += part.chars().count();
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.chars = 0;
        if !text.trim().is_empty() {
            self.pieces.push(Piece { heading: self.heading.to_string(), text });
        }
    }
}

/// A paragraph, or its sentences gathered to pieces when it is too long.
fn prose_parts(text: &str) -> Vec<String> {
    if text.chars().count() <= GATHER_CHARS {
        return vec![text.to_string()];
    }
    gather(sentences(text).into_iter(), " ", GATHER_CHARS)
}

fn render(kind: &Kind, text: &str) -> String {
    match kind {
        Kind::Code { language } => {
            let fence = fence_for(text);
            format!("{fence}{language}\n{text}\n{fence}")
        }
        _ => text.to_string(),
    }
}

/// The lines of a block in pieces of at most `room` characters, each a block of its kind.
fn parts_of_lines(kind: &Kind, text: &str, room: usize) -> Vec<String> {
    match kind {
        Kind::Code { language } => {
            let frame = 2 * fence_for(text).chars().count() + language.chars().count() + 2;
            // A fence as long as the room would leave none for the lines: such code is shown bare.
            match room.checked_sub(frame).filter(|left| *left >= room / 2) {
                Some(left) => gather(text.lines(), "\n", left).iter().map(|part| render(kind, part)).collect(),
                None => gather(text.lines(), "\n", room),
            }
        }
        Kind::Table => {
            let mut lines = text.lines();
            let head: Vec<&str> = lines.by_ref().take(2).collect();
            let head = head.join("\n");
            let length = head.chars().count();
            if length > TABLE_HEAD_CHARS_MAX {
                return gather(text.lines(), "\n", room);
            }
            gather(lines, "\n", room - length - 1).iter().map(|rows| format!("{head}\n{rows}")).collect()
        }
        Kind::List | Kind::Prose => gather(text.lines(), "\n", room),
    }
}

/// Longer than any run of backticks in the text.
fn fence_for(text: &str) -> String {
    let (mut longest, mut run) = (2, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat(longest + 1)
}

/// Joins parts as long as they fit into `room` characters; a part that alone does not is cut
/// between words, and a word that does not, between characters.
fn gather<'a>(parts: impl Iterator<Item = &'a str>, joint: &str, room: usize) -> Vec<String> {
    let mut gathered: Vec<String> = Vec::new();
    let mut length = usize::MAX;
    for part in parts.flat_map(|part| cut(part, room)) {
        let chars = part.chars().count();
        match gathered.last_mut() {
            Some(last) if length.saturating_add(joint.len() + chars) <= room => {
                last.push_str(joint);
                last.push_str(part);
                length += joint.len() + chars;
            }
            _ => {
                gathered.push(part.to_string());
                length = chars;
            }
        }
    }
    gathered
}

fn cut(mut part: &str, room: usize) -> Vec<&str> {
    let mut cuts = Vec::new();
    while let Some((end, _)) = part.char_indices().nth(room) {
        let at = part[..end].rfind(char::is_whitespace).filter(|at| *at > 0).unwrap_or(end);
        cuts.push(part[..at].trim_end());
        part = part[at..].trim_start();
    }
    cuts.push(part);
    cuts.retain(|cut| !cut.is_empty());
    cuts
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;

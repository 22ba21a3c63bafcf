//! Documents taken apart into blocks: prose, lists, tables and code, each under its headings.
//! Invariant: every visible word of a document is in some block or in the headings above one; what was struck
//! through does not count as visible: it does not hold any more.

mod numbering;

use std::borrow::Cow;
use std::collections::HashSet;
use std::rc::Rc;

use engine_text::raised::{Shift, shifted};
use pulldown_cmark::{BrokenLink, CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::html;
use super::parts::parts;
use super::struck::Struck;
use numbering::counted;

/// A heading longer than this, in characters, is cut in the path and repeated in full below it.
const HEADING_CHARS_MAX: usize = 120;
/// Lists nested deeper than this are shown at this depth.
const INDENT_LEVELS_MAX: usize = 4;
/// Before each title of an outline. No text of a tenant's begins with it: it has a sign that nobody sees.
pub(super) const OUTLINE_MARK: &str = "\u{2060}+ ";
/// Labels of links that are known in all parts of a large text.
const LABELS_MAX: usize = 10_000;

/// What stands together in a document.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    /// The headings above it, joined with ` › `.
    pub(super) heading: Rc<str>,
    pub(super) kind: Kind,
    /// Its words; for code the lines alone.
    pub(super) text: String,
}

#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    Prose,
    /// One line for each item or continued item.
    List,
    /// The first two lines are the head and its rule.
    Table,
    Code {
        language: String,
    },
}

/// Gives the blocks of a plain text, whose headings, lists and tables have no markup.
pub(super) fn of_plain(text: &str, mut take: impl FnMut(Block)) {
    let mut reader = Reader { is_plain: true, ..Reader::default() };
    // As a whole: a part may look like what was made of another text.
    let is_made = engine_text::plain::is_made(text);
    for part in parts(text) {
        let part = if is_made { part.into() } else { Cow::from(engine_text::plain::to_markdown(part)) };
        reader.part(&part, &HashSet::new());
        reader.give(&mut take);
    }
    reader.finish(&mut take);
}

/// Gives the blocks of a Markdown document, front matter left out.
pub(super) fn of_markdown(text: &str, mut take: impl FnMut(Block)) {
    let text = without_front_matter(text);
    let mut reader = Reader::default();
    let mut parts = parts(text).peekable();
    let first = parts.next().unwrap_or_default();
    // What one part refers to may stand in another.
    let labels = if parts.peek().is_some() { labels(text) } else { HashSet::new() };
    for part in std::iter::once(first).chain(parts) {
        reader.part(part, &labels);
        reader.give(&mut take);
    }
    reader.finish(&mut take);
}

/// Labels of links that are defined somewhere in a text.
fn labels(text: &str) -> HashSet<String> {
    let defined = text.lines().filter_map(|line| line.trim_start().strip_prefix('[')?.split_once("]:"));
    defined.map(|(label, _)| label.to_lowercase()).take(LABELS_MAX).collect()
}

/// A document may begin with settings for a page generator between two `---` or `+++` lines.
fn without_front_matter(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}');
    let Some((first, rest)) = text.split_once('\n') else { return text };
    let fence = first.trim_end();
    if fence != "---" && fence != "+++" {
        return text;
    }
    let mut end = 0;
    for (n, line) in rest.split_inclusive('\n').enumerate() {
        end += line.len();
        let line = line.trim_end();
        if line == fence || (fence == "---" && line == "...") {
            return &rest[end..];
        }
        let is_setting = line.is_empty()
            || line.starts_with([' ', '\t', '#', '-', '[', ']', '}'])
            || line.split_once([':', '=']).is_some_and(|(key, _)| !key.trim().contains(' '));
        // A rule at the top of a text without settings is just a rule.
        if !is_setting || n > 200 {
            break;
        }
    }
    text
}

/// Puts blocks below the headings above them, as they are met.
#[derive(Default)]
pub(super) struct Reader {
    blocks: Vec<Block>,
    headings: Vec<Heading>,
    path: Option<Rc<str>>,
    /// Words of the paragraph, heading, cell or item being read.
    inline: String,
    /// What of them is struck through.
    struck: Struck,
    /// The words end with a space, and what was struck through behind it is gone.
    spaced: bool,
    /// Which blocks are, between tags that stand alone.
    struck_blocks: Struck,
    /// Lines of the list being read.
    list: String,
    /// Of each open list, outermost first, the next number, where its items are counted.
    lists: Vec<Option<u64>>,
    marker: Option<String>,
    table: Vec<Vec<String>>,
    html: String,
    code: Option<(String, String)>,
    /// No Markdown was written: each item keeps its number.
    is_plain: bool,
    /// Words set above or below the line, and where they begin.
    shift: Option<(Shift, usize)>,
}

struct Heading {
    level: HeadingLevel,
    title: String,
    /// Whether a block stands under it, so that its words are in a passage's heading.
    used: bool,
}

impl Reader {
    /// Reads a part of a document; links may have one of these labels.
    fn part(&mut self, text: &str, labels: &HashSet<String>) {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_GFM;
        // Addresses are not shown.
        let known = |link: BrokenLink<'_>| {
            labels.contains(&link.reference.to_lowercase()).then(|| (CowStr::from(""), CowStr::from("")))
        };
        let events = Parser::new_with_broken_link_callback(text, options, Some(known)).into_offset_iter();
        let events: Vec<_> = events.collect();
        let mut counted = counted(&events, text).into_iter();
        for (event, range) in events {
            match event {
                Event::Start(Tag::List(_)) => {
                    self.end_of_text();
                    self.lists.push(counted.next().flatten().filter(|_| !self.is_plain));
                }
                Event::Start(Tag::Item) => self.item(&text[range]),
                // One tilde is `from … to` or `about`, as in `9:00~17:00`.
                Event::Start(Tag::Strikethrough) | Event::End(TagEnd::Strikethrough)
                    if !text[range.start..].starts_with("~~") =>
                {
                    self.words("~");
                }
                event => self.read(event),
            }
        }
        self.end_of_text();
        self.end_of_list();
    }

    /// Gives the blocks so far away.
    fn give(&mut self, take: &mut impl FnMut(Block)) {
        self.struck_blocks = Struck::default();
        self.blocks.drain(..).for_each(take);
    }

    fn read(&mut self, event: Event<'_>) {
        match event {
            Event::Text(words) => self.words(&words),
            Event::Code(words) => self.code_span(&words),
            Event::InlineMath(words) | Event::DisplayMath(words) => self.words(&words),
            Event::Html(markup) => self.html.push_str(&markup),
            Event::InlineHtml(markup) => {
                let name: String =
                    markup.chars().skip(1).take_while(|c| c.is_ascii_alphabetic() || *c == '/').take(5).collect();
                match name.to_ascii_lowercase().as_str() {
                    "br" | "br/" => self.inline.push('\n'),
                    "sup" => self.shift = Some((Shift::Raised, self.inline.len())),
                    "sub" => self.shift = Some((Shift::Lowered, self.inline.len())),
                    "/sup" | "/sub" => self.end_of_shift(),
                    _ => {}
                }
                let cut = self.struck.tag(&markup, self.inline.len());
                self.cut(cut);
            }
            Event::SoftBreak => self.inline.push(' '),
            Event::HardBreak => self.inline.push('\n'),
            Event::TaskListMarker(done) => self.inline.push_str(if done { "[x] " } else { "[ ] " }),
            Event::FootnoteReference(_) | Event::Rule => {}
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
        }
    }

    /// Takes what was struck through out of the words.
    fn cut(&mut self, length: Option<usize>) {
        if let Some(length) = length {
            self.inline.truncate(length);
            // One of the two spaces around it goes with it.
            self.spaced = self.inline.ends_with(' ');
        }
    }

    /// The words so far; a mark that is still open strikes nothing.
    fn take_inline(&mut self) -> String {
        (self.struck, self.spaced) = (Struck::default(), false);
        std::mem::take(&mut self.inline)
    }

    fn words(&mut self, words: &str) {
        match &mut self.code {
            Some((_, lines)) => lines.push_str(words),
            None if std::mem::take(&mut self.spaced) => self.inline.push_str(words.trim_start_matches(' ')),
            None => self.inline.push_str(words),
        }
    }

    fn end_of_shift(&mut self) {
        if let Some((shift, from)) = self.shift.take()
            && self.inline.is_char_boundary(from)
        {
            let words = self.inline.split_off(from);
            let words = shifted(&self.inline, &words, shift, false);
            self.inline.push_str(&words);
        }
    }

    fn code_span(&mut self, words: &str) {
        let fence = if words.contains('`') { "`` " } else { "`" };
        self.inline.push_str(fence);
        self.inline.push_str(words);
        self.inline.extend(fence.chars().rev());
    }

    /// An item begins, with the number that stands there, unless its list is counted.
    fn item(&mut self, text: &str) {
        self.end_of_text();
        let indent = "  ".repeat((self.lists.len().saturating_sub(1)).min(INDENT_LEVELS_MAX));
        self.marker = Some(match (self.lists.last_mut(), numbering::written(text)) {
            (Some(Some(number)), Some((_, sign))) => {
                let marker = format!("{indent}{number}{sign} ");
                *number = number.saturating_add(1);
                marker
            }
            (_, Some((digits, sign))) => format!("{indent}{digits}{sign} "),
            _ => format!("{indent}- "),
        });
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::CodeBlock(kind) => {
                self.end_of_text();
                self.end_of_list();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => first_word(&info),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
            }
            Tag::Table(_) => {
                self.end_of_text();
                self.end_of_list();
            }
            Tag::Strikethrough => self.struck.begin(self.inline.len()),
            Tag::TableHead | Tag::TableRow => self.table.push(Vec::new()),
            Tag::Paragraph | Tag::Heading { .. } | Tag::HtmlBlock | Tag::BlockQuote(_) | Tag::FootnoteDefinition(_) => {
                self.end_of_text();
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) if self.lists.is_empty() => {
                let title = self.take_inline();
                self.heading(level, &title);
            }
            TagEnd::List(_) => {
                self.end_of_text();
                self.lists.pop();
                self.marker = None;
                if self.lists.is_empty() {
                    self.end_of_list();
                }
            }
            TagEnd::CodeBlock => {
                if let Some((language, lines)) = self.code.take() {
                    self.push(Kind::Code { language }, lines.trim_end_matches('\n').to_string());
                }
            }
            TagEnd::Strikethrough => {
                let cut = self.struck.end();
                self.cut(cut);
            }
            TagEnd::TableCell => {
                let cell = self.take_inline();
                if let Some(row) = self.table.last_mut() {
                    row.push(cell.trim().replace('\n', " ").replace('|', "\\|"));
                }
            }
            TagEnd::Table => {
                let rows = std::mem::take(&mut self.table);
                self.push(Kind::Table, table_lines(&rows));
            }
            TagEnd::HtmlBlock => {
                let markup = std::mem::take(&mut self.html);
                let tag = markup.trim();
                let stands_alone = self.lists.is_empty() && tag.find('>') == tag.len().checked_sub(1);
                if let Some(length) = stands_alone.then(|| self.struck_blocks.tag(tag, self.blocks.len())).flatten() {
                    self.blocks.truncate(length);
                }
                self.push(Kind::Prose, html::visible(&markup));
            }
            TagEnd::Paragraph
            | TagEnd::Item
            | TagEnd::Heading(_)
            | TagEnd::BlockQuote(_)
            | TagEnd::FootnoteDefinition => self.end_of_text(),
            _ => {}
        }
    }

    pub(super) fn finish(mut self, take: &mut impl FnMut(Block)) {
        while let Some(heading) = self.headings.pop() {
            self.leave(heading);
        }
        self.give(take);
    }

    /// What was read so far is a paragraph, or a line of the open list.
    fn end_of_text(&mut self) {
        let words = self.take_inline();
        let words = words.trim();
        if words.is_empty() {
            return;
        }
        if self.lists.is_empty() {
            self.push(Kind::Prose, words.to_string());
            return;
        }
        let indent = "  ".repeat(self.lists.len().min(INDENT_LEVELS_MAX + 1));
        for line in words.lines() {
            self.list.push_str(self.marker.take().as_deref().unwrap_or(&indent));
            self.list.push_str(line.trim());
            self.list.push('\n');
        }
    }

    fn end_of_list(&mut self) {
        let lines = std::mem::take(&mut self.list);
        self.push(Kind::List, lines.trim_end().to_string());
    }

    pub(super) fn heading(&mut self, level: HeadingLevel, title: &str) {
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        if title.is_empty() {
            return;
        }
        while self.headings.last().is_some_and(|last| last.level >= level) {
            if let Some(heading) = self.headings.pop() {
                self.leave(heading);
            }
        }
        let too_long = title.chars().nth(HEADING_CHARS_MAX).is_some();
        let shown =
            if too_long { title.chars().take(HEADING_CHARS_MAX - 1).chain(['…']).collect() } else { title.clone() };
        self.headings.push(Heading { level, title: shown, used: false });
        self.path = None;
        if too_long {
            self.push(Kind::Prose, title);
        }
    }

    /// A heading with nothing under it becomes words of the section it stands in.
    fn leave(&mut self, heading: Heading) {
        self.path = None;
        if !heading.used {
            self.push(Kind::Prose, heading.title);
        }
    }

    pub(super) fn push(&mut self, kind: Kind, text: String) {
        if text.trim().is_empty() {
            return;
        }
        let headings = &mut self.headings;
        let path = self.path.get_or_insert_with(|| {
            headings.iter_mut().for_each(|heading| heading.used = true);
            headings.iter().map(|heading| heading.title.as_str()).collect::<Vec<_>>().join(" › ").into()
        });
        self.blocks.push(Block { heading: path.clone(), kind, text });
    }
}

fn first_word(info: &CowStr<'_>) -> String {
    let word = info.split([' ', ',', '{']).next().unwrap_or_default();
    word.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '+' | '#' | '.')).take(24).collect()
}

fn table_lines(rows: &[Vec<String>]) -> String {
    let mut lines = String::new();
    for (n, row) in rows.iter().enumerate() {
        lines.push_str(&format!("| {} |\n", row.join(" | ")));
        if n == 0 {
            lines.push_str(&format!("|{}\n", "---|".repeat(row.len())));
        }
    }
    lines.trim_end().to_string()
}

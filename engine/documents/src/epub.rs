//! EPUB: the book's chapters in its own order, each read as the page it is, under the book's title.
//! Invariant: a chapter is read once, however often the book names it.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;

use super::package::{Package, Step, each, resolved, value};
use super::xhtml::as_html;
use super::{Kind, LeftOut, ReadDocument, Unreadable, html};

/// Parts left out that are told of one book.
const LEFT_OUT_MAX: usize = 20;

pub(super) fn read(bytes: &[u8]) -> Result<ReadDocument, Unreadable> {
    let mut package = Package::open(Kind::Epub, bytes)?;
    let container = package.main_part("META-INF/container.xml")?;
    let root = root(&container)?.ok_or(Unreadable::Malformed(Kind::Epub))?;
    let book = Book::read(&package.main_part(&root)?, folder_of(&root))?;
    let encrypted = encrypted(&mut package)?;
    if book.chapters.iter().any(|chapter| encrypted.contains(chapter)) {
        return Err(Unreadable::Encrypted);
    }
    let labels = match &book.contents {
        // A list that is broken is missed by nobody.
        Some(contents) => package.part(contents)?.and_then(|xml| labels(&xml, folder_of(contents)).ok()),
        None => None,
    };
    let labels = labels.unwrap_or_default();
    let mut whole = ReadDocument { title: book.title, ..ReadDocument::default() };
    for chapter in &book.chapters {
        let Some(bytes) = package.bytes(chapter)? else { continue };
        let page = html::read(&as_html(&html::decode(&bytes, None)))?;
        whole.add(chapter, page, labels.get(chapter).map(String::as_str));
        if whole.markdown.len() > schema::limits::DOCUMENT_BYTES_MAX {
            return Err(Unreadable::TooLong);
        }
    }
    if let Some(title) = whole.title.as_ref().filter(|_| !whole.markdown.trim().is_empty()) {
        whole.markdown = super::pdf_text::under(title, &whole.markdown);
    }
    Ok(whole)
}

impl ReadDocument {
    /// Puts a chapter behind what there is, one level below the book's title.
    fn add(&mut self, part: &str, chapter: ReadDocument, label: Option<&str>) {
        let room = LEFT_OUT_MAX.saturating_sub(self.left_out.len());
        self.left_out.extend(chapter.left_out.into_iter().take(room).collect::<Vec<LeftOut>>());
        if chapter.markdown.trim().is_empty() {
            return;
        }
        let is_book = |title: &str| self.title.as_ref().is_some_and(|book| book.eq_ignore_ascii_case(title.trim()));
        // Many books call every chapter by the book's title, or by its file, where nobody sees it.
        let is_name = |title: &str| is_book(title) || (!title.contains(' ') && part.contains(title));
        let is_called = chapter.title.as_deref().is_some_and(is_name);
        let text = match chapter.markdown.split_once('\n') {
            Some((first, rest)) if is_called && first.starts_with("# ") => rest,
            _ => chapter.markdown.as_str(),
        };
        let has_heading = text.trim_start().starts_with('#');
        let mut markdown = String::new();
        if let Some(label) = label.filter(|label| !has_heading && !is_book(label)) {
            let mut head = engine_text::markdown::Writer::default();
            head.text(label);
            head.end_heading(1);
            markdown = head.finish() + "\n";
        }
        markdown.push_str(text.trim_start_matches('\n'));
        if !self.markdown.is_empty() {
            self.markdown.push('\n');
        }
        level(&markdown, 1 + usize::from(self.title.is_some()), &mut self.markdown);
    }
}

/// Lines of Markdown of ours, each with the level of the heading that it is.
fn leveled(markdown: &str) -> impl Iterator<Item = (Option<usize>, &str)> {
    let mut fence: Option<usize> = None;
    markdown.lines().map(move |line| {
        let ticks = line.trim_start().bytes().take_while(|byte| *byte == b'`').count();
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        match fence {
            Some(open) if ticks >= open && line.trim_start().len() == ticks => fence = None,
            None if ticks >= 3 => fence = Some(ticks),
            None if (1..=6).contains(&level) && line[level..].starts_with(' ') => return (Some(level), line),
            _ => {}
        }
        (None, line)
    })
}

/// Writes Markdown of ours so that its highest headings have this level.
fn level(markdown: &str, highest: usize, into: &mut String) {
    let own = leveled(markdown).filter_map(|(level, _)| level).min().unwrap_or(highest);
    for (level, line) in leveled(markdown) {
        if let Some(level) = level {
            into.push_str(&"#".repeat((level - own + highest).min(6)));
        }
        into.push_str(line.get(level.unwrap_or(0)..).unwrap_or_default());
        into.push('\n');
    }
}

/// What a book says of itself.
#[derive(Default)]
struct Book {
    title: Option<String>,
    /// The names of its chapters' parts, in their order.
    chapters: Vec<String>,
    /// The part that lists what is in the book.
    contents: Option<String>,
}

impl Book {
    fn read(xml: &str, folder: &str) -> Result<Self, Unreadable> {
        let (mut in_title, mut title) = (false, None::<String>);
        // By id: the part, and whether it is a page.
        let mut parts: HashMap<String, (String, bool)> = HashMap::new();
        let (mut spine, mut navigation, mut contents) = (Vec::new(), None, None);
        each(Kind::Epub, xml, |step| match step {
            Step::Open(start) => match start.local_name().into_inner() {
                // A second one is a subtitle or a translation.
                "title" if title.is_none() => {
                    in_title = true;
                    title = Some(String::new());
                }
                "item" => {
                    let (Some(id), Some(link)) = (value(start, "id"), value(start, "href")) else { return };
                    let kind = value(start, "media-type").unwrap_or_default();
                    let part = part_of(folder, &link);
                    let is_page =
                        matches!(kind.as_str(), "application/xhtml+xml" | "text/html" | "text/x-oeb1-document");
                    let has =
                        |wanted| value(start, "properties").is_some_and(|all| all.split(' ').any(|one| one == wanted));
                    if has("nav") {
                        navigation = Some(part.clone());
                    } else if kind == "application/x-dtbncx+xml" {
                        contents = Some(part.clone());
                    }
                    parts.insert(id, (part, is_page));
                }
                "itemref" => spine.extend(value(start, "idref")),
                _ => {}
            },
            Step::Close("title") => in_title = false,
            Step::Close(_) => {}
            Step::Words(words) => {
                if let Some(title) = title.as_mut().filter(|_| in_title) {
                    title.push_str(words);
                }
            }
        })?;
        let mut seen = HashSet::new();
        let named = spine.iter().filter_map(|id| parts.get(id)).filter(|(_, is_page)| *is_page);
        // The list of chapters says nothing that the chapters do not.
        let chapters = named.filter(|(part, _)| navigation.as_ref() != Some(part) && seen.insert(part.clone()));
        let chapters = chapters.map(|(part, _)| part.clone()).collect();
        Ok(Self {
            title: title.and_then(|title| super::pdf_text::title(&title)),
            chapters,
            contents: contents.or(navigation),
        })
    }
}

/// Where the book says what is in it.
fn root(xml: &str) -> Result<Option<String>, Unreadable> {
    let mut found = None;
    each(Kind::Epub, xml, |step| {
        if let Step::Open(start) = step
            && start.local_name().into_inner() == "rootfile"
            && found.is_none()
        {
            found = value(start, "full-path").map(|path| resolved("", &path));
        }
    })?;
    Ok(found)
}

/// Parts that cannot be read without a key. Fonts mostly are, and do not matter.
fn encrypted(package: &mut Package<'_>) -> Result<HashSet<String>, Unreadable> {
    let mut parts = HashSet::new();
    if let Some(xml) = package.part("META-INF/encryption.xml")? {
        each(Kind::Epub, &xml, |step| {
            if let Step::Open(start) = step
                && start.local_name().into_inner() == "CipherReference"
            {
                parts.extend(value(start, "URI").map(|link| part_of("", &link)));
            }
        })?;
    }
    Ok(parts)
}

/// What the list of chapters calls each: of several names for one part the first.
fn labels(xml: &str, folder: &str) -> Result<HashMap<String, String>, Unreadable> {
    let mut labels = HashMap::new();
    let (mut words, mut link, mut in_label) = (String::new(), None, false);
    each(Kind::Epub, xml, |step| match step {
        Step::Open(start) => match start.local_name().into_inner() {
            "navLabel" | "a" => {
                words.clear();
                in_label = true;
                link = value(start, "href");
            }
            "content" => {
                if let Some(link) = value(start, "src") {
                    note(&mut labels, folder, &link, &words);
                }
            }
            _ => {}
        },
        Step::Close("navLabel") => in_label = false,
        Step::Close("a") => {
            in_label = false;
            if let Some(link) = link.take() {
                note(&mut labels, folder, &link, &words);
            }
        }
        Step::Close(_) => {}
        Step::Words(more) if in_label => words.push_str(more),
        Step::Words(_) => {}
    })?;
    Ok(labels)
}

fn note(labels: &mut HashMap<String, String>, folder: &str, link: &str, words: &str) {
    if let Some(words) = super::pdf_text::title(words) {
        labels.entry(part_of(folder, link)).or_insert(words);
    }
}

/// The part that a link in a folder leads to.
fn part_of(folder: &str, link: &str) -> String {
    let path = link.split(['#', '?']).next().unwrap_or_default();
    resolved(folder, &percent_decode_str(path).decode_utf8_lossy())
}

fn folder_of(part: &str) -> &str {
    part.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
#[path = "epub_tests.rs"]
mod tests;

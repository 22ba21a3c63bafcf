//! The units that can be quoted from a passage: a sentence or two, an item of a list, a row or a cell of a table,
//! a list, a listing. Each with the words that lead to it.
//! Invariant: what is shown stands in the passage; bounded by the passage's length.

use std::ops::Range;

use schema::{Passage, TYPED_SOURCE};

use super::blocks::{Block, Kind, OUTLINE_MARK};
use super::index::name_of;
use super::sentences::sentences;
use super::tables::Table;
use super::written;

/// A quotation of a list or table has at most so many lines.
pub(super) const LINES_MAX: usize = 12;
const CODE_LINES_MAX: usize = 24;
/// A key before a colon has at most so many words.
const KEY_WORDS_MAX: usize = 7;
/// A sentence of so few words at the beginning of others is their title.
const TITLE_WORDS_MAX: usize = 5;
/// Sentences that may be quoted together.
const SENTENCES_MAX: usize = 3;
/// A quotation of several sentences is at most so long, in characters.
const SENTENCES_CHARS_MAX: usize = 420;

/// A short quotation is widened by its neighbours to so many characters.
const WIDE_CHARS_MAX: usize = 260;

/// A section is quoted whole when it is at most so long, in characters.
const SECTION_CHARS_MAX: usize = 500;

/// Of a passage so many units are judged: each costs some ten microseconds, and a passage of words of one letter
/// would have a thousand.
const UNITS_MAX: usize = 64;

/// What form a unit has: it decides how it is judged and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Sentences,
    Item,
    /// A whole list or table.
    Whole,
    /// A row of a table; `Unit::table` says of which.
    Row,
    Code,
    /// What stands below a heading, from its beginning.
    Section,
}

/// A piece of a passage that could be the answer.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) form: Form,
    /// Its words without the label.
    pub(super) own: String,
    /// What it says something about: a key, a row's first cell.
    pub(super) label: String,
    /// What leads to it: the sentence before a list, a table's caption.
    pub(super) lead: String,
    /// What stands beside it in the passage: the sentences around it.
    pub(super) beside: String,
    pub(super) shown: String,
    /// What is shown where words answer and no value: the paragraph, list or section that it stands in, when
    /// that is short.
    pub(super) wide: Option<String>,
    /// Which table and which of its rows.
    pub(super) table: Option<(usize, usize)>,
    /// How many sentences or lines it has.
    pub(super) size: usize,
}

/// A passage taken apart.
pub(super) struct Read<'a> {
    pub(super) passage: &'a Passage,
    /// The nearest heading.
    pub(super) heading: &'a str,
    /// The headings above it and the document's name.
    pub(super) above: String,
    pub(super) units: Vec<Unit>,
    pub(super) tables: Vec<Table>,
}

impl<'a> Read<'a> {
    pub(super) fn new(passage: &'a Passage) -> Self {
        let (above, heading) = passage.heading.rsplit_once(" › ").unwrap_or(("", &passage.heading));
        let above = format!("{above} {}", name_of(&passage.source));
        let mut read = Self { passage, heading, above, units: Vec::new(), tables: Vec::new() };
        let blocks = written::of_passage(passage.text.as_str());
        let mut lead = String::new();
        for (at, block) in blocks.iter().enumerate() {
            let next = blocks.get(at + 1).filter(|next| next.kind != Kind::Prose);
            match &block.kind {
                Kind::Prose => {
                    read.of_prose(block, next);
                    lead = sentences(&one_line(&block.text)).last().map(|last| (*last).to_string()).unwrap_or_default();
                }
                Kind::List => read.of_list(block, &std::mem::take(&mut lead)),
                Kind::Table => read.of_table(block, &std::mem::take(&mut lead)),
                Kind::Code { .. } => read.of_code(block, &lead),
            }
        }
        // The titles of sections answer who asks what there is, all together.
        if read.is_outline() {
            read.units.retain(|unit| unit.form == Form::Whole);
        }
        read.units.truncate(UNITS_MAX);
        read.of_section(&blocks);
        read.widen(&blocks);
        read
    }

    /// The beginning of what stands below the heading: the answer where the heading asks.
    fn of_section(&mut self, blocks: &[Block]) {
        // A list or table alone is quoted whole, or not.
        if matches!(blocks, [block] if block.kind != Kind::Prose) {
            return;
        }
        let mut shown = String::new();
        for block in blocks {
            let lines: Vec<&str> = block.text.lines().take(LINES_MAX).collect();
            let text = if block.kind == Kind::Prose { block.text.clone() } else { fenced(block, &lines.join("\n")) };
            if !shown.is_empty() && shown.chars().count() + text.chars().count() > SECTION_CHARS_MAX {
                break;
            }
            if !shown.is_empty() {
                shown.push_str("\n\n");
            }
            shown.push_str(&text);
        }
        if shown.chars().count() > 2 * SECTION_CHARS_MAX || shown.is_empty() {
            return;
        }
        self.units.push(Unit {
            form: Form::Section,
            label: String::new(),
            own: shown.clone(),
            lead: String::new(),
            beside: String::new(),
            shown,
            wide: None,
            table: None,
            size: 1,
        });
    }

    /// A short section is shown with all that it says.
    fn widen(&mut self, blocks: &[Block]) {
        let all = blocks.iter().map(|block| fenced(block, &block.text)).collect::<Vec<_>>().join("\n\n");
        if all.chars().count() > WIDE_CHARS_MAX {
            return;
        }
        for unit in self.units.iter_mut().filter(|unit| matches!(unit.form, Form::Sentences | Form::Item)) {
            unit.wide = Some(all.clone());
        }
    }

    /// Its sentences, items and rows, each as one line.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let single = self.units.iter().filter(|unit| unit.size == 1);
        single.filter_map(|unit| match (unit.form, unit.table) {
            (Form::Row, Some((table, row))) => {
                let table = &self.tables[table];
                let columns: Vec<usize> = (1..table.rows[row].len()).collect();
                Some(table.line(&table.rows[row], &columns))
            }
            (Form::Sentences | Form::Item, _) => Some(unit.shown.clone()),
            _ => None,
        })
    }

    /// Whether what stands here answers what its heading asks.
    pub(super) fn is_answer(&self) -> bool {
        is_question(self.heading) || self.is_typed()
    }

    /// Whether it lists the titles of sections.
    pub(super) fn is_outline(&self) -> bool {
        self.passage.text.as_str().starts_with(OUTLINE_MARK)
    }

    /// Whether the owner typed it as the answer to its heading.
    pub(super) fn is_typed(&self) -> bool {
        self.passage.source.starts_with(TYPED_SOURCE)
    }

    /// The nearest heading, or the document's name.
    pub(super) fn place(&self) -> String {
        if self.heading.is_empty() { self.passage.source.clone() } else { self.heading.to_string() }
    }

    fn of_prose(&mut self, block: &Block, next: Option<&Block>) {
        // A sentence may go on in the next line, and is shown as its lines stand.
        let line = one_line(&block.text);
        let all: Vec<&str> = sentences(&line);
        let mut end = 0;
        let places: Vec<Range<usize>> = all
            .iter()
            .map(|sentence| {
                let from = line[end..].find(sentence).map_or(end, |at| end + at);
                end = from + sentence.len();
                from..end
            })
            .collect();
        let written = |from: usize, to: usize| block.text.get(places[from].start..places[to - 1].end);
        for from in 0..all.len().min(UNITS_MAX) {
            for to in from + 1..=(from + SENTENCES_MAX).min(all.len()) {
                let text = all[from..to].join(" ");
                let shown = written(from, to).unwrap_or(&text);
                if to - from > 1 && text.chars().count() > SENTENCES_CHARS_MAX {
                    break;
                }
                let before = from.checked_sub(1).map_or("", |before| all[before]);
                let after = all.get(to).copied().unwrap_or_default();
                let (mut label, mut own) = split_key(&text);
                // `By car. We have no car park.` names its subject and then speaks of it.
                if label.is_empty() && to - from > 1 && is_title(all[from]) {
                    label = all[from];
                    own = text[all[from].len()..].trim_start();
                }
                if to - from == 1 && all.len() > 1 && is_title(&text) {
                    continue;
                }
                let (first, last) = widened(&all, from, to);
                let mut wide = written(first, last).unwrap_or(&text).to_string();
                let mut shown = shown.to_string();
                // What announces something is shown with what it announces.
                if to == all.len() && text.ends_with(':') {
                    let Some(next) = next else { continue };
                    let lines: Vec<&str> = next.text.lines().take(LINES_MAX).collect();
                    shown = format!("{shown}\n\n{}", fenced(next, &lines.join("\n")));
                    wide.clone_from(&shown);
                }
                self.units.push(Unit {
                    form: Form::Sentences,
                    label: label.to_string(),
                    own: own.to_string(),
                    lead: String::new(),
                    beside: format!("{before} {after}"),
                    shown,
                    wide: Some(wide),
                    table: None,
                    size: to - from,
                });
            }
        }
    }

    fn of_list(&mut self, block: &Block, lead: &str) {
        let lines: Vec<&str> = block.text.lines().collect();
        let first = self.units.len();
        let is_counted = is_counted(&lines);
        // What is judged: a number that only counts says nothing of its item.
        let own_of = |line: &str| if is_counted { uncounted(bare(line)).to_string() } else { bare(line).to_string() };
        let mut from = 0;
        while from < lines.len() {
            // What is indented below an item belongs to it.
            let depth = indent(lines[from]);
            let to = (from + 1..lines.len()).find(|at| indent(lines[*at]) <= depth).unwrap_or(lines.len());
            let text = lines[from..to].iter().map(|line| own_of(line)).collect::<Vec<_>>().join("\n");
            let shown = lines[from..to].iter().map(|line| bare(line)).collect::<Vec<_>>().join("\n");
            let (label, own) = split_key(&text);
            self.units.push(Unit {
                form: Form::Item,
                label: label.to_string(),
                own: own.to_string(),
                lead: lead.to_string(),
                beside: String::new(),
                shown,
                wide: None,
                table: None,
                size: 1,
            });
            if to > from + 1 {
                for line in &lines[from + 1..to] {
                    let text = own_of(line);
                    let (label, own) = split_key(&text);
                    self.units.push(Unit {
                        form: Form::Item,
                        label: label.to_string(),
                        own: own.to_string(),
                        lead: format!("{} {lead}", own_of(lines[from])),
                        beside: String::new(),
                        shown: bare(line).to_string(),
                        wide: None,
                        table: None,
                        size: 1,
                    });
                }
            }
            from = to;
        }
        let text = lines.iter().take(LINES_MAX).copied().collect::<Vec<_>>().join("\n");
        let shown = if lead.ends_with(':') { format!("{lead}\n\n{text}") } else { text };
        if shown.chars().count() <= WIDE_CHARS_MAX {
            self.units[first..].iter_mut().for_each(|unit| unit.wide = Some(shown.clone()));
        }
        self.units.push(Unit {
            form: Form::Whole,
            label: String::new(),
            own: block.text.clone(),
            lead: lead.to_string(),
            beside: String::new(),
            shown,
            wide: None,
            table: None,
            size: lines.len(),
        });
    }

    fn of_table(&mut self, block: &Block, lead: &str) {
        let table = Table::read(&block.text);
        let number = self.tables.len();
        for (at, row) in table.rows.iter().enumerate() {
            self.units.push(Unit {
                form: Form::Row,
                label: row.first().cloned().unwrap_or_default(),
                own: row.iter().skip(1).cloned().collect::<Vec<_>>().join(" "),
                lead: lead.to_string(),
                beside: String::new(),
                shown: String::new(),
                wide: (table.rows.len() <= LINES_MAX).then(|| block.text.clone()),
                table: Some((number, at)),
                size: 1,
            });
        }
        let lines: Vec<&str> = block.text.lines().take(LINES_MAX + 2).collect();
        self.units.push(Unit {
            form: Form::Whole,
            label: String::new(),
            own: block.text.clone(),
            lead: lead.to_string(),
            beside: String::new(),
            shown: lines.join("\n"),
            wide: None,
            table: Some((number, usize::MAX)),
            size: table.rows.len(),
        });
        self.tables.push(table);
    }

    fn of_code(&mut self, block: &Block, lead: &str) {
        // `Weight            8.6 kg` in a listing says as much as a row of a table.
        for line in block.text.lines() {
            let Some((key, value)) = line.trim().split_once("   ").filter(|(key, _)| !key.trim().is_empty()) else {
                continue;
            };
            self.units.push(Unit {
                form: Form::Item,
                label: key.trim().to_string(),
                own: value.trim().to_string(),
                lead: lead.to_string(),
                beside: String::new(),
                shown: format!("{}: {}", key.trim(), value.trim()),
                wide: None,
                table: None,
                size: 1,
            });
        }
        let lines: Vec<&str> = block.text.lines().take(CODE_LINES_MAX).collect();
        let code = fenced(block, &lines.join("\n"));
        self.units.push(Unit {
            form: Form::Code,
            label: String::new(),
            own: block.text.clone(),
            lead: lead.to_string(),
            beside: String::new(),
            shown: if lead.is_empty() { code } else { format!("{lead}\n\n{code}") },
            wide: None,
            table: None,
            size: lines.len(),
        });
    }
}

/// A stretch of sentences with those after it and before it, as far as there is room.
fn widened(all: &[&str], mut from: usize, mut to: usize) -> (usize, usize) {
    let mut chars: usize = all[from..to].iter().map(|sentence| sentence.chars().count() + 1).sum();
    let mut fits = |sentence: &&str| {
        chars += sentence.chars().count() + 1;
        chars <= WIDE_CHARS_MAX
    };
    while to < all.len() && fits(&all[to]) {
        to += 1;
    }
    while from > 0 && fits(&all[from - 1]) {
        from -= 1;
    }
    (from, to)
}

/// Lines of prose as one; a line that counts or compares begins a sentence of its own. Byte places are the same.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (n, next) in text.split('\n').enumerate() {
        let begins = written::marker(next).is_some() || next.starts_with(['>', '<', '+']);
        if n > 0 {
            line.push(if begins { '\n' } else { ' ' });
        }
        line.push_str(next);
    }
    line
}

/// A few words that say nothing, with a full stop.
fn is_title(sentence: &str) -> bool {
    sentence.split_whitespace().count() <= TITLE_WORDS_MAX && !sentence.contains(|c: char| c.is_ascii_digit())
}

/// Whether a text asks and says nothing.
pub(super) fn is_question(text: &str) -> bool {
    text.trim_end_matches(['*', '_', '"', '”']).ends_with(['?', '？', '؟'])
}

/// `Counter, Saturday: 8 am to 2 pm` says something about what stands before the colon.
fn split_key(text: &str) -> (&str, &str) {
    match text.split_once(": ") {
        Some((key, rest)) if key.split_whitespace().count() <= KEY_WORDS_MAX && !rest.trim().is_empty() => {
            (key.trim_start_matches("**"), rest)
        }
        _ => ("", text),
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// A list's line without its bullet; its number is part of what was written.
fn bare(line: &str) -> &str {
    let line = line.trim_start();
    let bullet = written::marker(line).filter(|marker| !marker.starts_with(|c: char| c.is_ascii_digit()));
    bullet.map_or(line, |bullet| line[bullet.len()..].trim_start())
}

/// An item's words behind its number.
fn uncounted(line: &str) -> &str {
    written::number(line).map_or(line, |(_, end)| line[end..].trim_start())
}

/// Whether the numbers of a list's outermost items go up by one: then they count, and are no dates or rooms.
fn is_counted(lines: &[&str]) -> bool {
    let depth = lines.first().map_or(0, |line| indent(line));
    let outer = lines.iter().filter(|line| indent(line) == depth);
    let numbers: Vec<u64> = outer.filter_map(|line| written::number(bare(line)).map(|(number, _)| number)).collect();
    numbers.windows(2).all(|pair| pair[1] == pair[0].saturating_add(1)) && (numbers.len() > 1 || numbers == [1])
}

/// A block as Markdown.
fn fenced(block: &Block, text: &str) -> String {
    match &block.kind {
        Kind::Code { language } => {
            let fence = if text.contains("```") { "`````" } else { "```" };
            format!("{fence}{language}\n{text}\n{fence}")
        }
        _ => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_are_taken_apart() {
        let passage = Passage {
            n: 1,
            source: "menu.html".into(),
            heading: "Menu › Beer".into(),
            text: "On draught.\n\n| Beer | Pint |\n|---|---|\n| Bitter | £5 |\n\nWe also have:\n\n- cider\n- Tea: £2"
                .into(),
        };
        let read = Read::new(&passage);
        assert_eq!(read.place(), "Beer");
        let of = |form| read.units.iter().filter(move |unit| unit.form == form).collect::<Vec<_>>();
        assert_eq!(of(Form::Row)[0].label, "Bitter");
        assert_eq!(of(Form::Row)[0].lead, "On draught.");
        assert_eq!(of(Form::Item)[1].label, "Tea");
        assert!(of(Form::Whole)[1].shown.starts_with("We also have:"));
    }
}

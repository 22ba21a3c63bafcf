//! Goes through the lines of a plain text once and tells what each block of them is.

use std::collections::HashSet;

use super::headings::{self, Labelled, Style};
use super::items::{self, Marker};
use super::lines::{self, Line, ends_sentence, is_full, is_rule};
use super::tables;
use crate::grid::Grid;

/// What stands together.
#[derive(Debug)]
pub(super) enum Block<'a> {
    Heading(Style, String),
    /// Line breaks in it mean something.
    Paragraph(String),
    Item {
        marker: Marker<'a>,
        indent: usize,
        words: String,
    },
    /// A further paragraph of the item before.
    More(String),
    Table {
        caption: Option<String>,
        grid: Grid,
    },
}

/// The blocks of a text.
pub(super) fn blocks<'a>(lines: &[Line<'a>]) -> Vec<Block<'a>> {
    let mut next_text = vec![lines.len(); lines.len() + 1];
    for at in (0..lines.len()).rev() {
        next_text[at] = if lines[at].is_blank() { next_text[at + 1] } else { at };
    }
    let mut scanner =
        Scanner { lines, next_text, margin: lines::margin(lines), seen: HashSet::new(), blocks: Vec::new() };
    let mut at = 0;
    while at < lines.len() {
        at = scanner.block(at);
    }
    scanner.blocks
}

/// Goes through the lines.
pub(super) struct Scanner<'l, 'a> {
    pub(super) lines: &'l [Line<'a>],
    /// For each line the first one from it on that has words.
    next_text: Vec<usize>,
    pub(super) margin: Option<usize>,
    /// Numbers of headings so far.
    seen: HashSet<String>,
    pub(super) blocks: Vec<Block<'a>>,
}

impl<'a> Scanner<'_, 'a> {
    /// Takes the block that begins at a line; gives the line after it.
    fn block(&mut self, at: usize) -> usize {
        let line = self.lines[at];
        if line.is_blank() {
            return at + 1;
        }
        if let Some((grid, next)) = tables::at(self.lines, at) {
            self.blocks.push(Block::Table { caption: None, grid });
            return next;
        }
        if is_rule(line.text) {
            return at + 1;
        }
        self.underlined(at)
            .or_else(|| self.asked(at))
            .or_else(|| self.labelled(at))
            .or_else(|| self.captioned(at))
            .or_else(|| self.capitals(at))
            .or_else(|| self.item(at))
            .or_else(|| self.pairs(at))
            .or_else(|| self.plain_title(at))
            .unwrap_or_else(|| self.paragraph(at))
    }

    pub(super) fn line(&self, at: usize) -> Option<&Line<'a>> {
        self.lines.get(at).filter(|line| !line.is_blank())
    }

    /// The next line with words, from this one on.
    fn next(&self, at: usize) -> Option<&Line<'a>> {
        self.next_text.get(at).and_then(|at| self.lines.get(*at))
    }

    /// Whether a block begins at this line, not the rest of a sentence.
    pub(super) fn begins(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1).and_then(|before| self.line(before)) else { return true };
        is_rule(before.text)
            || matches!(self.blocks.last(), Some(Block::Heading(..) | Block::Table { .. }))
            || ((ends_sentence(before.text) || before.text.ends_with(';'))
                && !is_full(before, &self.lines[at], self.margin))
            || (self.margin.is_none() && ends_sentence(before.text))
    }

    pub(super) fn heading(&mut self, style: Style, words: &str) {
        self.blocks.push(Block::Heading(style, words.trim_end_matches([':', ' ']).to_owned()));
    }

    fn underlined(&mut self, at: usize) -> Option<usize> {
        let line = self.lines[at];
        let under = self.line(at + 1).filter(|under| is_rule(under.text) && !under.text.contains(' '))?;
        let first = under.text.chars().next().filter(|c| !matches!(c, '.' | '#'))?;
        let fits = line.chars() <= 120 && self.begins(at) && !ends_sentence(line.text.trim_end_matches(['?', '!']));
        // A rule far longer than the line is no underline.
        let is_like = under.chars() <= line.chars() * 3 + 10;
        if !fits || !is_like || items::bullet(line.text).is_some() {
            return None;
        }
        let style = headings::labelled(line.text)
            .map_or(Style::Underlined(matches!(first, '=' | '═' | '*')), |label| label.style);
        self.note(line.text);
        self.heading(style, line.text);
        Some(at + 2)
    }

    /// Remembers a number, so that the next one is believed.
    fn note(&mut self, text: &str) {
        if let Some(Labelled { style: Style::Decimal(_), label, .. }) = headings::labelled(text) {
            self.seen.insert(number_of(label));
        }
    }

    fn labelled(&mut self, at: usize) -> Option<usize> {
        let line = self.lines[at];
        let found = headings::labelled(line.text)?;
        let is_run_in = headings::run_in(found.title).is_some();
        if !(self.begins(at) || self.is_due(at, &found))
            || (!is_run_in && self.is_in_run(at, &found))
            || !self.is_believed(at, &found)
        {
            return None;
        }
        let next = self.line(at + 1);
        let text = |title: &str| {
            let parting = if found.label.is_empty() || title.is_empty() { "" } else { " " };
            format!("{}{parting}{title}", found.label)
        };
        if found.title.is_empty() {
            // Its title may stand on the next line.
            let title = next.filter(|next| headings::is_title(next.text) && headings::labelled(next.text).is_none());
            let title = title.filter(|title| self.line(at + 2).is_none_or(|after| after.chars() > title.chars()));
            let (words, end) = title.map_or_else(|| (text(""), at + 1), |title| (text(title.text), at + 2));
            self.heading(found.style, &words);
            return Some(end);
        }
        let goes_on = next.is_some_and(|next| {
            next.text.starts_with(char::is_lowercase) && items::item(next.text).is_none() && !self.is_table(at + 1)
        });
        let title = found.title.trim_end_matches([':', '.']).trim_end();
        // A title may end with a stop where it stands alone.
        let stopped =
            title.len() < found.title.len() && title.split_whitespace().count() > 4 && !headings::is_capitals(title);
        let is_alone = next.is_none() || !is_full(&line, next.unwrap_or(&line), self.margin);
        if headings::is_title(title) && !goes_on && !stopped && (is_alone || headings::is_capitals(title)) {
            self.seen.insert(number_of(found.label));
            self.heading(found.style, &text(title));
            return Some(at + 1);
        }
        if headings::is_capitals(title) && goes_on_in_capitals(next) {
            let more = next.map_or("", |next| next.text);
            self.seen.insert(number_of(found.label));
            self.heading(found.style, &text(&format!("{title} {more}")));
            return Some(at + 2);
        }
        let (title, _) = headings::run_in(found.title)?;
        self.seen.insert(number_of(found.label));
        self.heading(found.style, &text(title));
        let rest_from = line.text.len() - headings::run_in(found.title)?.1.len();
        let rest = Line { raw: &line.text[rest_from..], text: &line.text[rest_from..], ..line };
        Some(self.paragraph_of(rest, at))
    }

    /// Whether lines beside it go on counting, as items do and headings with text below them do not.
    fn is_in_run(&self, at: usize, found: &Labelled<'_>) -> bool {
        let follows = |other: &Labelled<'_>, one: &Labelled<'_>| {
            let (other_head, other_last) = split_number(other.label);
            let (head, last) = split_number(one.label);
            other.style == one.style && other_head == head && other_last == last.saturating_add(1)
        };
        let next = self.next(at + 1).and_then(|next| headings::labelled(next.text));
        let is_followed = next.is_some_and(|next| follows(&next, found));
        let before = match self.blocks.last() {
            Some(Block::Item { marker: Marker::Number(_, last), .. }) => {
                found.style == Style::Decimal(1) && split_number(found.label).1 == last.saturating_add(1)
            }
            Some(Block::Item { marker: Marker::Label(label), .. }) => {
                headings::labelled(&format!("{label} X")).is_some_and(|last| follows(found, &last))
            }
            _ => false,
        };
        is_followed || before
    }

    /// Whether a number is one of a heading: amounts and dates stand at the beginning of lines too.
    fn is_believed(&self, at: usize, found: &Labelled<'_>) -> bool {
        let Style::Decimal(depth) = found.style else {
            let needs_more = matches!(found.style, Style::Letter | Style::Roman);
            return !needs_more || at == 0 || self.lines[at - 1].is_blank();
        };
        if headings::is_month(found.title) {
            return false;
        }
        let (head, last) = split_number(found.label);
        let before = if head.is_empty() {
            last.saturating_sub(1).to_string()
        } else {
            format!("{head}.{}", last.saturating_sub(1))
        };
        let is_next = last <= 1 || self.seen.contains(&before) || (depth > 1 && self.seen.contains(&head));
        let is_apart = at == 0 || self.lines[at - 1].is_blank();
        is_next || (depth == 1 && if found.is_glued { is_apart } else { !found.is_bare })
    }

    /// Whether a heading's number is the one that comes next, behind a sentence that ends where its line is full.
    fn is_due(&self, at: usize, found: &Labelled<'_>) -> bool {
        let ends = at.checked_sub(1).and_then(|before| self.line(before)).is_some_and(|line| ends_sentence(line.text));
        let (head, last) = split_number(found.label);
        let before = format!("{head}{}{}", if head.is_empty() { "" } else { "." }, last.saturating_sub(1));
        matches!(found.style, Style::Decimal(depth) if depth > 1 || !found.is_bare)
            && ends
            && headings::is_title(found.title)
            && self.seen.contains(&before)
    }

    fn is_table(&self, at: usize) -> bool {
        tables::at(self.lines, at).is_some()
    }

    /// A title right above its table.
    fn captioned(&mut self, at: usize) -> Option<usize> {
        let line = self.lines[at];
        let word = line.text.split([' ', ':', '.']).next().unwrap_or_default().to_lowercase();
        let is_named = matches!(word.as_str(), "table" | "tabelle" | "tabla" | "tableau" | "tabella" | "tabela");
        let from = if self.line(at + 1).is_some() { at + 1 } else { at + 2 };
        if !(from == at + 1 || is_named) || line.chars() > 120 || items::item(line.text).is_some() || !self.begins(at) {
            return None;
        }
        if !is_named && (ends_sentence(line.text) || headings::is_capitals(line.text)) {
            return None;
        }
        let (grid, next) = tables::at(self.lines, from)?;
        self.blocks.push(Block::Table { caption: Some(line.text.to_owned()), grid });
        Some(next)
    }

    fn capitals(&mut self, at: usize) -> Option<usize> {
        let line = self.lines[at];
        let is_heading = |text: &str| {
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            headings::is_capitals(text)
                && digits < 6
                && !text.ends_with([',', ';', '-'])
                && !text.contains(['@', '|'])
                && items::pair(text).is_none()
                && text.split_whitespace().any(|word| word.chars().count() > 3)
        };
        if !is_heading(line.text)
            || !self.begins(at)
            || self.next(at + 1).is_none()
            || items::bullet(line.text).is_some()
        {
            return None;
        }
        let next = self.line(at + 1);
        if !goes_on_in_capitals(next) {
            self.heading(Style::Capitals, line.text);
            return Some(at + 1);
        }
        // A title may take two lines; three are a warning in capitals.
        let (first, second) = (line.text, next?.text);
        if ends_sentence(first) || ends_sentence(second) || self.line(at + 2).is_some() || !is_heading(second) {
            return None;
        }
        self.heading(Style::Capitals, &format!("{first} {second}"));
        Some(at + 2)
    }

    fn item(&mut self, at: usize) -> Option<usize> {
        let line = self.lines[at];
        let numbered = |found: Labelled<'a>| {
            let is_listed = matches!(found.style, Style::Decimal(depth) if depth > 1) || found.style == Style::Section;
            (is_listed && self.is_in_run(at, &found)).then_some((Marker::Label(found.label), found.title))
        };
        let (marker, words) = items::item(line.text).or_else(|| headings::labelled(line.text).and_then(numbered))?;
        let starts = self.begins(at) || self.follows_item(at) || self.leads_in(at) || marker == Marker::Bullet;
        if !starts || words.is_empty() {
            return None;
        }
        let mut whole = words.to_owned();
        let mut next = at + 1;
        while let Some(more) = self.line(next) {
            let before = &self.lines[next - 1];
            let goes_on = more.indent > line.indent
                || is_full(before, more, self.margin)
                || (more.text.starts_with(char::is_lowercase) && !ends_sentence(before.text));
            let is_clause = ends_sentence(before.text)
                && headings::labelled(more.text).is_some_and(|found| matches!(found.style, Style::Decimal(2..)));
            if !goes_on || is_clause || items::item(more.text).is_some() || is_rule(more.text) || self.is_table(next) {
                break;
            }
            lines::join(&mut whole, more.text);
            next += 1;
        }
        self.blocks.push(Block::Item { marker, indent: line.indent, words: whole });
        // Further paragraphs of an item stand in below it.
        while let Some(from) = self.next_text.get(next).copied().filter(|from| *from < self.lines.len()) {
            let more = self.lines[from];
            let is_deeper = more.indent >= line.indent + 2 && from > next;
            if !is_deeper
                || items::item(more.text).is_some()
                || headings::labelled(more.text).is_some()
                || self.is_table(from)
            {
                break;
            }
            let end = self.end_of_paragraph(from);
            for words in lines::paragraphs(&self.lines[from..end], self.margin) {
                self.blocks.push(Block::More(words));
            }
            next = end;
        }
        Some(next)
    }

    fn follows_item(&self, at: usize) -> bool {
        matches!(self.blocks.last(), Some(Block::Item { .. } | Block::More(_))) && at > 0
    }

    /// Whether the line before leads into a list.
    fn leads_in(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1).and_then(|before| self.line(before)) else { return true };
        before.text.ends_with([':', ';', ',', '.']) || !is_full(before, &self.lines[at], self.margin)
    }

    fn plain_title(&mut self, at: usize) -> Option<usize> {
        let line = self.lines[at];
        let words = line.text.strip_prefix("**").and_then(|words| words.strip_suffix("**")).unwrap_or(line.text);
        let before_is_blank = at == 0 || self.lines[at - 1].is_blank() || is_rule(self.lines[at - 1].text);
        let after_heading = matches!(self.blocks.last(), Some(Block::Heading(..)));
        if !(before_is_blank || after_heading)
            || !headings::is_plain_title(words.trim_end_matches(':')) && !words.ends_with('?')
        {
            return None;
        }
        if !headings::is_plain_title(words) {
            return None;
        }
        let below = self.next(at + 1)?;
        if let Some(next) = self.line(at + 1) {
            let end = self.end_of_paragraph(at + 1);
            let last = self.lines[end - 1].text;
            let is_text = ends_sentence(last) || next.chars() >= 60 || last.ends_with(':');
            let is_listed = items::item(next.text).is_some() && words.split_whitespace().count() <= 6;
            let is_longer = next.chars() * 2 > line.chars() * 3 || words.ends_with(['?', '？']);
            let short = line.chars() <= 70 && !is_full(&line, next, self.margin);
            let starts = !next.text.starts_with(char::is_lowercase);
            if !(short && starts && (is_listed || self.pair_run(at + 1) || is_text && is_longer)) {
                return None;
            }
        } else {
            // Short lines after `… the following:` are what is told, not titles.
            let is_told = matches!(self.blocks.last(), Some(Block::Paragraph(words)) if words.ends_with(':'));
            if is_told && headings::is_plain_title(below.text) {
                return None;
            }
        }
        self.heading(Style::Plain, words);
        Some(at + 1)
    }

    fn paragraph(&mut self, at: usize) -> usize {
        let end = self.end_of_paragraph(at);
        self.push_paragraphs(&self.lines[at..end]);
        end
    }

    /// A paragraph whose first line begins within a line.
    pub(super) fn paragraph_of(&mut self, first: Line<'a>, at: usize) -> usize {
        let end = self.end_of_paragraph(at);
        let whole: Vec<Line<'a>> = std::iter::once(first).chain(self.lines[at + 1..end].iter().copied()).collect();
        self.push_paragraphs(&whole);
        end
    }

    fn push_paragraphs(&mut self, of: &[Line<'a>]) {
        self.blocks.extend(lines::paragraphs(of, self.margin).into_iter().map(Block::Paragraph));
    }

    /// The line after the paragraph that this line is in.
    fn end_of_paragraph(&self, at: usize) -> usize {
        let mut end = at + 1;
        while let Some(line) = self.line(end) {
            let before = &self.lines[end - 1];
            let is_rest = is_full(before, line, self.margin);
            let is_item = items::item(line.text)
                .is_some_and(|(marker, _)| marker == Marker::Bullet && !is_rest || self.leads_in(end));
            let is_labelled = headings::labelled(line.text).is_some_and(|found| {
                let may = ends_sentence(before.text) || before.text.ends_with([':', ';']);
                may && (!is_rest || self.margin.is_none()) || self.is_due(end, &found)
            });
            let is_underlined = self.line(end + 1).is_some_and(|under| is_rule(under.text)) && !is_rest;
            let is_pairs = !self.is_rest(end) && self.pair_run(end);
            if is_item || is_labelled || is_underlined || is_pairs || is_rule(line.text) || self.is_table(end) {
                break;
            }
            end += 1;
        }
        end
    }
}

fn goes_on_in_capitals(next: Option<&Line<'_>>) -> bool {
    next.is_some_and(|next| headings::is_capitals(next.text) && headings::labelled(next.text).is_none())
}

/// A number without its stops.
fn number_of(label: &str) -> String {
    let (head, last) = split_number(label);
    if head.is_empty() { last.to_string() } else { format!("{head}.{last}") }
}

/// What stands before a label's last number, and that.
fn split_number(label: &str) -> (String, u64) {
    let name = label.trim_end_matches(['.', ')', ':', ' ', '–', '—', '-']);
    let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (head, last) = name.split_at(name.len() - digits);
    let head =
        head.split('.').filter(|part| !part.is_empty()).map(|part| part.trim_start_matches('0')).collect::<Vec<_>>();
    match last.parse() {
        Ok(number) => (head.join("."), number),
        // A letter or a Roman number.
        Err(_) => (String::new(), name.bytes().last().map_or(0, u64::from)),
    }
}

//! The main text of a page, written as Markdown.
//! Invariant: what stands together in the page stands under one heading, title or line of the Markdown.

use std::collections::{HashMap, HashSet};

use engine_text::markdown::Writer;

use super::asides::Asides;
use super::counting::Counters;
use super::inline::{Gather, tells};
use super::main_text::Main;
use super::marks::Marks;
use super::paragraph::{Line, Paragraph, are_records};
use super::tables::{self, Part};
use super::titles::{asks, says_more};
use super::tree::{Data, Tree};

/// The least level of headings below a title.
const BELOW_TITLE: usize = 2;

/// Writes parts of one page.
pub(super) struct Renderer<'a> {
    pub(super) tree: &'a Tree,
    pub(super) main: &'a Main,
    pub(super) title: Option<&'a str>,
    pub(super) writer: Writer,
    paragraph: Paragraph,
    /// A bold line that is a heading if text follows it.
    pending: Option<Line>,
    /// How far the page's own headings are moved down.
    below_title: usize,
    /// The level of the heading that what is written stands below.
    pub(super) section: usize,
    /// The level of the last heading that is the title of a part.
    part_level: usize,
    /// Headings are deeper than this: they stand in a part with a title of its own.
    pub(super) floor: usize,
    /// The level of all headings, where they have lost their places.
    pub(super) fixed: Option<usize>,
    /// Parts by their titles.
    titled: HashMap<usize, usize>,
    /// Headings that stand before their places.
    done: HashSet<usize>,
    /// Parts that are written in another place.
    elsewhere: HashSet<usize>,
    /// The last of the page's own headings, and whether its main one was written.
    pub(super) last_heading: Option<usize>,
    pub(super) has_main_heading: bool,
    pub(super) asides: Asides,
    pub(super) marks: Marks,
    counters: Counters,
}

impl<'a> Renderer<'a> {
    /// With the page's own main heading as its title, or the other title it has.
    pub(super) fn new(tree: &'a Tree, main: &'a Main, title: Option<&'a str>) -> Self {
        let is_heading = title.is_some_and(|title| {
            let mut headings = (0..tree.nodes.len()).filter(|at| tree.nodes[*at].name() == "h1").take(8);
            headings.any(|at| clean_heading(&tree.line(at)).eq_ignore_ascii_case(title))
        });
        let titled =
            (0..tree.nodes.len()).rev().filter_map(|at| tree.nodes[at].title.map(|title| (title, at))).collect();
        Self {
            tree,
            main,
            title,
            writer: Writer::default(),
            paragraph: Paragraph::default(),
            pending: None,
            below_title: usize::from(title.is_some() && !is_heading),
            section: usize::from(title.is_some()),
            part_level: 0,
            floor: 0,
            fixed: None,
            titled,
            done: HashSet::new(),
            elsewhere: HashSet::new(),
            last_heading: None,
            has_main_heading: false,
            asides: Asides::default(),
            marks: Marks::of(tree, &main.skipped),
            counters: Counters::default(),
        }
    }

    /// All headings at one level.
    pub(super) fn fix_level(&mut self, level: usize) {
        self.fixed = Some(level);
        self.section = level;
    }

    /// Passes over what is written in another place.
    pub(super) fn leave(&mut self, parts: impl Iterator<Item = usize>) {
        self.elsewhere.extend(parts);
    }

    pub(super) fn finish(&mut self) -> String {
        self.flush();
        self.settle(false);
        let body = std::mem::take(&mut self.writer).finish();
        std::mem::take(&mut self.asides).join(body, usize::from(self.has_main_heading))
    }

    pub(super) const fn gather(&self, buttons: bool) -> Gather<'a> {
        Gather { tree: self.tree, skipped: self.main.skipped.as_slice(), buttons }
    }

    pub(super) fn has_words(&self, at: usize) -> bool {
        self.marks.words.any(&self.tree.under(at))
    }

    /// A node. The tree is not deeper than it may recurse.
    pub(super) fn node(&mut self, at: usize) {
        if self.main.skipped[at] || self.elsewhere.contains(&at) {
            return;
        }
        let node = &self.tree.nodes[at];
        if node.is_title && self.is_title_done(at) {
            return;
        }
        match node.title {
            Some(title) if self.has_words(at) => self.titled(at, title),
            _ => self.element(at),
        }
    }

    /// Whether a title is written now or by the part it is the title of.
    fn is_title_done(&mut self, at: usize) -> bool {
        let Some(panel) = self.titled.get(&at).copied() else { return false };
        let is_gone = self.main.skipped[panel] || !self.has_words(panel);
        if self.marks.headings.any(&self.tree.under(at)) {
            return false;
        }
        if is_gone {
            return self.tree.nodes[at].name() == "button";
        }
        if self.is_directly_before(at, panel) {
            let words = self.gather(true).line(at, " ");
            if !says_more(&words) {
                self.pseudo_heading(&words);
            }
        }
        true
    }

    fn is_directly_before(&self, title: usize, panel: usize) -> bool {
        let end = self.tree.under(title).end;
        end <= panel && !self.marks.words.any(&(end..panel))
    }

    /// A part with a title that is no heading of its own.
    fn titled(&mut self, at: usize, title: usize) {
        let tree = self.tree;
        let heading = std::iter::once(title).chain(tree.above(title)).find(|one| {
            tree.nodes[*one].heading_level().is_some()
                || matches!(tree.nodes[*one].name(), "summary" | "dt" | "caption")
        });
        let holds_heading = self.marks.headings.any(&tree.under(title));
        let stands = self.is_directly_before(heading.unwrap_or(title), at);
        let words = self.gather(true).line(title, " ");
        let first = tree.under(at).find(|one| tree.nodes[*one].heading_level().is_some());
        let says_so_itself = first.is_some_and(|one| tree.line(one).eq_ignore_ascii_case(&words));
        let is_heading = heading.is_some_and(|one| tree.nodes[one].heading_level().is_some()) || holds_heading;
        let mut level = if is_heading && stands { self.part_level } else { self.section.max(self.floor) + 1 };
        let is_written = stands && !self.main.skipped[title];
        if !is_written && !says_so_itself && !says_more(&words) {
            level = self.pseudo_heading(&words);
        }
        self.below(level, |own| own.element(at));
    }

    /// Writes what stands below a title of some level.
    fn below(&mut self, level: usize, write: impl FnOnce(&mut Self)) {
        let before = (self.section, self.floor);
        (self.section, self.floor) = (level, level);
        write(self);
        self.flush();
        self.settle(false);
        (self.section, self.floor) = before;
    }

    fn element(&mut self, at: usize) {
        let node = &self.tree.nodes[at];
        let Data::Element { name, .. } = &node.data else { return self.inline(at) };
        match name.as_str() {
            "hr" => self.flush(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading(at),
            "ul" | "menu" | "ol" if self.is_of_sections(at) => self.block(at),
            "ul" | "menu" | "ol" => self.list(at),
            "li" if self.writer.in_list() => {
                self.flush();
                self.counters.begin_item(node, &mut self.writer);
                self.children(at);
                self.flush();
                self.writer.end_paragraph();
            }
            "pre" => {
                self.flush();
                self.settle(true);
                self.writer.code_block(&self.tree.words(at));
            }
            "blockquote" => {
                self.flush();
                self.settle(true);
                self.writer.begin_quote();
                self.children(at);
                self.flush();
                self.writer.end_quote();
            }
            "table" if self.is_of_data(at) => self.table(at),
            "dl" => self.definitions(at),
            "details" => self.details(at),
            _ if self.is_apart(at) => self.aside(at),
            "button" if !tells(&self.tree.line(at)) => {}
            _ if node.is_inline() && !self.marks.blocks.any(&self.tree.under(at)) => self.inline(at),
            _ if node.is_inline() => self.children(at),
            _ => self.block(at),
        }
    }

    fn inline(&mut self, at: usize) {
        let mut paragraph = std::mem::take(&mut self.paragraph);
        self.gather(false).node(at, &mut paragraph, false);
        self.paragraph = paragraph;
    }

    fn block(&mut self, at: usize) {
        self.flush();
        if let Some(line) = self.row(at) {
            self.settle(true);
            return self.item(&line);
        }
        if let Some(heading) = self.late_heading(at) {
            self.heading(heading);
            self.done.insert(heading);
        }
        let name = self.tree.nodes[at].name();
        let is_list = self.writer.in_list();
        // A question in words of its own, with its answer behind it.
        if !is_list && matches!(name, "dt" | "summary") && asks(&self.tree.line(at)) {
            let words = self.gather(true).line(at, " ");
            self.pseudo_heading(&words);
            return;
        }
        self.children(at);
        if name == "address" { self.flush_as(true) } else { self.flush() }
    }

    pub(super) fn children(&mut self, at: usize) {
        let tree = self.tree;
        for child in &tree.nodes[at].children {
            self.node(*child);
        }
    }

    /// A line as an item of a list.
    pub(super) fn item(&mut self, line: &str) {
        let alone = !self.writer.in_list();
        if alone {
            self.writer.begin_list();
            self.writer.begin_item();
        }
        self.writer.text(line);
        self.writer.end_paragraph();
        if alone {
            self.writer.end_list();
        }
    }

    fn heading(&mut self, at: usize) {
        self.flush();
        self.settle(false);
        if self.done.contains(&at) || self.main.skipped[at] {
            return;
        }
        let words = self.gather(true).line(at, " ");
        let words = clean_heading(&words);
        let node = &self.tree.nodes[at];
        if words.is_empty()
            || (node.name() == "h1" && self.title.is_some_and(|title| title.eq_ignore_ascii_case(words)))
        {
            return;
        }
        let own = node.heading_level().unwrap_or(6) + self.below_title;
        let least = if self.title.is_some() { BELOW_TITLE } else { 1 };
        let level = self.fixed.unwrap_or_else(|| own.max(least).max(self.floor + 1));
        self.has_main_heading |= node.name() == "h1" && self.last_heading.is_none() && self.asides.is_empty();
        self.last_heading = Some(at);
        self.writer.text(words);
        // The title of a part stands below the heading above all such parts, whatever it is marked up as.
        let is_title = self.marks.titles.any(&self.tree.under(at))
            || self.tree.above(at).take(3).any(|above| self.tree.nodes[above].is_title);
        if is_title && self.fixed.is_none() {
            self.part_level = level.max(self.section + 1);
            self.writer.end_heading(self.part_level);
        } else {
            self.writer.end_heading(level);
            self.section = level;
        }
    }

    /// Words that are a heading in all but name; gives their level.
    pub(super) fn pseudo_heading(&mut self, words: &str) -> usize {
        self.flush();
        self.settle(false);
        let level = self.section.max(self.floor) + 1;
        self.writer.text(clean_heading(words));
        self.writer.end_heading(level);
        level
    }

    /// Writes a part below words that are a heading in all but name.
    pub(super) fn under(&mut self, words: &str, write: impl FnOnce(&mut Self)) {
        let level = self.pseudo_heading(words);
        self.below(level, write);
    }

    fn details(&mut self, at: usize) {
        self.flush();
        let tree = self.tree;
        let summary = tree.elements(at).find(|child| tree.nodes[*child].name() == "summary");
        let rest = move |own: &mut Self| {
            tree.nodes[at].children.iter().filter(|child| Some(**child) != summary).for_each(|child| own.node(*child));
        };
        let Some(summary) = summary else { return rest(self) };
        if self.marks.headings.any(&tree.under(summary)) {
            self.children(summary);
            self.flush();
            let level = self.section;
            return self.below(level, rest);
        }
        let words = self.gather(true).line(summary, " ");
        if words.is_empty() || says_more(&words) { rest(self) } else { self.under(&words, rest) }
    }

    /// A list of sections is none: headings do not stand in items.
    fn is_of_sections(&self, at: usize) -> bool {
        !self.writer.in_list() && self.marks.sections.any(&self.tree.under(at))
    }

    fn list(&mut self, at: usize) {
        self.flush();
        self.settle(true);
        self.counters.begin_list(self.tree, at, &mut self.writer);
        self.children(at);
        self.flush();
        self.counters.end_list(&mut self.writer);
    }

    /// A table that lays out a page has tables or blocks in its cells, one row or one column, or says that
    /// it is none.
    fn is_of_data(&self, at: usize) -> bool {
        let under = at + 1..self.tree.under(at).end;
        let role = self.tree.nodes[at].attribute("role");
        let (rows, cells) = (self.marks.rows.count(&under), self.marks.cells.count(&under));
        // Besides rows, cells and a group of rows.
        let has_blocks = self.marks.blocks.count(&under) > rows + cells + 1;
        let is_plain = cells > rows && !(rows == 1 && has_blocks);
        !matches!(role, Some("presentation" | "none"))
            && !self.marks.tables.any(&under)
            && (self.marks.table_heads.any(&under) || (is_plain && !self.marks.layout.any(&under)))
    }

    fn table(&mut self, at: usize) {
        self.flush();
        self.settle(true);
        let parts = tables::parts(self.tree, self.gather(false), at);
        for part in parts {
            match part {
                Part::Words(words) => {
                    self.writer.text(&words);
                    self.writer.end_paragraph();
                }
                Part::Rows { head, rows } if self.writer.in_list() || rows.iter().all(|row| row.len() < 2) => {
                    for row in rows {
                        self.item_of_row(&head, &row);
                    }
                }
                Part::Rows { head, rows } if head.iter().all(String::is_empty) && rows.len() == 1 => {
                    self.item_of_row(&head, &rows[0]);
                }
                Part::Rows { head, rows } => self.writer.table_under(&head, &rows),
            }
        }
    }

    /// A row of a table where no table can stand.
    fn item_of_row(&mut self, head: &[String], row: &[String]) {
        let named = |(n, cell): (usize, &String)| match head.get(n).filter(|head| !head.is_empty()) {
            Some(head) if row.len() > 1 => format!("{head}: {cell}"),
            _ => cell.clone(),
        };
        let line = match row {
            [name, value] if head.iter().all(String::is_empty) => format!("{}: {value}", name.trim_end_matches(':')),
            _ => {
                let cells = row.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
                cells.map(named).collect::<Vec<_>>().join(", ")
            }
        };
        self.writer.text(&line);
        self.writer.end_paragraph();
    }

    /// What was read since is a paragraph, or lines that say one thing each.
    pub(super) fn flush(&mut self) {
        self.flush_as(false);
    }

    fn flush_as(&mut self, is_address: bool) {
        for group in self.paragraph.groups() {
            self.lines(group, is_address);
        }
    }

    fn lines(&mut self, lines: Vec<Line>, is_address: bool) {
        let titles: Vec<bool> = lines.iter().map(|line| !self.writer.in_list() && line.is_title()).collect();
        // A bold line in front or between is the title of those behind it.
        if !titles.contains(&true) || (lines.len() > 1 && !titles.contains(&false)) {
            return self.plain_lines(&lines, is_address);
        }
        let mut behind = Vec::new();
        for (line, is_title) in lines.into_iter().zip(titles) {
            if !is_title {
                behind.push(line);
                continue;
            }
            self.plain_lines(&std::mem::take(&mut behind), is_address);
            self.settle(false);
            self.pending = Some(line);
        }
        self.plain_lines(&behind, is_address);
    }

    fn plain_lines(&mut self, lines: &[Line], is_address: bool) {
        if lines.is_empty() {
            return;
        }
        let in_list = self.writer.in_list();
        self.settle(true);
        if !in_list && (are_records(lines) || (is_address && lines.len() > 1)) {
            self.writer.begin_list();
            for line in lines {
                self.writer.begin_item();
                line.write(&mut self.writer);
                self.writer.end_paragraph();
            }
            return self.writer.end_list();
        }
        for (n, line) in lines.iter().enumerate() {
            if n > 0 {
                self.writer.line_break();
            }
            line.write(&mut self.writer);
        }
        self.writer.end_paragraph();
    }

    /// Writes a bold line that waits: as a heading where text follows, else as a paragraph.
    pub(super) fn settle(&mut self, text_follows: bool) {
        let Some(line) = self.pending.take() else { return };
        line.write(&mut self.writer);
        if text_follows && self.fixed.is_none() {
            self.writer.end_heading(self.section.max(self.floor) + 1);
        } else {
            self.writer.end_paragraph();
        }
    }

    /// A heading that stands behind the first words of its card.
    fn late_heading(&self, at: usize) -> Option<usize> {
        /// Texts that may stand before it.
        const BEFORE_MAX: usize = 6;
        let tree = self.tree;
        let run = tree.under(at);
        if self.marks.headings.count(&run) != 1 || self.writer.in_list() {
            return None;
        }
        let siblings = &tree.nodes[tree.nodes[at].parent].children;
        let place = siblings.binary_search(&at).ok()?;
        let is_card = |one: &usize| !tree.nodes[*one].is_inline() && self.marks.headings.count(&tree.under(*one)) == 1;
        let near = siblings[place.saturating_sub(2)..].iter().take(5).filter(|one| **one != at);
        let has_fellow = near.into_iter().any(|one| is_card(one) && tree.nodes[*one].heading_level().is_none());
        let heading = run.clone().find(|one| tree.nodes[*one].heading_level().is_some())?;
        let before = self.marks.words.count(&(run.start..heading));
        let nested = self.done.contains(&heading) || self.main.skipped[heading] || heading == at;
        (has_fellow && (1..=BEFORE_MAX).contains(&before) && !nested).then_some(heading)
    }
}

/// Many pages put a sign for a link behind each heading.
pub(super) fn clean_heading(words: &str) -> &str {
    words.trim_end_matches(['#', '¶', '§']).trim()
}

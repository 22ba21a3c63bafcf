//! Labels with their values: definition lists, and rows made of blocks.
//! Invariant: a value stays in one line with its label, or below it as a heading.

use super::amounts::{has_digit, has_fact, has_price};
use super::render::Renderer;
use super::titles::asks;
use super::tree::Data;

/// Cells of a row that is no table's.
const CELLS_MAX: usize = 4;
/// A longer label is a text, in characters.
const LABEL_CHARS_MAX: usize = 80;
/// A longer value is one.
const VALUE_CHARS_MAX: usize = 140;
/// A longer definition stands below its term.
const DEFINITION_CHARS_MAX: usize = 400;

impl Renderer<'_> {
    /// The line that a block of a label and its values is, if it is one.
    pub(super) fn row(&self, at: usize) -> Option<String> {
        let cells = self.cells(at)?;
        let value = cells.last()?;
        let says = has_price(value) || has_fact(value) || (has_digit(value) && value.chars().count() <= 40);
        let siblings = &self.tree.nodes[self.tree.nodes[at].parent].children;
        let place = siblings.binary_search(&at).ok()?;
        let near = siblings[place.saturating_sub(2)..].iter().take(5).filter(|one| **one != at);
        let is_like = |one: usize| self.cells(one).is_some_and(|others| others.len() == cells.len());
        let name = |one: usize| self.tree.nodes[one].name();
        let repeated = || cells.len() == 2 && near.into_iter().any(|one| name(*one) == name(at) && is_like(*one));
        (says || repeated()).then(|| joined(&cells))
    }

    /// The words of a block's parts, if there are few and all are short, the first a label.
    fn cells(&self, at: usize) -> Option<Vec<String>> {
        let Self { tree, marks, .. } = self;
        let node = &tree.nodes[at];
        if !matches!(node.name(), "div" | "li" | "tr" | "section" | "article" | "p")
            || node.children.len() > 4 * CELLS_MAX
        {
            return None;
        }
        let mut cells = Vec::new();
        let mut has_block = false;
        for child in node.children.iter().copied().filter(|child| !self.main.skipped[*child]) {
            match &tree.nodes[child].data {
                Data::Text(text) if text.trim().is_empty() => {}
                Data::Text(_) => return None,
                Data::Element { name, .. } => {
                    let is_leaf = !marks.blocks.any(&(child + 1..tree.under(child).end));
                    let is_plain = matches!(
                        name.as_str(),
                        "div" | "span" | "p" | "strong" | "b" | "em" | "time" | "td" | "data" | "small" | "label" | "a"
                    );
                    if !is_leaf || !is_plain || tree.nodes[child].is_title || tree.nodes[child].title.is_some() {
                        return None;
                    }
                    has_block |= !tree.nodes[child].is_inline();
                    let words = self.gather(false).line(child, ", ");
                    if words.chars().any(char::is_alphanumeric) {
                        cells.push(words);
                    }
                    if cells.len() > CELLS_MAX {
                        return None;
                    }
                }
            }
        }
        let label = cells.first()?;
        let short = |words: &String, most: usize| words.chars().count() <= most;
        let is_label = short(label, LABEL_CHARS_MAX)
            && label.chars().any(char::is_alphabetic)
            && !label.ends_with(['.', '!'])
            && !asks(label);
        let fits = cells.iter().skip(1).all(|cell| short(cell, VALUE_CHARS_MAX));
        (has_block && cells.len() > 1 && is_label && fits).then_some(cells)
    }

    /// Terms with what is said of them.
    pub(super) fn definitions(&mut self, at: usize) {
        self.flush();
        let tree = self.tree;
        let mut terms: Vec<usize> = Vec::new();
        let mut said: Vec<usize> = Vec::new();
        let mut one = at + 1;
        while one < tree.under(at).end {
            let name = tree.nodes[one].name();
            if self.main.skipped[one] || matches!(name, "dt" | "dd") {
                if name == "dt" && !self.main.skipped[one] {
                    if !said.is_empty() {
                        self.definition(&std::mem::take(&mut terms), &std::mem::take(&mut said));
                    }
                    terms.push(one);
                } else if !self.main.skipped[one] {
                    said.push(one);
                }
                one = tree.under(one).end;
            } else {
                one += 1;
            }
        }
        self.definition(&terms, &said);
    }

    fn definition(&mut self, terms: &[usize], said: &[usize]) {
        let names: Vec<String> = terms.iter().map(|term| self.gather(true).line(*term, " ")).collect();
        let term = names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" / ");
        let (tree, marks) = (self.tree, &self.marks);
        let count = |at: &usize| marks.blocks.count(&(at + 1..tree.under(*at).end));
        let is_flat = self.writer.in_list() || said.iter().all(|at| count(at) <= 1);
        let mut words: Vec<String> = Vec::new();
        if is_flat {
            // Not gathered where lists lie in each other: each would be again at every depth.
            words.extend(said.iter().map(|at| self.gather(false).line(*at, ", ")).filter(|words| !words.is_empty()));
        }
        let chars: usize = words.iter().map(|words| words.chars().count()).sum();
        let is_heading = asks(&term) || terms.iter().any(|at| marks.headings.any(&tree.under(*at)));
        let simple = is_flat && chars <= DEFINITION_CHARS_MAX;
        if self.writer.in_list() || (simple && !is_heading) {
            self.settle(true);
            let words = words.join("; ");
            let line = match (term.is_empty(), words.is_empty()) {
                (false, false) => format!("{}: {words}", term.trim_end_matches([':', ' '])),
                _ => term + &words,
            };
            if !line.is_empty() {
                self.item(&line);
            }
            return;
        }
        let said = said.to_vec();
        let write = |own: &mut Self| {
            for one in said {
                own.children(one);
                own.flush();
            }
        };
        if term.is_empty() { write(self) } else { self.under(&term, write) }
    }
}

fn joined(cells: &[String]) -> String {
    let [label, rest @ ..] = cells else { return String::new() };
    let label = label.trim_end_matches([':', ' ', '.', '…']);
    format!("{label}: {}", rest.join(", "))
}
